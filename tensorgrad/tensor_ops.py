"""Operators and methods of a tensor that are ops: each is the op's function itself.

An op's first argument is the tensor, so no function stands in between. Adding an op as a method is
a line here.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.graph import TensorCore
from tensorgrad.inplace import inplace
from tensorgrad.ops import elementwise, indexing, linalg, reduction, sampling, shape


class TensorOps(TensorCore):
    """The part of `Tensor` that is a list of ops."""

    __slots__ = ()

    # ---- operators

    __add__ = __radd__ = elementwise.plus
    __sub__ = elementwise.minus
    __rsub__ = elementwise.rsub
    __mul__ = elementwise.mul
    __rmul__ = elementwise.mul
    __truediv__ = elementwise.true_divide
    __rtruediv__ = elementwise.rdiv
    __floordiv__ = elementwise.floor_divide
    __rfloordiv__ = elementwise.rfloordiv
    __mod__ = elementwise.remainder
    __rmod__ = elementwise.rmod
    __pow__ = elementwise.pow
    __rpow__ = elementwise.rpow
    __neg__ = elementwise.neg
    __abs__ = elementwise.abs
    __matmul__ = linalg.matmul

    def __eq__(self, other: Any) -> Any:
        return NotImplemented if other is None else elementwise.eq(self, other)

    def __ne__(self, other: Any) -> Any:
        return NotImplemented if other is None else elementwise.ne(self, other)

    __lt__ = elementwise.lt
    __le__ = elementwise.le
    __gt__ = elementwise.gt
    __ge__ = elementwise.ge
    __and__ = __rand__ = elementwise.bitwise_and
    __or__ = __ror__ = elementwise.bitwise_or
    __xor__ = __rxor__ = elementwise.bitwise_xor
    __invert__ = elementwise.bitwise_not
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    # ---- ops as methods

    add = elementwise.add
    sub = elementwise.sub
    mul = elementwise.mul
    div = elementwise.div
    floor_divide = elementwise.floor_divide
    remainder = elementwise.remainder
    fmod = elementwise.fmod
    pow = elementwise.pow
    neg = elementwise.neg
    abs = elementwise.abs
    sign = elementwise.sign
    exp = elementwise.exp
    expm1 = elementwise.expm1
    log = elementwise.log
    log1p = elementwise.log1p
    sqrt = elementwise.sqrt
    rsqrt = elementwise.rsqrt
    square = elementwise.square
    reciprocal = elementwise.reciprocal
    sin = elementwise.sin
    cos = elementwise.cos
    tanh = elementwise.tanh
    erf = elementwise.erf
    atan2 = elementwise.atan2
    floor = elementwise.floor
    ceil = elementwise.ceil
    round = elementwise.round
    trunc = elementwise.trunc
    relu = elementwise.relu
    sigmoid = elementwise.sigmoid
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clamp = elementwise.clamp
    masked_fill = elementwise.masked_fill
    eq = elementwise.eq
    ne = elementwise.ne
    lt = elementwise.lt
    le = elementwise.le
    gt = elementwise.gt
    ge = elementwise.ge
    logical_and = elementwise.logical_and
    logical_or = elementwise.logical_or
    logical_xor = elementwise.logical_xor
    logical_not = elementwise.logical_not
    isnan = elementwise.isnan
    isinf = elementwise.isinf
    isfinite = elementwise.isfinite

    sum = reduction.sum
    mean = reduction.mean
    var = reduction.var
    std = reduction.std
    prod = reduction.prod
    amax = reduction.amax
    amin = reduction.amin
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    any = reduction.any
    all = reduction.all
    argsort = reduction.argsort
    sort = reduction.sort
    topk = reduction.topk
    cumsum = reduction.cumsum
    logsumexp = reduction.logsumexp
    softmax = reduction.softmax
    log_softmax = reduction.log_softmax
    norm = reduction.norm

    matmul = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    outer = linalg.outer

    reshape = shape.reshape
    view = shape.view
    permute = shape.permute
    transpose = shape.transpose
    swapaxes = shape.swapaxes
    t = shape.t
    movedim = shape.movedim
    expand = shape.expand
    expand_as = shape.expand_as
    broadcast_to = shape.broadcast_to
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    flatten = shape.flatten
    unflatten = shape.unflatten
    clone = shape.clone
    contiguous = shape.contiguous
    narrow = shape.narrow
    select = shape.select
    unbind = shape.unbind
    split = shape.split
    chunk = shape.chunk
    flip = shape.flip
    repeat = shape.repeat

    gather = indexing.gather
    scatter_add = indexing.scatter_add
    index_select = indexing.index_select
    nonzero = indexing.nonzero
    masked_select = indexing.masked_select
    multinomial = sampling.multinomial
    bernoulli = sampling.bernoulli

    # ---- in place

    add_ = __iadd__ = inplace(elementwise.add)
    sub_ = __isub__ = inplace(elementwise.sub)
    mul_ = __imul__ = inplace(elementwise.mul)
    div_ = __itruediv__ = inplace(elementwise.div)
    pow_ = __ipow__ = inplace(elementwise.pow)
    remainder_ = inplace(elementwise.remainder)
    neg_ = inplace(elementwise.neg)
    abs_ = inplace(elementwise.abs)
    exp_ = inplace(elementwise.exp)
    log_ = inplace(elementwise.log)
    sqrt_ = inplace(elementwise.sqrt)
    sin_ = inplace(elementwise.sin)
    cos_ = inplace(elementwise.cos)
    tanh_ = inplace(elementwise.tanh)
    relu_ = inplace(elementwise.relu)
    sigmoid_ = inplace(elementwise.sigmoid)
    clamp_ = inplace(elementwise.clamp)
    floor_ = inplace(elementwise.floor)
    masked_fill_ = inplace(elementwise.masked_fill)
    scatter_add_ = inplace(indexing.scatter_add)
    copy_ = indexing.copy_
    fill_ = indexing.fill_
    zero_ = indexing.zero_
    normal_ = indexing.normal_
    uniform_ = indexing.uniform_
