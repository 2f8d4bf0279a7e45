"""Sampling an image at given places, and the places of an affine map.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.arithmetic import fmod
from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import arange
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.pointwise import floor, round
from tensorgrad.ops.shape import broadcast, reshape, take_slice, transpose

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "affine_grid",
    "grid_sample",
]

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


# ---- coordinates along one dimension


def _unscaled(x: Any, size: int, align_corners: bool) -> Any:
    """From [-1, 1] to elements: -1 and 1 are the corners' centres, or the borders."""
    return (x + 1) * ((size - 1) / 2) if align_corners else ((x + 1) * size - 1) / 2


def _clipped(x: Any, size: int) -> Any:
    """Within the elements; at the ends, too, no gradient passes."""
    return where(x > 0, where(x < size - 1, x, float(size - 1)), 0.0)


def _reflected(x: Any, size: int, align_corners: bool) -> Any:
    """Mirrored at the corners' centres, or at the borders, as often as it takes."""
    low, span = (0.0, size - 1) if align_corners else (-0.5, size)
    if not span:
        return x * 0
    away = x - low
    away = where(away < 0, -away, away)
    rest = fmod(away, span)
    odd = fmod(floor((away - rest) / span + 0.5), 2) == 1
    return where(odd, span - rest, rest) + low


def _padded(x: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    if padding_mode == "reflection":
        x = _reflected(x, size, align_corners)
    return x if padding_mode == "zeros" else _clipped(x, size)


# ---- values


class Picked:
    """The elements of an image (N, C, *size), outside of it zeros, at whole coordinates that are
    each (N, places).
    """

    def __init__(self, input: Any) -> None:
        self.size = tuple(input.shape[2:])
        self.flat = reshape(input, *input.shape[:2], math.prod(self.size))

    def at(self, coordinates: Sequence[Any]) -> Any:
        """(N, C, places)."""
        place: Any = 0
        inside: Any = True
        for x, n in zip(coordinates, self.size):
            inside = (x >= 0) & (x <= n - 1) & inside
            place = place * n + cast(clamp_to(x, 0, n - 1), dtypes.int64)
        samples, channels = self.flat.shape[:2]
        shape = (samples, channels, place.shape[-1])
        index = broadcast(reshape(place, samples, 1, -1), shape)
        found = gather_along(self.flat, index, -1)
        return where(reshape(inside, samples, 1, -1), found, 0)


def _multilinear(picked: Picked, coordinates: list[Any]) -> Any:
    lows = [floor(x) for x in coordinates]
    result: Any = 0
    for corner in itertools.product((0, 1), repeat=len(lows)):
        places = [low + step for low, step in zip(lows, corner)]
        weight: Any = 1
        for x, low, step in zip(coordinates, lows, corner):
            weight = weight * (x - low if step else low + 1 - x)
        result = result + picked.at(places) * reshape(weight, weight.shape[0], 1, -1)
    return result


def _cubic_weights(t: Any) -> list[Any]:
    """Of the four neighbours, t being the distance from the second."""
    a = -0.75
    far, near = t + 1, 1 - t
    return [
        ((a * far - 5 * a) * far + 8 * a) * far - 4 * a,
        ((a + 2) * t - (a + 3)) * t * t + 1,
        ((a + 2) * near - (a + 3)) * near * near + 1,
        ((a * (near + 1) - 5 * a) * (near + 1) + 8 * a) * (near + 1) - 4 * a,
    ]


def _bicubic(picked: Picked, coordinates: list[Any], padding_mode: str, aligned: bool) -> Any:
    lows = [floor(x) for x in coordinates]
    weights = [_cubic_weights(x - low) for x, low in zip(coordinates, lows)]
    near = [
        [_padded(low + (step - 1), n, padding_mode, aligned) for step in range(4)]
        for low, n in zip(lows, picked.size)
    ]
    result: Any = 0
    for row, column in itertools.product(range(4), repeat=2):
        weight = weights[0][row] * weights[1][column]
        values = picked.at([near[0][row], near[1][column]])
        result = result + values * reshape(weight, weight.shape[0], 1, -1)
    return result


@fused()
def sampled(
    input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool
) -> Tensor:
    """`grid_sample` of what has been found to fit."""
    samples, spatial = input.shape[0], input.ndim - 2
    places = tuple(grid.shape[1:-1])
    flat = reshape(grid, samples, math.prod(places), spatial)
    flat = where(flat == flat, flat, -1)  # NaN stands for -1, as in PyTorch
    coordinates = []
    for d, n in enumerate(input.shape[2:]):  # the grid names the last dimension first
        x = _unscaled(take_slice(flat, (Ellipsis, spatial - 1 - d)), n, align_corners)
        if mode != "bicubic":
            x = _padded(x, n, padding_mode, align_corners)
        coordinates.append(x)
    picked = Picked(input)
    if mode == "nearest":
        found = picked.at([round(x) for x in coordinates])
        for x in coordinates:  # no NaN is left in them: theirs is a gradient of zeros
            column = reshape(x, samples, 1, -1)
            found = where(column != column, column, found)
    elif mode == "bilinear":
        found = _multilinear(picked, coordinates)
    else:
        found = _bicubic(picked, coordinates, padding_mode, align_corners)
    return reshape(found, *input.shape[:2], *places)


def _check(op: str, input: Any, grid: Any) -> None:
    spatial = input.ndim - 2
    fits = spatial in (2, 3) and grid.ndim == input.ndim and grid.shape[-1] == spatial
    if not fits or grid.shape[0] != input.shape[0] or 0 in input.shape[2:]:
        raise ShapeError(
            f"{op}: expected input (N, C, H, W) and grid (N, OH, OW, 2), or both with a dimension "
            f"more, no size empty, got shapes {list(input.shape)} and {list(grid.shape)}"
        )
    if input.dtype != grid.dtype or not dtypes.is_differentiable(input.dtype):
        raise DTypeError(
            f"{op}: expected input and grid of one floating point dtype, got {input.dtype} and "
            f"{grid.dtype}"
        )


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """`input` (N, C, H, W) at the places of `grid` (N, OH, OW, 2): (N, C, OH, OW). With a dimension
    more, (N, C, D, H, W) at (N, OD, OH, OW, 3).

    grid[..., 0] is x along W, then y along H, each -1 at the first and 1 at the last element (its
    centre if align_corners, else its border). mode: "bilinear", "nearest" or, for images alone,
    "bicubic". padding_mode: what lies outside, "zeros", the "border", or the image's "reflection".
    """
    for name, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDINGS)):
        if value not in known:
            raise ValueError(f"grid_sample: expected {name} of {list(known)}, got {value!r}")
    return _sampled(  # type: ignore[no-any-return]
        "grid_sample", input, grid, mode, padding_mode, bool(align_corners)
    )


