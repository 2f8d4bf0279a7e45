"""Interpolation to another size: weighted sums of neighbours along one dimension after the other.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.adaptive import adaptive_mean
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.taps import Row, Taps, combine
from tensorgrad.ops.windows import Tuple

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "interpolate",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

Size = int | Sequence[int] | None
Scale = float | Sequence[float] | None

# The modes, and for how many spatial dimensions each is.
MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
    "area": (1, 2, 3),
}
UNALIGNED = ("nearest", "nearest-exact", "area")


# ---- where an element of the result lies, and what it is the sum of


def _step(size: int, count: int, scale: float | None, align_corners: bool) -> float:
    """The distance of two neighbours of the result, in elements of the input."""
    if align_corners:
        return (size - 1) / (count - 1) if count > 1 else 0.0
    return 1 / scale if scale is not None and scale > 0 else size / count


def _nearest(size: int, count: int, step: float, exact: bool, single: bool) -> list[Row]:
    """In the precision of the input: at a boundary its rounding decides which is nearest."""
    rounded: Callable[[float], float] = _single if single else float
    step = rounded(step)
    rows: list[Row] = []
    for i in range(count):
        place = rounded(i * step)
        if exact:
            place = rounded(max(rounded(rounded((i + 0.5) * step) - 0.5), 0.0) + 0.5)
        rows.append([(min(math.floor(place), size - 1), 1.0)])
    return rows


def _single(value: float) -> float:
    """A number rounded to single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _linear(size: int, count: int, step: float, align_corners: bool) -> list[Row]:
    rows: list[Row] = []
    for i in range(count):
        place = i * step if align_corners else max((i + 0.5) * step - 0.5, 0.0)
        low = min(math.floor(place), size - 1)
        part = min(max(place - low, 0.0), 1.0)
        rows.append([(low, 1 - part), (min(low + 1, size - 1), part)])
    return rows


def _cubic_weight(distance: float, a: float) -> float:
    """Keys' convolution kernel, https://doi.org/10.1109/TASSP.1981.1163711"""
    x = abs(distance)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def _cubic(size: int, count: int, step: float, align_corners: bool) -> list[Row]:
    rows: list[Row] = []
    for i in range(count):
        place = i * step if align_corners else (i + 0.5) * step - 0.5
        low = min(math.floor(place), size - 1)
        part = min(max(place - low, 0.0), 1.0)
        near = [low - 1, low, low + 1, low + 2]
        weights = [_cubic_weight(part + 1 - j, -0.75) for j in range(4)]
        rows.append([(min(max(k, 0), size - 1), w) for k, w in zip(near, weights)])
    return rows


def _triangle(distance: float) -> float:
    return max(1 - abs(distance), 0.0)


def _antialiased(size: int, count: int, step: float, cubic: bool) -> list[Row]:
    """The kernel as wide as the step, where that is more than one element."""
    stretch = max(step, 1.0)
    support = (2 if cubic else 1) * stretch
    rows: list[Row] = []
    for i in range(count):
        center = step * (i + 0.5)
        start = max(int(center - support + 0.5), 0)
        end = min(int(center + support + 0.5), size)
        apart = [(k - center + 0.5) / stretch for k in range(start, end)]
        weights = [_cubic_weight(d, -0.5) if cubic else _triangle(d) for d in apart]
        whole = sum(weights)
        rows.append([(start + j, w / whole) for j, w in enumerate(weights)])
    return rows


@functools.lru_cache(256)
def _taps(
    mode: str,
    size: int,
    count: int,
    scale: float | None,
    align_corners: bool,
    antialias: bool,
    single: bool,
) -> Taps:
    step = _step(size, count, scale, align_corners)
    rows: list[Row]
    if mode in ("nearest", "nearest-exact"):
        rows = _nearest(size, count, step, mode == "nearest-exact", single)
    elif antialias:
        rows = _antialiased(size, count, step, mode == "bicubic")
    elif mode == "bicubic":
        rows = _cubic(size, count, step, align_corners)
    else:
        rows = _linear(size, count, step, align_corners)
    return Taps(rows, size)


