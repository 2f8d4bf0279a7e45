"""Muon: momentum made orthogonal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.ops.choice import maximum
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.norms import p_norm
from tensorgrad.ops.shape import transpose
from tensorgrad.optim.adam import decayed
from tensorgrad.optim.optimizer import Group, Optimizer, Params

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

Coefficients = tuple[float, float, float]


class Muon(Optimizer):
    """param -= lr' * orthogonal(step), for matrices: the step of SGD with momentum, all of whose
    singular values are brought near 1.

    orthogonal: ns_steps iterations x = a x + (b (x x^T) + c (x x^T)^2) x of ns_coefficients (a, b,
    c) on x = step / |step|. adjust_lr_fn: "original" (None) lr' = lr * sqrt(max(1, rows /
    columns)), "match_rms_adamw" lr' = 0.2 * lr * sqrt(max(rows, columns)). As in PyTorch x is
    rounded to bfloat16 whatever the parameter's dtype. Jordan et al. 2024;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html
    """

    counted = False

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: Coefficients = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "weight_decay", "momentum")
        known = (None, "original", "match_rms_adamw")
        self.expect(options, options["adjust_lr_fn"] in known, "adjust_lr_fn", f"one of {known}")
        for param in options["params"]:
            if param.ndim != 2:
                raise ValueError(
                    f"Muon: expected matrices, got a parameter of shape {list(param.shape)}"
                )
            if dtypes.category(param.dtype) == dtypes.COMPLEX:
                raise RuntimeError(f"Muon: expected real parameters, got {param.dtype}")

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        momentum_buffer: Any,
        *,
        lr: float,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
        ns_coefficients: Coefficients,
        eps: float,
        ns_steps: int,
        adjust_lr_fn: str | None,
    ) -> tuple[Any, Any]:
        momentum_buffer = momentum * momentum_buffer + (1 - momentum) * grad
        step = momentum * momentum_buffer + (1 - momentum) * grad if nesterov else momentum_buffer
        step = orthogonal(step, ns_coefficients, ns_steps, eps)
        rows, columns = param.shape
        if adjust_lr_fn == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1, rows / columns))
        param, _ = decayed(param, grad, lr, weight_decay, True, False)
        return param - lr * scale * step, momentum_buffer


def orthogonal(step: Any, coefficients: Coefficients, steps: int, eps: float) -> Any:
    """U V^T, nearly, of step = U S V^T, by Newton and Schulz's iteration.

    Each line is computed in float32 and rounded once, as PyTorch's products of bfloat16 are: with
    sums of up to 8 terms the results are its own to the bit. The roundings decide the result's
    second digit. In longer sums one of some thousand elements lies so near to the middle between
    two numbers of bfloat16 that the order of the terms decides, and the iteration multiplies such
    bits: after 50 steps on matrices of 16 to 256 rows parameters are 2e-4 to 2e-3 apart. PyTorch
    parts from itself by as much (5e-5 to 2e-3 measured, between its kernels for AVX-512, for AVX2
    and for older processors): no order of terms is its own.
    """
    a, b, c = coefficients
    tall = step.shape[0] > step.shape[1]
    x = rounded(cast(transpose(step, 0, 1) if tall else step, dtypes.float32))
    x = rounded(x / maximum(rounded(p_norm(x)), eps))
    for _ in range(steps):
        gram = rounded(matmul(x, transpose(x, 0, 1)))
        update = rounded(b * gram + c * matmul(gram, gram))
        x = rounded(a * x + matmul(update, x))
    return cast(transpose(x, 0, 1) if tall else x, step.dtype)


def rounded(x: Any) -> Any:
    """A float32 array with the precision of bfloat16."""
    return cast(cast(x, dtypes.bfloat16), dtypes.float32)
