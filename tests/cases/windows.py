"""Convolution and pooling."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import tensorgrad as tg
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.nn import functional
from tensorgrad.op import OPS
from tensorgrad.ops import pooling, windows
from tests.cases.table import *


def correlated(x, w, b=None):
    """A convolution of NumPy's, with stride 1 and without padding."""
    spatial = tuple(range(2, x.ndim))
    seen = np.moveaxis(sliding_window_view(x, w.shape[2:], spatial), 1, x.ndim - 1)
    depth = tuple(range(1, w.ndim))
    out = np.tensordot(seen, w, (tuple(range(x.ndim - 1, seen.ndim)), depth))
    return np.moveaxis(out if b is None else out + b, -1, 1)


def spread(x, w, b=None, stride=1):
    """A transposed convolution of NumPy's, by adding up."""
    size = [(n - 1) * stride + k for n, k in zip(x.shape[2:], w.shape[2:])]
    out = np.zeros((x.shape[0], w.shape[1], *size))
    for place in np.ndindex(*x.shape[2:]):
        where = tuple(slice(p * stride, p * stride + k) for p, k in zip(place, w.shape[2:]))
        out[(..., *where)] += np.tensordot(x[(..., *place)], w, 1)
    return out if b is None else out + b.reshape(-1, *(1,) * len(size))


def F(m):
    return m.nn.functional


# A case is read as one line.
# fmt: off

# ---- windows

case("windows", windows.windows, normal(2, 6, 5), (3, 2), (2, 1), (1, 2), torch="",
     ref=lambda x, k, s, d: sliding_window_view(x, (3, 3), (1, 2))[:, ::2, :, :, ::2])
case("fold_windows", windows.fold_windows, normal(2, 2, 4, 2, 2), (5, 5), (2, 2), (2, 1),
     (1, 1), torch="")
case("window_sum", OPS["window_sum"].call, normal(2, 6, 5), (3, 2), (2, 1), (0, 0), (0, 0),
     torch="",
     ref=lambda x, *how: sliding_window_view(x, (3, 2), (1, 2))[:, ::2].sum((-2, -1)))
case("window_sum widened", OPS["window_sum"].call, normal(2, 2, 6, 5), (3, 2), (2, 3), (1, 0),
     (2, 1), torch="")

# ---- convolution

case("conv1d", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), normal(4), dtypes=NARROW,
     ref=correlated)
case("conv1d same", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), padding="same")
case("conv1d same even", tg.conv1d, normal(2, 3, 7), normal(4, 3, 4), padding="same")
case("conv1d stride dilation", tg.conv1d, normal(2, 4, 40), normal(6, 2, 3), normal(6), stride=2,
     padding=3, dilation=2, groups=2)
case("conv2d", tg.conv2d, normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4), dtypes=NARROW,
     ref=correlated)
case("conv2d stride padding", tg.conv2d, normal(2, 2, 5, 6), normal(3, 2, 3, 3), stride=2,
     padding=1)
case("conv2d dilation groups", tg.conv2d, normal(1, 4, 7, 6), normal(6, 2, 2, 3), normal(6),
     dilation=(2, 1), groups=2)
case("conv2d unbatched", tg.conv2d, normal(2, 5, 5), normal(3, 2, 2, 2), padding="valid")
case("conv2d float32 weights", tg.conv2d, normal(1, 1, 2, 2), normal(1, 1, 2, 2),
     ref=lambda x, w: (x * w).sum().reshape(1, 1, 1, 1))
case("conv2d int64", tg.conv2d, integers(-9, 9, 1, 2, 4, 4), integers(-9, 9, 3, 2, 2, 2),
     grad=False, ref=correlated)
case("conv3d", tg.conv3d, normal(1, 2, 3, 4, 3), normal(3, 2, 2, 2, 2), normal(3), dtypes=NARROW,
     ref=correlated)
case("conv3d stride padding", tg.conv3d, normal(1, 2, 3, 4, 3), normal(2, 1, 2, 3, 2), stride=2,
     padding=(1, 1, 0), groups=2)
case("convolution", OPS["convolution"].call, normal(2, 2, 5), normal(3, 2, 3), normal(3), (1,),
     (1,), (1,), 1, torch="")
case("rectified_convolution", OPS["rectified_convolution"].call, normal(2, 2, 5),
     normal(3, 2, 3), normal(3), (1,), (1,), (1,), 1, torch="")
case("conv_transpose1d", tg.conv_transpose1d, normal(2, 3, 5), normal(3, 2, 4), normal(2),
     dtypes=NARROW, stride=3, ref=spread)
