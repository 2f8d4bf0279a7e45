"""Adagrad, Adadelta, and Adafactor: step sizes from the sum or average of squared gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.ops.choice import clamp, maximum
from tensorgrad.ops.creation import full_like, zeros
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import average, total
from tensorgrad.optim.adam import decayed
from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class Adagrad(Optimizer):
    """param -= lr / (1 + (t - 1) * lr_decay) * grad / (sqrt(s) + eps), s the sum of the squared
    gradients, from initial_accumulator_value on.

    Duchi et al. 2011; https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    elementwise = True
    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(
            params, defaults | hints(foreach=foreach, differentiable=differentiable, fused=fused)
        )
        for group in self.param_groups:  # as in PyTorch the state is there before the first step
            self.tensors(group["params"], "sum", group)

    def check(self, options: Group) -> None:
        names = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        self.expect_not_negative(options, *names)

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        return full_like(param, group["initial_accumulator_value"])

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        sum: Any,
        step: int,
        *,
        lr: float,
        lr_decay: float,
        weight_decay: float,
        eps: float,
        maximize: bool,
    ) -> tuple[Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, False, maximize)
        sum = sum + grad * grad
        return param - lr / (1 + (step - 1) * lr_decay) * (grad / (sqrt(sum) + eps)), sum


class Adadelta(Optimizer):
    """param -= lr * sqrt(u + eps) / sqrt(v + eps) * grad, v and u running averages of the squared
    gradient and of the squared step.

    Zeiler 2012; https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "eps", "weight_decay")
        self.expect(options, 0 <= options["rho"] <= 1, "rho", "in [0, 1]")

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        square_avg: Any,
        acc_delta: Any,
        *,
        lr: float,
        rho: float,
        eps: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Any, Any]:
        param, grad = decayed(param, grad, lr, weight_decay, False, maximize)
        square_avg = rho * square_avg + (1 - rho) * (grad * grad)
        delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * grad
        acc_delta = rho * acc_delta + (1 - rho) * (delta * delta)
        return param - lr * delta, square_avg, acc_delta


class Adafactor(Optimizer):
    """Adagrad's relative whose second moment of a matrix is kept as its row and column means: n + m
    numbers instead of n * m.

    The step is at most d in root mean square and scales with the parameter's. Shazeer and Stern
    2018; https://docs.pytorch.org/docs/stable/generated/torch.optim.Adafactor.html
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults | hints(foreach=foreach))

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "weight_decay")
        small, scale = options["eps"]
        self.expect(options, (small is None or small >= 0) and scale >= 0, "eps", ">= 0")
        self.expect(options, options["d"] >= 1, "d", ">= 1")
        self.expect(options, options["beta2_decay"] <= 0, "beta2_decay", "<= 0")
        for param in options["params"]:
            if dtypes.category(param.dtype) == dtypes.COMPLEX:
                raise RuntimeError(f"Adafactor: expected real parameters, got {param.dtype}")

    def update(self, group: Group, params: list[Tensor]) -> None:
        matrices = [param for param in params if param.ndim > 1]
        vectors = [param for param in params if param.ndim <= 1]
        for part, names in ((matrices, ("row_var", "col_var")), (vectors, ("variance",))):
            if part:
                states = {name: self.tensors(part, name, group) for name in names}
                order = [states.get(name) for name in ("row_var", "col_var", "variance")]
                self.apply(group, part, [*order, self.count_steps(part)], **self.numbers_of(group))

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        size = list(param.shape)
        if name != "variance":
            size[-1 if name == "row_var" else -2] = 1
        return zeros(size, dtype=param.dtype, device=param.device)

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        row_var: Any,
        col_var: Any,
        variance: Any,
        step: int,
        *,
        lr: float,
        beta2_decay: float,
        eps: tuple[float | None, float],
        d: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        small = dtypes.finfo(param.dtype).eps if eps[0] is None else eps[0]
        size = math.sqrt(math.prod(param.shape))
        scale = maximum(sqrt(total(param * param, None, False)) / size, eps[1])
        param, grad = decayed(param, grad, lr, weight_decay, True, maximize)
        fresh = step**beta2_decay
        square = grad * grad
        if variance is None:
            row_var = row_var + fresh * (average(square, -1, True) - row_var)
            col_var = col_var + fresh * (average(square, -2, True) - col_var)
            estimate = matmul(row_var, col_var) / maximum(average(row_var, -2, True), small)
        else:
            estimate = variance = variance + fresh * (square - variance)
        update = grad / sqrt(clamp(estimate, small * small))
        clipped = maximum(sqrt(total(update * update, None, False)) / (size * d), 1.0)
        step_size = min(lr, 1 / math.sqrt(step)) * scale / clipped
        return param - step_size * update, row_var, col_var, variance
