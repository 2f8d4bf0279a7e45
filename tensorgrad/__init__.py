"""tensorgrad: a PyTorch-like deep-learning library whose engine and kernels are all Python.

    import tensorgrad as tg

The public names are PyTorch's. `TENSORGRAD_BACKEND=numpy|numba|cupy` chooses who computes (numba
unless told).
"""

import typing as _typing
import warnings as _warnings
from math import e, inf, nan, pi

from numpy import dtype

from tensorgrad import cuda, dtypes, formats, random, settings, typed, version
from tensorgrad import later as _later
from tensorgrad import ops as _ops
from tensorgrad._tensor import Tensor
from tensorgrad.allocator import empty_cache, memory_stats
from tensorgrad.backend import (
    Device as device,
)
from tensorgrad.backend import (
    backend_names,
    get_backend,
    get_default_device,
    set_backend,
    set_default_device,
    use_backend,
)
from tensorgrad.dtypes import *
from tensorgrad.dtypes import bool_ as bool
from tensorgrad.dtypes import float_ as float
from tensorgrad.dtypes import int_ as int
from tensorgrad.errors import (
    BackendError,
    DTypeError,
    GraphError,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)
from tensorgrad.formats import *
from tensorgrad.formats import Layout as layout
from tensorgrad.formats import MemoryFormat as memory_format
from tensorgrad.inplace_ops import FUNCTIONS as _IN_PLACE
from tensorgrad.modes import (
    enable_grad,
    inference_mode,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tensorgrad.ops.arithmetic import *
from tensorgrad.ops.binning import *
from tensorgrad.ops.choice import *
from tensorgrad.ops.closeness import *
from tensorgrad.ops.complex_parts import *
from tensorgrad.ops.conversion import *
from tensorgrad.ops.covariance import *
from tensorgrad.ops.creation import *
from tensorgrad.ops.cutting import *
from tensorgrad.ops.decompositions import *
from tensorgrad.ops.diagonals import *
from tensorgrad.ops.differences import *
from tensorgrad.ops.distinct import *
from tensorgrad.ops.factors import *
from tensorgrad.ops.floats import *
from tensorgrad.ops.indexing import *
from tensorgrad.ops.joining import *
from tensorgrad.ops.layouts import *
from tensorgrad.ops.least_squares import *
from tensorgrad.ops.linalg import *
from tensorgrad.ops.logic import *
from tensorgrad.ops.lu import *
from tensorgrad.ops.multiplying import *
from tensorgrad.ops.norms import *
from tensorgrad.ops.ordering import *
from tensorgrad.ops.padding import constant_pad_nd
from tensorgrad.ops.places import *
from tensorgrad.ops.pointwise import *
from tensorgrad.ops.polar import *
from tensorgrad.ops.products import *
from tensorgrad.ops.quantiles import *
from tensorgrad.ops.queries import *
from tensorgrad.ops.rearranging import *
from tensorgrad.ops.rectifiers import (
    hardshrink,
    prelu,
    relu_,
    rrelu,
    rrelu_,
    threshold,
    threshold_,
)
from tensorgrad.ops.reduction import *
from tensorgrad.ops.sampling import *
from tensorgrad.ops.scan import *
from tensorgrad.ops.scattering import *
from tensorgrad.ops.sequences import *
from tensorgrad.ops.shape import *
from tensorgrad.ops.softmaxes import *
from tensorgrad.ops.solving import *
from tensorgrad.ops.special import *
from tensorgrad.ops.spectrogram import *
from tensorgrad.ops.statistics import *
from tensorgrad.ops.strides import *
from tensorgrad.ops.tensor_norm import *
from tensorgrad.printing import set_printoptions
from tensorgrad.public import functions as _public_functions
from tensorgrad.random import *
from tensorgrad.settings import *
from tensorgrad.typed import *
from tensorgrad.version import __version__ as __version__

newaxis = None

__all__ = [
    "BackendError",
    "DTypeError",
    "GraphError",
    "IndexRangeError",
    "OutOfMemoryError",
    "ShapeError",
    "Tensor",
    "accelerator",
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "alpha_dropout",
    "amp",
    "audio",
    "autocast",
    "autograd",
    "avg_pool1d",
    "backend_names",
    "backends",
    "bartlett_window",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy_with_logits",
    "binomial",
    "blackman_window",
    "bool",
    "celu",
    "celu_",
    "channel_shuffle",
    "clear_autocast_cache",
    "compiler",
    "constant_pad_nd",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "ctc_loss",
    "cuda",
    "data",
    "datasets",
    "device",
    "distributed",
    "distributions",
    "dropout",
    "dtype",
    "e",
    "einsum",
    "embedding",
    "empty_cache",
    "enable_grad",
    "feature_alpha_dropout",
    "fft",
    "float",
    "func",
    "get_autocast_dtype",
    "get_backend",
    "get_default_device",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "group_norm",
    "hamming_window",
    "hann_window",
    "hardshrink",
    "hinge_embedding_loss",
    "hub",
    "inf",
    "inference_mode",
    "int",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_autocast_cache_enabled",
    "is_autocast_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "kaiser_window",
    "kl_div",
    "layer_norm",
    "layout",
    "linalg",
    "load",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "memory_format",
    "memory_stats",
    "multiprocessing",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "optim",
    "pairwise_distance",
    "pdist",
    "pi",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson",
    "poisson_nll_loss",
    "prelu",
    "profiler",
    "random",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "save",
    "selu",
    "selu_",
    "set_autocast_cache_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_backend",
    "set_default_device",
    "set_grad_enabled",
    "set_printoptions",
    "signal",
    "special",
    "tensordot",
    "testing",
    "text",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "types",
    "use_backend",
    "utils",
    "version",
    "viz",
    "vmap",
]
__all__ += dtypes.__all__
__all__ += formats.__all__
__all__ += random.__all__
__all__ += settings.__all__
__all__ += typed.__all__
__all__ += _ops.creation.__all__
__all__ += _ops.layouts.__all__
__all__ += _ops.queries.__all__
__all__ += _ops.sampling.__all__
__all__ += _ops.sequences.__all__
__all__ += _ops.shape.__all__
__all__ += _ops.joining.__all__
__all__ += _ops.cutting.__all__
__all__ += _ops.diagonals.__all__
__all__ += _ops.rearranging.__all__
__all__ += _ops.strides.__all__
__all__ += _ops.differences.__all__
__all__ += _ops.conversion.__all__
__all__ += _ops.logic.__all__
__all__ += _ops.choice.__all__
__all__ += _ops.complex_parts.__all__
__all__ += _ops.pointwise.__all__
__all__ += _ops.polar.__all__
__all__ += _ops.arithmetic.__all__
__all__ += _ops.closeness.__all__
__all__ += _ops.floats.__all__
__all__ += _ops.special.__all__
__all__ += _ops.indexing.__all__
__all__ += _ops.places.__all__
__all__ += _ops.scattering.__all__
__all__ += _ops.reduction.__all__
__all__ += _ops.multiplying.__all__
__all__ += _ops.binning.__all__
__all__ += _ops.distinct.__all__
__all__ += _ops.quantiles.__all__
__all__ += _ops.statistics.__all__
__all__ += _ops.ordering.__all__
__all__ += _ops.scan.__all__
__all__ += _ops.softmaxes.__all__
__all__ += _ops.norms.__all__
__all__ += _ops.tensor_norm.__all__
__all__ += _ops.covariance.__all__
__all__ += _ops.spectrogram.__all__
__all__ += _ops.linalg.__all__
__all__ += _ops.products.__all__
__all__ += _ops.solving.__all__
__all__ += _ops.factors.__all__
__all__ += _ops.lu.__all__
__all__ += _ops.decompositions.__all__
__all__ += _ops.least_squares.__all__

globals().update(_public_functions(globals(), __all__))

globals().update({_name: getattr(Tensor, _name) for _name in _IN_PLACE})
detach = Tensor.detach
__all__ += ["detach", *_IN_PLACE]

# log(0), 1 / 0 and the like give -inf and inf in silence, as in PyTorch; NumPy reports them where
# they happen, which is in this library's modules. Other code's warnings are left alone.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tensorgrad\b")

# Imported when they are first named.
if _typing.TYPE_CHECKING:
    from tensorgrad import (
        amp,
        audio,
        autograd,
        compiler,
        data,
        datasets,
        distributions,
        fft,
        func,
        linalg,
        nn,
        optim,
        profiler,
        signal,
        special,
        text,
        utils,
        viz,
    )
    from tensorgrad.amp.autocast import (
        autocast,
        clear_autocast_cache,
        get_autocast_dtype,
        is_autocast_cache_enabled,
        is_autocast_enabled,
        set_autocast_cache_enabled,
        set_autocast_dtype,
        set_autocast_enabled,
    )
    from tensorgrad.func import vmap
    from tensorgrad.io import load, save
    from tensorgrad.ops.activation import celu, celu_, selu, selu_
    from tensorgrad.ops.adaptive import adaptive_avg_pool1d, adaptive_max_pool1d
    from tensorgrad.ops.convolution import conv1d, conv2d, conv3d
    from tensorgrad.ops.ctc import ctc_loss
    from tensorgrad.ops.distance import cosine_similarity, pairwise_distance, pdist
    from tensorgrad.ops.dropout import alpha_dropout, dropout, feature_alpha_dropout
    from tensorgrad.ops.einsum import einsum, tensordot
    from tensorgrad.ops.embedding import embedding
    from tensorgrad.ops.folding import channel_shuffle, pixel_shuffle, pixel_unshuffle
    from tensorgrad.ops.grids import grid_sampler, grid_sampler_2d, grid_sampler_3d
    from tensorgrad.ops.linear import bilinear
    from tensorgrad.ops.loss import binary_cross_entropy_with_logits, kl_div, poisson_nll_loss
    from tensorgrad.ops.margin_loss import (
        cosine_embedding_loss,
        hinge_embedding_loss,
        margin_ranking_loss,
        triplet_margin_loss,
    )
    from tensorgrad.ops.normalization import batch_norm, group_norm, layer_norm, rms_norm
    from tensorgrad.ops.pooling import avg_pool1d, max_pool1d, max_pool2d, max_pool3d
    from tensorgrad.ops.rejection import binomial, poisson
    from tensorgrad.ops.tapers import (
        bartlett_window,
        blackman_window,
        hamming_window,
        hann_window,
        kaiser_window,
    )
    from tensorgrad.ops.transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d


def __getattr__(name: str) -> _typing.Any:
    return _later.find(name, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *_later.PACKAGES, *_later.NAMES})
