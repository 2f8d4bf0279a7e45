"""Ways to fill a tensor before training, in place; each returns its tensor.

https://docs.pytorch.org/docs/stable/nn.init.html. `generator` None is the default one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ShapeError
from tensorgrad.ops.choice import where
from tensorgrad.ops.creation import as_tensor, zeros_like
from tensorgrad.ops.ordering import argsort
from tensorgrad.ops.pointwise import exp
from tensorgrad.ops.reduction import any
from tensorgrad.ops.sampling import rand, randn
from tensorgrad.ops.sequences import eye as identity

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

_CONVOLUTIONS = [f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3)]

# Tensors are written through `detach()`: a leaf that requires grad refuses in-place changes.


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; `param` is the slope of
    "leaky_relu".
    """
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, int | float)):
            raise ValueError(f"calculate_gain: expected a number as negative slope, got {param!r}")
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity in ("linear", "sigmoid") or nonlinearity in _CONVOLUTIONS:
        return 1.0
    raise ValueError(f"calculate_gain: expected a known nonlinearity, got {nonlinearity!r}")


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [a, b)."""
    tensor.detach().uniform_(a, b, generator=generator)
    return tensor


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    tensor.detach().normal_(mean, std, generator=generator)
    return tensor


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with the given mean and standard deviation, within [a, b] (in the tensor's units)."""
    if a >= b:
        raise ValueError(f"trunc_normal_: expected a < b, got {a} and {b}")
    target = tensor.detach()
    low, high = (a - mean) / std, (b - mean) / std
    inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    mode = min(max(low, 0.0), high)
    values, missing = zeros_like(target), zeros_like(target) == 0
    while bool(any(missing)):
        # Rejection: what falls outside is drawn again. Where few normal numbers fall inside,
        # uniform ones are proposed, and kept in proportion to the density.
        if inside > 0.2:
            drawn = zeros_like(target).normal_(generator=generator)
            kept = (drawn >= low) & (drawn <= high)
        else:
            drawn = zeros_like(target).uniform_(low, high, generator=generator)
            chance = zeros_like(target).uniform_(generator=generator)
            kept = chance < exp((mode * mode - drawn * drawn) / 2)
        values = where(missing & kept, drawn, values)
        missing = missing & ~kept
    target.copy_(values * std + mean)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    tensor.detach().fill_(val)
    return tensor


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """A matrix with ones on the diagonal and zeros elsewhere."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected 2 dimensions, got shape {list(tensor.shape)}")
    tensor.detach().copy_(identity(*tensor.shape, dtype=tensor.dtype, device=tensor.device))
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight (out, in / groups, *kernel) of a convolution that passes its input on: 1 in the
    middle of the kernel of each channel to itself, in each group; 0 elsewhere.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected 3 to 5 dimensions, got shape {list(tensor.shape)}")
    if tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_: expected a first size divisible by {groups} groups, got {tensor.shape[0]}"
        )
    zeros_(tensor)
    target, own = tensor.detach(), tensor.shape[0] // groups
    middle = tuple([size // 2 for size in tensor.shape[2:]])
    for group in range(groups):
        for channel in range(min(own, tensor.shape[1])):
            target[(group * own + channel, channel, *middle)] = 1
    return tensor


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """A matrix, normal with mean 0, of which a fraction `sparsity` of each column is 0. Martens
    2010.
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: expected 2 dimensions, got shape {list(tensor.shape)}")
    normal_(tensor, 0.0, std, generator)
    order = argsort(rand(*tensor.shape, generator=generator, device=tensor.device), 0)
    tensor.detach().masked_fill_(order < math.ceil(sparsity * tensor.shape[0]), 0)
    return tensor


def _fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """(inputs, outputs) of one unit: of a weight (out, in, *kernel) in * kernel and out *
    kernel.
    """
    if tensor.ndim < 2:
        raise ValueError(f"{op}: expected at least 2 dimensions, got shape {list(tensor.shape)}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(op: str, tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _fans(op, tensor), strict=True))
    if mode.lower() not in fans:
        raise ValueError(f"{op}: expected mode 'fan_in' or 'fan_out', got {mode!r}")
    return fans[mode.lower()]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(inputs, outputs) of one unit, by the name that programs with layers of their own call."""
    return _fans("fan_in and fan_out", tensor)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """The one of both that `mode`, "fan_in" or "fan_out", names."""
    return _fan("fan_in and fan_out", tensor, mode)


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in (-b, b), b = gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010."""
    bound = gain * math.sqrt(6.0 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std = gain * sqrt(2 / (fan_in + fan_out)). Glorot and Bengio 2010."""
    std = gain * math.sqrt(2.0 / sum(_fans("xavier_normal_", tensor)))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    return calculate_gain(nonlinearity, a) / math.sqrt(_fan(op, tensor, mode))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in (-b, b), b = gain * sqrt(3 / fan); `a` is the slope of "leaky_relu". He et al.
    2015.
    """
    if not tensor.numel():
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std = gain / sqrt(fan); `a` is the slope of "leaky_relu". He et al. 2015."""
    if not tensor.numel():
        return tensor
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """`gain` times a (semi-)orthogonal matrix, all dimensions but the first taken as one. Saxe et
    al. 2013.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            f"orthogonal_: expected at least 2 dimensions, got shape {list(tensor.shape)}"
        )
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    drawn = randn(
        rows, columns, generator=generator, dtype=np.dtype("float64"), device="cpu"
    ).numpy()
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diag(r))  # uniform over the orthogonal matrices
    q = q.T if rows < columns else q
    tensor.detach().copy_(as_tensor(q.reshape(tensor.shape) * gain, device=tensor.device))
    return tensor


# PyTorch's older names, which older programs use.
uniform, normal, constant = uniform_, normal_, constant_
xavier_uniform, xavier_normal = xavier_uniform_, xavier_normal_
kaiming_uniform, kaiming_normal = kaiming_uniform_, kaiming_normal_
orthogonal, sparse, dirac, eye = orthogonal_, sparse_, dirac_, eye_
