"""Tensors with a role in a Module: `Parameter` and `Buffer`."""

from __future__ import annotations

from typing import Any

from tensorgrad._tensor import Parameter, Tensor, _ParameterType
from tensorgrad.graph import TensorCore, unwrap, version_of, wrap
from tensorgrad.ops import creation

__all__ = ["Buffer", "Parameter", "TransientBuffer"]


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
