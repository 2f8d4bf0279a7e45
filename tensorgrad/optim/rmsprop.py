"""RMSprop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.ops.pointwise import sqrt
from tensorgrad.optim.optimizer import Group, Optimizer, Params

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class RMSprop(Optimizer):
    """param -= lr * grad / (sqrt(v) + eps), v a running average of the gradient's square.

    centered: v less the square of the gradient's average (Graves 2013). momentum: a running sum of
    the steps takes their place. weight_decay adds weight_decay * param to the gradient. maximize:
    ascend. Hinton 2012, lecture 6;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    kernel = "rmsprop_step"

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
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
            "fused": fused,
        }
        super().__init__(params, defaults)

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "alpha", "eps", "weight_decay", "momentum")

    def update(self, group: Group, params: list[Tensor]) -> None:
        self.count_steps(params)
        states = (
            self.tensors(params, "square_avg"),
            self.tensors(params, "grad_avg") if group["centered"] else None,
            self.tensors(params, "momentum_buffer") if group["momentum"] else None,
        )
        self.apply(
            group,
            params,
            states,
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            maximize=group["maximize"],
        )

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
        step = grad / (sqrt(spread) + eps)
        if momentum_buffer is not None:
            momentum_buffer = momentum * momentum_buffer + step
            step = momentum_buffer
        return param - lr * step, square_avg, grad_avg, momentum_buffer
