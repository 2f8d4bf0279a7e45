"""Operators and methods of a tensor that are ops: each is the op's function itself.

An op's first argument is the tensor, so no function stands in between. Adding an op as a method is
a line here.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.inplace_ops import InplaceOps
from tensorgrad.ops import (
    arithmetic,
    choice,
    indexing,
    linalg,
    logic,
    norms,
    ordering,
    pointwise,
    reduction,
    sampling,
    scan,
    shape,
    softmaxes,
    statistics,
)


class TensorOps(InplaceOps):
    """The part of `Tensor` that is a list of ops."""

    __slots__ = ()

    # ---- operators

    __add__ = __radd__ = arithmetic.plus
    __sub__ = arithmetic.minus
    __rsub__ = arithmetic.rsub
    __mul__ = arithmetic.mul
    __rmul__ = arithmetic.mul
    __truediv__ = arithmetic.true_divide
    __rtruediv__ = arithmetic.rdiv
    __floordiv__ = arithmetic.floor_divide
    __rfloordiv__ = arithmetic.rfloordiv
    __mod__ = arithmetic.remainder
    __rmod__ = arithmetic.rmod
    __pow__ = arithmetic.pow
    __rpow__ = arithmetic.rpow
    __neg__ = arithmetic.neg
    __abs__ = pointwise.abs
    __matmul__ = linalg.matmul

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
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    # ---- ops as methods

    add = arithmetic.add
    sub = arithmetic.sub
    mul = arithmetic.mul
    div = arithmetic.div
    floor_divide = arithmetic.floor_divide
    remainder = arithmetic.remainder
    fmod = arithmetic.fmod
    pow = arithmetic.pow
    neg = arithmetic.neg
    abs = pointwise.abs
    sign = pointwise.sign
    exp = pointwise.exp
    expm1 = pointwise.expm1
    log = pointwise.log
    log1p = pointwise.log1p
    sqrt = pointwise.sqrt
    rsqrt = arithmetic.rsqrt
    square = arithmetic.square
    reciprocal = arithmetic.reciprocal
    sin = pointwise.sin
    cos = pointwise.cos
    tanh = pointwise.tanh
    erf = pointwise.erf
    atan2 = arithmetic.atan2
    floor = pointwise.floor
    ceil = pointwise.ceil
    round = pointwise.round
    trunc = pointwise.trunc
    relu = pointwise.relu
    sigmoid = pointwise.sigmoid
    maximum = choice.maximum
    minimum = choice.minimum
    clamp = choice.clamp
    masked_fill = choice.masked_fill
    eq = logic.eq
    ne = logic.ne
    lt = logic.lt
    le = logic.le
    gt = logic.gt
    ge = logic.ge
    logical_and = logic.logical_and
    logical_or = logic.logical_or
    logical_xor = logic.logical_xor
    logical_not = logic.logical_not
    isnan = logic.isnan
    isinf = logic.isinf
    isfinite = logic.isfinite

    sum = reduction.sum
    mean = reduction.mean
    var = statistics.var
    std = statistics.std
    prod = reduction.prod
    amax = reduction.amax
    amin = reduction.amin
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    any = reduction.any
    all = reduction.all
    argsort = ordering.argsort
    sort = ordering.sort
    topk = ordering.topk
    cumsum = scan.cumsum
    logsumexp = softmaxes.logsumexp
    softmax = softmaxes.softmax
    log_softmax = softmaxes.log_softmax
    norm = norms.norm

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
