"""RMSprop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.ops.pointwise import sqrt
from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class RMSprop(Optimizer):
    """param -= lr * grad / (sqrt(v) + eps), v a running average of the gradient's square.

    centered: v less the square of the gradient's average (Graves 2013). momentum: a running sum of
    the steps takes their place. eps_inside: lr * grad / sqrt(v + eps), as in the lecture.
    weight_decay adds weight_decay * param to the gradient. maximize: ascend. Hinton 2012, lecture
    6; https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        eps_inside: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
            "eps_inside": eps_inside,
        }
        super().__init__(
            params,
            defaults
            | hints(
                foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused
            ),
        )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "alpha", "eps", "weight_decay", "momentum")

    def wants(self, state: str, group: Group) -> bool:
        option = {"grad_avg": "centered", "momentum_buffer": "momentum"}.get(state)
        return option is None or bool(group[option])

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        square_avg: Any,
        grad_avg: Any,
        momentum_buffer: Any,
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
        eps_inside: bool,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        if maximize:
            grad = -grad
        if weight_decay:
            grad = grad + weight_decay * param
        square_avg = alpha * square_avg + (1 - alpha) * (grad * grad)
        spread = square_avg
        if grad_avg is not None:
            grad_avg = alpha * grad_avg + (1 - alpha) * grad
            spread = square_avg - grad_avg * grad_avg
        root = sqrt(spread + eps) if eps_inside else sqrt(spread) + eps
        step = grad / root
        if momentum_buffer is not None:
            momentum_buffer = momentum * momentum_buffer + step
            step = momentum_buffer
        return param - lr * step, square_avg, grad_avg, momentum_buffer
