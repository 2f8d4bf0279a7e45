"""In-place methods of a tensor: `x.<op>_(...)` writes the op's result into x's memory.

Adding one is a line here; what a write does to histories and views is in `tensorgrad.inplace`.
"""

from __future__ import annotations

from tensorgrad.graph import TensorCore
from tensorgrad.inplace import inplace, inplace_view
from tensorgrad.ops import (
    arithmetic,
    choice,
    complex_parts,
    diagonals,
    drawing,
    floats,
    indexing,
    linalg,
    logic,
    norms,
    pointwise,
    scan,
    scattering,
    shape,
    special,
    strides,
)


class InplaceOps(TensorCore):
    """The part of `Tensor` that is a list of in-place ops."""

    __slots__ = ()

    add_ = __iadd__ = inplace(arithmetic.add)
    sub_ = __isub__ = inplace(arithmetic.sub)
    mul_ = __imul__ = inplace(arithmetic.mul)
    div_ = __itruediv__ = inplace(arithmetic.div)
    true_divide_ = inplace(arithmetic.true_divide)
    floor_divide_ = __ifloordiv__ = inplace(arithmetic.floor_divide)
    remainder_ = __imod__ = inplace(arithmetic.remainder)
    fmod_ = inplace(arithmetic.fmod)
    pow_ = __ipow__ = inplace(arithmetic.pow)
    float_power_ = inplace(arithmetic.float_power)
    neg_ = inplace(arithmetic.neg)
    negative_ = inplace(arithmetic.negative)
    atan2_ = inplace(arithmetic.atan2)
    arctan2_ = inplace(arithmetic.arctan2)
    subtract_ = inplace(arithmetic.subtract)
    multiply_ = inplace(arithmetic.multiply)
    divide_ = inplace(arithmetic.divide)
    addcmul_ = inplace(arithmetic.addcmul)
    addcdiv_ = inplace(arithmetic.addcdiv)
    lerp_ = inplace(arithmetic.lerp)
    copysign_ = inplace(floats.copysign)
    hypot_ = inplace(floats.hypot)
    ldexp_ = inplace(floats.ldexp)
    nextafter_ = inplace(floats.nextafter)
    abs_ = inplace(pointwise.abs)
    absolute_ = inplace(pointwise.absolute)
    sign_ = inplace(pointwise.sign)
    exp_ = inplace(pointwise.exp)
    exp2_ = inplace(pointwise.exp2)
    expm1_ = inplace(pointwise.expm1)
    log_ = inplace(pointwise.log)
    log2_ = inplace(pointwise.log2)
    log10_ = inplace(pointwise.log10)
    log1p_ = inplace(pointwise.log1p)
    sqrt_ = inplace(pointwise.sqrt)
    rsqrt_ = inplace(pointwise.rsqrt)
    square_ = inplace(pointwise.square)
    reciprocal_ = inplace(pointwise.reciprocal)
    sin_ = inplace(pointwise.sin)
    cos_ = inplace(pointwise.cos)
    tan_ = inplace(pointwise.tan)
    asin_ = inplace(pointwise.asin)
    arcsin_ = inplace(pointwise.arcsin)
    acos_ = inplace(pointwise.acos)
    arccos_ = inplace(pointwise.arccos)
    atan_ = inplace(pointwise.atan)
    arctan_ = inplace(pointwise.arctan)
    sinh_ = inplace(pointwise.sinh)
    cosh_ = inplace(pointwise.cosh)
    tanh_ = inplace(pointwise.tanh)
    asinh_ = inplace(pointwise.asinh)
    arcsinh_ = inplace(pointwise.arcsinh)
    acosh_ = inplace(pointwise.acosh)
    arccosh_ = inplace(pointwise.arccosh)
    atanh_ = inplace(pointwise.atanh)
    arctanh_ = inplace(pointwise.arctanh)
    sinc_ = inplace(pointwise.sinc)
    deg2rad_ = inplace(pointwise.deg2rad)
    rad2deg_ = inplace(pointwise.rad2deg)
    floor_ = inplace(pointwise.floor)
    cumsum_ = inplace(scan.cumsum)
    cumprod_ = inplace(scan.cumprod)
    renorm_ = inplace(norms.renorm)
    ceil_ = inplace(pointwise.ceil)
    round_ = inplace(pointwise.round)
    trunc_ = inplace(pointwise.trunc)
    fix_ = inplace(pointwise.fix)
    frac_ = inplace(pointwise.frac)
    nan_to_num_ = inplace(pointwise.nan_to_num)
    relu_ = inplace(pointwise.relu)
    sigmoid_ = inplace(pointwise.sigmoid)
    logit_ = inplace(pointwise.logit)
    digamma_ = inplace(special.digamma)
    erf_ = inplace(special.erf)
    erfc_ = inplace(special.erfc)
    erfinv_ = inplace(special.erfinv)
    i0_ = inplace(special.i0)
    igamma_ = inplace(special.igamma)
    igammac_ = inplace(special.igammac)
    lgamma_ = inplace(special.lgamma)
    mvlgamma_ = inplace(special.mvlgamma)
    polygamma_ = inplace(special.polygamma_of)
    xlogy_ = inplace(special.xlogy)
    clamp_ = inplace(choice.clamp)
    clip_ = inplace(choice.clip)
    clamp_min_ = inplace(choice.clamp_min)
    clamp_max_ = inplace(choice.clamp_max)
    heaviside_ = inplace(choice.heaviside)
    masked_fill_ = inplace(choice.masked_fill)
    eq_ = inplace(logic.eq)
    ne_ = inplace(logic.ne)
    not_equal_ = inplace(logic.not_equal)
    lt_ = inplace(logic.lt)
    less_ = inplace(logic.less)
    le_ = inplace(logic.le)
    less_equal_ = inplace(logic.less_equal)
    gt_ = inplace(logic.gt)
    greater_ = inplace(logic.greater)
    ge_ = inplace(logic.ge)
    greater_equal_ = inplace(logic.greater_equal)
    logical_and_ = inplace(logic.logical_and)
    logical_or_ = inplace(logic.logical_or)
    logical_xor_ = inplace(logic.logical_xor)
    logical_not_ = inplace(logic.logical_not)
    bitwise_and_ = __iand__ = inplace(logic.bitwise_and)
    bitwise_or_ = __ior__ = inplace(logic.bitwise_or)
    bitwise_xor_ = __ixor__ = inplace(logic.bitwise_xor)
    bitwise_not_ = inplace(logic.bitwise_not)
    bitwise_left_shift_ = __ilshift__ = inplace(logic.bitwise_left_shift)
    bitwise_right_shift_ = __irshift__ = inplace(logic.bitwise_right_shift)
    gcd_ = inplace(logic.gcd)
    lcm_ = inplace(logic.lcm)
    sgn_ = inplace(complex_parts.sgn)
    conj_physical_ = inplace(complex_parts.conj_physical)
    index_add_ = inplace(scattering.index_add)
    index_copy_ = inplace(scattering.index_copy)
    index_fill_ = inplace(scattering.index_fill)
    index_put_ = inplace(scattering.index_put)
    index_reduce_ = inplace(scattering.index_reduce)
    masked_scatter_ = inplace(scattering.masked_scatter)
    put_ = inplace(scattering.put)
    scatter_ = inplace(scattering.scatter)
    scatter_add_ = inplace(scattering.scatter_add)
    scatter_reduce_ = inplace(scattering.scatter_reduce)
    copy_ = indexing.copy_
    fill_ = indexing.fill_
    zero_ = indexing.zero_
    bernoulli_ = drawing.bernoulli_
    cauchy_ = drawing.cauchy_
    exponential_ = drawing.exponential_
    geometric_ = drawing.geometric_
    log_normal_ = drawing.log_normal_
    normal_ = drawing.normal_
    random_ = drawing.random_
    uniform_ = drawing.uniform_

    # ---- the tensor becomes a view, or gets another shape
    as_strided_ = inplace_view(strides.as_strided)
    squeeze_ = inplace_view(shape.squeeze)
    unsqueeze_ = inplace_view(shape.unsqueeze)
    t_ = inplace_view(shape.t)
    transpose_ = inplace_view(shape.transpose)
    swapaxes_ = inplace_view(shape.swapaxes)
    swapdims_ = inplace_view(shape.swapdims)
    resize_ = strides.resize_
    resize_as_ = strides.resize_as_
    fill_diagonal_ = diagonals.fill_diagonal_
    tril_ = inplace(diagonals.tril)
    triu_ = inplace(diagonals.triu)
    addmm_ = inplace(linalg.addmm)
    addmv_ = inplace(linalg.addmv)
    addbmm_ = inplace(linalg.addbmm)
    baddbmm_ = inplace(linalg.baddbmm)
    addr_ = inplace(linalg.addr)


# Those that PyTorch has as functions, too.
FUNCTIONS = [
    "abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_",
    "arctan_", "arctanh_", "as_strided_", "asin_", "asinh_", "atan_", "atanh_", "ceil_",
    "clamp_", "clamp_max_", "clamp_min_", "clip_", "conj_physical_", "cos_", "cosh_",
    "deg2rad_", "detach_", "erf_", "erfc_", "exp2_", "exp_", "expm1_", "fill_", "fix_",
    "floor_", "frac_", "gcd_", "i0_", "index_put_", "lcm_", "ldexp_", "log10_", "log1p_",
    "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_",
    "relu_", "resize_as_", "round_", "rsqrt_", "sigmoid_", "sin_", "sinc_", "sinh_", "sqrt_",
    "square_", "tan_", "tanh_", "trunc_", "xlogy_", "zero_",
]  # fmt: skip
