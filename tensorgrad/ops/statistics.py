"""Variance, standard deviation, and either beside the mean."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.arguments import flag
from tensorgrad.errors import DTypeError
from tensorgrad.fused import fused
from tensorgrad.ops.choice import where
from tensorgrad.ops.complex_parts import conj, is_complex, real
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import Dim, count_over, mean, reduced_dims, sum
from tensorgrad.ops.shape import reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "std",
    "std_mean",
    "var",
    "var_mean",
]


def _variance(
    op: str, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: float | None
) -> tuple[Any, Any]:
    """The variance, and the mean in its shape; in float32 where the dtype is narrower."""
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {input.dtype}")
    if input.dtype.itemsize == 2:
        input = cast(input, dtypes.float32)
    if isinstance(dim, bool):  # PyTorch's var(unbiased)
        if unbiased is not None or keepdim:
            raise TypeError(f"{op}: expected dim to be whole numbers or None, got {dim}")
        dim, unbiased = None, dim
    if unbiased is not None and not isinstance(unbiased, bool):
        flag(op, "unbiased", unbiased)
    if unbiased is not None and correction is not None:
        raise TypeError(f"{op}: expected unbiased or correction, got {unbiased} and {correction}")
    if correction is None:
        correction = 0 if unbiased is False else 1
    dim = reduced_dims(input, dim)
    centre = mean(input, dim, True)
    centred = input - centre
    degrees = builtins.max(count_over(input.shape, dim) - correction, 0)
    squares = real(centred * conj(centred)) if is_complex(centred) else centred * centred
    variance = sum(squares, dim, keepdim) / degrees
    return variance, centre if keepdim else reshape(centre, variance.shape)


def _in(value: Any, dtype: DType) -> Any:
    """The value in the input's dtype; the variance of complex numbers is real."""
    if value.dtype == dtype or dtypes.category(dtype) == dtypes.COMPLEX:
        return value
    return cast(value, dtype)


@takes_out
def var(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Sum of squared distances from the mean, over (n - correction); correction 1 unless told."""
    variance, _ = _variance("var", input, dim, unbiased, keepdim, correction)
    return _in(variance, input.dtype)  # type: ignore[no-any-return]


def _through_root(g: Any, y: Any) -> Any:
    return where(y == 0, 0, g / where(y == 0, 1, 2 * y))


@fused(input=_through_root)
def root(input: Tensor) -> Tensor:
    """Square root with gradient 0 at 0."""
    return sqrt(input)


@takes_out
def std(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Square root of `var`; gradient 0 where that is 0."""
    variance, _ = _variance("std", input, dim, unbiased, keepdim, correction)
    return _in(root(variance), input.dtype)  # type: ignore[no-any-return]


@takes_out
def var_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(var, mean) over `dim`."""
    variance, centre = _variance("var_mean", input, dim, unbiased, keepdim, correction)
    return _in(variance, input.dtype), _in(centre, input.dtype)


@takes_out
def std_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(std, mean) over `dim`."""
    variance, centre = _variance("std_mean", input, dim, unbiased, keepdim, correction)
    return _in(root(variance), input.dtype), _in(centre, input.dtype)
