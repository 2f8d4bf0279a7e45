"""Adam and AdamW."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.ops.choice import maximum
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.optim.optimizer import Group, Optimizer, Params

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class Adam(Optimizer):
    """param -= lr * m' / (sqrt(v') + eps), m and v running averages of gradient and its square, m'
    and v' unbiased.

    weight_decay adds weight_decay * param to the gradient. amsgrad: v' of the largest v so far
    (Reddi et al. 2018). maximize: ascend. fused=False: not by the backend's kernel. Kingma and Ba
    2015; https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    kernel = "adam_step"
    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "eps", "weight_decay")
        self.expect(options, all(0 <= beta < 1 for beta in options["betas"]), "betas", "in [0, 1)")

    def update(self, group: Group, params: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        steps = self.count_steps(params)
        averages = self.tensors(params, "exp_avg"), self.tensors(params, "exp_avg_sq")
        largest = self.tensors(params, "max_exp_avg_sq") if group["amsgrad"] else None
        self.apply(
            group,
            params,
            (*averages, largest, steps),
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.decoupled,
            maximize=group["maximize"],
        )

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
        decoupled: bool,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        if maximize:
            grad = -grad
        if weight_decay and decoupled:
            param = param * (1 - lr * weight_decay)
        elif weight_decay:
            grad = grad + weight_decay * param
        exp_avg = beta1 * exp_avg + (1 - beta1) * grad
        exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * (grad * grad)
        square = exp_avg_sq
        if max_exp_avg_sq is not None:
            square = max_exp_avg_sq = maximum(max_exp_avg_sq, exp_avg_sq)
        root = sqrt(square) / math.sqrt(1 - beta2**step) + eps
        param = param - (lr / (1 - beta1**step)) * (exp_avg / root)
        return param, exp_avg, exp_avg_sq, max_exp_avg_sq


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves: param *= 1 - lr * weight_decay.

    Loshchilov and Hutter 2019;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, fused=fused
        )
