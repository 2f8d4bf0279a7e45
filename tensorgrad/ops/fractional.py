"""Pooling by windows whose places are drawn at random. Graham 2014, "Fractional Max-Pooling".

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fractional_max_pool2d.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import arange, full
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.joining import cat
from tensorgrad.ops.pooling import at_places
from tensorgrad.ops.reduction import argmax
from tensorgrad.ops.sampling import rand
from tensorgrad.ops.shape import reshape
from tensorgrad.ops.windows import Sizes, Tuple, at_least, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]

Ratio = float | Sequence[float]


def _target(
    op: str, size: Tuple, kernel: Tuple, output_size: Any, output_ratio: Ratio | None
) -> Tuple:
    """The sizes to pool to, given or as parts of the input's."""
    if (output_size is None) == (output_ratio is None):
        given = "neither" if output_size is None else "both"
        raise ValueError(f"{op}: expected output_size or output_ratio, got {given}")
    if output_ratio is None:
        target = at_least(op, "output_size", each(op, "output_size", output_size, len(size)), 1)
    else:
        if isinstance(output_ratio, int | float):
            output_ratio = (output_ratio,) * len(size)
        ratios = tuple(output_ratio)
        if len(ratios) != len(size) or not all(0 < ratio < 1 for ratio in ratios):
            raise ValueError(
                f"{op}: expected output_ratio of {len(size)} numbers between 0 and 1, got "
                f"{output_ratio}"
            )
        target = tuple([int(n * ratio) for n, ratio in zip(size, ratios)])
    if any(m < 1 or m + k - 1 > n for n, k, m in zip(size, kernel, target)):
        raise ShapeError(
            f"{op}: expected output + kernel - 1 to be at most the input, got output "
            f"{list(target)} and kernel {list(kernel)} for input {list(size)}"
        )
    return target


def _starts(sample: Any, size: int, kernel: int, count: int) -> Any:
    """Where each of `count` windows begins, (..., count) for samples (...): after steps of one
    pseudo-random length or the next, the last at the end.
    """
    last = full((*sample.shape, 1), size - kernel, dtype=dtypes.int64, device=sample.device)
    if count == 1:
        return last
    sample = reshape(sample, *sample.shape, 1)
    pace = (size - kernel) / (count - 1)
    steps = arange(count - 1, dtype=sample.dtype, device=sample.device)
    begun = cast((sample + steps) * pace, dtypes.int64) - cast(sample * pace, dtypes.int64)
    return cat([begun, last], -1)


def _largest(
    spatial: int,
    input: Any,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Ratio | None,
    return_indices: bool | int,
    samples: Any,
) -> Any:
    op = f"fractional_max_pool{spatial}d"
    shape = tuple(input.shape)
    if len(shape) not in (spatial + 1, spatial + 2) or 0 in shape[-spatial - 1 :]:
        raise ShapeError(
            f"{op}: expected input of {spatial + 2} dimensions (N, C, *size), or without N, and "
            f"none but N empty, got shape {list(shape)}"
        )
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {input.dtype}")
    lead, size = shape[:-spatial], shape[-spatial:]
    kernel = at_least(op, "kernel_size", each(op, "kernel_size", kernel_size, spatial), 1)
    target = _target(op, size, kernel, output_size, output_ratio)
    batch, channels = (1,) * (2 - len(lead)) + lead
    wanted = (batch, channels, spatial)
    if samples is None:
        samples = rand(wanted, dtype=input.dtype, device=input.device)
    found = tuple(samples.shape)
    if len(found) != 3 or found[0] < batch or found[1:] != wanted[1:]:
        raise ShapeError(f"{op}: expected samples of shape {list(wanted)}, got shape {list(found)}")
    samples = samples[:batch]
    # The places that each window covers in the flattened plane, all dimensions of windows first.
    places: Any = 0
    for d in range(spatial):
        # In two dimensions the samples begin with the width, in three with the depth.
        sample = samples[..., 1 - d if spatial == 2 else d]
        starts = _starts(reshape(sample, *lead), size[d], kernel[d], target[d])
        inside = arange(kernel[d], device=input.device)
        outer = [1] * (2 * spatial)
        outer[d] = target[d]
        within = [1] * (2 * spatial)
        within[spatial + d] = kernel[d]
        along = reshape(starts, *lead, *outer) + reshape(inside, *within)
        places = places * size[d] + along
    rows = reshape(places, *lead, *target, math.prod(kernel))
    line = reshape(places, *lead, *(1,) * (spatial - 1), math.prod(target + kernel))
    covered = at_places(input.detach(), line, spatial)
    largest = argmax(reshape(covered, *rows.shape), -1, True)
    chosen = reshape(gather_along(rows, largest, -1), *lead, *target)
    values = at_places(input, chosen, spatial)
    return (values, chosen) if return_indices else values


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool | int = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest element of each window of kernel_size over (N, C, H, W) or (C, H, W). Window i of
    m along n places starts at floor(a (i + u)) - floor(a u) with a = (n - kernel) / (m - 1) and u
    drawn from [0, 1) for each plane, the last at n - kernel.

    m is output_size, or n times output_ratio. return_indices: also the places (int64) in the
    flattened plane. _random_samples: u, (N, C, 2), of the width and of the height.
    """
    return _largest(
        2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool | int = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """`fractional_max_pool2d` over (N, C, D, H, W) or (C, D, H, W). _random_samples: (N, C, 3), of
    depth, height and width.
    """
    return _largest(
        3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )
