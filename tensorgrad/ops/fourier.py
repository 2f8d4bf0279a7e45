"""Discrete Fourier transforms.

Three primitives do all: complex to complex, real to the first half of a complex result, and back.
Each is linear, so its gradient is another of them. Names and
arguments: https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.graph import TensorCore, unwrap, wrap
from tensorgrad.modes import current
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.complex_parts import conjugate, is_complex, real_part
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import whole_numbers, zeros_of
from tensorgrad.ops.shape import one_dim, pad_constant, reshape, take_slice
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

Size = int | Sequence[int] | None
# The scale of a transform in the other direction, and of the transposed one.
OTHER_WAY = {"backward": "forward", "ortho": "ortho", "forward": "backward"}

# ---- primitives

# The matrix of the transform is symmetric: it is its own transpose.
transform: TensorFunction = primitive(
    "fft_complex",
    "input",
    "dims, norm, inverse",
    input=lambda g, dims, norm, inverse: transform(g, dims, norm, inverse),
)


def _halved(input: Any, dim: int, size: int) -> Any:
    """How often each number of the half along `dim` stands in the whole of `size`, to divide by
    and to multiply with: twice, but for the first and, of an even size, the last.
    """
    half = size // 2 + 1
    counts = zeros_of(real_part(unwrap(input)), (half,))
    backend = current().backends[counts.__class__]
    backend.assign(counts, 2)
    backend.assign(counts[:1], 1)
    if size % 2 == 0:
        backend.assign(counts[-1:], 1)
    counts = reshape(counts, (half, *(1,) * (input.ndim - 1 - dim)))
    return wrap(counts) if isinstance(input, TensorCore) else counts


def _of_real_input(g: Any, input_shape: tuple[int, ...], dims: Any, norm: str) -> Any:
    size = input_shape[dims[-1]]
    return to_real(conjugate(g) / _halved(g, dims[-1], size), dims, size, OTHER_WAY[norm])


def _to_real_input(g: Any, dims: Any, size: int, norm: str) -> Any:
    half = conjugate(of_real(g, dims, OTHER_WAY[norm]))
    return half * _halved(half, dims[-1], size)


of_real: TensorFunction = primitive("fft_of_real", "input", "dims, norm", input=_of_real_input)
to_real: TensorFunction = primitive(
    "fft_to_real", "input", "dims, size, norm", input=_to_real_input
)

# ---- the arguments of all


def _norm(op: str, norm: str | None) -> str:
    if norm is None:
        return "backward"
    if norm not in OTHER_WAY:
        raise RuntimeError(f"{op}: expected norm to be one of {[*OTHER_WAY]}, got {norm!r}")
    return norm


def _floating(op: str, input: Any) -> Any:
    """In a dtype that transforms are computed in: integers become floats, half floats wider."""
    if not dtypes.is_differentiable(input.dtype):
        return cast(input, dtypes.get_default_dtype())
    return cast(input, dtypes.float32) if input.dtype.itemsize == 2 else input


def _as_complex(op: str, input: Any) -> Any:
    input = _floating(op, input)
    if is_complex(input):
        return input
    return cast(input, dtypes.promote_types(input.dtype, dtypes.complex64))


def _as_real(op: str, input: Any) -> Any:
    if is_complex(input):
        raise DTypeError(
            f"{op}: expected a real tensor, got {input.dtype} ({op} expects a real input tensor)"
        )
    return _floating(op, input)


def _places(op: str, input: Any, s: Size, dim: Size) -> tuple[list[int], list[int | None]]:
    """The dimensions, counted from the front, and the size asked for along each (None: its own)."""
    rank = input.ndim
    asked = None if s is None else list(whole_numbers(op, (s,)))
    if dim is not None:
        given = list(whole_numbers(op, (dim,)))
        if asked is not None and len(asked) != len(given):
            raise ShapeError(
                f"{op}: expected a size for each dimension, got s={asked} and dim={given} "
                "(When given, dim and shape arguments must have the same length)"
            )
    else:
        given = list(range(rank)) if asked is None else list(range(rank - len(asked), rank))
        if asked is not None and len(asked) > rank:
            raise ShapeError(
                f"{op}: expected at most {rank} sizes, got s={asked} "
                "(Got shape with more values than the input has dimensions)"
            )
    dims = [one_dim(op, d, rank) for d in given]
    if len(set(dims)) < len(dims):
        raise ShapeError(f"{op}: expected dimensions that differ, got {given} (must be unique)")
    sizes = [-1] * len(dims) if asked is None else asked
    return dims, [None if n == -1 else n for n in sizes]


def _check_sizes(op: str, sizes: Sequence[int]) -> None:
    for n in sizes:
        if n < 1:
            raise ShapeError(f"{op}: expected at least 1 data point, got {n} (Invalid number)")


def _resized(input: Any, dims: list[int], sizes: list[int]) -> Any:
    """Cut at the end, or zeros added there."""
    index = [slice(None)] * input.ndim
    widths = [(0, 0)] * input.ndim
    for dim, n in zip(dims, sizes):
        known = input.shape[dim]
        index[dim] = slice(0, n)
        widths[dim] = (0, max(n - known, 0))
    if any(n < input.shape[dim] for dim, n in zip(dims, sizes)):
        input = take_slice(input, tuple(index))
    if any(after for _, after in widths):
        input = pad_constant(input, tuple(widths), 0)
    return input


def _own_sizes(input: Any, dims: list[int], sizes: list[int | None]) -> list[int]:
    return [input.shape[d] if n is None else n for d, n in zip(dims, sizes)]


def _needs_a_dim(op: str, dims: list[int]) -> None:
    if not dims:
        raise ShapeError(f"{op}: expected at least one dimension, got none (must transform one)")


# ---- one function for each kind, over any dimensions


def _complex(op: str, input: Any, s: Size, dim: Size, norm: str | None, inverse: bool) -> Tensor:
    scale = _norm(op, norm)
    dims, asked = _places(op, input, s, dim)
    sizes = _own_sizes(input, dims, asked)
    _check_sizes(op, sizes)
    input = _resized(_as_complex(op, input), dims, sizes)
    return transform(input, tuple(dims), scale, inverse)


def _real(op: str, input: Any, s: Size, dim: Size, norm: str | None, conjugated: bool) -> Tensor:
    scale = _norm(op, norm)
    input = _as_real(op, input)
    dims, asked = _places(op, input, s, dim)
    _needs_a_dim(op, dims)
    sizes = _own_sizes(input, dims, asked)
    _check_sizes(op, sizes)
    input = _resized(input, dims, sizes)
    if conjugated:
        return conjugate(of_real(input, tuple(dims), OTHER_WAY[scale]))
    return of_real(input, tuple(dims), scale)


def _back(op: str, input: Any, s: Size, dim: Size, norm: str | None, conjugated: bool) -> Tensor:
    scale = _norm(op, norm)
    dims, asked = _places(op, input, s, dim)
    _needs_a_dim(op, dims)
    size = asked[-1]
    if size is None:
        size = 2 * (input.shape[dims[-1]] - 1)
    _check_sizes(op, [size])
    sizes = _own_sizes(input, dims, [*asked[:-1], size // 2 + 1])
    _check_sizes(op, sizes)
    input = _resized(_as_complex(op, input), dims, sizes)
    if conjugated:
        return to_real(conjugate(input), tuple(dims), size, OTHER_WAY[scale])
    return to_real(input, tuple(dims), size, scale)


# ---- along one dimension


@takes_out
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """y[k] = sum over t of x[t] exp(-2 pi i k t / n), along `dim`; complex.

    n: cut or fill with zeros to this size first. norm: "backward" (no scale), "ortho" (1 / sqrt n),
    "forward" (1 / n); inverses scale so that they undo the forward one of the same norm.
    """
    return _complex("fft", input, n, dim, norm, False)


@takes_out
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """x[t] = 1 / n sum over k of y[k] exp(2 pi i k t / n): the inverse of `fft`."""
    return _complex("ifft", input, n, dim, norm, True)


@takes_out
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first n // 2 + 1 numbers of `fft` of a real tensor; the others are their conjugates."""
    return _real("rfft", input, n, dim, norm, False)


