"""What whole families of ops refuse, one row an op, by loops: kinds of numbers, shapes, an `out` of
a dtype that cannot hold the result.
"""

from __future__ import annotations

from tensorgrad.errors import DTypeError, ShapeError
from tests.cases.table import *

Z = X.astype("complex64")


def find(m, name):
    """A function of either library, by its dotted name."""
    for part in name.split("."):
        m = getattr(m, part)
    return m


# fmt: off

# ---- functions of one number, into integers

INTO_INTEGERS = (
    "abs absolute acos acosh angle arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan "
    "atanh ceil conj_physical cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 fix floor "
    "i0 lgamma log log10 log1p log2 logit nan_to_num rad2deg reciprocal rsqrt sgn sigmoid sign sin "
    "sinc sinh sqrt square tan tanh trunc special.entr special.erfcx special.i0e special.i1 "
    "special.i1e special.log_ndtr special.ndtr special.ndtri"
)
for name in INTO_INTEGERS.split():
    bad(f"{name.removeprefix('special.')} out",
        lambda m, x, i, name=name: find(m, name)(x, out=i), X, ints(0), error=DTypeError,
        words=": expected out of a dtype that float32 can be cast to, got int64")

# ---- kinds of numbers

REAL = (
    "amax amin argmin argsort clamp_max clamp_min clip cummax cummin fix max median min msort "
    "nanmedian nansum sort signbit isneginf topk"
)
for name in REAL.split():
    options = {"clamp_max": (0.0,), "clamp_min": (0.0,), "clip": (0.0,), "topk": (1,)}
    options |= {"cummax": (0,), "cummin": (0,)}
    options = options.get(name, ())
    bad(f"{name} of complex", lambda m, x, name=name, options=options: find(m, name)(x, *options),
        Z, error=DTypeError, words=": expected real numbers, got complex64")
ORDERED = "fmax fmin maximum minimum ge gt le lt greater greater_equal less less_equal"
for name in ORDERED.split():
    bad(f"{name} of complex", lambda m, x, name=name: find(m, name)(x, x), Z, error=DTypeError,
        words=": expected real numbers, got complex64")
FLOATING = (
    "celu elu gelu glu hardshrink hardsigmoid hardswish leaky_relu logsigmoid mish rms_norm rrelu "
    "selu silu softplus softshrink"
)
for name in FLOATING.split():
    options = {"rms_norm": ((3,),)}.get(name, ())
    bad(f"{name} of integers",
        lambda m, x, name=name, options=options: find(m, f"nn.functional.{name}")(x, *options),
        LONG if name != "glu" else ints(0, 1), error=DTypeError,
        words=": expected a floating point dtype, got int64",
        ops={"gelu": "gelu_tanh", "softplus": "_softplus"}.get(name, ""))
bad("abs of bools", lambda m, x: m.abs(x), MASK, error=DTypeError, words="abs: expected numbers")
NORMALIZED = {"batch_norm": (None, None, None, None, True), "group_norm": (1,),
              "instance_norm": (), "layer_norm": ((2,),)}
for name, options in NORMALIZED.items():
    bad(f"{name} of integers", lambda m, x, name=name, options=options:
        find(m, f"nn.functional.{name}")(x, *options), ints(*range(8)).reshape(2, 2, 2),
        error=DTypeError, words=f"{name}: expected a floating point dtype, got int64")
REAL_LOSSES = "mse_loss huber_loss smooth_l1_loss"
for name in REAL_LOSSES.split():
    bad(f"{name} of complex", lambda m, x, name=name: find(m, f"nn.functional.{name}")(x, x), Z,
        error=DTypeError, words=f"{name}: expected real numbers, got complex64")
bad("kl_div of integers", lambda m, x: m.nn.functional.kl_div(x, x, reduction="sum"), LONG,
    error=DTypeError, words="kl_div: expected a floating point dtype, got int64")
bad("prelu of integers", lambda m, x: m.nn.functional.prelu(x, x), LONG, error=DTypeError,
    words="prelu: expected a floating point dtype, got int64")
