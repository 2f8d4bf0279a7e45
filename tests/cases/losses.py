"""Normalisation, recurrent steps, losses."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tensorgrad.ops import loss, recurrent
from tests.cases.reductions import softmax_of
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- normalisation, recurrent steps, losses


def standard(x: np.ndarray, dim: Any, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(dim, keepdims=True)) / np.sqrt(x.var(dim, keepdims=True) + eps)


case("layer_norm", tg.layer_norm, normal(3, 4), (4,), normal(4), normal(4),
     ref=lambda x, n, w, b: standard(x, -1) * w + b)
case("layer_norm plain", tg.layer_norm, normal(2, 3, 4), [3, 4],
     ref=lambda x, n: standard(x, (1, 2)))
case("standardize", OPS["standardize"].call, normal(3, 4), normal(4), None, (0,), 1e-3, torch="",
     ref=lambda x, w, b, dim, eps: standard(x, 0, eps) * w)
case("batch_norm training", tg.batch_norm, normal(4, 3), None, None, normal(3), normal(3), True,
     ref=lambda x, m, v, w, b, training: standard(x, 0) * w + b)
case("batch_norm images", tg.batch_norm, normal(2, 3, 4, 5), None, None, training=True,
     ref=lambda x, m, v, training: standard(x, (0, 2, 3)))
case("batch_norm running", tg.batch_norm, normal(4, 3), Sample(normal(3).draw, False),
     Sample(positive(3).draw, False), normal(3), normal(3),
     ref=lambda x, m, v, w, b: (x - m) / np.sqrt(v + 1e-5) * w + b)
case("lstm_gates", recurrent.lstm_gates, normal(3, 8), normal(3, 2), torch="")

case("mse_loss", loss.mse_loss, normal(3, 4), normal(3, 4), ref=lambda x, t: ((x - t) ** 2).mean())
case("mse_loss none", loss.mse_loss, normal(3, 4), normal(3, 4), reduction="none",
     ref=lambda x, t, reduction: (x - t) ** 2)
case("l1_loss", loss.l1_loss, normal(3, 4), normal(3, 4), reduction="sum",
     ref=lambda x, t, reduction: np.abs(x - t).sum())
case("smooth_l1_loss", loss.smooth_l1_loss, distinct(3, 4), between(-0.05, 0.05, 3, 4), beta=0.8)
case("binary_cross_entropy", loss.binary_cross_entropy, between(0.1, 0.9, 3, 4),
     between(0.1, 0.9, 3, 4), ref=lambda p, t: -(t * np.log(p) + (1 - t) * np.log1p(-p)).mean())
case("surprise", OPS["surprise"].call, between(0.1, 0.9, 3, 4), between(0.1, 0.9, 3, 4), torch="",
     ref=lambda p, t: -(t * np.log(p) + (1 - t) * np.log1p(-p)))
case("binary_cross_entropy_with_logits", loss.binary_cross_entropy_with_logits, normal(3, 4),
     between(0.1, 0.9, 3, 4), ref=lambda x, t: (np.logaddexp(0, x) - t * x).mean())
case("binary_cross_entropy_with_logits weights", loss.binary_cross_entropy_with_logits,
     normal(3, 4), between(0.1, 0.9, 3, 4), positive(4), "none", positive(4), torch="",
     ref=lambda x, t, w, r, p: w * (p * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)))
case("kl_div", loss.kl_div, normal(3, 4), positive(3, 4), reduction="batchmean",
     ref=lambda x, t, reduction: (t * (np.log(t) - x)).sum() / 3)
case("kl_div log", loss.kl_div, normal(3, 4), normal(3, 4), reduction="sum", log_target=True)


def cross_entropies(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -np.log(softmax_of(x, 1))[np.arange(len(t)), t]


case("softmax_cross_entropy", OPS["softmax_cross_entropy"].call, normal(4, 5), integers(0, 5, 4),
     -100, torch="", ref=lambda x, t, ignore: cross_entropies(x, t))
case("cross_entropy", loss.cross_entropy, normal(4, 5), integers(0, 5, 4),
     ref=lambda x, t: cross_entropies(x, t).mean())
case("cross_entropy none", loss.cross_entropy, normal(4, 5), integers(0, 5, 4), reduction="none",
     ref=lambda x, t, reduction: cross_entropies(x, t))
case("cross_entropy ignore", loss.cross_entropy, normal(4, 5), given([1, -100, 0, -100]))
case("cross_entropy images", loss.cross_entropy, normal(2, 5, 3, 2), integers(0, 5, 2, 3, 2))
case("cross_entropy one", loss.cross_entropy, normal(5), given(3))
case("cross_entropy weights", loss.cross_entropy, normal(4, 5), integers(0, 5, 4),
     Sample(positive(5).draw, False))
case("cross_entropy smoothing", loss.cross_entropy, normal(4, 5), given([1, -100, 0, 2]),
     label_smoothing=0.2)
case("cross_entropy smoothing weights", loss.cross_entropy, normal(4, 5), given([1, -100, 0, 2]),
     Sample(positive(5).draw, False), label_smoothing=0.2)
case("cross_entropy probabilities", loss.cross_entropy, normal(4, 5), positive(4, 5),
     label_smoothing=0.1)
case("nll_loss", loss.nll_loss, normal(4, 5), integers(0, 5, 4),
     ref=lambda x, t: -x[range(4), t].mean())
case("nll_loss sum", loss.nll_loss, normal(2, 5, 3), integers(0, 5, 2, 3), reduction="sum")
