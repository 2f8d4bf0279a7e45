"""Methods of a tensor that are ops: each is the op's function itself.

An op's first argument is the tensor, so no function stands in between. Adding an op as a method is
a line here.
"""

from __future__ import annotations

from tensorgrad.inplace_ops import InplaceOps
from tensorgrad.operators import Operators
from tensorgrad.ops import (
    arithmetic,
    binning,
    choice,
    closeness,
    complex_parts,
    covariance,
    cutting,
    decompositions,
    diagonals,
    differences,
    distinct,
    factors,
    floats,
    indexing,
    least_squares,
    linalg,
    logic,
    multiplying,
    norms,
    ordering,
    places,
    pointwise,
    polar,
    products,
    quantiles,
    rearranging,
    rectifiers,
    reduction,
    sampling,
    scan,
    scattering,
    shape,
    softmaxes,
    solving,
    special,
    spectrogram,
    statistics,
    strides,
    tensor_norm,
)
from tensorgrad.ops import (
    lu as lu_ops,
)
from tensorgrad.public import methods


class TensorOps(Operators):
    """The part of `Tensor` that is a list of ops."""

    __slots__ = ()

    add = arithmetic.add
    sub = arithmetic.sub
    mul = arithmetic.mul
    div = arithmetic.div
    true_divide = arithmetic.true_divide
    floor_divide = arithmetic.floor_divide
    remainder = arithmetic.remainder
    fmod = arithmetic.fmod
    pow = arithmetic.pow
    float_power = arithmetic.float_power
    neg = arithmetic.neg
    negative = arithmetic.negative
    atan2 = arithmetic.atan2
    arctan2 = arithmetic.arctan2
    subtract = arithmetic.subtract
    multiply = arithmetic.multiply
    divide = arithmetic.divide
    addcmul = arithmetic.addcmul
    addcdiv = arithmetic.addcdiv
    lerp = arithmetic.lerp
    copysign = floats.copysign
    frexp = floats.frexp
    hypot = floats.hypot
    ldexp = floats.ldexp
    logaddexp = floats.logaddexp
    logaddexp2 = floats.logaddexp2
    nextafter = floats.nextafter
    abs = pointwise.abs
    absolute = pointwise.absolute
    positive = pointwise.positive
    sign = pointwise.sign
    exp = pointwise.exp
    exp2 = pointwise.exp2
    expm1 = pointwise.expm1
    log = pointwise.log
    log2 = pointwise.log2
    log10 = pointwise.log10
    log1p = pointwise.log1p
    sqrt = pointwise.sqrt
    rsqrt = pointwise.rsqrt
    square = pointwise.square
    reciprocal = pointwise.reciprocal
    sin = pointwise.sin
    cos = pointwise.cos
    tan = pointwise.tan
    asin = pointwise.asin
    arcsin = pointwise.arcsin
    acos = pointwise.acos
    arccos = pointwise.arccos
    atan = pointwise.atan
    arctan = pointwise.arctan
    sinh = pointwise.sinh
    cosh = pointwise.cosh
    tanh = pointwise.tanh
    asinh = pointwise.asinh
    arcsinh = pointwise.arcsinh
    acosh = pointwise.acosh
    arccosh = pointwise.arccosh
    atanh = pointwise.atanh
    arctanh = pointwise.arctanh
    sinc = pointwise.sinc
    deg2rad = pointwise.deg2rad
    rad2deg = pointwise.rad2deg
    floor = pointwise.floor
    ceil = pointwise.ceil
    round = pointwise.round
    trunc = pointwise.trunc
    fix = pointwise.fix
    frac = pointwise.frac
    nan_to_num = pointwise.nan_to_num
    relu = pointwise.relu
    prelu = rectifiers.prelu
    hardshrink = rectifiers.hardshrink
    sigmoid = pointwise.sigmoid
    logit = pointwise.logit
    digamma = special.digamma
    erf = special.erf
    erfc = special.erfc
    erfinv = special.erfinv
    i0 = special.i0
    igamma = special.igamma
    igammac = special.igammac
    lgamma = special.lgamma
    mvlgamma = special.mvlgamma
    polygamma = special.polygamma_of
    xlogy = special.xlogy
    maximum = choice.maximum
    minimum = choice.minimum
    fmax = choice.fmax
    fmin = choice.fmin
    clamp = choice.clamp
    clip = choice.clip
    clamp_min = choice.clamp_min
    clamp_max = choice.clamp_max
    heaviside = choice.heaviside
    masked_fill = choice.masked_fill
    eq = logic.eq
    ne = logic.ne
    not_equal = logic.not_equal
    lt = logic.lt
    less = logic.less
    le = logic.le
    less_equal = logic.less_equal
    gt = logic.gt
    greater = logic.greater
    ge = logic.ge
    greater_equal = logic.greater_equal
    logical_and = logic.logical_and
    logical_or = logic.logical_or
    logical_xor = logic.logical_xor
    logical_not = logic.logical_not
    bitwise_and = logic.bitwise_and
    bitwise_or = logic.bitwise_or
    bitwise_xor = logic.bitwise_xor
    bitwise_not = logic.bitwise_not
    bitwise_left_shift = logic.bitwise_left_shift
    bitwise_right_shift = logic.bitwise_right_shift
    gcd = logic.gcd
    lcm = logic.lcm
    isnan = logic.isnan
    isinf = logic.isinf
    isfinite = logic.isfinite
    isposinf = logic.isposinf
    isneginf = logic.isneginf
    signbit = logic.signbit
    allclose = closeness.allclose
    equal = closeness.equal
    isclose = closeness.isclose
    sgn = complex_parts.sgn
    angle = polar.angle
    conj = complex_parts.conj
    conj_physical = complex_parts.conj_physical
    resolve_conj = complex_parts.resolve_conj
    resolve_neg = complex_parts.resolve_neg
    is_conj = complex_parts.is_conj
    is_neg = complex_parts.is_neg
    is_complex = complex_parts.is_complex
    isreal = complex_parts.isreal
    real = property(complex_parts.real)
    imag = property(complex_parts.imag)

    sum = reduction.sum
    nansum = reduction.nansum
    nanmean = reduction.nanmean
    count_nonzero = reduction.count_nonzero
    aminmax = reduction.aminmax
    median = quantiles.median
    nanmedian = quantiles.nanmedian
    quantile = quantiles.quantile
    nanquantile = quantiles.nanquantile
    kthvalue = ordering.kthvalue
    mode = ordering.mode
    msort = ordering.msort
    cumprod = scan.cumprod
    cummax = scan.cummax
    cummin = scan.cummin
    logcumsumexp = scan.logcumsumexp
    unique = distinct.unique
    unique_consecutive = distinct.unique_consecutive
    bincount = binning.bincount
    histc = binning.histc
    histogram = binning.histogram
    mean = reduction.mean
    var = statistics.var
    std = statistics.std
    prod = multiplying.prod
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
    stft = spectrogram.stft
    istft = spectrogram.istft
    log_softmax = softmaxes.log_softmax
    norm = tensor_norm.norm
    dist = norms.dist
    renorm = norms.renorm
    cov = covariance.cov
    corrcoef = covariance.corrcoef

    matmul = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    outer = linalg.outer
    ger = linalg.ger
    vdot = linalg.vdot
    inner = linalg.inner
    addmm = linalg.addmm
    addmv = linalg.addmv
    addbmm = linalg.addbmm
    baddbmm = linalg.baddbmm
    addr = linalg.addr
    kron = products.kron
    cross = products.cross
    trace = products.trace
    inverse = solving.inverse
    det = solving.det
    slogdet = solving.slogdet
    logdet = solving.logdet
    triangular_solve = solving.triangular_solve
    cholesky = factors.cholesky
    cholesky_inverse = factors.cholesky_inverse
    cholesky_solve = factors.cholesky_solve
    lu = lu_ops.lu
    lu_solve = lu_ops.lu_solve
    qr = decompositions.qr
    svd = decompositions.svd
    matrix_exp = least_squares.matrix_exp
    matrix_power = least_squares.matrix_power
    pinverse = least_squares.pinverse

    reshape = shape.reshape
    reshape_as = shape.reshape_as
    view = shape.view
    view_as = shape.view_as
    permute = shape.permute
    transpose = shape.transpose
    swapaxes = shape.swapaxes
    swapdims = shape.swapdims
    t = shape.t
    adjoint = shape.adjoint
    movedim = shape.movedim
    moveaxis = shape.moveaxis
    expand = shape.expand
    expand_as = shape.expand_as
    broadcast_to = shape.broadcast_to
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    flatten = shape.flatten
    ravel = shape.ravel
    unflatten = shape.unflatten
    clone = shape.clone
    contiguous = shape.contiguous
    narrow = cutting.narrow
    select = cutting.select
    unbind = cutting.unbind
    split = cutting.split
    split_with_sizes = cutting.split_with_sizes
    unsafe_split = cutting.unsafe_split
    unsafe_split_with_sizes = cutting.unsafe_split_with_sizes
    chunk = cutting.chunk
    unsafe_chunk = cutting.unsafe_chunk
    tensor_split = cutting.tensor_split
    hsplit = cutting.hsplit
    vsplit = cutting.vsplit
    dsplit = cutting.dsplit
    select_scatter = cutting.select_scatter
    slice_scatter = cutting.slice_scatter
    diag = diagonals.diag
    diag_embed = diagonals.diag_embed
    diagflat = diagonals.diagflat
    diagonal = diagonals.diagonal
    diagonal_scatter = diagonals.diagonal_scatter
    tril = diagonals.tril
    triu = diagonals.triu
    flip = rearranging.flip
    fliplr = rearranging.fliplr
    flipud = rearranging.flipud
    roll = rearranging.roll
    rot90 = rearranging.rot90
    repeat = rearranging.repeat
    repeat_interleave = rearranging.repeat_interleave
    tile = rearranging.tile
    sum_to_size = differences.sum_to_size
    diff = differences.diff
    as_strided = strides.as_strided
    as_strided_scatter = strides.as_strided_scatter
    unfold = strides.unfold
    stride = strides.stride
    is_contiguous = strides.is_contiguous
    data_ptr = strides.data_ptr
    storage_offset = strides.storage_offset
    T = property(shape.reversed_dims)
    mT = property(shape.matrix_transpose)
    mH = property(shape.adjoint)
    H = property(shape.matrix_adjoint)

    gather = indexing.gather
    index_select = indexing.index_select
    masked_select = indexing.masked_select
    take = indexing.take
    take_along_dim = indexing.take_along_dim
    isin = indexing.isin
    argwhere = places.argwhere
    nonzero = places.nonzero
    nonzero_static = places.nonzero_static
    index_add = scattering.index_add
    index_copy = scattering.index_copy
    index_fill = scattering.index_fill
    index_put = scattering.index_put
    index_reduce = scattering.index_reduce
    masked_scatter = scattering.masked_scatter
    put = scattering.put
    scatter = scattering.scatter
    scatter_add = scattering.scatter_add
    scatter_reduce = scattering.scatter_reduce
    multinomial = sampling.multinomial
    bernoulli = sampling.bernoulli


for _kind in (TensorOps, InplaceOps):
    for _name, _function in methods(dict(vars(_kind))).items():
        setattr(_kind, _name, _function)
