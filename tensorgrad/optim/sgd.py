"""Stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class SGD(Optimizer):
    """param -= lr * step; with momentum the step is the running average of Polyak 1964, or
    Nesterov's.

    step = grad + weight_decay * param; b = momentum * b + (1 - dampening) * step, at first b =
    step; nesterov adds momentum * b to the step. maximize: ascend. fused=False: array by
    array, as the rule says. A sparse gradient moves the rows that it names alone, so that a step
    costs no more than these: PyTorch's momentum moves every row that was ever named.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    elementwise = True
    counted = False
    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(
            params, defaults | hints(foreach=foreach, differentiable=differentiable, fused=fused)
        )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "momentum", "weight_decay")
        plain = options["momentum"] > 0 and options["dampening"] == 0
        what = "with momentum > 0 and dampening 0 only"
        self.expect(options, plain or not options["nesterov"], "nesterov", what)

    def update(self, group: Group, params: list[Tensor]) -> None:
        dampening = group["dampening"]
        if not group["momentum"]:
            self.step_with(group, params, None, dampening)
        elif not dampening:
            self.step_with(group, params, self.tensors(params, "momentum_buffer", group), 0.0)
        else:  # the first gradient is not dampened
            new = [p for p in params if "momentum_buffer" not in self.state[p]]
            known = [p for p in params if "momentum_buffer" in self.state[p]]
            for part, factor in ((new, 0.0), (known, dampening)):
                if part:
                    buffers = self.tensors(part, "momentum_buffer", group)
                    self.step_with(group, part, buffers, factor)

    def step_with(
        self,
        group: Group,
        params: list[Tensor],
        buffers: list[Tensor] | None,
        dampening: float,
    ) -> None:
        numbers = self.numbers_of(group)
        numbers["dampening"] = dampening
        self.apply(group, params, (buffers,), **numbers)

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        momentum_buffer: Any,
        *,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
        maximize: bool,
    ) -> tuple[Any, Any]:
        step = -grad if maximize else grad
        if weight_decay:
            step = step + weight_decay * param
        if momentum_buffer is not None:
            momentum_buffer = momentum * momentum_buffer + (1 - dampening) * step
            step = step + momentum * momentum_buffer if nesterov else momentum_buffer
        return param - lr * step, momentum_buffer
