"""Bad input that no single family owns: engine, devices, dtypes, settings."""

from __future__ import annotations

import copy
import importlib.util

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import BackendError, DTypeError, GraphError, IndexRangeError, ShapeError
from tests.cases.table import *

torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None


def F(m):
    """The library's `nn.functional`, PyTorch's or ours."""
    return m.nn.functional


# fmt: off

# ---- shapes

bad("add", lambda m, x, y: x + y, X, floats(3, 5), error=ShapeError,
    words="add: expected shapes that broadcast, got shapes [3, 4] and [3, 5]")
bad("mul", lambda m, x, y: m.mul(x, y), X, floats(2), error=ShapeError, words="mul: expected")
bad("where", lambda m, x, y: m.where(x > 0, x, y), X, floats(2), error=ShapeError, words="where:")
bad("matmul", lambda m, x, y: x @ y, X, floats(3, 4), error=ShapeError,
    words="matmul: expected matrices whose inner sizes agree, got shapes [3, 4] and [3, 4]")
bad("matmul 0-d", lambda m, x, y: x @ y, X, floats(), error=ShapeError, words="matmul: expected")
bad("mm", lambda m, x, y: m.mm(x, y), X, floats(4), error=ShapeError, words="mm: expected")
bad("bmm", lambda m, x, y: m.bmm(x, y), floats(2, 3, 4), floats(3, 4, 2), error=ShapeError,
    words="bmm: expected equal batch sizes, got shapes [2, 3, 4] and [3, 4, 2]")
bad("mv", lambda m, x, y: m.mv(x, y), X, floats(3), error=ShapeError, words="expected")
bad("dot", lambda m, x, y: m.dot(x, y), floats(3), floats(4), error=ShapeError, words="expected")
bad("reshape", lambda m, x: x.reshape(5, 2), X, error=ShapeError,
    words="reshape: expected a shape of as many elements, got shapes [3, 4] with shape=(5, 2)")
bad("reshape two -1", lambda m, x: x.reshape(-1, -1), X, error=ShapeError,
    words="reshape: expected")
bad("view", lambda m, x: x.t().view(12), X, error=ShapeError,
    words="view: expected a memory layout")
