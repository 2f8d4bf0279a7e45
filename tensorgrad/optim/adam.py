"""Adam, AdamW and their relatives Adamax, NAdam and RAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.ops.choice import maximum
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.pointwise import abs, sqrt
from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

Betas = tuple[float, float]


class Moments(Optimizer):
    """What the family shares: running averages of the gradient and of its square or size."""

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "eps", "weight_decay")
        self.expect(options, all(0 <= beta < 1 for beta in options["betas"]), "betas", "in [0, 1)")


class Adam(Moments):
    """param -= lr * m' / (sqrt(v') + eps), m and v running averages of gradient and its square, m'
    and v' unbiased.

    weight_decay adds weight_decay * param to the gradient, or with decoupled_weight_decay shrinks
    the parameter itself. amsgrad: v' of the largest v so far (Reddi et al. 2018). maximize: ascend.
    fused=False: array by array, as the rule says. Kingma and Ba 2015;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    elementwise = True
    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(
            params,
            defaults
            | hints(
                foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused
            ),
        )

    def wants(self, state: str, group: Group) -> bool:
        return state != "max_exp_avg_sq" or bool(group["amsgrad"])

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        exp_avg: Any,
        exp_avg_sq: Any,
        max_exp_avg_sq: Any,
        step: int,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled_weight_decay: bool,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, decoupled_weight_decay, maximize)
        exp_avg = beta1 * exp_avg + (1 - beta1) * grad
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * (grad * grad)
        square = exp_avg_sq
        if max_exp_avg_sq is not None:
            square = max_exp_avg_sq = maximum(max_exp_avg_sq, exp_avg_sq)
        root = sqrt(square) / (1 - beta2**step) ** 0.5 + eps
        param = param - (lr / (1 - beta1**step)) * (exp_avg / root)
        return param, exp_avg, exp_avg_sq, max_exp_avg_sq


def decayed(
    param: Any, grad: Any, lr: float, weight_decay: float, decoupled: bool, maximize: bool
) -> tuple[Any, Any]:
    """Parameter and gradient after weight decay: of the one or in the other."""
    if maximize:
        grad = -grad
    if weight_decay and decoupled:
        param = param * (1 - lr * weight_decay)
    elif weight_decay:
        grad = grad + weight_decay * param
    return param, grad


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves: param *= 1 - lr * weight_decay.

    Loshchilov and Hutter 2019;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


class Adamax(Moments):
    """Adam with the largest |gradient|, decaying by beta2, in place of the root of v.

    u = max(beta2 * u, |grad| + eps); param -= lr / (1 - beta1^t) * m / u. Kingma and Ba 2015,
    section 7; https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        exp_avg: Any,
        exp_inf: Any,
        step: int,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, False, maximize)
        exp_avg = beta1 * exp_avg + (1 - beta1) * grad
        exp_inf = maximum(beta2 * exp_inf, abs(grad) + eps)
        return param - (lr / (1 - beta1**step)) * (exp_avg / exp_inf), exp_avg, exp_inf


class NAdam(Moments):
    """Adam with Nesterov's momentum, whose weight mu_t = beta1 * (1 - 0.5 * 0.96^(t *
    momentum_decay)) grows with the steps.

    Dozat 2016; https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    elementwise = True
    on_host = ("step", "mu_product")

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    def check(self, options: Group) -> None:
        super().check(options)
        self.expect_not_negative(options, "momentum_decay")

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        if name == "mu_product":
            return tensor(1.0, device="cpu")
        return super().fresh(name, param, group)

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        mu_product: Any,
        exp_avg: Any,
        exp_avg_sq: Any,
        step: int,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        momentum_decay: float,
        decoupled_weight_decay: bool,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, decoupled_weight_decay, maximize)
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
        mu_product = mu_product * mu
        product = float(mu_product)
        exp_avg = beta1 * exp_avg + (1 - beta1) * grad
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * (grad * grad)
        root = sqrt(exp_avg_sq / (1 - beta2**step)) + eps
        ahead = (1 - mu) / (1 - product) * grad + mu_next / (1 - product * mu_next) * exp_avg
        return param - lr * (ahead / root), mu_product, exp_avg, exp_avg_sq


class RAdam(Moments):
    """Adam whose adaptive step is rectified while few gradients are known, and a step of plain
    momentum before its variance is tractable at all.

    Liu et al. 2020; https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        exp_avg: Any,
        exp_avg_sq: Any,
        step: int,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled_weight_decay: bool,
        maximize: bool,
    ) -> tuple[Any, Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, decoupled_weight_decay, maximize)
        exp_avg = beta1 * exp_avg + (1 - beta1) * grad
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * (grad * grad)
        mean = exp_avg / (1 - beta1**step)
        bias = 1 - beta2**step
        limit = 2 / (1 - beta2) - 1  # the length of the average, in the end and now
        length = limit - 2 * step * beta2**step / bias
        if length > 5:
            rectified = (length - 4) * (length - 2) * limit
            rectified /= (limit - 4) * (limit - 2) * length
            mean = mean * ((rectified * bias) ** 0.5 / (sqrt(exp_avg_sq) + eps))
        return param - lr * mean, exp_avg, exp_avg_sq
