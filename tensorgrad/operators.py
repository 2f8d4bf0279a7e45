"""The operators of a tensor: `+`, `==`, `[]` and the others, each an op's function itself."""

from __future__ import annotations

from typing import Any

from tensorgrad.inplace_ops import InplaceOps
from tensorgrad.ops import arithmetic, indexing, linalg, logic, pointwise


class Operators(InplaceOps):
    """The part of `Tensor` that is a list of operators; `+=` and its like are in-place ops."""

    __slots__ = ()

    __add__ = __radd__ = arithmetic.plus
    __sub__ = arithmetic.minus
    __rsub__ = arithmetic.rsub
    __mul__ = arithmetic.mul
    __rmul__ = arithmetic.mul
    __truediv__ = arithmetic.true_divide
    __rtruediv__ = __rdiv__ = arithmetic.rdiv
    __floordiv__ = arithmetic.floor_divide
    __rfloordiv__ = arithmetic.rfloordiv
    __mod__ = arithmetic.remainder
    __rmod__ = arithmetic.rmod
    __pow__ = arithmetic.pow
    __rpow__ = arithmetic.rpow
    __neg__ = arithmetic.neg
    __pos__ = pointwise.positive
    __abs__ = pointwise.abs
    __matmul__ = linalg.matmul
    __rmatmul__ = linalg.rmatmul

    def __eq__(self, other: Any) -> Any:
        return NotImplemented if other is None else logic.eq(self, other)

    def __ne__(self, other: Any) -> Any:
        return NotImplemented if other is None else logic.ne(self, other)

    __lt__ = logic.lt
    __le__ = logic.le
    __gt__ = logic.gt
    __ge__ = logic.ge
    __and__ = __rand__ = logic.bitwise_and
    __or__ = __ror__ = logic.bitwise_or
    __xor__ = __rxor__ = logic.bitwise_xor
    __invert__ = logic.bitwise_not
    __lshift__ = logic.bitwise_left_shift
    __rlshift__ = logic.rlshift
    __rshift__ = logic.bitwise_right_shift
    __rrshift__ = logic.rrshift
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem
