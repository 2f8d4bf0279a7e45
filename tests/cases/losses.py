"""Normalisation, recurrent steps, losses, distances."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.formula import formula
from tensorgrad.nn import functional as loss
from tensorgrad.op import OPS
from tensorgrad.ops import recurrent
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
     ref=lambda x, w, b, dim, eps: (
         standard(x, 0, eps) * w, x.mean(0, keepdims=True), x.var(0, keepdims=True)))
case("scale_by_root_mean_square", OPS["scale_by_root_mean_square"].call, normal(3, 4), normal(4),
     (1,), 1e-3, torch="",
     ref=lambda x, w, dim, eps: x / np.sqrt((x * x).mean(1, keepdims=True) + eps) * w)
case("shift_and_scale", OPS["shift_and_scale"].call, normal(3, 4), normal(1, 4), normal(1, 4),
     normal(1, 4), torch="", ref=lambda x, mean, gain, bias: (x - mean) * gain + bias)
case("batch_norm training", tg.batch_norm, normal(4, 3), None, None, normal(3), normal(3), True,
     ref=lambda x, m, v, w, b, training: standard(x, 0) * w + b)
case("batch_norm images", tg.batch_norm, normal(2, 3, 4, 5), None, None, training=True,
     ref=lambda x, m, v, training: standard(x, (0, 2, 3)))
case("batch_norm running", tg.batch_norm, normal(4, 3), Sample(normal(3).draw, False),
     Sample(positive(3).draw, False), normal(3), normal(3),
     ref=lambda x, m, v, w, b: (x - m) / np.sqrt(v + 1e-5) * w + b)
case("lstm_gates", recurrent.lstm_gates, normal(3, 8), normal(3, 2), torch="")
case("lstm", recurrent.lstm, normal(4, 3, 8), normal(3, 2), normal(3, 2), normal(8, 2), None, None,
     False, torch="")
case("lstm projected", recurrent.lstm, normal(4, 3, 8), normal(3, 1), normal(3, 2), normal(8, 1),
     normal(1, 2), None, True, torch="")
case("gru", recurrent.gru, normal(4, 3, 6), normal(3, 2), normal(6, 2), normal(6), None, True,
     torch="")
case("gru packed", recurrent.gru, normal(6, 6), normal(3, 2), normal(6, 2), None, (3, 2, 1), True,
     torch="")
case("rnn", recurrent.rnn, normal(4, 3, 2), normal(3, 2), normal(2, 2), False, None, False,
     torch="")
case("rnn packed", recurrent.rnn, normal(5, 2), normal(2, 2), normal(2, 2), True, (2, 2, 1), False,
     torch="")

case("mse_loss", loss.mse_loss, normal(3, 4), normal(3, 4), ref=lambda x, t: ((x - t) ** 2).mean())
case("mse_loss none", loss.mse_loss, normal(3, 4), normal(3, 4), reduction="none",
     ref=lambda x, t, reduction: (x - t) ** 2)
case("over_elements", OPS["over_elements"].call, normal(3, 4), normal(3, 4), None, None,
     formula(lambda x, t: (x - t) * x), "sum", torch="",
     ref=lambda x, t, *_: ((x - t) * x).sum())
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
     normal(3, 4), between(0.1, 0.9, 3, 4), positive(4), None, None, "none", positive(4), torch="",
     ref=lambda x, t, w, average, reduce, reduction, p:
     w * (p * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)))
case("kl_div", loss.kl_div, normal(3, 4), positive(3, 4), reduction="batchmean",
     ref=lambda x, t, reduction: (t * (np.log(t) - x)).sum() / 3)
case("kl_div log", loss.kl_div, normal(3, 4), normal(3, 4), reduction="sum", log_target=True)


def cross_entropies(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -np.log(softmax_of(x, 1))[np.arange(len(t)), t]


case("softmax_cross_entropy", OPS["softmax_cross_entropy"].call, normal(4, 5), integers(0, 5, 4),
     -100, torch="", ref=lambda x, t, ignore: cross_entropies(x, t))
case("softmax_cross_entropy places", OPS["softmax_cross_entropy"].call, normal(2, 5, 7),
     integers(0, 5, 2, 7), -100, 0.2, torch="")
case("picked", OPS["picked"].call, normal(4, 5), integers(0, 5, 4), -100, torch="",
     ref=lambda x, t, ignored: -x[np.arange(4), t])
case("picked places", OPS["picked"].call, normal(2, 5, 7), integers(0, 5, 2, 7), 3, torch="")
case("counted_mean", OPS["counted_mean"].call, normal(3, 4), integers(0, 5, 3, 4), 2, torch="",
     ref=lambda x, t, ignored: x.sum() / (t != 2).sum())
case("linear_softmax_cross_entropy", OPS["linear_softmax_cross_entropy"].call, normal(4, 3),
     normal(5, 3), normal(5), integers(0, 5, 4), -100, torch="",
     ref=lambda x, w, b, t, ignore: cross_entropies(x @ w.T + b, t))
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

case("mse_loss weights", loss.mse_loss, normal(3, 4), normal(3, 4), weight=None, dtypes=NARROW,
     ref=lambda x, t, weight: ((x - t) ** 2).mean())
case("l1_loss weights", lambda x, t, w: loss.l1_loss(x, t, weight=w), distinct(3, 4),
     between(-0.05, 0.05, 3, 4), positive(3, 4), torch="", dtypes=NARROW,
     ref=lambda x, t, w: (w * np.abs(x - t)).sum() / w.sum())
case("huber_loss", loss.huber_loss, distinct(3, 4), between(-0.05, 0.05, 3, 4), delta=0.8,
     dtypes=NARROW, ref=lambda x, t, delta: np.where(np.abs(x - t) <= delta, (x - t) ** 2 / 2,
     delta * (np.abs(x - t) - delta / 2)).mean())
case("mse_loss older words", loss.mse_loss, normal(3, 4), normal(3, 4), False, torch="",
     ref=lambda x, t, size_average: ((x - t) ** 2).sum())
case("l1_loss older words", loss.l1_loss, nonzero(3, 4), between(-0.1, 0.1, 3, 4), None, False,
     torch="", ref=lambda x, t, size_average, reduce: np.abs(x - t))
case("poisson_nll_loss", loss.poisson_nll_loss, normal(3, 4), positive(3, 4), full=True,
     dtypes=NARROW, ref=lambda x, t, full: (np.exp(x) - t * x + np.where(
         t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0)).mean())
case("poisson_nll_loss rate", loss.poisson_nll_loss, positive(3, 4), positive(3, 4), False,
     reduction="none", ref=lambda x, t, log, reduction: x - t * np.log(x + 1e-8))
case("gaussian_nll_loss", loss.gaussian_nll_loss, normal(3, 4), normal(3, 4), positive(3, 1),
     full=True, dtypes=NARROW, ref=lambda x, t, v, full:
     (np.log(v) + (x - t) ** 2 / v + np.log(2 * np.pi)).mean() / 2)
case("gaussian_nll_loss number", loss.gaussian_nll_loss, normal(3, 4), normal(3, 4), 2.0,
     reduction="sum", ref=lambda x, t, v, reduction: (np.log(v) + (x - t) ** 2 / v).sum() / 2)
case("cosines", OPS["cosines"].call, normal(3, 4), normal(3, 4), 1, 1e-8, torch="",
     ref=lambda x, y, dim, eps: (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1)))
case("unit_vectors", OPS["unit_vectors"].call, normal(3, 4), 1, 1e-12, torch="",
     ref=lambda x, dim, eps: x / np.sqrt((x * x).sum(1, keepdims=True)))
case("floored", OPS["floored"].call, positive(3, 4), 0.1, torch="", ref=lambda x, least: x)

bad("mse_loss reduction", lambda m, x: m.nn.functional.mse_loss(x, x, reduction="middle"), X,
    error=ValueError, words="mse_loss: expected reduction to be 'mean', 'sum' or 'none'")
bad("mse_loss weight", lambda m, x, w: m.nn.functional.mse_loss(x, x, weight=w), X, floats(4),
    error=ShapeError, words="mse_loss: expected a weight of the input's size [3, 4], got [4]")
bad("binary_cross_entropy range", lambda m, x: m.nn.functional.binary_cross_entropy(x, x), X,
    error=RuntimeError, words="binary_cross_entropy: expected probabilities in [0, 1] as input")
bad("huber_loss", lambda m, x: m.nn.functional.huber_loss(x, x, delta=0.0), X, error=RuntimeError,
    words="huber_loss: expected delta > 0, got 0.0")
bad("gaussian_nll_loss", lambda m, x: m.nn.functional.gaussian_nll_loss(x, x, -x * x), X,
    error=ValueError, words="gaussian_nll_loss: expected var >= 0, got negative entries")
bad("gaussian_nll_loss shape", lambda m, x, v: m.nn.functional.gaussian_nll_loss(x, x, v), X,
    np.ones(2), error=ShapeError, words="gaussian_nll_loss: expected var of the input's size")


# ---- of classes


def hinged(x: np.ndarray, t: np.ndarray, p: int) -> np.ndarray:
    rows = np.arange(len(t))
    short = np.maximum(0, 1 - x[rows, t][:, None] + x) ** p
    short[rows, t] = 0
    return short.sum(1) / x.shape[1]


case("multi_margin_loss", loss.multi_margin_loss, distinct(4, 5), integers(0, 5, 4), dtypes=NARROW,
     torch="", ref=lambda x, t: hinged(x, t, 1).mean())
case("multi_margin_loss squares", loss.multi_margin_loss, distinct(4, 5), integers(0, 5, 4), 2,
     reduction="none", ref=lambda x, t, p, reduction: hinged(x, t, p), second=False)
case("multi_margin_loss weights", loss.multi_margin_loss, distinct(4, 5), integers(0, 5, 4), 1, 1.0,
     Sample(positive(5).draw, False),
     ref=lambda x, t, p, margin, w: (hinged(x, t, 1) * w[t]).mean())
case("multilabel_margin_loss", loss.multilabel_margin_loss, distinct(2, 4),
     given([3, 0, -1, 1], [1, -1, 0, 0]), dtypes=NARROW, torch="", ref=lambda x, t: np.mean([
     sum(max(0, 1 - x[0, y] + x[0, i]) for y in (3, 0) for i in (1, 2)) / 4,
     sum(max(0, 1 - x[1, 1] + x[1, i]) for i in (0, 2, 3)) / 4]))
case("multilabel_soft_margin_loss", loss.multilabel_soft_margin_loss, normal(3, 4),
     between(0.1, 0.9, 3, 4), dtypes=NARROW,
     ref=lambda x, t: (t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)).mean())
case("linear_cross_entropy", loss.linear_cross_entropy, normal(4, 3), normal(5, 3),
     integers(0, 5, 4), ref=lambda x, w, t: cross_entropies(x @ w.T, t).mean())
case("linear_cross_entropy places", loss.linear_cross_entropy, normal(4, 3), normal(5, 2, 3),
     integers(0, 5, 4, 2))

bad("cross_entropy weight", lambda m, x, w: m.nn.functional.cross_entropy(
    x, m.tensor([0, 1, 2]), w), X, floats(3), error=ShapeError,
    words="cross_entropy: expected a weight of shape [4], got [3]")
bad("multi_margin_loss p", lambda m, x: m.nn.functional.multi_margin_loss(
    x, m.tensor([0, 1, 2]), p=3), X, error=ValueError,
    words="multi_margin_loss: expected p to be 1 or 2, got 3")
bad("multi_margin_loss class", lambda m, x: m.nn.functional.multi_margin_loss(
    x, m.tensor([0, 1, 4])), X, error=IndexRangeError, in_torch=False,
    words="multi_margin_loss: expected targets in [0, 4), got 4")
bad("multi_margin_loss target", lambda m, x: m.nn.functional.multi_margin_loss(
    x, m.tensor([0, 1])), X, error=ShapeError, words="multi_margin_loss: expected input (N, C)")
bad("linear_cross_entropy", lambda m, x, w: m.nn.functional.linear_cross_entropy(
    x, w, m.tensor([0, 1, 2])), X, floats(5, 3), error=ShapeError,
    words="linear_cross_entropy: expected input (N, in)",
    ops="linear_cross_entropy linear_softmax_cross_entropy")

# ---- with margins

SIDES = Sample(lambda rng: rng.choice([-1.0, 1.0], 4), False)


def lengths(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x * x).sum(-1))


def alike(x: np.ndarray, y: np.ndarray, dim: int = -1, eps: float = 0.0) -> np.ndarray:
    return (x * y).sum(dim) / np.sqrt(((x * x).sum(dim) + eps) * ((y * y).sum(dim) + eps))


case("margin_ranking_loss", loss.margin_ranking_loss, distinct(4), between(-0.1, 0.1, 4), SIDES,
     0.5, dtypes=NARROW, ref=lambda x, y, t, margin: np.maximum(0, t * (y - x) + margin).mean())
case("hinge_embedding_loss", loss.hinge_embedding_loss, distinct(4), SIDES, dtypes=NARROW,
     ref=lambda x, t: np.where(t == 1, x, np.maximum(0, 1 - x)).mean())
case("soft_margin_loss", loss.soft_margin_loss, normal(4), SIDES, dtypes=NARROW,
     ref=lambda x, t: np.logaddexp(0, -t * x).mean())
case("cosine_embedding_loss", loss.cosine_embedding_loss, normal(4, 5), normal(4, 5), SIDES,
     reduction="none", dtypes=NARROW, ref=lambda x, y, t, reduction:
     np.where(t == 1, 1 - alike(x, y, -1, 1e-12), np.maximum(0, alike(x, y, -1, 1e-12))))
case("triplet_margin_loss", loss.triplet_margin_loss, normal(4, 5), normal(4, 5), normal(4, 5),
     dtypes=NARROW, ref=lambda a, p, n:
     np.maximum(0, lengths(a - p + 1e-6) - lengths(a - n + 1e-6) + 1).mean())
case("triplet_margin_loss swap", loss.triplet_margin_loss, normal(4, 5), normal(4, 5),
     normal(4, 5), swap=True, reduction="sum", ref=lambda a, p, n, swap, reduction:
     np.maximum(0, lengths(a - p + 1e-6) - np.minimum(
         lengths(a - n + 1e-6), lengths(p - n + 1e-6)) + 1).sum())
case("triplet_margin_with_distance_loss", loss.triplet_margin_with_distance_loss, normal(4, 5),
     normal(4, 5), normal(4, 5), margin=0.5, ref=lambda a, p, n, margin:
     np.maximum(0, lengths(a - p + 1e-6) - lengths(a - n + 1e-6) + margin).mean())

bad("margin_ranking_loss", lambda m, x, t: m.nn.functional.margin_ranking_loss(x, x, t), X,
    floats(3), error=ShapeError, words="margin_ranking_loss: expected inputs of equal rank")
bad("cosine_embedding_loss", lambda m, x, t: m.nn.functional.cosine_embedding_loss(x, x, t), X,
    floats(3, 4), error=ShapeError, words="cosine_embedding_loss: expected inputs (N, D)")
bad("triplet_margin_loss", lambda m, x: m.nn.functional.triplet_margin_loss(x, x, x, margin=-1), X,
    error=ValueError, words="triplet_margin_loss: expected margin > 0, got -1")
bad("triplet_margin_loss ranks", lambda m, x, y: m.nn.functional.triplet_margin_loss(x, x, y), X,
    floats(4), error=ShapeError, words="triplet_margin_loss: expected inputs of equal rank")

# ---- distances

case("cosine_similarity", loss.cosine_similarity, normal(3, 4, 2), normal(3, 4, 2), dtypes=NARROW,
     ref=lambda x, y: alike(x, y, 1))
case("cosine_similarity last", loss.cosine_similarity, normal(3, 1, 4), normal(5, 4), -1,
     ref=lambda x, y, dim: alike(x, y))
case("pairwise_distance", loss.pairwise_distance, normal(3, 4), normal(3, 4), dtypes=NARROW,
     ref=lambda x, y: lengths(x - y + 1e-6))
case("pairwise_distance sums", loss.pairwise_distance, distinct(3, 4), between(-0.1, 0.1, 4), 1.0,
     keepdim=True, ref=lambda x, y, p, keepdim: np.abs(x - y + 1e-6).sum(-1, keepdims=True))
case("pdist", loss.pdist, normal(4, 3), second=False, dtypes=NARROW, torch="",
     ref=lambda x: np.array( [lengths(x[i] - x[j]) for i in range(4) for j in range(i + 1, 4)]))

bad("pdist", lambda m, x: m.pdist(x), floats(2, 3, 4), error=ShapeError,
    words="pdist: expected 2 dimensions, got shape [2, 3, 4]")
bad("pdist p", lambda m, x: m.pdist(x, -1), X, error=ShapeError,
    words="pdist: expected p >= 0, got -1")
bad("cosine_similarity", lambda m, i: m.cosine_similarity(i, i, 0), LONG, error=DTypeError,
    words="cosine_similarity: expected a floating point dtype, got int64")

# ---- sequences


def aligned(scores: np.ndarray, target: tuple[int, ...]) -> float:
    """-log of the sum over every path of classes that reads as the target: blanks (0) and repeats
    left out.
    """
    found = 0.0
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        read = [c for c, before in zip(path, (None, *path)) if c and c != before]
        if tuple(read) == target:
            found += np.exp(sum(scores[t, c] for t, c in enumerate(path)))
    return -np.log(found)


def log_shares(x: np.ndarray) -> np.ndarray:
    return np.log(softmax_of(x, -1))


def normalized_ctc(x: Any, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's gradient holds for normalised scores, so they are made such here."""
    return loss.ctc_loss(loss.log_softmax(x, -1), *args, **kwargs)