@takes_out
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`: n real numbers (2 * (size - 1) unless told)."""
    return _back("irfft", input, n, dim, norm, False)


@takes_out
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of n numbers of which the second half are the conjugates of the first, which is given;
    real.
    """
    return _back("hfft", input, n, dim, norm, True)


@takes_out
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`: the first n // 2 + 1 numbers of `ifft` of a real tensor."""
    return _real("ihfft", input, n, dim, norm, True)


# ---- along two


@takes_out
def fft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft` along two dimensions."""
    return _complex("fft2", input, s, dim, norm, False)


@takes_out
def ifft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """`ifft` along two dimensions."""
    return _complex("ifft2", input, s, dim, norm, True)


@takes_out
def rfft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """`rfft` along the last of `dim`, then `fft` along the other."""
    return _real("rfft2", input, s, dim, norm, False)


@takes_out
def irfft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `rfft2`; `s` is the size of the result."""
    return _back("irfft2", input, s, dim, norm, False)


@takes_out
def hfft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft` along the first of `dim`, then `hfft` along the last; real."""
    return _back("hfft2", input, s, dim, norm, True)


@takes_out
def ihfft2(input: Tensor, s: Size = None, dim: Size = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `hfft2`."""
    return _real("ihfft2", input, s, dim, norm, True)


# ---- along several, all unless told


@takes_out
def fftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """`fft` along each of `dim`: all dimensions unless told, or the last ones that `s` has."""
    return _complex("fftn", input, s, dim, norm, False)


@takes_out
def ifftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """`ifft` along each of `dim`."""
    return _complex("ifftn", input, s, dim, norm, True)


@takes_out
def rfftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """`rfft` along the last of `dim`, then `fft` along the others."""
    return _real("rfftn", input, s, dim, norm, False)


@takes_out
def irfftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`; `s` is the size of the result."""
    return _back("irfftn", input, s, dim, norm, False)


@takes_out
def hfftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """`fft` along all but the last of `dim`, then `hfft` along that; real."""
    return _back("hfftn", input, s, dim, norm, True)


@takes_out
def ihfftn(input: Tensor, s: Size = None, dim: Size = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`."""
    return _real("ihfftn", input, s, dim, norm, True)