case("conv_transpose1d unbatched", tg.conv_transpose1d, normal(3, 5), normal(3, 1, 2), groups=3)
case("conv_transpose2d", tg.conv_transpose2d, normal(2, 3, 3, 4), normal(3, 2, 3, 2), normal(2),
     dtypes=NARROW, stride=2, ref=spread)
case("conv_transpose2d output padding", tg.conv_transpose2d, normal(1, 4, 3, 3),
     normal(4, 3, 3, 3), normal(6), stride=2, padding=1, output_padding=1, groups=2)
# More output padding than the stride, as PyTorch lets a dilation have it.
case("conv_transpose2d dilation", tg.conv_transpose2d, normal(1, 2, 3, 4), normal(2, 2, 2, 2),
     normal(2), padding=(1, 0), output_padding=(1, 2), dilation=3)
case("conv_transpose3d", tg.conv_transpose3d, normal(1, 2, 2, 2, 3), normal(2, 2, 2, 3, 2),
     normal(2), stride=2, ref=spread)
case("transposed_convolution", OPS["transposed_convolution"].call, normal(2, 3, 3),
     normal(3, 2, 3), normal(2), (2,), (1,), (1,), 1, (6,), torch="")

# ---- pooling

case("avg_pool1d", tg.avg_pool1d, normal(2, 3, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 3, 2).mean(-1))
case("avg_pool2d", functional.avg_pool2d, normal(2, 3, 4, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).mean((3, 5)))
case("avg_pool2d stride padding", functional.avg_pool2d, normal(2, 5, 5), (3, 2), stride=(2, 1),
     padding=1)
case("avg_pool2d ceil", functional.avg_pool2d, normal(2, 5, 6), 3, stride=2, padding=1,
     ceil_mode=True)
case("avg_pool2d without padding", functional.avg_pool2d, normal(2, 5, 6), 3, stride=2, padding=1,
     ceil_mode=True, count_include_pad=False)
case("avg_pool2d divisor", functional.avg_pool2d, normal(2, 5, 6), 2, divisor_override=3)
case("avg_pool2d int64", functional.avg_pool2d, integers(-9, 9, 2, 5, 6), 2, padding=1, grad=False)
case("avg_pool3d", functional.avg_pool3d, normal(1, 2, 4, 2, 6), 2,
     ref=lambda x, k: x.reshape(1, 2, 2, 2, 1, 2, 3, 2).mean((3, 5, 7)))
case("avg_pool3d ceil", functional.avg_pool3d, normal(2, 3, 5, 4), (1, 3, 2), stride=2,
     padding=(0, 1, 1), ceil_mode=True, count_include_pad=False)
case("lp_pool1d", functional.lp_pool1d, positive(2, 3, 6), 3, 2, dtypes=NARROW,
     ref=lambda x, p, k: (x.reshape(2, 3, 3, 2) ** p).sum(-1) ** (1 / p))
case("lp_pool2d", functional.lp_pool2d, nonzero(2, 4, 5), 2, (2, 3), stride=1, ceil_mode=True)
case("lp_pool3d", functional.lp_pool3d, nonzero(1, 2, 4, 2, 3), 2.0, 2, ceil_mode=True)
case("max_pool1d", tg.max_pool1d, distinct(2, 3, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 3, 2).max(-1))
case("max_pool1d stride padding", tg.max_pool1d, distinct(3, 8), 3, stride=2, padding=1,
     ceil_mode=True)
case("max_pool1d indices", tg.max_pool1d, distinct(1, 3, 8), 3, stride=2, padding=1,
     return_indices=True)
case("max_pool2d", tg.max_pool2d, distinct(2, 3, 4, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).max((3, 5)))
case("fractional_max_pool2d", lambda x: functional.fractional_max_pool2d(
    x, 2, (3, 2), _random_samples=tg.tensor([[[0.3, 0.8], [0.0, 0.5]]] * 2)), distinct(2, 2, 5, 6),
    torch="")
case("fractional_max_pool3d", lambda x: functional.fractional_max_pool3d(
    x, (2, 1, 2), (2, 3, 2), _random_samples=tg.tensor([[[0.3, 0.8, 0.1], [0.0, 0.5, 0.9]]])),
    distinct(1, 2, 4, 3, 5), torch="")
case("max_pool2d stride padding", tg.max_pool2d, distinct(1, 2, 5, 6), 3, stride=2, padding=1)
case("max_pool2d dilation", tg.max_pool2d, distinct(2, 6, 6), 2, 1, dilation=2)
case("max_pool2d ceil", tg.max_pool2d, distinct(2, 5, 6), 3, stride=2, padding=1, ceil_mode=True)
case("max_pool2d indices", tg.max_pool2d, distinct(1, 2, 4, 6), 2, return_indices=True,
     dtypes=NARROW)
