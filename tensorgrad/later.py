"""The package's names that are imported when they are first asked for, so that `import tensorgrad`
is quick: what stands above the tensor, and ops that few programs begin with.
"""

from __future__ import annotations

import importlib
from typing import Any

from tensorgrad.public import functions

NAMES = {
    name: module
    for module, names in {
        "amp": "autocast",
        "amp.autocast": (
            "clear_autocast_cache get_autocast_dtype is_autocast_cache_enabled is_autocast_enabled "
            "set_autocast_cache_enabled set_autocast_dtype set_autocast_enabled"
        ),
        "func": "vmap",
        "io": "load save",
        "ops.activation": "celu celu_ selu selu_",
        "ops.adaptive": "adaptive_avg_pool1d adaptive_max_pool1d",
        "ops.convolution": "conv1d conv2d conv3d",
        "ops.ctc": "ctc_loss",
        "ops.distance": "cosine_similarity pairwise_distance pdist",
        "ops.dropout": "alpha_dropout dropout feature_alpha_dropout",
        "ops.einsum": "einsum tensordot",
        "ops.embedding": "embedding",
        "ops.folding": "channel_shuffle pixel_shuffle pixel_unshuffle",
        "ops.grids": "grid_sampler grid_sampler_2d grid_sampler_3d",
        "ops.linear": "bilinear",
        "ops.loss": "binary_cross_entropy_with_logits kl_div poisson_nll_loss",
        "ops.margin_loss": (
            "cosine_embedding_loss hinge_embedding_loss margin_ranking_loss triplet_margin_loss"
        ),
        "ops.normalization": "batch_norm group_norm layer_norm rms_norm",
        "ops.pooling": "avg_pool1d max_pool1d max_pool2d max_pool3d",
        "ops.rejection": "binomial poisson",
        "ops.tapers": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
        "ops.transposed": "conv_transpose1d conv_transpose2d conv_transpose3d",
    }.items()
    for name in names.split()
}
PACKAGES = (
    "accelerator", "amp", "audio", "autograd", "backends", "compiler", "data", "datasets",
    "distributed", "distributions", "fft", "func", "hub", "linalg", "multiprocessing", "nn",
    "optim", "profiler", "signal", "special", "testing", "text", "types", "utils", "viz",
)  # fmt: skip

_SPARSE = (
    "sparse tensors': a product with a sparse matrix is the sum, by index_add, of rows that its "
    "indices gather"
)
REFUSED = {
    "jit": "TorchScript's: programs run as they are written, without a compiler",
    "sparse": _SPARSE,
    "sparse_coo_tensor": _SPARSE,
    "sparse_csr_tensor": _SPARSE,
    "spmm": _SPARSE,
}


def find(name: str, space: dict[str, Any]) -> Any:
    """The module or the value called `name`; a value is put into `space`, the package's own."""
    if name in NAMES:
        value = getattr(importlib.import_module(f"tensorgrad.{NAMES[name]}"), name)
        space.update({name: value} | functions({name: value}, [name]))
        return space[name]
    if name in PACKAGES:
        return importlib.import_module(f"tensorgrad.{name}")
    if name in REFUSED:
        raise AttributeError(
            f"tensorgrad.{name}: expected a name that there is, got {REFUSED[name]}"
        )
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")
