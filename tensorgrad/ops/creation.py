"""Making tensors: from data, filled, counted. Those drawn at random are in ops/sampling.py.

`device` None is the chosen backend's; `dtype` None follows the data, or is the default floating
type. https://docs.pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes
from tensorgrad.backend import Device, backend_for
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.explain import out_of_memory
from tensorgrad.graph import Leaf, TensorCore, unwrap, wrap
from tensorgrad.modes import current
from tensorgrad.op import fitting
from tensorgrad.out import into

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "scalar_tensor",
    "tensor",
    "zeros",
    "zeros_like",
]

Shape = tuple[int, ...]
Options = dict[str, Any]
Where = Device | str | int | None


# What PyTorch's functions take besides, and means nothing here.
STARRED = 0x04  # the flag of *args in `co_flags`
IGNORED = ("layout", "pin_memory", "memory_format")


def making(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function that makes a tensor, with PyTorch's further options: `out`, whose dtype it then
    follows, `layout`, `pin_memory`, `memory_format`; and `size` by its name.
    """
    takes_sizes = function.__code__.co_flags & STARRED

    @functools.wraps(function)
    def make(*args: Any, out: Any = None, **options: Any) -> Any:
        if options:
            for name in IGNORED:
                options.pop(name, None)
            if takes_sizes and "size" in options:
                args = (options.pop("size"),)
        if out is not None:
            options = {"dtype": out.dtype, **options}
            return into(out, function.__name__, function, args, options)
        try:
            return function(*args, **options)
        except MemoryError as error:
            raise out_of_memory(function.__name__, error) from error

    return make


def number(op: str, value: Any) -> Any:
    """A Python number, also from a 0-d tensor."""
    if value.__class__ is int or value.__class__ is float:
        return value
    if isinstance(value, TensorCore):
        if value._array.ndim:
            raise ShapeError(
                f"{op}: expected numbers or 0-d tensors, got shape {list(value._array.shape)} "
                "(only supports 0-dimensional start and end tensors)"
            )
        return value.item()  # type: ignore[attr-defined]
    if not isinstance(value, int | float | complex | np.number | np.bool_):
        raise TypeError(f"{op}: expected a number, got {type(value).__name__}")
    return value.item() if hasattr(value, "item") else value


def held(op: str, value: Any, dtype: DType) -> Any:
    """A number as an integer dtype holds it; negative ones wrap around where there are none."""
    if isinstance(value, float) or dtypes.category(dtype) != dtypes.INTEGRAL:
        return value
    limits = dtypes.iinfo(dtype)
    if not -limits.max - 1 <= value <= limits.max:
        raise DTypeError(f"{op}: expected numbers within {dtype}, got {value}")
    return value if value >= limits.min else value + limits.max + 1


def whole_numbers(op: str, args: tuple[Any, ...]) -> tuple[int, ...]:
    """`op(2, 3)` and `op((2, 3))` alike: the numbers as a tuple."""
    try:
        if len(args) == 1 and not hasattr(args[0], "__index__"):
            args = tuple(args[0])
        if args and args[0].__class__ in (bool, np.bool_):  # PyTorch looks at the first alone
            raise TypeError("a bool is no number")
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
            raise DTypeError(f"{op}: expected numbers, got {array.dtype}")
        if dtype is not None and array.dtype.kind == "i" and array.size:
            for value in (array.min(), array.max()):
                held(op, int(value), dtypes.as_dtype(op, dtype))
        if dtype is None and (array.dtype.kind == "f" or not array.size):
            dtype = dtypes.get_default_dtype()
        elif dtype is None and array.dtype.kind == "c":
            dtype = dtypes.scalar_dtype(1j)
        data = array
    dtype = None if dtype is None else dtypes.as_dtype(op, dtype)
    return dtypes.with_shared(backend.asarray(data, dtype, place))


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
        # A memory map, say, as a plain array over its memory.
        return wrap(dtypes.with_shared(np.asarray(data)))
    return wrap(_data("as_tensor", data, dtype, device))