case("max_pool2d int64", tg.max_pool2d, integers(-9, 9, 2, 5, 6), 2, padding=1, grad=False,
     return_indices=True)
case("max_pool3d", tg.max_pool3d, distinct(1, 2, 4, 2, 6), 2,
     ref=lambda x, k: x.reshape(1, 2, 2, 2, 1, 2, 3, 2).max((3, 5, 7)))
case("max_pool3d indices", tg.max_pool3d, distinct(2, 3, 4, 3), (2, 3, 2), stride=1,
     padding=(1, 0, 1), ceil_mode=True, return_indices=True)
case("max_windows", OPS["max_windows"].call, distinct(2, 5), (3,), (2,), (0,), (1,), torch="",
     ref=lambda x, *rest: np.stack([x[:, 0:3].max(1), x[:, 2:5].max(1)], 1))
case("largest_in_windows", pooling.largest_in_windows, distinct(2, 5), (3,), (2,), (0,), (1,),
     False, torch="", grad=False,
     ref=lambda x, *rest: np.stack([x[:, 0:3].argmax(1), 2 + x[:, 2:5].argmax(1)], 1))
case("adaptive_avg_pool1d", tg.adaptive_avg_pool1d, normal(2, 3, 6), 3, dtypes=NARROW,
     ref=lambda x, n: x.reshape(2, 3, 3, 2).mean(-1))
case("adaptive_avg_pool1d more", tg.adaptive_avg_pool1d, normal(3, 4), 7)
case("adaptive_avg_pool2d", functional.adaptive_avg_pool2d, normal(2, 2, 5, 7), (3, None))
case("adaptive_avg_pool3d", functional.adaptive_avg_pool3d, normal(1, 2, 4, 3, 5), (2, 1, 3))
case("adaptive_max_pool1d", tg.adaptive_max_pool1d, distinct(2, 3, 6), 3, dtypes=NARROW,
     ref=lambda x, n: x.reshape(2, 3, 3, 2).max(-1))
case("adaptive_max_pool2d", functional.adaptive_max_pool2d, distinct(2, 2, 5, 7), (3, None))
case("adaptive_max_pool2d indices", functional.adaptive_max_pool2d, distinct(2, 5, 7), (3, 4),
     return_indices=True)
case("adaptive_max_pool3d", functional.adaptive_max_pool3d, distinct(1, 2, 4, 3, 5), (2, 2, 3),
     return_indices=True)
case("max_unpool1d", functional.max_unpool1d, normal(1, 2, 3), given([[[1, 2, 5], [0, 3, 4]]]), 2,
     ref=lambda x, i, k: np.array([[[0, x[0, 0, 0], x[0, 0, 1], 0, 0, x[0, 0, 2]],
                                    [x[0, 1, 0], 0, 0, x[0, 1, 1], x[0, 1, 2], 0]]]))
case("max_unpool2d", functional.max_unpool2d, normal(1, 1, 2), given([[[4, 9]]]), (2, 2), stride=2,
     output_size=(3, 5))
case("max_unpool3d", functional.max_unpool3d, normal(1, 1, 1, 1, 1), given([[[[[5]]]]]), 2)
case("unfold", functional.unfold, normal(1, 2, 4, 4), (2, 3), dilation=1, padding=1, stride=2,
     dtypes=f"{NARROW} {BOOL}")
case("fold", functional.fold, normal(2, 12, 6), (3, 4), (2, 2), dtypes=NARROW)
case("fold strided", functional.fold, normal(12, 9), (4, 5), (2, 3), dilation=1, padding=1,
     stride=2)

# ---- errors

I45 = floats(1, 2, 4, 5)

bad("conv1d rank", lambda m, x, w: m.conv1d(x, w), floats(3), floats(2, 1, 2), error=ShapeError,
    words="conv1d: expected input of 3 dimensions (N, C, *size), or without N")
bad("conv2d stride", lambda m, x, w: m.conv2d(x, w, stride=0), I45, floats(2, 2, 2, 2),
    error=ShapeError, words="conv2d: expected stride of at least 1, got [0, 0]")
bad("conv2d negative padding", lambda m, x, w: m.conv2d(x, w, padding=-1), I45, floats(2, 2, 2, 2),
    error=ShapeError, words="conv2d: expected padding of at least 0")
