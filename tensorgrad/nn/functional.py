"""The functions behind the layers, under the names and arguments of `torch.nn.functional`.

Most are ops as they are; here are only those whose arguments differ from the op's.
https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.ops import activation, pointwise, softmaxes
from tensorgrad.ops.activation import gelu, logsigmoid, softplus
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.convolution import avg_pool2d, conv1d, conv2d, max_pool2d
from tensorgrad.ops.creation import arange
from tensorgrad.ops.indexing import embedding, index_select
from tensorgrad.ops.linalg import linear
from tensorgrad.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from tensorgrad.ops.normalization import batch_norm, layer_norm
from tensorgrad.ops.norms import norm
from tensorgrad.ops.pointwise import sigmoid, tanh
from tensorgrad.ops.shape import pad_constant, take_slice, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "tanh",
]

# ---- activations that may write over their input

_leaky_relu_ = inplace_of(activation.leaky_relu)
_elu_ = inplace_of(activation.elu)
_silu_ = inplace_of(activation.silu)
_dropout_ = inplace_of(activation.dropout)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0)."""
    return input.relu_() if inplace else pointwise.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, negative_slope * input elsewhere."""
    return (_leaky_relu_ if inplace else activation.leaky_relu)(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, alpha * (exp(input) - 1) elsewhere."""
    return (_elu_ if inplace else activation.elu)(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input)."""
    return (_silu_ if inplace else activation.silu)(input)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p); the identity when
    not training.
    """
    return (_dropout_ if inplace and training else activation.dropout)(input, p, training)


# ---- along a dimension


def _implicit_dim(op: str, rank: int) -> int:
    warnings.warn(f"{op}: expected dim, got None; 0 or 1 is chosen by the rank", stacklevel=3)
    return 0 if rank in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("softmax", input.ndim) if dim is None else dim
    return softmaxes.softmax(input if dtype is None else cast(input, dtype), dim)


def softmin(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """softmax(-input)."""
    dim = _implicit_dim("softmin", input.ndim) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """input - log(sum(exp(input))) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("log_softmax", input.ndim) if dim is None else dim
    return softmaxes.log_softmax(input if dtype is None else cast(input, dtype), dim)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(norm(input, p), eps) along `dim`."""
    return input / norm(input, p, dim, True).clamp(min=eps)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """(*, num_classes) of int64, 1 at each class number (int64); -1 classes: one more than the
    largest number.
    """
    if tensor.dtype != dtypes.int64:
        raise DTypeError(f"one_hot: expected class numbers of dtype int64, got {tensor.dtype}")
    if not tensor.numel():
        if num_classes <= 0:
            raise RuntimeError("one_hot: expected num_classes > 0 for no class numbers, got none")
        low, high = 0, 0
    else:
        low, high = int(tensor.min().item()), int(tensor.max().item())
    if num_classes == -1:
        num_classes = high + 1
    if low < 0 or high >= num_classes:
        raise IndexRangeError(
            f"one_hot: expected class numbers in [0, {num_classes}), got "
            f"{low if low < 0 else high} "
            "(Class values must be non-negative and smaller than num_classes)"
        )
    classes = arange(num_classes, device=tensor.device)
    return cast(unsqueeze(tensor, -1) == classes, dtypes.int64)


# ---- padding


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
