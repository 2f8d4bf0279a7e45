"""Window functions: weights that fade a frame of a signal out at its ends.

Each is computed in float64 and rounded once. `period` is how many steps the window's wave has: its
length for a periodic window, one less for a symmetric one. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#spectral-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import Where, arange, ones
from tensorgrad.ops.pointwise import abs, cos

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "bartlett_window",
    "blackman_window",
    "hamming_window",
    "hann_window",
    "kaiser_window",
]

BLACKMAN = (0.42, 0.5, 0.08)


def steps(count: int, scale: float, start: float, device: Where) -> Any:
    """start + scale * (0 .. count - 1), in float64."""
    return arange(count, dtype=dtypes.float64, device=device) * scale + start


def cosines(count: int, period: int, weights: Sequence[float], device: Where) -> Any:
    """Sum over i of (-1)^i weights[i] cos(2 pi i k / period), for k from 0 to count - 1; 1 for a
    single k.
    """
    if count == 1:
        return ones(1, dtype=dtypes.float64, device=device)
    turn = steps(count, 2 * math.pi / max(period, 1), 0.0, device)
    total = turn * 0 + weights[0]
    for number, weight in enumerate(weights[1:], start=1):
        total = total + cos(turn * number) * (weight if number % 2 == 0 else -weight)
    return total


def _around_middle(count: int, period: int, device: Where) -> Any:
    return steps(count, 2 / max(period, 1), 0.0 if count == 1 else -1.0, device)


def triangle(count: int, period: int, device: Where) -> Any:
    """1 - |2 k / period - 1|; 1 for a single k."""
    return 1 - abs(_around_middle(count, period, device))


def bessel(count: int, period: int, beta: float, device: Where) -> Any:
    """I0(beta sqrt(1 - (2 k / period - 1)^2)) / I0(beta), by the power series of the Bessel
    function.
    """
    place = _around_middle(count, period, device)
    square = (1 - place * place).clamp(0) * (beta / 2) ** 2
    term: Any = 1.0
    total, number = term, 0
    largest = largest_total = 1.0
    while largest > 1e-17 * largest_total:
        number += 1
        largest *= (beta / 2 / number) ** 2
        largest_total += largest
        term = term * square / number**2
        total = total + term
    return total / largest_total


def finished(window: Any, dtype: DType | None, requires_grad: bool) -> Tensor:
    """A float64 window in the dtype asked for."""
    dtype = dtype or dtypes.get_default_dtype()
    window = window if window.dtype == dtype else cast(window, dtype)
    return window.requires_grad_(requires_grad)  # type: ignore[no-any-return]


def _checked(op: str, length: int, dtype: DType | None) -> None:
    if length < 0:
        raise ShapeError(f"{op}: expected a window_length >= 0, got {length}")
    if dtype is not None and not dtypes.is_floating_point(dtype):
        raise RuntimeError(f"{op}: expected a floating point dtype, got {dtype}")


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.5 - 0.5 cos(2 pi k / N), of N = window_length, or one less if not periodic."""
    _checked("hann_window", window_length, dtype)
    window = cosines(window_length, window_length - (not periodic), (0.5, 0.5), device)
    return finished(window, dtype, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - beta cos(2 pi k / N)."""
    _checked("hamming_window", window_length, dtype)
    window = cosines(window_length, window_length - (not periodic), (alpha, beta), device)
    return finished(window, dtype, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 - 0.5 cos(2 pi k / N) + 0.08 cos(4 pi k / N)."""
    _checked("blackman_window", window_length, dtype)
    window = cosines(window_length, window_length - (not periodic), BLACKMAN, device)
    return finished(window, dtype, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """1 - |2 k / N - 1|."""
    _checked("bartlett_window", window_length, dtype)
    window = triangle(window_length, window_length - (not periodic), device)
    return finished(window, dtype, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """I0(beta sqrt(1 - (2 k / N - 1)^2)) / I0(beta), I0 being the modified Bessel function."""
    _checked("kaiser_window", window_length, dtype)
    window = bessel(window_length, window_length - (not periodic), beta, device)
    return finished(window, dtype, requires_grad)
