"""tensorgrad: a PyTorch-like deep-learning library whose engine and kernels are all Python.

    import tensorgrad as tg

The public names are PyTorch's. `TENSORGRAD_BACKEND=numpy|numba|cupy` chooses who computes (numba
unless told).
"""

import importlib as _importlib
import typing as _typing
import warnings as _warnings

from tensorgrad import autograd, cuda
from tensorgrad import ops as _ops
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
from tensorgrad.ops.arithmetic import *
from tensorgrad.ops.choice import *
from tensorgrad.ops.conversion import *
from tensorgrad.ops.convolution import avg_pool2d, conv1d, conv2d, max_pool2d
from tensorgrad.ops.creation import *
from tensorgrad.ops.dropout import dropout
from tensorgrad.ops.embedding import embedding
from tensorgrad.ops.indexing import *
from tensorgrad.ops.linalg import *
from tensorgrad.ops.logic import *
from tensorgrad.ops.normalization import batch_norm, layer_norm
from tensorgrad.ops.norms import *
from tensorgrad.ops.ordering import *
from tensorgrad.ops.pointwise import *
from tensorgrad.ops.reduction import *
from tensorgrad.ops.sampling import *
from tensorgrad.ops.scan import *
from tensorgrad.ops.shape import *
from tensorgrad.ops.softmaxes import *
from tensorgrad.ops.statistics import *
from tensorgrad.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "DTypeError",
    "Generator",
    "GraphError",
    "IndexRangeError",
    "ShapeError",
    "Tensor",
    "autograd",
    "avg_pool2d",
    "backend_names",
    "batch_norm",
    "bfloat16",
    "bool",
    "can_cast",
    "conv1d",
    "conv2d",
    "cuda",
    "data",
    "datasets",
    "device",
    "double",
    "dropout",
    "embedding",
    "enable_grad",
    "float",
    "float16",
    "float32",
    "float64",
    "get_backend",
    "get_default_dtype",
    "get_rng_state",
    "half",
    "inference_mode",
    "initial_seed",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "layer_norm",
    "long",
    "manual_seed",
    "max_pool2d",
    "nn",
    "no_grad",
    "optim",
    "promote_types",
    "result_type",
    "seed",
    "set_backend",
    "set_default_dtype",
    "set_grad_enabled",
    "set_rng_state",
    "short",
    "uint8",
    "use_backend",
]
__all__ += _ops.creation.__all__
__all__ += _ops.sampling.__all__
__all__ += _ops.shape.__all__
__all__ += _ops.conversion.__all__
__all__ += _ops.logic.__all__
__all__ += _ops.choice.__all__
__all__ += _ops.pointwise.__all__
__all__ += _ops.arithmetic.__all__
__all__ += _ops.indexing.__all__
__all__ += _ops.reduction.__all__
__all__ += _ops.statistics.__all__
__all__ += _ops.ordering.__all__
__all__ += _ops.scan.__all__
__all__ += _ops.softmaxes.__all__
__all__ += _ops.norms.__all__
__all__ += _ops.linalg.__all__

# log(0), 1 / 0 and the like give -inf and inf in silence, as in PyTorch; NumPy reports them where
# they happen, which is in this library's modules. Other code's warnings are left alone.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tensorgrad\b")

# What stands above the tensor is imported when it is first named: `import tensorgrad` is quick.
if _typing.TYPE_CHECKING:
    from tensorgrad import data, datasets, nn, optim

_PACKAGES = ("data", "datasets", "nn", "optim")


def __getattr__(name: str) -> _typing.Any:
    if name in _PACKAGES:
        return _importlib.import_module(f"tensorgrad.{name}")
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES})