def _sampled(
    op: str, input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool
) -> Any:
    _check(op, input, grid)
    if mode == "bicubic" and input.ndim != 4:
        raise ShapeError(f"{op}: expected 4 dimensions for bicubic, got {list(input.shape)}")
    if input.dtype.itemsize > 2:
        return sampled(input, grid, mode, padding_mode, align_corners)
    wide = cast(input, dtypes.float32), cast(grid, dtypes.float32)
    return cast(sampled(*wide, mode, padding_mode, align_corners), input.dtype)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample` with its modes as numbers, in the order in which it names them."""
    return _sampled(  # type: ignore[no-any-return]
        "grid_sampler", input, grid, MODES[interpolation_mode], PADDINGS[padding_mode],
        align_corners,
    )  # fmt: skip


def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sampler` of images."""
    if input.ndim != 4:
        raise ShapeError(f"grid_sampler_2d: expected 4 dimensions, got {list(input.shape)}")
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sampler` of volumes."""
    if input.ndim != 5:
        raise ShapeError(f"grid_sampler_3d: expected 5 dimensions, got {list(input.shape)}")
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


# ---- affine maps


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid that shows an image under the affine maps `theta` (N, 2, 3): (N, H, W, 2) for `size`
    (N, C, H, W), or (N, D, H, W, 3) for theta (N, 3, 4) and size (N, C, D, H, W).
    """
    sizes = tuple(map(int, size))
    spatial = len(sizes) - 2
    if spatial not in (2, 3) or min(sizes) < 1:
        raise ShapeError(
            f"affine_grid: expected a size (N, C, H, W) or (N, C, D, H, W), got {sizes}"
        )
    if not dtypes.is_differentiable(theta.dtype):
        raise ValueError(f"affine_grid: expected a floating point dtype, got {theta.dtype}")
    if tuple(theta.shape) != (sizes[0], spatial, spatial + 1):
        raise ValueError(
            f"affine_grid: expected theta of shape {[sizes[0], spatial, spatial + 1]}, got "
            f"{list(theta.shape)}"
        )
    columns: list[Any] = []
    for d, n in enumerate(sizes[2:]):
        line = _line(n, bool(align_corners), theta)
        shape = (*sizes[2:], 1)
        along = reshape(line, -1, *(1,) * (len(shape) - d - 1))
        columns.insert(0, broadcast(along, shape))
    base = cat([*columns, columns[0] * 0 + 1], -1)
    flat = reshape(base, 1, math.prod(sizes[2:]), spatial + 1)
    out = matmul(flat, transpose(theta, 1, 2))
    return reshape(out, sizes[0], *sizes[2:], spatial)


def _line(n: int, align_corners: bool, like: Any) -> Any:
    """The elements' centres in [-1, 1]."""
    places = arange(n, dtype=dtypes.float64, device=like.device)
    line = places * (2 / max(n - 1, 1)) - 1 if align_corners else (places * 2 + 1) / n - 1
    if n == 1:
        line = line * 0
    return cast(line, like.dtype)
