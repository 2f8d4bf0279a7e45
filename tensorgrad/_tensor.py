"""The Tensor: an array, a device, and perhaps a node.

Here is how one is made from another: conversions, `new_*`, copies and pickles. Operators stand in
`tensorgrad.operators`, methods that are ops in `tensorgrad.tensor_ops`, readers of its fields and
values in `tensorgrad.tensor_fields`, its memory in `tensorgrad.tensor_memory`, what concerns the
graph in `tensorgrad.tensor_graph`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from tensorgrad import dtypes, graph, modes, printing
from tensorgrad.backend import Device
from tensorgrad.errors import DTypeError, GraphError
from tensorgrad.formats import Size
from tensorgrad.graph import TensorCore, unwrap, version_of, wrap
from tensorgrad.ops import choice, conversion, creation, layouts, moving
from tensorgrad.tensor_graph import TensorGraph


class Tensor(TensorGraph):
    """A multi-dimensional array that can record what is computed from it."""

    __slots__ = ()
    __hash__ = object.__hash__
    __array_priority__ = 1000  # an ndarray on the left leaves its operators to ours

    def __new__(cls, *args: Any) -> Tensor:
        """Of sizes (uninitialised) or of data, in the default floating dtype: `Tensor(2, 3)`,
        `Tensor([2.0, 3.0])`. Of a tensor it is an alias.
        """
        if len(args) == 1 and isinstance(args[0], Tensor):
            return args[0].detach()
        return constructed("Tensor", args, dtypes.get_default_dtype())

    def __repr__(self) -> str:
        return printing.describe(self)

    def __format__(self, spec: str) -> str:
        if not self.ndim and (spec or not isinstance(self, Parameter)):
            return format(self.item(), spec)
        return object.__format__(self, spec)

    # ---- copies

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GraphError(
                "deepcopy: expected a tensor created by the user, got one with a history "
                "(only leaves support the deepcopy protocol; use detach())"
            )
        backend = modes.current().backends[self._array.__class__]
        copy = creation.finish(backend.copy(self._array), self.requires_grad)
        if self.grad is not None:
            copy._grad = self.grad.detach().clone()
        if hasattr(self, "_role"):
            copy._role = self._role
        memo[id(self)] = copy
        if self.__dict__:
            copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy

    def __reduce__(self) -> Any:
        role = getattr(self, "_role", None)
        arguments = (self._on_host(), str(self.device), self.requires_grad, role)
        return _rebuild, arguments, self.__dict__ or None

    # ---- conversion

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """`to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`: itself where nothing
        changes.

        After these, or as keywords: non_blocking, copy, memory_format.
        """
        device, dtype, copy = conversion.destination(args, kwargs)
        return moving.convert(self, device, dtype, copy)

    def type(self, dtype: Any = None, non_blocking: Any = False, **kwargs: Any) -> Any:
        """This tensor in another dtype; without one the name of its type, "torch.FloatTensor" or
        the like: PyTorch's word, since programs compare it with a string that they write out.
        """
        place = ".cuda" if self.is_cuda else ""
        if dtype is None:
            return f"torch{place}.{conversion.type_name(self.dtype)}"
        return self.to(conversion.dtype_of_type(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """This tensor in the dtype of another."""
        return self.to(other.dtype)

    def cpu(self, memory_format: Any = None) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: Any = False) -> Tensor:
        """This tensor on a GPU."""
        return self.to("cuda" if device is None else device)

    def double(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.float64)

    def half(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.float16)

    def bfloat16(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.bfloat16)

    def byte(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.uint8)

    def char(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.int8)

    def short(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.int16)

    def long(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.int64)

    def cfloat(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.complex64)

    def cdouble(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.complex128)

    def float(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.float32)

    def int(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.int32)

    def bool(self, memory_format: Any = None) -> Tensor:
        return self.to(dtypes.bool_)

    # ---- new tensors of this one's dtype and device

    def new(self, *args: Any) -> Tensor:
        """Of sizes (uninitialised) or of data: `x.new(2, 3)`, `x.new([2, 3])`. Of a tensor of this
        dtype it is an alias.
        """
        return constructed("new", args, self.dtype, self.device)

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        """A copy of `data`, as `tensorgrad.tensor`."""
        return creation.tensor(data, **creation.like(self, options))

    def new_zeros(self, *size: Any, **options: Any) -> Tensor:
        return creation.zeros(*size, **creation.like(self, options))

    def new_ones(self, *size: Any, **options: Any) -> Tensor:
        return creation.ones(*size, **creation.like(self, options))

    def new_empty(self, *size: Any, **options: Any) -> Tensor:
        return creation.empty(*size, **creation.like(self, options))

    def new_empty_strided(self, size: Any, stride: Any, **options: Any) -> Tensor:
        return layouts.empty_strided(size, stride, **creation.like(self, options))

    def new_full(self, size: Any, fill_value: Any, **options: Any) -> Tensor:
        return creation.full(size, fill_value, **creation.like(self, options))

    # ---- ops whose arguments stand in another order

    def where(self, condition: Tensor, other: Any) -> Tensor:
        result: Tensor = choice.where(condition, self, other)
        return result


def constructed(
    op: str, args: tuple[Any, ...], dtype: dtypes.DType, device: Device | None = None
) -> Tensor:
    """What PyTorch's first way of making tensors makes: of sizes, of data, or of nothing."""
    options: dict[str, Any] = {"dtype": dtype, "device": device}
    if not args or all(isinstance(arg, int) for arg in args):
        return creation.empty(*(args or (0,)), **options)
    (data,) = args if len(args) == 1 else (None,)
    if isinstance(data, Size):
        return creation.empty(data, **options)
    if isinstance(data, Tensor):
        if data.dtype != dtype:
            raise DTypeError(f"{op}: expected a tensor of {dtype}, got {data.dtype}")
        return data.detach()
    if not isinstance(data, list | tuple | range | np.ndarray):
        given = [type(arg).__name__ for arg in args]
        raise TypeError(f"{op}: expected sizes, a sequence or a tensor, got {', '.join(given)}")
    return creation.tensor(data, **options)


graph.register_tensor_class(Tensor)


class _ParameterType(type):
    """Makes `isinstance(x, Parameter)` ask for the role: a parameter is a plain Tensor to every op,
    and as fast.
    """

    def __instancecheck__(cls, value: Any) -> bool:
        role = getattr(value, "_role", None) if isinstance(value, Tensor) else None
        return role is not None and issubclass(role, cls)


class Parameter(Tensor, metaclass=_ParameterType):
    """A tensor that a Module registers as its parameter when it is assigned; requires grad unless
    told.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        tensor: Any = wrap(unwrap(data)) if data is not None else creation.empty(0)
        if isinstance(data, TensorCore):
            tensor._version = version_of(data)
        tensor._role = cls
        tensor.requires_grad_(requires_grad)
        return tensor  # type: ignore[no-any-return]


def _rebuild(array: Any, device: str, requires_grad: bool, role: type | None) -> Tensor:
    """A pickled tensor again."""
    tensor = creation.as_tensor(array, device=device)
    if requires_grad:
        tensor.requires_grad_(True)
    if role is not None:
        tensor._role = role
    return tensor
