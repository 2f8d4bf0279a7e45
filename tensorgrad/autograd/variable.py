"""`Variable`, as tensors that record were called in PyTorch's first years.

https://docs.pytorch.org/docs/stable/autograd.html#variable-deprecated
"""

from __future__ import annotations

from typing import Any

from tensorgrad.graph import TensorCore, version_of, wrap


class _AnyTensor(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, TensorCore)


class Variable(metaclass=_AnyTensor):
    """`Variable(tensor, requires_grad=True)`: the same memory without a history, as a leaf that
    collects gradients. `volatile` changes nothing.
    """

    def __new__(cls, data: Any, requires_grad: bool = False, volatile: bool = False) -> Any:
        if not isinstance(data, TensorCore):
            raise TypeError(f"Variable: expected a tensor, got {type(data).__name__}")
        alias = wrap(data._array)
        alias._version = version_of(data)
        return alias.requires_grad_(requires_grad)
