"""Linear maps, activations, normalisation, dropout, embedding, attention."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad.backend import CPU
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.op import OPS
from tensorgrad.ops import activation, attention, bags, dropout, normalization, rectifiers
from tensorgrad.ops import embedding as tables
from tensorgrad.ops.linear import bilinear, linear
from tests.cases.losses import standard
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- linear maps

case("linear", linear, normal(3, 4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b,
     dtypes=NARROW)
case("linear no bias", linear, normal(2, 3, 4), normal(5, 4), ref=lambda x, w: x @ w.T)
case("linear bias by row", linear, normal(3, 4), normal(5, 4), normal(3, 1),
     ref=lambda x, w, b: x @ w.T + b)
case("linear bias for each", linear, normal(2, 3, 4), normal(5, 4), normal(3, 5),
     ref=lambda x, w, b: x @ w.T + b)
case("linear 1-d", linear, normal(4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b)
case("bilinear", bilinear, normal(2, 3, 4), normal(2, 3, 5), normal(6, 4, 5), normal(6),
     dtypes=NARROW, ref=lambda x, y, w, b: np.einsum("abi,kij,abj->abk", x, w, y) + b)
case("bilinear vectors", bilinear, normal(4), normal(5), normal(6, 4, 5),
     ref=lambda x, y, w: np.einsum("i,kij,j->k", x, w, y))

bad("bilinear", lambda m, x, y, w: m.nn.functional.bilinear(x, y, w), X, floats(3, 5),
    floats(6, 4, 4), error=ShapeError, words="bilinear: expected inputs of shapes")
bad("bilinear bias", lambda m, x, y, w, b: m.nn.functional.bilinear(x, y, w, b), X, floats(3, 5),
    floats(6, 4, 5), floats(5), error=ShapeError,
    words="bilinear: expected bias of shape [6], got [5]")

# ---- activations made of straight pieces

STEPS = {"elementwise": True, "dtypes": NARROW}

case("leaky_relu", rectifiers.leaky_relu, nonzero(3, 4), 0.2, **STEPS,
     ref=lambda x, slope: np.where(x > 0, x, slope * x))
case("prelu", rectifiers.prelu, nonzero(2, 3, 4), nonzero(3), dtypes=NARROW,
     ref=lambda x, w: np.where(x > 0, x, w[:, None] * x))
case("prelu one weight", rectifiers.prelu, nonzero(3, 4), nonzero(1), dtypes=NARROW,
     ref=lambda x, w: np.where(x > 0, x, w * x))
case("rrelu", rectifiers.rrelu, nonzero(3, 4), 0.1, 0.3, **STEPS,
     ref=lambda x, low, high: np.where(x > 0, x, 0.2 * x))
case("hardtanh", rectifiers.hardtanh, distinct(3, 4), -0.5, 0.9, **STEPS,
     ref=lambda x, low, high: np.clip(x, low, high))
case("hardtanh integers", rectifiers.hardtanh, integers(-9, 9, 3, 4), -2, 5, grad=False,
     ref=lambda x, low, high: np.clip(x, low, high))
case("relu6", rectifiers.relu6, distinct(8, 5), **STEPS, ref=lambda x: np.clip(x, 0, 6))
case("hardsigmoid", rectifiers.hardsigmoid, distinct(8, 5), second=False, torch="", **STEPS,
     ref=lambda x: np.clip(x + 3, 0, 6) / 6)
case("hardswish", rectifiers.hardswish, distinct(8, 5), **STEPS,
     ref=lambda x: x * np.clip(x + 3, 0, 6) / 6)
case("threshold", rectifiers.threshold, distinct(3, 4), 0.2, -3.0, **STEPS,
     ref=lambda x, limit, value: np.where(x > limit, x, value))
case("hardshrink", rectifiers.hardshrink, distinct(3, 4), 0.6, **STEPS,
     ref=lambda x, limit: np.where(np.abs(x) > limit, x, 0))
case("softshrink", rectifiers.softshrink, distinct(3, 4), 0.6, **STEPS,
     ref=lambda x, limit: np.sign(x) * np.maximum(np.abs(x) - limit, 0))

bad("prelu weights", lambda m, x, w: m.prelu(x, w), X, floats(3), error=ShapeError,
    words="prelu: expected 1 or 4 weights for input [3, 4], got 3")
bad("prelu rank", lambda m, x, w: m.prelu(x, w), X, floats(1, 4), error=ShapeError,
    words="prelu: expected a weight of 0 or 1 dimensions")
bad("prelu dtype", lambda m, x, w: m.prelu(x, w.double()), X, floats(4), error=DTypeError,
    words="prelu: expected a weight of dtype float32, got float64")
bad("rrelu", lambda m, x: m.nn.functional.rrelu(x, 0.5, 0.1), X, error=RuntimeError,
    words="rrelu: expected lower <= upper, got 0.5 and 0.1")
bad("hardtanh", lambda m, x: m.nn.functional.hardtanh(x, 2, 1), X, error=ValueError,
    words="hardtanh: expected min_val <= max_val, got 2 and 1")
bad("softshrink", lambda m, x: m.nn.functional.softshrink(x, -0.5), X, error=ShapeError,
    words="softshrink: expected lambd >= 0, got -0.5")

# ---- smooth activations

SMOOTH = {"elementwise": True, "dtypes": NARROW}

case("elu", activation.elu, nonzero(3, 4), 1.3, **SMOOTH,
     ref=lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)))
case("celu", activation.celu, nonzero(3, 4), 2.0, **SMOOTH,
     ref=lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x / alpha)))
case("selu", activation.selu, nonzero(3, 4), **SMOOTH, ref=lambda x:
     1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)))
case("gelu", activation.gelu, normal(3, 4), **SMOOTH,
     ref=lambda x: x * 0.5 * (1 + ERF(x / math.sqrt(2))))
case("gelu tanh", activation.gelu, normal(3, 4), approximate="tanh", **SMOOTH, ref=lambda x,
     approximate: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
case("gelu_tanh", OPS["gelu_tanh"].call, normal(3, 4), torch="")
case("silu", activation.silu, normal(3, 4), **SMOOTH, ref=lambda x: x / (1 + np.exp(-x)))
case("mish", activation.mish, normal(3, 4), **SMOOTH,
     ref=lambda x: x * np.tanh(np.logaddexp(0, x)))
case("glu", activation.glu, normal(3, 4), dtypes=NARROW,
     ref=lambda x: x[:, :2] / (1 + np.exp(-x[:, 2:])))
case("glu first", activation.glu, normal(4, 3), 0, ref=lambda x, dim: x[:2] / (1 + np.exp(-x[2:])))
case("_softplus", OPS["_softplus"].call, normal(3, 4), ref=lambda x: np.logaddexp(0, x),
     torch="softplus")
case("softplus", activation.softplus, normal(3, 4), 2.0, **SMOOTH,
     ref=lambda x, beta: np.logaddexp(0, beta * x) / beta)
case("softplus far", activation.softplus, given(-800.0, 15.0, 25.0, 800.0), second=False)
case("logsigmoid", activation.logsigmoid, normal(3, 4), **SMOOTH,
     ref=lambda x: -np.logaddexp(0, -x))
case("logsigmoid far", activation.logsigmoid, given(-800.0, -15.0, 25.0, 800.0), second=False)
case("softsign", activation.softsign, nonzero(3, 4), **SMOOTH, ref=lambda x: x / (1 + np.abs(x)))
case("tanhshrink", activation.tanhshrink, normal(3, 4), **SMOOTH, ref=lambda x: x - np.tanh(x))
case("softmin", activation.softmin, normal(3, 4), 1, dtypes=NARROW,
     ref=lambda x, dim: np.exp(-x) / np.exp(-x).sum(1, keepdims=True))

bad("celu", lambda m, x: m.celu(x, 0.0), X, error=RuntimeError,
    words="celu: expected alpha other than 0, got 0")
bad("glu", lambda m, x: m.nn.functional.glu(x, 0), X, error=ShapeError,
    words="glu: expected an even size along dimension 0, got 3")

# ---- normalisation


def grouped(x: np.ndarray, groups: int, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = standard(x.reshape(x.shape[0], groups, -1), 2).reshape(x.shape)
    along = (-1,) + (1,) * (x.ndim - 2)
    return out * w.reshape(along) + b.reshape(along)


def root_mean_square(x: np.ndarray, dim: int | tuple[int, ...], eps: float) -> np.ndarray:
    return x / np.sqrt((x * x).mean(dim, keepdims=True) + eps)


def locally_divided(x: np.ndarray, size: int, alpha: float, beta: float, k: float) -> np.ndarray:
    squares = np.pad(x * x, [(0, 0), (size // 2, (size - 1) // 2)] + [(0, 0)] * (x.ndim - 2))
    means = sum(squares[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * means) ** beta


case("group_norm", tg.group_norm, normal(2, 6, 3), 3, normal(6), normal(6), dtypes=NARROW,
     ref=grouped)
case("group_norm plain", tg.group_norm, normal(3, 4), 2,
     ref=lambda x, n: grouped(x, n, np.ones(4), np.zeros(4)))
case("instance_norm", normalization.instance_norm, normal(2, 3, 4, 5), None, None, normal(3),
     normal(3), dtypes=NARROW, ref=lambda x, m, v, w, b:
     standard(x, (2, 3)) * w[:, None, None] + b[:, None, None])
case("instance_norm running", normalization.instance_norm, normal(2, 3, 4),
     Sample(normal(3).draw, False), Sample(positive(3).draw, False), use_input_stats=False,
     ref=lambda x, m, v, use_input_stats: (x - m[:, None]) / np.sqrt(v[:, None] + 1e-5))
case("rms_norm", tg.rms_norm, normal(2, 3, 4), (3, 4), normal(3, 4), 1e-3, dtypes=NARROW,
     ref=lambda x, shape, w, eps: root_mean_square(x, (1, 2), eps) * w)
case("local_response_norm", normalization.local_response_norm, normal(2, 5, 3), 3, 0.5, 0.75, 1.2,
     ref=locally_divided)
case("local_response_norm images", normalization.local_response_norm, normal(2, 5, 3, 2), 4,
     dtypes=NARROW, torch="", ref=lambda x, size: locally_divided(x, size, 1e-4, 0.75, 1.0))
case("normalize", normalization.normalize, normal(3, 4), dtypes=NARROW,
     ref=lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)))
case("normalize sums", normalization.normalize, nonzero(3, 4), 1.0, 0,
     ref=lambda x, p, dim: x / np.abs(x).sum(0))

bad("group_norm", lambda m, x: m.nn.functional.group_norm(x, 3), X, error=ShapeError,
    words="group_norm: expected a number of groups that divides 4 channels, got 3")
bad("group_norm weight", lambda m, x, w: m.nn.functional.group_norm(x, 2, w), X, floats(2),
    error=ShapeError, words="group_norm: expected weight of shape [4]")
bad("group_norm one value", lambda m, x: m.nn.functional.group_norm(x, 4), floats(1, 4),
    error=ValueError, words="group_norm: expected more than 1 value per channel")
bad("instance_norm one value", lambda m, x: m.nn.functional.instance_norm(x), floats(2, 3, 1),
    error=ValueError, words="instance_norm: expected more than 1 value per channel")
bad("instance_norm running", lambda m, x: m.nn.functional.instance_norm(x, use_input_stats=False),
    floats(2, 3, 4), error=RuntimeError,
    words="instance_norm: expected running_mean and running_var where")
bad("rms_norm", lambda m, x: m.nn.functional.rms_norm(x, (3,)), X, error=ShapeError,
    words="rms_norm: expected input of shape (*, 3), got [3, 4]")
bad("rms_norm weight", lambda m, x, w: m.nn.functional.rms_norm(x, (4,), w), X, floats(3),
    error=ShapeError, words="rms_norm: expected weight of shape [4], got [3]")
bad("local_response_norm", lambda m, x: m.nn.functional.local_response_norm(x, 2), X,
    error=ShapeError, words="local_response_norm: expected at least 3 dimensions")

# ---- embedding

case("embedding frequency", tg.embedding, given([2, 0, 2], [4, 2, 0]), normal(5, 4),
     scale_grad_by_freq=True, grad=False, dtypes=NARROW,
     ref=lambda i, w, scale_grad_by_freq: w[i])
case("embedding_by_frequency", OPS["embedding_by_frequency"].call, integers(0, 5, 3),
     normal(5, 4), None, grad=False, torch="", ref=lambda i, w, padding: w[i])
case("embedding_sparse", OPS["embedding_sparse"].call, integers(0, 5, 3), normal(5, 4), None,
     False, grad=False, torch="", ref=lambda i, w, padding, scaled: w[i])
case("embedding_bags", bags.embedding_bags, given([2, 0, 1, 4, 4, 3]), normal(5, 2),
     given([0, 2, 2, 5]), 4, True, False, dtypes=NARROW)
case("embedding_bags_add", bags.add_bags, normal(3, 2), given([2, 0, 1, 4, 4, 3]),
     given([0, 2, 2]), 4, True, 5, dtypes=NARROW)
case("embedding_bag", bags.embedding_bag, integers(0, 5, 3, 4), normal(5, 2), dtypes=NARROW,
     ref=lambda i, w: w[i].mean(1))
case("embedding_bag weighted", bags.embedding_bag, integers(0, 5, 3, 4), normal(5, 2),
     mode="sum", per_sample_weights=None, dtypes=NARROW,
     ref=lambda i, w, mode, per_sample_weights: w[i].sum(1))
case("embedding_bag sum", lambda i, w, s: bags.embedding_bag(
     i, w, mode="sum", per_sample_weights=s), integers(0, 5, 3, 4), normal(5, 2), normal(3, 4),
     torch="", ref=lambda i, w, s: (w[i] * s[..., None]).sum(1))
case("embedding_bag max", bags.embedding_bag, given([0, 1, 2], [3, 4, 0]), distinct(5, 2),
     mode="max", ref=lambda i, w, mode: w[i].max(1))
case("embedding_bag offsets", bags.embedding_bag, given([2, 0, 1, 4, 4, 3]), normal(5, 2),
     given([0, 2, 2, 5]), ref=lambda i, w, o: np.array(
     [w[[2, 0]].mean(0), 0 * w[0], w[[1, 4, 4]].mean(0), w[3]]))
case("embedding_bag padding", bags.embedding_bag, given([2, 0, 1, 4, 1, 3]), distinct(5, 2),
     given([0, 2, 3, 6]), mode="max", padding_idx=1, include_last_offset=True,
     ref=lambda i, w, o, **_: np.array([w[[2, 0]].max(0), 0 * w[0], w[[4, 3]].max(0)]))
case("one_hot", tables.one_hot, integers(0, 5, 2, 3), 6, grad=False,
     ref=lambda i, n: np.eye(n, dtype=int)[i])

TABLE = floats(5, 2)
bad("embedding rank", lambda m, i, w: m.nn.functional.embedding(i, w), LONG, floats(5, 2, 1),
    error=ShapeError, words="embedding: expected a weight of 2 dimensions")
bad("embedding padding", lambda m, i, w: m.nn.functional.embedding(i, w, 5), LONG, TABLE,
    error=AssertionError, words="embedding: expected padding_idx in [-5, 5), got 5")
bad("embedding_bag padding", lambda m, i, w: m.nn.functional.embedding_bag(i, w, padding_idx=5),
    ints([0, 1]), TABLE, error=IndexRangeError, in_torch=False,
    words="embedding_bag: expected padding_idx in [-5, 5), got 5")
bad("embedding_bag mode", lambda m, i, w: m.nn.functional.embedding_bag(i, w, mode="min"),
    ints([0, 1]), TABLE, error=ValueError, words="embedding_bag: expected mode 'sum', 'mean' or")
bad("embedding_bag offsets", lambda m, i, w: m.nn.functional.embedding_bag(i, w), LONG, TABLE,
    error=ShapeError, words="embedding_bag: expected offsets of one dimension")
bad("embedding_bag offset 1", lambda m, i, w: m.nn.functional.embedding_bag(
    i, w, m.tensor([1, 2])), LONG, TABLE, error=ShapeError,
    words="embedding_bag: expected offsets from 0 to 3 at most, got 1 to 2")
bad("embedding_bag rank", lambda m, i, w: m.nn.functional.embedding_bag(i, w), ints([[0, 1]]),
    TABLE, error=ShapeError, words="embedding_bag: expected input of 1 or 2 dimensions")
bad("embedding_bag weight", lambda m, i, w: m.nn.functional.embedding_bag(i, w), ints([0, 1]),
    floats(5), error=ShapeError, words="embedding_bag: expected a weight of 2 dimensions")
bad("embedding_bag sample weights", lambda m, i, w, s: m.nn.functional.embedding_bag(
    i, w, mode="sum", per_sample_weights=s), ints([0, 1]), TABLE, floats(2), error=ShapeError,
    words="embedding_bag: expected per_sample_weights of shape [1, 2], got [2]")
bad("embedding_bag weighted mean", lambda m, i, w, s: m.nn.functional.embedding_bag(
    i, w, per_sample_weights=s), ints([0, 1]), TABLE, floats(1, 2), error=NotImplementedError,
    words="embedding_bag: expected mode 'sum' beside per_sample_weights, got 'mean'")
bad("embedding_bag sparse max", lambda m, i, w: m.nn.functional.embedding_bag(
    i, w, mode="max", sparse=True), ints([0, 1]), TABLE, error=ValueError,
    words="embedding_bag: expected neither scale_grad_by_freq nor sparse")

# ---- dropout


def stays(x: np.ndarray, p: float, key: int, offset: int) -> np.ndarray:
    words = NumpyBackend().random_bits(key, offset, x.size, CPU)
    return (words >> np.uint32(8)).reshape(x.shape) / 2**24 >= np.float32(p)


case("kept_by_chance", OPS["kept_by_chance"].call, normal(7, 5), 0.4, 3, 11, torch="", grad=False,
     ref=stays)
case("drop", OPS["drop"].call, normal(7, 5), 0.4, 3, 11, torch="",
     ref=lambda x, p, key, offset: x * stays(x, p, key, offset) / 0.6)
case("dropout off", tg.dropout, normal(3, 4), 0.5, False, ref=lambda x, p, training: x)
case("dropout all", tg.dropout, normal(3, 4), 1.0, ref=lambda x, p: 0 * x)
case("dropout1d all", dropout.dropout1d, normal(3, 4, 2), 1.0, ref=lambda x, p: 0 * x)
case("dropout2d off", dropout.dropout2d, normal(3, 4, 2, 1), 0.5, False,
     ref=lambda x, p, training: x)
case("dropout3d all", dropout.dropout3d, normal(3, 4, 2, 1), 1.0, ref=lambda x, p: 0 * x)
case("alpha_dropout off", tg.alpha_dropout, normal(3, 4), ref=lambda x: x)
case("alpha_dropout all", tg.alpha_dropout, normal(3, 4), 1.0, True,
     ref=lambda x, p, training: 0 * x)
case("feature_alpha_dropout off", tg.feature_alpha_dropout, normal(3, 4), 0.5, False,
     ref=lambda x, p, training: x)

for name in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    bad(name, lambda m, x, name=name: getattr(m.nn.functional, name)(x, -0.1), floats(2, 3, 4, 5),
        error=ValueError, words=f"{name}: expected a probability in [0, 1], got -0.1")
bad("dropout1d rank", lambda m, x: m.nn.functional.dropout1d(x), floats(2, 3, 4, 5),
    error=ShapeError, words="dropout1d: expected 2 or 3 dimensions")

# ---- attention


def attended(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """mask: True where a query sees a key; one that sees none gives zeros."""
    scores = np.where(mask, q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), -np.inf)
    top = scores.max(-1, keepdims=True)
    shares = np.exp(scores - np.where(np.isfinite(top), top, 0))
    return shares / np.maximum(shares.sum(-1, keepdims=True), 1e-300) @ v


SEES = np.array([[True, False, True, True, False], [False] * 5, [True] * 5])

case("scaled_dot_product_attention", attention.scaled_dot_product_attention, normal(2, 3, 4),
     normal(2, 5, 4), normal(2, 5, 6), dtypes=NARROW,
     ref=lambda q, k, v: attended(q, k, v, np.array(True)))
case("scaled_dot_product_attention sees", attention.scaled_dot_product_attention, normal(2, 3, 4),
     normal(2, 5, 4), normal(2, 5, 6), given(SEES), dtypes=NARROW, ref=attended)
case("scaled_dot_product_attention causal", attention.scaled_dot_product_attention,
     normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6), is_causal=True,
     ref=lambda q, k, v, is_causal: attended(q, k, v, np.tri(3, 5) > 0))
case("scaled_dot_product_attention added", attention.scaled_dot_product_attention, normal(3, 4),
     normal(5, 4), normal(5, 6), normal(3, 5), scale=0.7)
case("scaled_dot_product_attention groups", attention.scaled_dot_product_attention,
     normal(2, 6, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4), enable_gqa=True, dtypes=NARROW,
     ref=lambda q, k, v, enable_gqa: attended(
         q, k.repeat(3, 1), v.repeat(3, 1), np.array(True)))
case("attention", attention.attention, normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6),
     given(SEES), 0.5, False, False, dtypes=NARROW,
     ref=lambda q, k, v, mask, *_: attended(q, k, v, mask))
case("attention causal", attention.attention, normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6),
     None, 0.5, True, False,
     ref=lambda q, k, v, *_: attended(q, k, v, np.tri(3, 5) > 0))
case("multi_head_attention_forward", attention.multi_head_attention_forward, normal(3, 2, 4),
     normal(5, 2, 4), normal(5, 2, 4), 4, 2, normal(12, 4), normal(12), None, None, False, 0.0,
     normal(4, 4), normal(4), second=False)
case("multi_head_attention_forward one", attention.multi_head_attention_forward, normal(3, 4),
     normal(5, 4), normal(5, 4), 4, 2, normal(12, 4), None, normal(1, 1, 4), normal(1, 1, 4), True,
     0.0, normal(4, 4), None, False, given([True, False, False, True, False]), second=False)

bad("attention masks", lambda m, x: m.nn.functional.scaled_dot_product_attention(
    x, x, x, x @ x.t(), is_causal=True), X, error=RuntimeError,
    words="scaled_dot_product_attention: expected attn_mask or is_causal, got both")
bad("attention sizes", lambda m, x, y: m.nn.functional.scaled_dot_product_attention(x, y, y), X,
    floats(3, 5), error=ShapeError, words="scaled_dot_product_attention: expected query")
bad("attention dtypes", lambda m, x: m.nn.functional.scaled_dot_product_attention(
    x, x, x.double()), X, error=DTypeError,
    words="scaled_dot_product_attention: expected query, key and value of one dtype")


def heads(m, x, count, **kwargs):
    weight = m.ones(12, 4)
    return m.nn.functional.multi_head_attention_forward(
        x, x, x, 4, count, kwargs.pop("weight", weight), None, kwargs.pop("bias", None), None,
        False, 0.0, m.ones(4, 4), None, **kwargs)


for name, expected, inputs, arguments in (
    ("heads", "a size that 3 heads divide", X, {"count": 3}),
    ("rank", "a query of 2 or 3 dimensions", floats(1, 2, 3, 4), {"count": 2}),
    ("size", "an embedding size of 4", floats(3, 5), {"count": 2}),
    ("weights", "in_proj_weight", X, {"count": 2, "weight": None}),
    ("separate", "the three projection weights", X,
     {"count": 2, "use_separate_proj_weight": True}),
):
    bad(f"multi_head_attention_forward {name}", lambda m, x, a=arguments: heads(m, x, **a), inputs,
        error=AssertionError, words=f"multi_head_attention_forward: expected {expected}, got")
bad("multi_head_attention_forward causal", lambda m, x: heads(m, x, 2, is_causal=True), X,
    error=RuntimeError, words="multi_head_attention_forward: expected an attn_mask beside")