bad("trace of bools", lambda m, x: m.trace(x), MASK[None], error=DTypeError,
    words="trace: expected numbers, got bool")
ROUNDED = "ceil floor round trunc"
for name in ROUNDED.split():
    bad(f"{name} of bools", lambda m, x, name=name: find(m, name)(x), MASK, error=DTypeError,
        words=f"{name}: expected numbers, got bool")
NO_BOOLS = "relu threshold"
for name in NO_BOOLS.split():
    options = {"threshold": (0, 1)}.get(name, ())
    bad(f"{name} of bools",
        lambda m, x, name=name, options=options: find(m, f"nn.functional.{name}")(x, *options),
        MASK, error=DTypeError, words=f"{name}: expected numbers, got bool")
WHOLE = "bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm"
for name in WHOLE.split():
    bad(f"{name} of floats", lambda m, x, name=name: find(m, name)(x, x), X, error=DTypeError,
        words=f"{name}: expected")

# ---- two tensors whose shapes do not broadcast

BROADCASTING = (
    "arctan2 atan2 copysign divide eq float_power floor_divide fmax fmin fmod ge greater "
    "greater_equal gt hypot igamma igammac le less less_equal logaddexp logaddexp2 logical_and "
    "logical_or logical_xor lt maximum minimum multiply ne nextafter not_equal pow remainder "
    "subtract true_divide xlogy special.xlog1py"
)
for name in BROADCASTING.split():
    bad(f"{name.removeprefix('special.')} shapes",
        lambda m, x, y, name=name: find(m, name)(x, y), X, floats(3, 5), error=ShapeError,
        words=": expected shapes that broadcast, got shapes [3, 4] and [3, 5]")
OF_THREE = "addcmul addcdiv"
for name in OF_THREE.split():
    bad(f"{name} shapes", lambda m, x, y, name=name: find(m, name)(x, x, y), X, floats(3, 5),
        error=ShapeError, words="expected shapes that broadcast, got shapes [3, 4] and [3, 5]")
LOSSES = (
    "hinge_embedding_loss poisson_nll_loss soft_margin_loss"
)
for name in LOSSES.split():
    bad(f"{name} shapes", lambda m, x, y, name=name: find(m, f"nn.functional.{name}")(x, y), X,
        floats(3, 5), error=ShapeError, words="expected")

# ---- flags, whole numbers and dtypes that are something else

FLAGS = (
    "sum mean amax argmax any logsumexp median prod std var nansum nanmean linalg.vector_norm"
)
for name in FLAGS.split():
    bad(f"{name.removeprefix('linalg.')} keepdim", lambda m, x, name=name: find(m, name)(x, dim=0,
        keepdim=1), X, error=TypeError, words=": expected keepdim to be True or False, got 1")
OTHER_FLAGS = (
    "sort.descending topk.largest nonzero.as_tuple unique.return_counts combinations."
    "with_replacement multinomial.replacement linalg.svd.full_matrices "
    "nn.functional.dropout.training nn.functional.avg_pool1d.ceil_mode"
)
MORE = {"topk": (2,), "multinomial": (2,), "nn.functional.avg_pool1d": (2,)}
for name, _, flag in [dotted.rpartition(".") for dotted in OTHER_FLAGS.split()]:
    bad(f"{name.rpartition('.')[2]} {flag}",
        lambda m, x, name=name, flag=flag: find(m, name)(x, *MORE.get(name, ()), **{flag: 1}),
        X[0] if name == "combinations" else X, error=TypeError,
        words=f": expected {flag} to be True or False, got 1")
WHOLE = (
    "tril.diagonal triu.diagonal round.decimals rot90.k diff.n nn.functional.softmax.dim "
    "nn.functional.glu.dim cumsum.dim unbind.dim flatten.start_dim fft.fft.n"
)
for name, _, number in [dotted.rpartition(".") for dotted in WHOLE.split()]:
    for value in (1.5, True):
        bad(f"{name.rpartition('.')[2]} {number} {value}",
            lambda m, x, name=name, number=number, value=value: find(m, name)(x, **{number: value}),
            X, error=TypeError, words=f": expected {number} to be a whole number, got {value}")
