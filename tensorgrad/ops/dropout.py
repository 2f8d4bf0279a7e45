"""Elements, or whole channels, set to a constant by chance.

https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.activation import SELU_ALPHA, SELU_SCALE
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.sampling import rand, stream
from tensorgrad.ops.shape import squeeze, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

SELU_FLOOR = -SELU_ALPHA * SELU_SCALE  # what selu gives for -inf


def _check(op: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: expected a probability in [0, 1], got {p}")


kept_by_chance = primitive(
    "kept_by_chance",
    "input",
    "p, key, offset",
    "Whether each element's uniform float32 of a stream is at least p. Element i has word i % 4 of "
    "block offset + i // 4 of the stream of `key`.",
)


def _dropped_again(g: Any, p: float, key: int, offset: int) -> Any:
    return drop(g, p, key, offset)


@fused(input=_dropped_again)
def drop(input: Tensor, p: float, key: int, offset: int) -> Tensor:
    """input / (1 - p) where `kept_by_chance`, else input * 0.

    The chances are computed anew for the gradient, so that nothing is kept.
    """
    return input * (cast(kept_by_chance(input, p, key, offset), input.dtype) * (1 / (1 - p)))


def _zeroed(input: Tensor, p: float, generator: Generator | None = None) -> Tensor:
    if p == 1:
        return input * 0
    key, offset = stream(generator).draw(math.prod(input.shape))
    return drop(input, p, key, offset)


def _kept(input: Tensor, p: float, by_channel: bool) -> Tensor:
    """1 with probability 1 - p, else 0: for each element, or for each channel of each sample."""
    shape = tuple(input.shape)
    if by_channel:
        shape = shape[:2] + (1,) * (input.ndim - 2)
    return cast(rand(shape, device=input.device) >= p, input.dtype)


def _zeroed_by_channel(input: Tensor, p: float) -> Tensor:
    if p == 1:
        return input * 0
    return input * (_kept(input, p, True) * (1 / (1 - p)))


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p); the identity when
    not training.
    """
    _check("dropout", p)
    if not training or p == 0:
        return input
    if inplace:
        return _dropout(input, p, generator=generator)
    return _zeroed(input, p, generator)


_dropout: TensorFunction = inplace_of(dropout)


# ---- whole channels


def _channels(
    op: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int
) -> Tensor:
    """Channels are dimension 1, or dimension 0 where the rank is `unbatched`."""
    if not training or p == 0:
        return input
    single = input.ndim == unbatched
    samples = unsqueeze(input, 0) if single else input
    if samples.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {list(input.shape)}")
    if inplace:
        _zeroed_channels(samples, p)
        return input
    out = _zeroed_by_channel(samples, p)
    return squeeze(out, 0) if single else out


_zeroed_channels: TensorFunction = inplace_of(_zeroed_by_channel)


def _advise(op: str, input: Tensor, ranks: tuple[int, int]) -> None:
    if input.ndim not in ranks:
        warnings.warn(
            f"{op}: expected {ranks[0]} or {ranks[1]} dimensions, got shape {list(input.shape)}",
            stacklevel=3,
        )


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L)."""
    _check("dropout1d", p)
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: expected 2 or 3 dimensions, got shape {list(input.shape)}")
    return _channels("dropout1d", input, p, training, inplace, 2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W); also of (N, C, L), as `dropout1d`.
    Tompson et al. 2014.
    """
    _check("dropout2d", p)
    _advise("dropout2d", input, (3, 4))
    return _channels("dropout2d", input, p, training, inplace, -1)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W)."""
    _check("dropout3d", p)
    _advise("dropout3d", input, (4, 5))
    return _channels("dropout3d", input, p, training, inplace, 4)


# ---- mean and variance kept


def _floored(input: Tensor, p: float, by_channel: bool = False) -> Tensor:
    """Dropped elements at the floor of selu; then what gives mean 0 and variance 1 back."""
    if p == 1:
        return input * 0
    kept = _kept(input, p, by_channel)
    scale = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR * SELU_FLOOR))
    return input * (kept * scale) + ((1 - kept) * SELU_FLOOR - p * SELU_FLOOR) * scale


_floored_inplace: TensorFunction = inplace_of(_floored)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1: dropped elements are at the least value of `selu`.
    Klambauer et al. 2017.
    """
    _check("alpha_dropout", p)
    if not training or p == 0:
        return input
    return _floored_inplace(input, p) if inplace else _floored(input, p)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels (dimension 1)."""
    _check("feature_alpha_dropout", p)
    if not training or p == 0:
        return input
    if input.ndim < 2:
        raise ShapeError(
            f"feature_alpha_dropout: expected at least 2 dimensions, got shape {list(input.shape)}"
        )
    return _floored_inplace(input, p, True) if inplace else _floored(input, p, True)
