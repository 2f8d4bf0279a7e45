"""Discrete Fourier transforms and the frequencies they are at: the names of `torch.fft`.

https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops import fourier
from tensorgrad.ops.creation import arange, whole_numbers
from tensorgrad.ops.fourier import *
from tensorgrad.ops.joining import cat
from tensorgrad.ops.rearranging import roll
from tensorgrad.ops.shape import one_dim
from tensorgrad.out import takes_out
from tensorgrad.public import functions

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]
__all__ += fourier.__all__


def _rolled(op: str, input: Tensor, dim: int | Sequence[int] | None, ahead: bool) -> Tensor:
    given = range(input.ndim) if dim is None else whole_numbers(op, (dim,))
    places = [one_dim(op, d, input.ndim) for d in given]
    sizes = [input.shape[place] for place in places]
    steps = [size // 2 if ahead else (size + 1) // 2 for size in sizes]
    return roll(input, steps, places) if places else input


def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """The frequency 0 moved to the middle along `dim` (all dimensions unless told)."""
    return _rolled("fftshift", input, dim, True)


def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _rolled("ifftshift", input, dim, False)


def _frequencies(
    op: str, n: int, d: float, ranges: list[tuple[int, int]], options: dict[str, Any]
) -> Tensor:
    dtype = options.pop("dtype", None) or dtypes.get_default_dtype()
    if not dtypes.is_floating_point(dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {dtype}")
    if n < 0:
        raise ShapeError(f"{op}: expected n >= 0, got {n}")
    wanted = options.pop("requires_grad", False)
    parts = [arange(start, end, dtype=dtype, **options) for start, end in ranges]
    return (cat(parts) * (1 / (n * d) if n * d else math.inf)).requires_grad_(wanted)


@takes_out
def fftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequency of each of the n numbers of `fft`, in cycles per unit of the sample spacing d:
    [0, 1, ..., (n - 1) // 2, -(n // 2), ..., -1] / (d * n).
    """
    middle = (n + 1) // 2
    return _frequencies("fftfreq", n, d, [(0, middle), (middle - n, 0)], options)


@takes_out
def rfftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequencies of the n // 2 + 1 numbers of `rfft`: [0, 1, ..., n // 2] / (d * n)."""
    return _frequencies("rfftfreq", n, d, [(0, n // 2 + 1)], options)


globals().update(functions(globals(), __all__))
