"""Rprop and Lion: steps by the sign of a gradient, not its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.creation import full_like
from tensorgrad.ops.pointwise import sign
from tensorgrad.optim.adam import Betas, decayed
from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class Rprop(Optimizer):
    """param -= sign(grad) * size, each element's size grown by etas[1] while its gradient keeps its
    sign and shrunk by etas[0], and no step made, where the sign changes.

    step_sizes: the smallest and the largest size; lr the first. For whole batches. Riedmiller and
    Braun 1993; https://docs.pytorch.org/docs/stable/generated/torch.optim.Rprop.html
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr")
        shrink, grow = options["etas"]
        self.expect(options, 0 < shrink < 1 < grow, "etas", "0 < etas[0] < 1 < etas[1]")

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        if name == "step_size":
            return full_like(param, float(group["lr"]))
        return super().fresh(name, param, group)

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        prev: Any,
        step_size: Any,
        *,
        etas: tuple[float, float],
        step_sizes: tuple[float, float],
        maximize: bool,
    ) -> tuple[Any, Any, Any]:
        if maximize:
            grad = -grad
        kept = grad * prev
        factor = where(kept > 0, etas[1], where(kept < 0, etas[0], grad * 0 + 1))
        step_size = clamp_to(step_size * factor, step_sizes[0], step_sizes[1])
        grad = where(kept < 0, 0, grad)
        return param - sign(grad) * step_size, grad, step_size


class Lion(Optimizer):
    """param -= lr * (sign(beta1 * m + (1 - beta1) * grad) + weight_decay * param); then
    m = beta2 * m + (1 - beta2) * grad.

    One state, half of Adam's; wants an lr 3 to 10 times smaller and a weight_decay as much larger.
    Chen et al. 2023, https://arxiv.org/abs/2302.06675; PyTorch has none.
    """

    elementwise = True
    counted = False

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-4,
        betas: Betas = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "weight_decay")
        self.expect(options, all(0 <= beta < 1 for beta in options["betas"]), "betas", "in [0, 1)")

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        exp_avg: Any,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, True, maximize)
        step = sign(beta1 * exp_avg + (1 - beta1) * grad)
        return param - lr * step, beta2 * exp_avg + (1 - beta2) * grad
