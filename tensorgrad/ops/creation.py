"""Making tensors: from data, filled, counted. Those drawn at random are in ops/sampling.py.

`device` None is the chosen backend's; `dtype` None follows the data, or is the default floating
type. https://docs.pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes
from tensorgrad.backend import Device, backend_for
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.graph import Leaf, TensorCore, unwrap, wrap
from tensorgrad.modes import current

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]

Shape = tuple[int, ...]
Options = dict[str, Any]
Where = Device | str | int | None


def whole_numbers(op: str, args: tuple[Any, ...]) -> tuple[int, ...]:
    """`op(2, 3)` and `op((2, 3))` alike: the numbers as a tuple."""
    try:
        if len(args) == 1 and not hasattr(args[0], "__index__"):
            args = tuple(args[0])
        return tuple([operator.index(n) for n in args])
    except TypeError as error:
        given = args[0] if len(args) == 1 else args
        raise TypeError(f"{op}: expected whole numbers, got {given!r}") from error


def sizes(op: str, args: tuple[Any, ...]) -> Shape:
    """`zeros(2, 3)` and `zeros((2, 3))` alike; a negative size is refused."""
    shape = whole_numbers(op, args)
    if any(n < 0 for n in shape):
        raise ShapeError(f"{op}: expected sizes >= 0, got {list(shape)}")
    return shape


def finish(array: Any, requires_grad: bool) -> Tensor:
    """A tensor over a fresh array, as a leaf if it requires grad."""
    tensor = wrap(array)
    if requires_grad:
        tensor.requires_grad_(True)
    return tensor


def as_leaf(tensor: Any) -> None:
    """Let a tensor without history collect gradients."""
    if not dtypes.is_differentiable(tensor._array.dtype):
        raise DTypeError(
            f"requires_grad_: expected a floating point tensor, got {tensor._array.dtype} "
            "(only Tensors of floating point dtype can require gradients)"
        )
    tensor._node = Leaf(tensor)


def _data(op: str, data: Any, dtype: DType | None, device: Where) -> Any:
    backend, place = backend_for(device)
    if isinstance(data, TensorCore):
        data = unwrap(data)
        data = current().backends[data.__class__].to_numpy(data)
    if not hasattr(data, "dtype"):
        data = _nested(data)
        try:
            array = np.array(data)
        except ValueError as error:
            raise ShapeError(f"{op}: expected sequences of equal length, got {error}") from error
        if array.dtype.kind not in "biufcV":
            raise TypeError(f"{op}: expected numbers, got {array.dtype}")
        if dtype is None and (array.dtype.kind == "f" or not array.size):
            dtype = dtypes.get_default_dtype()
        data = array
    return backend.asarray(data, None if dtype is None else np.dtype(dtype), place)


def _nested(data: Any) -> Any:
    """Lists in which 0-d tensors stand among the numbers."""
    if isinstance(data, list | tuple):
        return [_nested(item) for item in data]
    if isinstance(data, TensorCore):
        return current().backends[data._array.__class__].to_numpy(data._array)
    return data


def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested sequences, a NumPy array or a tensor.

    Python floats become the default floating dtype, ints int64, bools bool; arrays keep theirs.
    """
    if isinstance(data, TensorCore) and device is None:
        device = data.device  # type: ignore[attr-defined]
    return finish(_data("tensor", data, dtype, device), requires_grad)


def as_tensor(data: Any, dtype: DType | None = None, device: Where = None) -> Tensor:
    """As `tensor`, without a copy where the data has that dtype and is on that device."""
    if isinstance(data, TensorCore):
        known: Any = data
        return known.to(device=device, dtype=dtype)  # type: ignore[no-any-return]
    same = isinstance(data, np.ndarray) and dtype in (None, data.dtype)
    if same and data.dtype.kind in "biufcV" and backend_for(device)[1].type == "cpu":
        return wrap(np.asarray(data))  # a memory map, say, as a plain array over its memory
    return wrap(_data("as_tensor", data, dtype, device))


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on the CPU that shares the array's memory."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(ndarray).__name__}")
    if ndarray.dtype.kind not in "biufcV":
        raise TypeError(f"from_numpy: expected numbers, got {ndarray.dtype}")
    return wrap(np.asarray(ndarray))


# ---- filled


def full(
    size: Any,
    fill_value: float,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of `size` with `fill_value` everywhere; the dtype follows the value."""
    backend, place = backend_for(device)
    dtype = dtype or dtypes.scalar_dtype(fill_value)
    return finish(backend.full(sizes("full", (size,)), fill_value, dtype, place), requires_grad)


def zeros(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of `size`, in the default floating dtype unless told."""
    dtype = dtype or dtypes.get_default_dtype()
    return full(sizes("zeros", size), 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Ones of `size`, in the default floating dtype unless told."""
    dtype = dtype or dtypes.get_default_dtype()
    return full(sizes("ones", size), 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Uninitialised memory of `size`."""
    backend, place = backend_for(device)
    array = backend.empty(sizes("empty", size), dtype or dtypes.get_default_dtype(), place)
    return finish(array, requires_grad)


def full_like(
    input: Tensor,
    fill_value: float,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """As `full`, with the input's shape, dtype and device unless told."""
    return full(
        tuple(input.shape),
        fill_value,
        dtype=dtype or input.dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


def like(input: Tensor, options: Options) -> Options:
    """Options that follow the input's dtype and device unless told."""
    told = {name: value for name, value in options.items() if value is not None}
    return {"dtype": input.dtype, "device": input.device, **told}


def zeros_like(input: Tensor, **options: Any) -> Tensor:
    """Zeros of the input's shape, dtype and device; options as in `full_like`."""
    return full_like(input, 0, **options)


def ones_like(input: Tensor, **options: Any) -> Tensor:
    """Ones of the input's shape, dtype and device; options as in `full_like`."""
    return full_like(input, 1, **options)


def empty_like(input: Tensor, **options: Any) -> Tensor:
    """Uninitialised memory of the input's shape, dtype and device."""
    return empty(tuple(input.shape), **like(input, options))


def zeros_of(like: Any, shape: Shape) -> Any:
    """Zeros of another shape, where rules run: an array for an array, a tensor for a tensor."""
    array = unwrap(like)
    backend = current().backends[array.__class__]
    zeros = backend.full(shape, 0, array.dtype, backend.device_of(array))
    return wrap(zeros) if isinstance(like, TensorCore) else zeros


# ---- counted


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... below `end`; int64 where all three are ints."""
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(
            f"arange: expected a step that leads from start to end, got {start}, {end}, {step}"
        )
    if dtype is None:
        dtype = dtypes.result_type(start, end, step)
    backend, place = backend_for(device)
    count = math.ceil((end - start) / step)
    return finish(backend.arange(start, step, count, dtype, place), requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced."""
    if steps < 0:
        raise RuntimeError(f"linspace: expected steps >= 0, got {steps}")
    backend, place = backend_for(device)
    gap = (end - start) / (steps - 1) if steps > 1 else 0.0
    array = backend.arange(start, gap, steps, dtype or dtypes.get_default_dtype(), place)
    if steps > 1:
        backend.assign(array[-1:], end)
    return finish(array, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """(n, m) with ones on the diagonal."""
    rows = arange(n, device=device)
    columns = arange(n if m is None else m, device=device)
    array = (rows[:, None] == columns)._array.astype(dtype or dtypes.get_default_dtype())
    return finish(array, requires_grad)
