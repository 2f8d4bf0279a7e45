"""In-place methods of a tensor: `x.<op>_(...)` writes the op's result into x's memory.

Adding one is a line here; what a write does to histories and views is in `tensorgrad.inplace`.
"""

from __future__ import annotations

from tensorgrad.graph import TensorCore
from tensorgrad.inplace import inplace
from tensorgrad.ops import arithmetic, choice, indexing, pointwise


class InplaceOps(TensorCore):
    """The part of `Tensor` that is a list of in-place ops."""

    __slots__ = ()

    add_ = __iadd__ = inplace(arithmetic.add)
    sub_ = __isub__ = inplace(arithmetic.sub)
    mul_ = __imul__ = inplace(arithmetic.mul)
    div_ = __itruediv__ = inplace(arithmetic.div)
    pow_ = __ipow__ = inplace(arithmetic.pow)
    remainder_ = inplace(arithmetic.remainder)
    neg_ = inplace(arithmetic.neg)
    abs_ = inplace(pointwise.abs)
    exp_ = inplace(pointwise.exp)
    log_ = inplace(pointwise.log)
    sqrt_ = inplace(pointwise.sqrt)
    sin_ = inplace(pointwise.sin)
    cos_ = inplace(pointwise.cos)
    tanh_ = inplace(pointwise.tanh)
    relu_ = inplace(pointwise.relu)
    sigmoid_ = inplace(pointwise.sigmoid)
    clamp_ = inplace(choice.clamp)
    floor_ = inplace(pointwise.floor)
    masked_fill_ = inplace(choice.masked_fill)
    scatter_add_ = inplace(indexing.scatter_add)
    copy_ = indexing.copy_
    fill_ = indexing.fill_
    zero_ = indexing.zero_
    normal_ = indexing.normal_
    uniform_ = indexing.uniform_
