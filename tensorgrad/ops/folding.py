"""Windows as columns and back, and the shuffles between channels and space.

https://docs.pytorch.org/docs/stable/nn.functional.html#vision-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.shape import clone_of, reshape, take_slice, to_order
from tensorgrad.ops.windows import (
    Sizes,
    Tuple,
    around,
    at_least,
    each,
    fold_windows,
    positions_along,
    windows,
)

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "channel_shuffle",
    "fold",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
]


def _geometry(
    op: str, size: Tuple, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> tuple[Tuple, Tuple, Tuple, Tuple, Tuple]:
    """Kernel, stride, padding, dilation and the positions of windows over (H, W), or ShapeError."""
    kernel = at_least(op, "kernel_size", each(op, "kernel_size", kernel_size, 2), 1)
    steps = at_least(op, "stride", each(op, "stride", stride, 2), 1)
    widths = at_least(op, "padding", each(op, "padding", padding, 2), 0)
    gaps = at_least(op, "dilation", each(op, "dilation", dilation, 2), 1)
    numbers = zip(size, kernel, steps, widths, gaps)
    positions = tuple([positions_along(*given) for given in numbers])
    if min(positions) < 1:
        raise ShapeError(
            f"{op}: expected a kernel no larger than the padded input, got kernel "
            f"{list(kernel)} for {list(size)}"
        )
    return kernel, steps, widths, gaps, positions


def unfold(
    input: Tensor,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """The windows of (N, C, H, W) or (C, H, W) as columns: (N, C * KH * KW, positions)."""
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        raise ShapeError(
            "unfold: expected input (N, C, H, W) or (C, H, W), none but N empty, got shape "
            f"{list(input.shape)}"
        )
    kernel, steps, widths, gaps, positions = _geometry(
        "unfold", tuple(input.shape[-2:]), kernel_size, dilation, padding, stride
    )
    lead = input.ndim - 2
    w = windows(around(input, widths, widths), kernel, steps, gaps)
    order = (*range(lead), lead + 2, lead + 3, lead, lead + 1)
    depth = input.shape[-3] * math.prod(kernel)
    return reshape(to_order(w, order), *input.shape[:-3], depth, math.prod(positions))


@widened
def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """The columns of `unfold`, (N, C * KH * KW, positions) or without N, each element added where
    it came from: (N, C, *output_size).
    """
    size = each("fold", "output_size", output_size, 2)
    kernel, steps, widths, gaps, positions = _geometry(
        "fold", size, kernel_size, dilation, padding, stride
    )
    depth, count = math.prod(kernel), math.prod(positions)
    fits = input.ndim in (2, 3) and input.shape[-2] % depth == 0 and input.shape[-1] == count
    if not fits or not input.shape[-2]:
        raise ShapeError(
            f"fold: expected input (N, C * {depth}, {count}), or without N, for output_size "
            f"{list(size)}, got shape {list(input.shape)}"
        )
    lead = (*input.shape[:-2], input.shape[-2] // depth)
    n = len(lead)
    apart = to_order(
        reshape(input, *lead, *kernel, *positions), (*range(n), n + 2, n + 3, n, n + 1)
    )
    whole = tuple([s + 2 * p for s, p in zip(size, widths)])
    inside = [slice(p, p + s) for s, p in zip(size, widths)]
    return take_slice(fold_windows(apart, whole, kernel, steps, gaps), (Ellipsis, *inside))


# ---- channels and space


def _image(op: str, input: Any, name: str, factor: int) -> tuple[Tuple, int, int, int]:
    """The leading sizes, C, H and W."""
    if input.ndim < 3:
        raise ShapeError(f"{op}: expected input (*, C, H, W), got shape {list(input.shape)}")
    if factor < 1:
        raise ShapeError(f"{op}: expected {name} of at least 1, got {factor}")
    channels, height, width = input.shape[-3:]
    return tuple(input.shape[:-3]), channels, height, width


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) to (*, C, H r, W r): r^2 channels as r by r pixels, r = upscale_factor."""
    r = upscale_factor
    lead, channels, height, width = _image("pixel_shuffle", input, "upscale_factor", r)
    if channels % (r * r):
        raise ShapeError(
            f"pixel_shuffle: expected channels divisible by {r * r}, got shape {list(input.shape)}"
        )
    n = len(lead)
    apart = reshape(input, *lead, channels // (r * r), r, r, height, width)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    pixels = clone_of(to_order(apart, order))  # also where there is nothing to move
    return reshape(pixels, *lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r^2, H, W): `pixel_shuffle` undone, r = downscale_factor."""
    r = downscale_factor
    lead, channels, height, width = _image("pixel_unshuffle", input, "downscale_factor", r)
    if height % r or width % r:
        raise ShapeError(
            f"pixel_unshuffle: expected height and width divisible by {r}, got shape "
            f"{list(input.shape)}"
        )
    n = len(lead)
    apart = reshape(input, *lead, channels, height // r, r, width // r, r)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    pixels = clone_of(to_order(apart, order))
    return reshape(pixels, *lead, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *) with its channels, seen as (groups, C / groups), transposed."""
    if input.ndim < 3:
        raise ShapeError(
            f"channel_shuffle: expected input (N, C, *size), got shape {list(input.shape)}"
        )
    batch, channels, *size = input.shape
    if groups < 1 or channels % groups:
        raise ShapeError(
            f"channel_shuffle: expected channels divisible by groups, got {channels} and {groups}"
        )
    apart = reshape(input, batch, groups, channels // groups, -1)
    return reshape(to_order(apart, (0, 2, 1, 3)), batch, channels, *size)
