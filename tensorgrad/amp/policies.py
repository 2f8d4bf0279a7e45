"""Which ops autocast touches, and how, by device type: PyTorch's lists.

https://docs.pytorch.org/docs/stable/amp.html#op-specific-behavior. Functions are named by the
module that has them. What is in no list runs in the dtypes that come in, its insides cast as calls
of their own, as PyTorch's composite functions do.
"""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import Any, TypeAlias

from tensorgrad.fused import FusedOp
from tensorgrad.op import OPS

LOWER = "lower"  # the fast dtype for all arguments
INPUTS = "inputs"  # the same, and what is inside is cast as well: layers bring their own weights
FULL = "full"  # float32 for all arguments
FULL_UNLESS_TOLD = "full unless told"  # the same, if the call names no `dtype`
WIDEST = "widest"  # float32 for all if one argument is float32, else the fast dtype
REFUSED = "refused"  # an error
KEEP = "keep"  # nothing, and nothing inside either

Names: TypeAlias = dict[str, str]

_PRODUCTS: Names = {
    "ops.attention": "_scores scaled_dot_product_attention",
    "ops.convolution": "conv1d conv2d conv3d",
    "ops.linalg": "addbmm addmm baddbmm bmm matmul mm",
    "ops.linear": "linear",
    "ops.products": "vecdot",
    "ops.rectifiers": "prelu",
    "ops.transposed": "conv_transpose1d conv_transpose2d conv_transpose3d",
}
_LOSSES: Names = {
    "ops.class_loss": "cross_entropy multi_margin_loss multilabel_margin_loss nll_loss",
    "ops.loss": (
        "binary_cross_entropy_with_logits huber_loss kl_div l1_loss mse_loss poisson_nll_loss "
        "smooth_l1_loss"
    ),
    "ops.margin_loss": (
        "cosine_embedding_loss hinge_embedding_loss margin_ranking_loss soft_margin_loss "
        "triplet_margin_loss"
    ),
    "ops.products": "cdist",
}
LISTS: dict[str, dict[str, list[Names]]] = {
    "cpu": {
        LOWER: [_PRODUCTS, {"ops.einsum": "tensordot"}],
        INPUTS: [{"nn.recurrent": "LSTM.forward"}],
        FULL: [
            _LOSSES,
            {
                "ops.adaptive": "adaptive_avg_pool3d adaptive_max_pool3d",
                "ops.complex_parts": "view_as_complex",
                "ops.ctc": "ctc_loss",
                "ops.decompositions": "eig eigh eigvals eigvalsh qr svd svdvals",
                "ops.factors": "cholesky cholesky_ex cholesky_inverse cholesky_solve",
                "ops.fourier": (
                    "fft fft2 fftn hfft ifft ifft2 ifftn ihfft irfft irfft2 irfftn rfft rfft2 rfftn"
                ),
                "ops.grids": "grid_sample grid_sampler grid_sampler_2d grid_sampler_3d",
                "ops.least_squares": "lstsq matrix_rank pinverse tensorinv tensorsolve",
                "ops.loss": "binary_cross_entropy",
                "ops.lu": "inv_ex lu_solve",
                "ops.matrix_norms": "cond",
                "ops.multiplying": "prod",
                "ops.padding": "_repeated",
                "ops.polar": "polar",
                "ops.pooling": "avg_pool3d lp_pool3d max_pool3d",
                "ops.products": "trace",
                "ops.quantiles": "nanquantile quantile",
                "ops.solving": "inv inverse solve triangular_solve",
                "ops.spectrogram": "stft",
                "ops.unpooling": "max_unpool1d max_unpool2d max_unpool3d",
            },
        ],
        WIDEST: [{"ops.scattering": "index_copy"}],
        KEEP: [{"ops.linalg": "addmv addr dot mv vdot", "ops.linear": "bilinear"}],
    },
    "cuda": {
        LOWER: [
            _PRODUCTS,
            {
                "ops.einsum": "einsum",
                "ops.linalg": "addmv addr mv",
                "ops.products": "chain_matmul multi_dot",
            },
        ],
        INPUTS: [
            {
                "nn.recurrent": (
                    "GRUCell._step LSTM.forward LSTMCell._step RNNCell._step _Simple.forward"
                )
            }
        ],
        FULL: [
            _LOSSES,
            {
                "ops.activation": "softplus",
                "ops.arithmetic": "pow rdiv rpow",
                "ops.distance": "cosine_similarity pdist",
                "ops.normalization": "group_norm layer_norm rms_norm",
                "ops.norms": "dist renorm",
                "ops.pointwise": (
                    "acos arccos arcsin asin cosh exp expm1 log log10 log1p log2 reciprocal rsqrt "
                    "sinh tan"
                ),
                "ops.resampling": "interpolate",
                "ops.softmaxes": "logsumexp",
                "ops.special": "erfinv",
            },
        ],
        FULL_UNLESS_TOLD: [
            {
                "ops.activation": "log_softmax softmax",
                "ops.matrix_norms": "matrix_norm norm vector_norm",
                "ops.multiplying": "prod",
                "ops.reduction": "sum",
                "ops.scan": "cumprod cumsum",
                "ops.softmaxes": "log_softmax softmax",
                "ops.tensor_norm": "norm",
            }
        ],
        WIDEST: [
            {
                "ops.arithmetic": "addcdiv addcmul arctan2 atan2",
                "ops.einsum": "tensordot",
                "ops.grids": "grid_sample grid_sampler grid_sampler_2d grid_sampler_3d",
                "ops.linalg": "dot vdot",
                "ops.linear": "bilinear",
                "ops.products": "cross cross_of",
                "ops.scattering": "index_put scatter_add",
            }
        ],
        REFUSED: [{"ops.loss": "binary_cross_entropy"}],
    },
}


def policies() -> dict[Any, dict[str, str]]:
    """What each function does by device type.

    A fused op that is in no list is one kernel, whatever its composition calls.
    """
    importlib.import_module("tensorgrad.nn")  # with it all of them are declared
    found: dict[Any, dict[str, str]] = {
        op.call: dict.fromkeys(LISTS, KEEP) for op in OPS.values() if isinstance(op, FusedOp)
    }
    for device_type, lists in LISTS.items():
        for policy, parts in lists.items():
            for part in parts:
                for module, names in part.items():
                    space = importlib.import_module(f"tensorgrad.{module}")
                    for name in names.split():
                        found.setdefault(attrgetter(name)(space), {})[device_type] = policy
    return found
