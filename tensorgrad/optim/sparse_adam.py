"""Adam for sparse gradients alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.ops.pointwise import sqrt
from tensorgrad.optim.adam import Betas, Moments
from tensorgrad.optim.optimizer import Group, Params
from tensorgrad.sparse_rows import SparseRows

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class SparseAdam(Moments):
    """Adam that steps the rows which a sparse gradient names, and takes no other gradient.

    m and v of these rows alone move: m += (1 - beta1) * (grad - m), v likewise by grad^2; param -=
    lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps), t counting all steps of the
    parameter. https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html
    """

    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, options: Group) -> None:
        self.expect(options, options["lr"] > 0, "lr", "> 0")
        self.expect(options, options["eps"] > 0, "eps", "> 0")
        self.expect(options, all(0 <= beta < 1 for beta in options["betas"]), "betas", "in [0, 1)")

    def check_gradients(self, params: Sequence[Tensor]) -> None:
        super().check_gradients(params)
        if any(param._grad.__class__ is not SparseRows for param in params):
            raise RuntimeError(
                "SparseAdam: expected sparse gradients, got a dense one (it does not support dense "
                "gradients; Adam takes both)"
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
        maximize: bool,
    ) -> tuple[Any, Any, Any]:
        grad = -grad if maximize else grad
        exp_avg = exp_avg + (1 - beta1) * (grad - exp_avg)
        exp_avg_sq = exp_avg_sq + (1 - beta2) * (grad * grad - exp_avg_sq)
        size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        return param - size * (exp_avg / (sqrt(exp_avg_sq) + eps)), exp_avg, exp_avg_sq
