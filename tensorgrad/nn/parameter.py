"""Tensors with a role in a Module: `Parameter` and `Buffer`, and those whose shape is not known
yet.
"""

from __future__ import annotations

from typing import Any

from tensorgrad._tensor import Parameter, Tensor, _ParameterType
from tensorgrad.formats import Size
from tensorgrad.graph import TensorCore, unwrap, version_of, wrap
from tensorgrad.ops import creation

__all__ = [
    "Buffer",
    "Parameter",
    "TransientBuffer",
    "UninitializedBuffer",
    "UninitializedParameter",
    "is_lazy",
]


class Buffer(Tensor, metaclass=_ParameterType):
    """A tensor that a Module registers as its buffer when it is assigned: state that is not
    trained.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        """Over the memory of `data`. One that is not persistent is no part of `state_dict`."""
        tensor: Any = wrap(unwrap(data)) if data is not None else creation.empty(0)
        if isinstance(data, TensorCore):
            tensor._version = version_of(data)
        tensor._role = cls if persistent else TransientBuffer
        return tensor  # type: ignore[no-any-return]


class TransientBuffer(Buffer):
    """The role of a buffer that is no part of `state_dict`."""

    __slots__ = ()


class _Uninitialized(Tensor):
    """A tensor with a dtype and a device, whose shape and memory come with `materialize`."""

    __slots__ = ()

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary parameter or buffer of this shape, with no values in particular."""
        self.data = creation.empty(
            tuple(shape),
            device=self.device if device is None else device,
            dtype=self.dtype if dtype is None else dtype,
        )
        self._role = Parameter if issubclass(self._role, Parameter) else Buffer
        self.__class__ = Tensor  # type: ignore[assignment]

    @property
    def shape(self) -> Size:
        raise RuntimeError(
            "shape: expected a tensor that is initialized, got one whose shape the first call of "
            "its module will tell"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        return type(self), (self.requires_grad, str(self.device), self.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copy: Tensor = type(self)(self.requires_grad, self.device, self.dtype)
        memo[id(self)] = copy
        return copy


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet."""

    __slots__ = ()

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        memory = creation.empty(0, device=device, dtype=dtype)
        tensor: UninitializedParameter = _without_shape(cls, Parameter(memory, requires_grad))
        return tensor


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer whose shape is not known yet."""

    __slots__ = ()

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None
    ) -> UninitializedBuffer:
        memory = creation.empty(0, device=device, dtype=dtype)
        buffer = Buffer(memory).requires_grad_(requires_grad)
        tensor: UninitializedBuffer = _without_shape(cls, buffer)
        return tensor


def _without_shape(cls: type, tensor: Any) -> Any:
    tensor.__class__ = tensor._role = cls
    return tensor


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return type(value) in (UninitializedParameter, UninitializedBuffer)
