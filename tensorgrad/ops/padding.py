"""Padding in every mode of PyTorch's.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.creation import arange
from tensorgrad.ops.indexing import index_select
from tensorgrad.ops.shape import pad_constant, take_slice

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "pad",
]


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with its last dimensions widened: pad is (left, right) of the last one, then of the
    one before, ...

    mode: "constant" (fills with `value`, 0 unless told; negative widths crop), "reflect" (mirrored
    at the border element), "replicate" (the border element repeated) or "circular".
    """
    widths = [int(width) for width in pad]
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ShapeError(
            f"pad: expected pairs of widths for at most {input.ndim} dimensions, got {widths}"
        )
    pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (input.ndim - len(pairs)) + pairs
    if mode == "constant":
        return _pad_constant(input, pairs, 0 if value is None else value)
    if mode not in _BORDERS:
        raise NotImplementedError(
            f"pad: expected mode 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}"
        )
    for dim, (before, after) in enumerate(pairs):
        if before or after:
            size = input.shape[dim]
            limit = {"reflect": size - 1, "circular": size}.get(mode)
            if limit is not None and max(before, after) > limit:
                raise ShapeError(
                    f"pad: expected widths of at most {limit} for mode {mode!r} and size {size}, "
                    f"got {(before, after)}"
                )
            places = _BORDERS[mode](arange(-before, size + after, device=input.device), size)
            input = index_select(input, dim, places)
    return input


def _pad_constant(input: Tensor, pairs: list[tuple[int, int]], value: float) -> Tensor:
    if any(width < 0 for pair in pairs for width in pair):
        kept = [
            slice(max(-before, 0), size - max(-after, 0))
            for size, (before, after) in zip(input.shape, pairs, strict=True)
        ]
        if any(part.stop < part.start for part in kept):
            raise ShapeError(
                f"pad: expected a size >= 0 to be left of {list(input.shape)}, got {pairs}"
            )
        input = take_slice(input, tuple(kept))
    widths = tuple([(max(before, 0), max(after, 0)) for before, after in pairs])
    return pad_constant(input, widths, value)


# From places on the widened axis, the input's first being 0, to places on the input's.
_BORDERS: dict[str, Any] = {
    "reflect": lambda place, size: size - 1 - abs(size - 1 - abs(place)),
    "replicate": lambda place, size: place.clamp(0, size - 1),
    "circular": lambda place, size: place % size,
}