bad("expand", lambda m, x: x.expand(3, 5), X, error=ShapeError, words="expand: expected")
bad("expand fewer", lambda m, x: x.expand(4), X, error=ShapeError, words="expand: expected")
bad("cat", lambda m, x, y: m.cat([x, y]), X, floats(3, 5), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined dimension")
bad("stack", lambda m, x, y: m.stack([x, y]), X, floats(3, 5), error=ShapeError,
    words="stack: expected tensors of equal size, got [3, 4] and [3, 5]")
bad("permute", lambda m, x: x.permute(0, 0), X, error=ShapeError,
    words="permute: expected each of 2")
bad("t", lambda m, x: x.t(), floats(2, 3, 4), error=ShapeError, words="t: expected at most 2")
bad("split", lambda m, x: x.split([1, 1]), X, error=ShapeError,
    words="split: expected sizes that sum to 3")
bad("repeat", lambda m, x: x.repeat(2), X, error=ShapeError, words="repeat: expected at least 2")
bad("item", lambda m, x: x.item(), X, error=ShapeError,
    words="item: expected a tensor of one element")
bad("bool", lambda m, x: bool(x), X, error=ShapeError,
    words="bool: expected a tensor of one element")
bad("gather", lambda m, x, i: m.gather(x, 0, i), X, LONG, error=ShapeError,
    words="gather: expected an index with 2 dimensions, got shape [3]")
bad("linear", lambda m, x, w: F(m).linear(x, w), X, floats(2, 5), error=ShapeError,
    words="linear: expected input of shape (*, 5) for weight [2, 5], got [3, 4]")
bad("linear bias", lambda m, x, w, b: F(m).linear(x, w, b), X, floats(2, 4), floats(3),
    error=ShapeError, words="linear: expected bias of shape [2], got [3]")
bad("conv2d channels", lambda m, x, w: F(m).conv2d(x, w), floats(1, 3, 5, 5), floats(2, 4, 3, 3),
    error=ShapeError, words="conv2d: expected input with 4 channels for weight [2, 4, 3, 3]")
bad("conv2d kernel", lambda m, x, w: F(m).conv2d(x, w), floats(1, 3, 2, 2), floats(2, 3, 3, 3),
    error=ShapeError, words="conv2d: expected a kernel no larger than the padded input")
bad("conv2d rank", lambda m, x, w: F(m).conv2d(x, w), floats(3, 5), floats(2, 3, 3, 3),
    error=ShapeError, words="conv2d: expected")
bad("max_pool2d", lambda m, x: F(m).max_pool2d(x, 4), floats(1, 3, 2, 2), error=ShapeError,
    words="max_pool2d: expected a kernel no larger")
bad("max_pool2d padding", lambda m, x: F(m).max_pool2d(x, 2, padding=2), floats(1, 3, 4, 4),
    error=ShapeError, words="max_pool2d: expected padding of at most half the kernel")
bad("layer_norm", lambda m, x: F(m).layer_norm(x, (5,)), X, error=ShapeError,
    words="layer_norm: expected input of shape (*, 5), got [3, 4]")
bad("batch_norm", lambda m, x, w: F(m).batch_norm(x, None, None, w, training=True), X, floats(3),
    error=ShapeError, words="batch_norm: expected weight of shape [4]")
bad("batch_norm one", lambda m, x: F(m).batch_norm(x, None, None, training=True), floats(1, 4),
    error=ValueError, words="batch_norm: expected more than 1 value per channel")
bad("cross_entropy", lambda m, x, t: F(m).cross_entropy(x, t), X, ints(0, 1), error=ShapeError,
    words="cross_entropy: expected targets of shape [3]")
bad("bce", lambda m, x, t: F(m).binary_cross_entropy(x, t), X, floats(3), error=ValueError,
    words="binary_cross_entropy: expected a target of the input's size [3, 4], got [3]")
bad("setitem", lambda m, x, v: x.__setitem__(0, v), X, floats(3), error=ShapeError,
    words="setitem: expected a value that broadcasts to [4], got [3]")
bad("copy_", lambda m, x, v: x.copy_(v), X, floats(3), error=ShapeError, words="expected a value")
bad("add_ grows", lambda m, x, v: x.add_(v), floats(4), X, error=ShapeError,
    words="add_: expected a result of this tensor's shape [4], got [3, 4]")
bad("zeros", lambda m: m.zeros(2, -1), error=ShapeError, words="expected sizes >= 0")
bad("ragged", lambda m: m.tensor([[1.0, 2.0], [3.0]]), error=ShapeError, words="tensor: expected")
bad("max of nothing", lambda m, x: x.max(), floats(0), error=ShapeError,
    words="max: expected elements")
bad("argmax of nothing", lambda m, x: x.argmax(), floats(0), error=IndexRangeError,
    words="argmax: expected elements to choose from, got shape [0]")
bad("argmin along nothing", lambda m, x: x.argmin(1), floats(2, 0), error=IndexRangeError,
    words="argmin: expected elements to choose from, got shape [2, 0]")

# ---- dtypes

bad("sub bool", lambda m, x, y: x - y, MASK, MASK, error=DTypeError, words="sub: expected")
bad("sub mask", lambda m, x: 1 - x, MASK, error=DTypeError, words="sub: expected numbers, got bool")
bad("neg bool", lambda m, x: -x, MASK, error=DTypeError, words="neg: expected")
bad("bitwise", lambda m, x: x & x, X, error=DTypeError, words="bitwise_and: expected")
bad("invert", lambda m, x: ~x, X, error=DTypeError, words="bitwise_not: expected")
bad("matmul dtypes", lambda m, x, y: x @ y, X, floats(4, 2).astype("float64"), error=DTypeError,
    words="matmul: expected tensors of one dtype, got float32 and float64")
bad("mean of integers", lambda m, x: x.mean(), LONG, error=DTypeError,
    words="mean: expected a floating point dtype, got int64")
bad("integer in place", lambda m, x: x.add_(1.5), LONG, error=DTypeError,
    words="add_: expected a result castable to int64, got float32")
bad("div_ of integers", lambda m, x: x.div_(2), LONG, error=DTypeError, words="div_: expected")
bad("gather index", lambda m, x, i: m.gather(x, 0, i), X, X, error=DTypeError,
    words="gather: expected an index of dtype int64, got float32")
bad("requires_grad", lambda m, x: x.requires_grad_(), LONG, error=DTypeError,
    words="requires_grad_: expected a floating point tensor, got int64")
bad("float index", lambda m, x, i: x[i], X, floats(3), error=IndexRangeError,
    words="getitem: expected integer, bool or slice indices, got float32")
bad("string", lambda m: m.tensor(["a"]), error=TypeError, words="tensor: expected numbers",
    in_torch=False)
bad("add string", lambda m, x: m.add(x, "a"), X, error=TypeError,
    words="expected tensors or numbers")
bad("cat of numbers", lambda m, x: m.cat([x, 1.0]), X, error=TypeError,
    words="cat: expected tensors")
bad("cat of one", lambda m, x: m.cat(x), X, error=TypeError, words="cat: expected a list or tuple")
bad("cat of none", lambda m: m.cat([]), error=ValueError, words="cat: expected a non-empty list",
    in_torch=False)
bad("set_default_dtype", lambda m: m.set_default_dtype(m.int64), error=TypeError,
    words="set_default_dtype: expected a floating-point dtype")

# ---- dimensions and indices

for name in ("sum", "mean", "amax", "argmax", "softmax", "cumsum", "sort", "logsumexp", "unsqueeze",
             "squeeze", "unbind", "prod", "any", "std", "max"):
    bad(f"{name} dim", lambda m, x, name=name: getattr(m, name)(x, 5), X, error=IndexRangeError,
        words="expected a dimension in [-")
bad("flip dim", lambda m, x: x.flip([5]), X, error=IndexRangeError,
    words="flip: expected a dimension")
bad("norm dim", lambda m, x: m.norm(x, dim=5), X, error=IndexRangeError,
    words="expected a dimension")
bad("topk dim", lambda m, x: m.topk(x, 1, 5), X, error=IndexRangeError,
    words="topk: expected a dim")
bad("transpose dim", lambda m, x: x.transpose(0, 2), X, error=IndexRangeError,
    words="transpose: expected a dimension in [-2, 1], got 2 (Dimension out of range)")
bad("cat dim", lambda m, x: m.cat([x, x], 3), X, error=IndexRangeError, words="cat: expected a dim")
bad("stack dim", lambda m, x: m.stack([x, x], 4), X, error=IndexRangeError, words="expected a dim")
bad("size dim", lambda m, x: x.size(2), X, error=IndexRangeError,
    words="size: expected a dimension")
bad("number", lambda m, x: x[3], X, error=IndexRangeError,
    words="getitem: expected indices in range")
bad("numbers", lambda m, x: x[0, 4], X, error=IndexRangeError, words="getitem: expected indices in")
bad("too many", lambda m, x: x[0, 0, 0], X, error=IndexRangeError, words="getitem: expected")
bad("0-d", lambda m, x: x[0], floats(), error=IndexRangeError, words="getitem: expected")
bad("array", lambda m, x, i: x[i], X, ints(0, 3), error=IndexRangeError,
    words="index: expected indices")
bad("negative array", lambda m, x, i: x[i], X, ints(0, -4), error=IndexRangeError, words="index:")
bad("mask", lambda m, x, i: x[i], X, MASK, error=IndexRangeError,
    words="getitem: expected a mask of shape [3], got [2]")
bad("list mask", lambda m, x: x[[True, False]], X, error=IndexRangeError,
    words="getitem: expected a mask")
bad("negative step", lambda m, x: x[::-1], X, error=ValueError, words="slice step > 0, got -1")
bad("set number", lambda m, x: x.__setitem__(3, 1.0), X, error=IndexRangeError, words="expected")
bad("set array", lambda m, x, i: x.__setitem__(i, 1.0), X, ints(0, 3), error=IndexRangeError,
    words="expected")
bad("set mask", lambda m, x, i: x.__setitem__(i, 1.0), X, MASK, error=IndexRangeError,
    words="getitem: expected a mask of shape [3], got [2]")
bad("gather range", lambda m, x, i: m.gather(x, 1, i), X, ints([0, 4]), error=IndexRangeError,
    words="gather: expected indices in [0, 4), got 4", in_torch=False)
bad("gather negative", lambda m, x, i: m.gather(x, 1, i), X, ints([0, -1]), error=IndexRangeError,
    words="gather: expected indices in [0, 4), got -1", in_torch=False)
bad("scatter_add range", lambda m, x, i, v: x.scatter_add_(0, i, v), X, ints([0, 3]), floats(1, 2),
    error=IndexRangeError, words="scatter_add: expected indices in [0, 3), got 3", in_torch=False)
bad("index_select range", lambda m, x, i: m.index_select(x, 0, i), X, ints(3),
    error=IndexRangeError, words="expected indices")
bad("embedding range", lambda m, i, w: F(m).embedding(i, w), ints(0, 5), floats(5, 2),
    error=IndexRangeError, words="embedding: expected indices in [0, 5), got 5")
bad("embedding negative", lambda m, i, w: F(m).embedding(i, w), ints(-1, 0), floats(5, 2),
    error=IndexRangeError, words="embedding: expected indices in [0, 5), got -1")
bad("cross_entropy range", lambda m, x, t: F(m).cross_entropy(x, t), X, ints(0, 1, 4),
    error=IndexRangeError, words="cross_entropy: expected targets in [0, 4), got 4")
bad("cross_entropy negative", lambda m, x, t: F(m).cross_entropy(x, t), X, ints(0, 1, -1),
    error=IndexRangeError, words="cross_entropy: expected targets in [0, 4), got -1")
bad("nll_loss range", lambda m, x, t: F(m).nll_loss(x, t), X, ints(0, 1, 4), error=IndexRangeError,
    words="got 4")

# ---- settings

bad("rounding_mode", lambda m, x: m.div(x, 2, rounding_mode="up"), X, error=RuntimeError,
    words="div: expected rounding_mode to be None, 'trunc' or 'floor', got 'up'")
bad("clamp", lambda m, x: m.clamp(x), X, error=RuntimeError, words="clamp: expected min or max")
bad("topk", lambda m, x: m.topk(x, 9), X, error=RuntimeError,
    words="topk: expected k in [0, 4], got 9")
bad("split size", lambda m, x: x.split(0), X, error=RuntimeError,
    words="split: expected a split size")
bad("chunks", lambda m, x: x.chunk(0), X, error=RuntimeError, words="chunk: expected chunks > 0")
bad("reduction", lambda m, x: F(m).mse_loss(x, x, reduction="max"), X, error=ValueError,
    words="mse_loss: expected reduction to be 'mean', 'sum' or 'none', got 'max'")
bad("dropout", lambda m, x: F(m).dropout(x, 1.5), X, error=ValueError,
    words="dropout: expected a prob", ops="dropout drop kept_by_chance")
bad("gelu", lambda m, x: F(m).gelu(x, approximate="no"), X, error=RuntimeError,
    words="gelu: expected")
bad("label_smoothing", lambda m, x, t: F(m).cross_entropy(x, t, label_smoothing=2.0), X, LONG,
    error=RuntimeError, words="cross_entropy: expected label_smoothing in [0, 1], got 2.0")
bad("conv padding", lambda m, x, w: F(m).conv2d(x, w, padding="full"), floats(1, 1, 3, 3),
    floats(1, 1, 2, 2), error=RuntimeError, words="conv2d: expected padding 'same' or 'valid'")
bad("arange", lambda m: m.arange(0, 5, -1), error=RuntimeError, words="arange: expected a step")
bad("randint", lambda m: m.randint(3, 3, (2,)), error=RuntimeError,
    words="randint: expected low < high")
bad("multinomial", lambda m, x: m.multinomial(x, 2), np.array([0.0, 1.0]), error=RuntimeError,
    words="multinomial: expected at least 2 positive weights", in_torch=False)
bad("iterate 0-d", lambda m, x: list(x), floats(), error=TypeError, words="iter: expected")
bad("len 0-d", lambda m, x: len(x), floats(), error=TypeError, words="len: expected")

# ---- graphs


def recorded(m, x):
    return x.requires_grad_() * 2


bad("backward of constants", lambda m, x: x.sum().backward(), X, error=GraphError,
    words="backward: expected a tensor with a history")
bad("backward of a matrix", lambda m, x: recorded(m, x).backward(), X, error=GraphError,
    words="backward: expected a gradient for an output of shape [3, 4], got none")
bad("gradient shape", lambda m, x: recorded(m, x).backward(m.ones(2)), X, error=ShapeError,
    words="backward: expected a gradient of shape [3, 4], got [2]")
bad("backward again", lambda m, x: [(y := recorded(m, x).exp().sum()).backward(), y.backward()], X,
    error=GraphError, words="expected a graph that still holds its saved tensors")
bad("leaf in place", lambda m, x: x.requires_grad_().add_(1), X, error=GraphError,
    words="add_: expected a tensor that may be changed in place, got a leaf that requires grad")
bad("leaf item", lambda m, x: x.requires_grad_().__setitem__(0, 1.0), X, error=GraphError,
    words="setitem: expected a tensor that may be changed in place, got a leaf")
bad("view of leaf", lambda m, x: x.requires_grad_()[0].zero_(), X, error=GraphError,
    words="got a view of a leaf that requires grad")
bad("overwritten",
    lambda m, x: [ y := recorded(m, x), z := m.sin(y), y.add_(1), z.sum().backward()], X,
    error=GraphError, words="sin: expected its saved 'input' of shape [3, 4] unchanged")
bad("overwritten result", lambda m, x: [ y := m.exp(recorded(m, x)), y.add_(1), y.sum().backward()],
    X, error=GraphError, words="exp: expected its saved 'result' of shape [3, 4] unchanged")
bad("unused", lambda m, x, y: m.autograd.grad(recorded(m, x).sum(), y.requires_grad_()), X, X,
    error=GraphError, words="grad: expected every input to be used in the graph")
bad("numpy", lambda m, x: recorded(m, x).numpy(), X, error=GraphError, words="numpy: expected")
bad("requires_grad_", lambda m, x: recorded(m, x).requires_grad_(False), X, error=GraphError,
    words="requires_grad_: expected a leaf")
bad("deepcopy", lambda m, x: copy.deepcopy(recorded(m, x)), X, error=GraphError, words="deepcopy:")
bad("grad shape", lambda m, x: setattr(x, "grad", m.ones(2)), X, error=ShapeError,
    words="grad: expected")
bad("grad kind", lambda m, x: setattr(x, "grad", 1.0), X, error=TypeError, words="grad: expected")

# ---- devices and backends

bad("device name", lambda m: m.ones(2, device="tpu9"), error=BackendError,
    words="device: expected one of ['cpu', 'cuda']")
bad("device number", lambda m: m.ones(2, device="cpu:x"), error=BackendError,
    words="device: expected 'cpu', 'cuda' or 'cuda:N', got 'cpu:x'")
bad("device kind", lambda m: m.device(1.5), error=TypeError,
    words="device: expected a string, got 1.5")
bad("cpu number", lambda m: m.ones(2, device="cpu:3"), error=BackendError,
    words="device: expected 'cpu', got 'cpu:3'", in_torch=False)
# ---- what is no number, no tensor, or out of a dtype's range

bad("set text", lambda m, x: x.__setitem__(0, "a"), X, error=TypeError, words="expected numbers")
bad("fill text", lambda m, x: x.fill_("a"), X, error=TypeError,
    words="fill_: expected a number or a tensor, got str")
bad("zeros 1.5", lambda m: m.zeros(1.5), error=TypeError,
    words="zeros: expected whole numbers, got 1.5")
bad("sum 1.5", lambda m, x: x.sum(1.5), X, error=TypeError,
    words="sum: expected dim to be a whole number, got 1.5")
bad("backward list", lambda m, x: recorded(m, x).sum().backward([1.0]), X, error=TypeError,
    words="backward: expected tensors or None as gradients, got list")
bad("negative power", lambda m, x: x ** -1, LONG, error=DTypeError,
    words="pow: expected values that it is defined for, got int64")
bad("amax of no rows", lambda m, x: m.amax(x, 0), floats(0, 3), error=IndexRangeError,
    words="amax: expected elements to choose from, got shape [0, 3]")
bad("split a number", lambda m, x: m.split(x, 1), floats(), error=IndexRangeError,
    words="split: expected a tensor with dimensions", in_torch=False)
bad("norm dim 4", lambda m, x: x.norm(dim=4), X, error=IndexRangeError,
    words="norm: expected a dimension in [-2, 1], got 4")
bad("copy_ shape", lambda m, x, v: x.copy_(v), X, floats(3), error=ShapeError,
    words="copy_: expected a value that broadcasts to [3, 4], got [3]")

bad("backend", lambda m: tg.set_backend("nonsense"), error=BackendError,
    words="set_backend: expected one of ['cupy', 'numba', 'numpy'", in_torch=False)
bad("backend context", lambda m: tg.use_backend("nonsense"), error=BackendError,
    words="got 'nonsense'", in_torch=False)