CLASSES = np.array([[1, 1, 2], [2, 1, 0]])

case("ctc_loss", normalized_ctc, normal(5, 2, 3), given(CLASSES), (5, 4), (3, 1), torch="",
     reduction="none", ref=lambda x, t, frames, sizes, reduction: np.array(
     [aligned(log_shares(x[:, 0]), (1, 1, 2)), aligned(log_shares(x[:4, 1]), (2,))]))
case("ctc_loss mean", normalized_ctc, normal(4, 2, 3), given([1, 2, 2]), (4, 4), (2, 1), torch="",
     ref=lambda x, t, frames, sizes: (aligned(log_shares(x[:, 0]), (1, 2)) / 2
                                      + aligned(log_shares(x[:, 1]), (2,))) / 2)
case("ctc_loss one", normalized_ctc, normal(4, 3), given([2, 1]), 4, 2, torch="", reduction="sum",
     ref=lambda x, t, frames, sizes, reduction: aligned(log_shares(x), (2, 1)))
case("ctc_loss impossible", normalized_ctc, normal(3, 2, 3), given(CLASSES), (3, 0), (3, 0),
     torch="", reduction="none", zero_infinity=True,
     ref=lambda x, *_, **__: np.zeros(2))
case("alignments", OPS["alignments"].call, normal(2, 1, 3), given([[0, 1, 0]]),
     given([[False, False, False]]), given([[True, True, False]]), given([[False, True, True]]),
     given([2]), False, torch="", grad=False,
     ref=lambda x, *_: np.array([aligned(x[:, 0], (1,))]))

for name, arguments, words in (
    ("lengths", ([3, 3], [2, 2]), "ctc_loss: expected 3 input_lengths from 0 to 3, got [3, 3]"),
    ("frames", ([3, 3, 4], [2, 2, 1]), "ctc_loss: expected 3 input_lengths from 0 to 3"),
    ("sizes", ([3, 3, 3], [2, 2, 4]), "ctc_loss: expected 3 target_lengths from 0 to 2"),
):
    bad(f"ctc_loss {name}", lambda m, x, t, a=arguments: m.nn.functional.ctc_loss(x, t, *a),
        floats(3, 3, 4), ints([1, 2], [2, 1], [1, 1]), error=ShapeError, words=words)
bad("ctc_loss blank", lambda m, x, t: m.nn.functional.ctc_loss(x, t, [3], [1], blank=4),
    floats(3, 1, 4), ints([1]), error=ShapeError, words="ctc_loss: expected steps and a blank in")
