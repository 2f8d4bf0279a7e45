"""The layers by the paths that PyTorch's files have, `nn.modules.batchnorm.BatchNorm2d` and the
like: the modules of `tensorgrad.nn` themselves, whose names stand here, too.
"""

from __future__ import annotations

from typing import Any

import tensorgrad.nn as nn
from tensorgrad.nn.modules import utils
from tensorgrad.paths import also_found_in

__all__ = ["utils"]

_FILES = {
    "activation": "activation",
    "adaptive": "adaptive_softmax",
    "batchnorm": "batchnorm",
    "channelshuffle": "folding",
    "container": "container",
    "conv": "conv",
    "distance": "distance",
    "dropout": "dropout",
    "flatten": "flatten",
    "fold": "folding",
    "instancenorm": "batchnorm",
    "lazy": "lazy",
    "linear": "linear",
    "loss": "loss",
    "module": "module",
    "normalization": "normalization",
    "padding": "padding",
    "pixelshuffle": "folding",
    "pooling": "pooling",
    "rnn": "recurrent",
    "sparse": "embedding",
    "transformer": "transformer",
    "upsampling": "folding",
}
also_found_in(__name__, {name: f"tensorgrad.nn.{file}" for name, file in _FILES.items()})


def __getattr__(name: str) -> Any:
    return getattr(nn, name)