bad("conv2d groups", lambda m, x, w: m.conv2d(x, w, groups=0), I45, floats(2, 2, 2, 2),
    error=ShapeError, words="conv2d: expected groups of at least 1, got 0")
bad("conv2d dtypes", lambda m, x, w: m.conv2d(x, w.double()), I45, floats(2, 2, 2, 2),
    error=DTypeError, words="conv2d: expected input, weight and bias of one dtype")
bad("conv_transpose2d channels", lambda m, x, w: m.conv_transpose2d(x, w), I45, floats(3, 2, 2, 2),
    error=ShapeError, words="conv_transpose2d: expected input with 3 channels")
bad("conv_transpose2d output padding", lambda m, x, w: m.conv_transpose2d(x, w, output_padding=1),
    I45, floats(2, 2, 2, 2), error=ShapeError,
    words="conv_transpose2d: expected output_padding smaller than stride or dilation")
bad("conv_transpose2d padding", lambda m, x, w: m.conv_transpose2d(x, w, padding=3), I45,
    floats(2, 2, 2, 2), error=ShapeError, words="conv_transpose2d: expected sizes of at least 1")
bad("conv_transpose2d bias", lambda m, x, w, b: m.conv_transpose2d(x, w, b), I45,
    floats(2, 3, 2, 2), floats(2), error=ShapeError, words="expected bias of shape [3], got [2]")
bad("max_pool1d stride", lambda m, x: m.max_pool1d(x, 2, stride=0), floats(1, 2, 4),
    error=ShapeError, words="max_pool1d: expected stride of at least 1")
bad("max_pool2d empty", lambda m, x: m.max_pool2d(x, 1), floats(1, 2, 0, 3), error=ShapeError,
    words="max_pool2d: expected input of 4 dimensions (N, C, *size)")
bad("avg_pool2d divisor", lambda m, x: F(m).avg_pool2d(x, 2, divisor_override=0), I45,
    error=ShapeError, words="avg_pool2d: expected a divisor that is not 0, got 0")
bad("avg_pool2d bool", lambda m, x: F(m).avg_pool2d(x > 0, 2), I45, error=DTypeError,
    words="avg_pool2d: expected numbers, got bool")
bad("max_pool2d bool", lambda m, x: m.max_pool2d(x > 0, 2), I45, error=DTypeError,
    words="max_pool2d: expected numbers, got bool")
bad("adaptive_avg_pool2d sizes", lambda m, x: F(m).adaptive_avg_pool2d(x, (2, 2, 2)), I45,
    error=ShapeError, words="adaptive_avg_pool2d: expected output_size of 2 numbers")
bad("adaptive_max_pool2d negative", lambda m, x: F(m).adaptive_max_pool2d(x, (-1, 2)), I45,
    error=ShapeError, words="adaptive_max_pool2d: expected output_size of at least 0")
bad("adaptive_avg_pool1d int64", lambda m, x: m.adaptive_avg_pool1d(x, 1), ints([[1, 2]]),
    error=DTypeError, words="adaptive_avg_pool1d: expected a floating point dtype, got int64")
bad("max_unpool2d indices", lambda m, x, i: F(m).max_unpool2d(x, i, 2), floats(1, 1, 2),
    ints([[0]]), error=ShapeError, words="max_unpool2d: expected input of 4 dimensions")
bad("max_unpool2d dtype", lambda m, x: F(m).max_unpool2d(x, x, 2), floats(1, 1, 2),
    error=DTypeError, words="max_unpool2d: expected indices of dtype int64, got float32")
bad("max_unpool2d place", lambda m, x, i: F(m).max_unpool2d(x, i, 2), floats(1, 1, 2),
    ints([[0, 8]]), error=ShapeError, words="max_unpool2d: expected indices in [0, 8), got 8")
bad("max_unpool2d size", lambda m, x, i: F(m).max_unpool2d(x, i, 2, output_size=(9, 9)),
    floats(1, 1, 2), ints([[0, 1]]), error=ValueError,
    words="max_unpool2d: expected output_size within [2, 2] of [2, 4]")
bad("unfold kernel", lambda m, x: F(m).unfold(x, 6), I45, error=ShapeError,
    words="unfold: expected a kernel no larger than the padded input")
bad("unfold rank", lambda m, x: F(m).unfold(x, 2), floats(3, 3), error=ShapeError,
    words="unfold: expected input (N, C, H, W)", in_torch=False)
bad("fold count", lambda m, x: F(m).fold(x, (3, 4), 2), floats(4, 5), error=ShapeError,
    words="fold: expected input (N, C * 4, 6)")
