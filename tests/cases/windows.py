"""Convolution and pooling."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import tensorgrad as tg
from tensorgrad.op import OPS
from tensorgrad.ops import convolution
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- windows

case("windows", convolution.windows, normal(2, 6, 5), (3, 2), (2, 1), (1, 2), torch="",
     ref=lambda x, k, s, d: sliding_window_view(x, (3, 3), (1, 2))[:, ::2, :, :, ::2])
case("fold_windows", convolution.fold_windows, normal(2, 2, 4, 2, 2), (5, 5), (2, 2), (2, 1),
     (1, 1), torch="")
case("conv1d", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), normal(4))
case("conv1d same", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), padding="same")
case("conv1d same even", tg.conv1d, normal(2, 3, 7), normal(4, 3, 4), padding="same")
case("conv2d", tg.conv2d, normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4))
case("conv2d stride padding", tg.conv2d, normal(2, 2, 5, 6), normal(3, 2, 3, 3), stride=2,
     padding=1)
case("conv2d dilation groups", tg.conv2d, normal(1, 4, 7, 6), normal(6, 2, 2, 3), normal(6),
     dilation=(2, 1), groups=2)
case("conv2d unbatched", tg.conv2d, normal(2, 5, 5), normal(3, 2, 2, 2), padding="valid")
case("conv2d float32 weights", tg.conv2d, normal(1, 1, 2, 2), normal(1, 1, 2, 2),
     ref=lambda x, w: (x * w).sum().reshape(1, 1, 1, 1))
case("convolution", OPS["convolution"].call, normal(2, 2, 5), normal(3, 2, 3), normal(3), (1,),
     (1,), (1,), 1, torch="")
case("avg_pool2d", tg.avg_pool2d, normal(2, 3, 4, 6), 2,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).mean((3, 5)))
case("avg_pool2d stride padding", tg.avg_pool2d, normal(2, 5, 5), (3, 2), stride=(2, 1), padding=1)
case("max_pool2d", tg.max_pool2d, distinct(2, 3, 4, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).max((3, 5)))
case("max_pool2d stride padding", tg.max_pool2d, distinct(1, 2, 5, 6), 3, stride=2, padding=1)
case("max_pool2d dilation", tg.max_pool2d, distinct(2, 6, 6), 2, 1, dilation=2)
case("max_windows", OPS["max_windows"].call, distinct(2, 5), (3,), (2,), (0,), (1,), torch="",
     ref=lambda x, *rest: np.stack([x[:, 0:3].max(1), x[:, 2:5].max(1)], 1))