def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: Where = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """As `as_tensor`, with `copy` over memory of its own; requires_grad=False leaves the graph."""
    made = as_tensor(obj, dtype=dtype, device=device)
    if copy:
        made = made.clone()
    if requires_grad is None:
        return made
    return made.requires_grad_() if requires_grad else made.detach()


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor over the memory of another library's array, by the DLPack protocol."""
    kind, _ = ext_tensor.__dlpack_device__()
    backend, _ = backend_for("cpu" if kind == 1 else "cuda")
    return wrap(backend.from_dlpack(ext_tensor))


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on the CPU that shares the array's memory."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(ndarray).__name__}")
    if ndarray.dtype.kind not in "biufcV":
        raise TypeError(f"from_numpy: expected numbers, got {ndarray.dtype}")
    return wrap(dtypes.with_shared(np.asarray(ndarray)))


# ---- filled


@making
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
    if isinstance(fill_value, TensorCore):
        dtype = dtype or fill_value._array.dtype
    fill_value = number("full", fill_value)
    dtype = dtypes.scalar_dtype(fill_value) if dtype is None else dtypes.as_dtype("full", dtype)
    fill_value = fitting("full", fill_value, dtype)
    return finish(backend.full(sizes("full", (size,)), fill_value, dtype, place), requires_grad)


def _filled(
    op: str, size: Any, value: int, dtype: DType | None, device: Where, requires_grad: bool
) -> Tensor:
    backend, place = backend_for(device)
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(op, dtype)
    return finish(backend.full(sizes(op, size), value, dtype, place), requires_grad)


@making
def zeros(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of `size`, in the default floating dtype unless told."""
    return _filled("zeros", size, 0, dtype, device, requires_grad)


@making
def ones(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Ones of `size`, in the default floating dtype unless told."""
    return _filled("ones", size, 1, dtype, device, requires_grad)


@making
def empty(
    *size: Any, dtype: DType | None = None, device: Where = None, requires_grad: bool = False
) -> Tensor:
    """Uninitialised memory of `size`."""
    backend, place = backend_for(device)
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("empty", dtype)
    return finish(backend.empty(sizes("empty", size), dtype, place), requires_grad)


@making
def scalar_tensor(s: Any, **options: Any) -> Tensor:
    """A 0-d tensor of one number, in the default floating dtype unless told."""
    options.setdefault("dtype", dtypes.get_default_dtype())
    return full((), s, **options)


@making
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


@making
def zeros_like(input: Tensor, **options: Any) -> Tensor:
    """Zeros of the input's shape, dtype and device; options as in `full_like`."""
    return full_like(input, 0, **options)


@making
def ones_like(input: Tensor, **options: Any) -> Tensor:
    """Ones of the input's shape, dtype and device; options as in `full_like`."""
    return full_like(input, 1, **options)


@making
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


@making
def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... below `end`; int64 where all three are whole numbers."""
    if end is None:
        start, end = 0, start
    start, end, step = (number("arange", value) for value in (start, end, step))
    if not all(math.isfinite(value) for value in (start, end, step)):
        raise RuntimeError(f"arange: expected finite numbers, got {start}, {end}, {step}")
    if dtype is None:
        whole = not any(isinstance(value, float) for value in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    dtype = dtypes.as_dtype("arange", dtype)
    distance, pace = end - start, step
    if not dtypes.is_floating_point(dtype):
        start, step = int(start), int(step)
        if dtype == dtypes.int64:  # counted in whole numbers, narrower ones as they are given
            distance, pace = int(end) - start, step
    if pace == 0 or distance * pace < 0:
        raise ShapeError(
            f"arange: expected a step that leads from start to end, got {start}, {end}, {step} "
            "(upper bound and lower bound inconsistent with step sign)"
        )
    count = -(-distance // pace) if isinstance(pace, int) else math.ceil(distance / pace)
    backend, place = backend_for(device)
    return finish(backend.arange(start, step, math.ceil(count), dtype, place), requires_grad)
