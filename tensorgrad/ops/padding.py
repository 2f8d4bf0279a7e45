"""Padding in every mode of PyTorch's.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.shape import pad_constant, take_slice
from tensorgrad.ops.taps import Taps, combine

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "pad",
]

Pair = tuple[int, int]


def _pairs(op: str, input: Any, pad: Sequence[int]) -> list[Pair]:
    """(before, after) of every dimension, the first first."""
    widths = [int(width) for width in pad]
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ShapeError(
            f"{op}: expected pairs of widths for at most {input.ndim} dimensions, got {widths}"
        )
    given = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    return [(0, 0)] * (input.ndim - len(given)) + given


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`input` with its last dimensions widened by `value`, or cropped where a width is negative:
    pad is (left, right) of the last one, then of the one before, ...
    """
    pairs = _pairs("constant_pad_nd", input, pad)
    return _filled(_cropped("constant_pad_nd", input, pairs), pairs, value)


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with its last dimensions widened: pad is (left, right) of the last one, then of the
    one before, ... Negative widths crop.

    mode: "constant" (fills with `value`, 0 unless told), "reflect" (mirrored at the border
    element), "replicate" (the border element repeated) or "circular".
    """
    pairs = _pairs("pad", input, pad)
    if mode == "constant":
        return _filled(_cropped("pad", input, pairs), pairs, 0 if value is None else value)
    if mode not in _BORDERS:
        raise NotImplementedError(
            f"pad: expected mode 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}"
        )
    if value:
        raise RuntimeError(f"pad: expected no value with mode {mode!r}, got {value}")
    if mode == "circular":  # what is cropped does not come back at the other side
        input = _cropped("pad", input, pairs)
        pairs = [(max(before, 0), max(after, 0)) for before, after in pairs]
    listed = mode == "replicate" or (mode == "reflect" and len(pad) <= 4)
    return (_repeated if listed else _widened)(input, pairs, mode)  # type: ignore[no-any-return]


def _widened(input: Any, pairs: list[Pair], mode: str) -> Any:
    for dim, (before, after) in enumerate(pairs):
        if before or after:
            _check_widths(mode, input.shape[dim], before, after)
            input = combine(input, dim, _border(mode, input.shape[dim], before, after))
    return input


def _repeated(input: Any, pairs: list[Pair], mode: str) -> Any:
    """`_widened` in the cases that PyTorch's autocast has on a list."""
    return _widened(input, pairs, mode)


def _check_widths(mode: str, size: int, before: int, after: int) -> None:
    limit = {"reflect": size - 1, "circular": size}.get(mode, max(before, after))
    if max(before, after) > limit:
        raise ShapeError(
            f"pad: expected widths of at most {limit} for mode {mode!r} and size {size}, "
            f"got {(before, after)}"
        )
    if not size or size + before + after < 1:
        raise ShapeError(
            f"pad: expected sizes of at least 1 for mode {mode!r}, got {size} widened by "
            f"{(before, after)}"
        )


def _cropped(op: str, input: Any, pairs: list[Pair]) -> Any:
    if all(width >= 0 for pair in pairs for width in pair):
        return input
    kept = [
        slice(max(-before, 0), size - max(-after, 0))
        for size, (before, after) in zip(input.shape, pairs, strict=True)
    ]
    if any(part.stop < part.start for part in kept):
        raise ShapeError(
            f"{op}: expected a size >= 0 to be left of {list(input.shape)}, got {pairs}"
        )
    return take_slice(input, tuple(kept))


def _filled(input: Tensor, pairs: list[Pair], value: float) -> Tensor:
    widths = tuple([(max(before, 0), max(after, 0)) for before, after in pairs])
    return pad_constant(input, widths, value)


@functools.lru_cache(256)
def _border(mode: str, size: int, before: int, after: int) -> Taps:
    places = [_BORDERS[mode](place, size) for place in range(-before, size + after)]
    return Taps([[(place, 1.0)] for place in places], size)


# From places on the widened axis, the input's first being 0, to places on the input's.
_BORDERS: dict[str, Any] = {
    "reflect": lambda place, size: size - 1 - abs(size - 1 - abs(place)),
    "replicate": lambda place, size: min(max(place, 0), size - 1),
    "circular": lambda place, size: place % size,
}
