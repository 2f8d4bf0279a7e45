"""tensorgrad: a PyTorch-like deep-learning library whose engine and kernels are all Python.

    import tensorgrad as tg

The public names are PyTorch's. `TENSORGRAD_BACKEND=numpy|numba|cupy` chooses who computes (numba
unless told).
"""

import warnings as _warnings

from tensorgrad import autograd, cuda, data, datasets, nn, optim
from tensorgrad._tensor import Tensor
from tensorgrad.autograd import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from tensorgrad.backend import (
    Device as device,
)
from tensorgrad.backend import (
    backend_names,
    get_backend,
    set_backend,
    use_backend,
)
from tensorgrad.dtypes import (
    bfloat16,
    can_cast,
    double,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    result_type,
    set_default_dtype,
    short,
    uint8,
)
from tensorgrad.dtypes import bool_ as bool
from tensorgrad.dtypes import float_ as float
from tensorgrad.dtypes import int_ as int
from tensorgrad.errors import (
    BackendError,
    DTypeError,
    GraphError,
    IndexRangeError,
    ShapeError,
)
from tensorgrad.modes import is_grad_enabled, is_inference_mode_enabled
from tensorgrad.ops.activation import dropout
from tensorgrad.ops.convolution import avg_pool2d, conv1d, conv2d, max_pool2d
from tensorgrad.ops.creation import (
    arange,
    as_tensor,
    bernoulli,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    multinomial,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from tensorgrad.ops.elementwise import (
    abs,
    add,
    atan2,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    ceil,
    clamp,
    cos,
    div,
    eq,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    fmod,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    masked_fill,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    reciprocal,
    relu,
    remainder,
    round,
    rsqrt,
    rsub,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    sub,
    tanh,
    true_divide,
    trunc,
    where,
)
from tensorgrad.ops.indexing import (
    embedding,
    gather,
    index_select,
    masked_select,
    nonzero,
    scatter_add,
)
from tensorgrad.ops.linalg import bmm, dot, matmul, mm, mv, outer
from tensorgrad.ops.normalization import batch_norm, layer_norm
from tensorgrad.ops.reduction import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argsort,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    sort,
    std,
    sum,
    topk,
    var,
)
from tensorgrad.ops.shape import (
    broadcast_to,
    cat,
    chunk,
    clone,
    concat,
    flatten,
    flip,
    movedim,
    narrow,
    permute,
    repeat,
    reshape,
    select,
    split,
    squeeze,
    stack,
    swapaxes,
    t,
    transpose,
    unbind,
    unflatten,
    unsqueeze,
)
from tensorgrad.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__version__ = "0.1.0"

# log(0), 1 / 0 and the like give -inf and inf in silence, as in PyTorch; NumPy reports them where
# they happen, which is in this library's modules. Other code's warnings are left alone.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tensorgrad\b")