# ---- what users call


def interpolate(
    input: Tensor,
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """`input` (N, C, *size) at another size, or at a multiple of its own.

    mode: "nearest" (its old formula, or "nearest-exact"), "linear", "bilinear", "trilinear" (by the
    number of spatial dimensions), "bicubic", or "area" (means). align_corners: the corners' centres
    stay where they are, else the borders do. recompute_scale_factor: the scale is that of the
    rounded sizes. antialias: for shrinking images by "bilinear" or "bicubic".
    """
    spatial = input.ndim - 2
    if mode not in MODES or spatial not in MODES[mode]:
        raise NotImplementedError(
            f"interpolate: expected a mode of {list(MODES)} for {spatial} spatial dimensions, "
            f"got {mode!r} for shape {list(input.shape)}"
        )
    if align_corners is not None and mode in UNALIGNED:
        raise ValueError(f"interpolate: expected no align_corners with mode {mode!r}, got one")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(
            f"interpolate: expected antialias with 'bilinear' and 'bicubic' alone, got {mode!r}"
        )
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"interpolate: expected a floating point dtype, got {input.dtype}")
    target, scales = _target(tuple(input.shape[2:]), size, scale_factor, recompute_scale_factor)
    if min(target) < 1 or 0 in input.shape[1:]:
        raise ShapeError(
            f"interpolate: expected sizes of at least 1, got {list(target)} from shape "
            f"{list(input.shape)}"
        )
    if mode == "area":
        return adaptive_mean(input, target)  # type: ignore[no-any-return]
    return _resized(  # type: ignore[no-any-return]
        input, mode, target, scales, bool(align_corners), antialias
    )


@widened
def _resized(
    input: Any,
    mode: str,
    target: Tuple,
    scales: Sequence[float | None],
    align_corners: bool,
    antialias: bool,
) -> Any:
    single = input.dtype == dtypes.float32
    for number, (count, scale) in enumerate(zip(target, scales)):
        size = input.shape[2 + number]
        if size != count or (mode not in ("nearest", "nearest-exact") and scale is not None):
            taps = _taps(mode, size, count, scale, align_corners, antialias, single)
            input = combine(input, 2 + number, taps)
    return input


def _target(
    size: Tuple, wanted: Size, scale_factor: Scale, recompute: bool | None
) -> tuple[Tuple, Sequence[float | None]]:
    """The sizes of the result, and the scales to compute with, None for that of the sizes."""
    count = len(size)
    if wanted is not None and scale_factor is None:
        if recompute:
            raise ValueError(
                "interpolate: expected recompute_scale_factor with scale_factor alone, got size"
            )
        sizes = (wanted,) * count if isinstance(wanted, int) else tuple(map(int, wanted))
        if len(sizes) != count:
            raise ValueError(f"interpolate: expected size of {count} numbers, got {wanted}")
        return sizes, (None,) * count
    if wanted is not None or scale_factor is None:
        raise ValueError("interpolate: expected size or scale_factor, got both or neither")
    factors = (scale_factor,) * count if isinstance(scale_factor, int | float) else scale_factor
    if len(factors) != count:
        raise ValueError(f"interpolate: expected scale_factor of {count} numbers, got {factors}")
    target = tuple([math.floor(n * factor) for n, factor in zip(size, factors)])
    return target, (None,) * count if recompute else tuple(map(float, factors))


def upsample(
    input: Tensor,
    size: Size = None,
    scale_factor: Scale = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The older name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Size = None, scale_factor: Scale = None) -> Tensor:
    """`interpolate` with mode "nearest"."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Size = None, scale_factor: Scale = None) -> Tensor:
    """`interpolate` with mode "bilinear" and aligned corners."""
    return interpolate(input, size, scale_factor, "bilinear", True)
