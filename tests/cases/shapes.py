"""Shapes, views, joining and cutting."""

from __future__ import annotations

import itertools
import math

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.op import OPS
from tensorgrad.ops import shape
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- shape

case("reshape", tg.reshape, normal(3, 4), (2, 6), ref=np.reshape, dtypes=EVERY)
case("reshape -1", tg.reshape, normal(3, 4), (-1, 2), ref=np.reshape)
case("permute", tg.permute, normal(2, 3, 4), (2, 0, 1), ref=np.transpose)
case("permute negative", tg.permute, normal(2, 3, 4), (-1, 0, 1), ref=np.transpose)
case("transpose", tg.transpose, normal(2, 3, 4), 0, -1, ref=np.swapaxes)
case("swapaxes", tg.swapaxes, normal(2, 3), 0, 1, ref=np.swapaxes)
case("t", tg.t, normal(2, 3), ref=np.transpose)
case("t 1-d", tg.t, normal(3), ref=lambda x: x)
case("movedim", tg.movedim, normal(2, 3, 4), 0, -1, ref=np.moveaxis)
case("expand", tg.Tensor.expand, normal(3, 1), 2, 3, 4, ref=lambda x, *s: np.broadcast_to(x, s))
case("expand -1", tg.Tensor.expand, normal(3, 1), -1, 4,
     ref=lambda x, *s: np.broadcast_to(x, (3, 4)))
case("broadcast_to", tg.broadcast_to, normal(3, 1), (2, 3, 4), ref=np.broadcast_to)
case("squeeze", tg.squeeze, normal(1, 3, 1), ref=np.squeeze)
case("squeeze dim", tg.squeeze, normal(1, 3, 1), -1, ref=np.squeeze)
case("squeeze nothing", tg.squeeze, normal(1, 3), 1, ref=lambda x, dim: x)
case("unsqueeze", tg.unsqueeze, normal(2, 3), 1, ref=np.expand_dims)
case("unsqueeze last", tg.unsqueeze, normal(2, 3), -1, ref=np.expand_dims)
case("flatten", tg.flatten, normal(2, 3, 4), ref=np.ravel)
case("flatten dims", tg.flatten, normal(2, 3, 4), 1, -1, ref=lambda x, a, b: x.reshape(2, 12))
case("flatten 0-d", tg.flatten, normal(), ref=np.ravel)
case("unflatten", tg.unflatten, normal(2, 6), 1, (2, -1), ref=lambda x, d, s: x.reshape(2, 2, 3))
case("clone", tg.clone, normal(3, 4), ref=np.copy, dtypes=EVERY)
case("clone primitive", OPS["clone"].call, normal(3, 4), ref=np.copy, dtypes=EVERY)
case("copy", OPS["copy"].call, normal(3, 4), ref=np.copy, torch="")
case("cat", tg.cat, [normal(2, 3), normal(1, 3)], ref=np.concatenate, dtypes=EVERY)
case("cat dim", tg.cat, [normal(2, 3), normal(2, 1), normal(2, 2)], -1, ref=np.concatenate)
case("cat empty part", tg.cat, [normal(0, 3), normal(2, 3)], dim=0,
     ref=lambda x, dim: np.concatenate(x))
case("concat", tg.concat, [normal(2), normal(3)], ref=np.concatenate)
case("stack", tg.stack, [normal(2, 3), normal(2, 3)], ref=np.stack, dtypes=INT)
case("stack last", tg.stack, [normal(2, 3), normal(2, 3)], -1, ref=np.stack)
case("narrow", tg.narrow, normal(5, 3), 0, 1, 2, ref=lambda x, d, s, n: x[1:3])
case("narrow negative", tg.narrow, normal(3, 5), 1, -3, 2, ref=lambda x, d, s, n: x[:, 2:4])
case("select", tg.select, normal(3, 4), 1, -1, ref=lambda x, d, i: x[:, -1])
case("unbind", tg.unbind, normal(3, 2), ref=tuple)
case("unbind dim", tg.unbind, normal(3, 2), 1, ref=lambda x, dim: tuple(x.T))
case("split", tg.split, normal(5, 2), 2, ref=lambda x, n: tuple(np.split(x, [2, 4])))
case("split sections", tg.split, normal(2, 5), [1, 4], 1,
     ref=lambda x, n, d: tuple(np.split(x, [1], 1)))
case("chunk", tg.chunk, normal(5, 2), 3, ref=lambda x, n: tuple(np.split(x, [2, 4])))
case("chunk dim", tg.chunk, normal(2, 4), 2, -1, ref=lambda x, n, d: tuple(np.split(x, 2, -1)))
case("reshape_as", tg.Tensor.reshape_as, normal(3, 4), integers(0, 2, 2, 6),
     ref=lambda x, other: x.reshape(2, 6))
case("view", lambda x: x.contiguous().view(2, 6), normal(3, 4), torch="",
     ref=lambda x: x.reshape(2, 6))
case("view_dtype", lambda x: x.contiguous().view(tg.uint8).view(x.dtype), normal(3), torch="",
     grad=False, dtypes=EVERY, ref=lambda x: x)
case("swapdims", tg.swapdims, normal(2, 3), 0, 1, ref=np.swapaxes)
case("moveaxis", tg.moveaxis, normal(2, 3, 4), 2, 0, ref=np.moveaxis)
case("movedim several", tg.movedim, normal(2, 3, 4), (0, -1), (1, 0), ref=np.moveaxis)
case("adjoint", tg.adjoint, normal(2, 3, 4), ref=lambda x: np.swapaxes(x, 1, 2))
case("ravel", tg.ravel, normal(3, 4), ref=np.ravel, dtypes=EVERY)
case("sum_to_size", tg.Tensor.sum_to_size, normal(2, 3, 4), (3, 1), dtypes=INT,
     ref=lambda x, size: x.sum((0, 2))[:, None])

# ---- joining and grids

case("concatenate", tg.concatenate, [normal(2), normal(3)], ref=np.concatenate)
case("cat of nothing", tg.cat, [normal(0), normal(2, 3)], 1, ref=lambda x, dim: x[1])
case("hstack", tg.hstack, [normal(2, 3), normal(2, 1)], ref=np.hstack, dtypes=EVERY)
case("hstack vectors", tg.hstack, [normal(2), normal()], ref=np.hstack)
case("vstack", tg.vstack, [normal(3), normal(2, 3)], ref=np.vstack, dtypes=EVERY)
case("row_stack", tg.row_stack, [normal(3), normal(3)], ref=np.vstack)
case("dstack", tg.dstack, [normal(2, 3), normal(2, 3)], ref=np.dstack)
case("column_stack", tg.column_stack, [normal(2), normal(2, 3)], ref=np.column_stack)
case("atleast_1d", tg.atleast_1d, normal(), ref=np.atleast_1d)
case("atleast_2d", tg.atleast_2d, normal(3), ref=np.atleast_2d)
case("atleast_3d", tg.atleast_3d, normal(3), normal(2, 3), ref=np.atleast_3d)
case("broadcast_tensors", tg.broadcast_tensors, normal(3, 1), normal(4), torch="",
     ref=lambda *x: tuple(np.broadcast_arrays(*x)))
case("broadcast_shapes", lambda x: x * math.prod(tg.broadcast_shapes((2, 1), 3)), normal(2),
     torch="", ref=lambda x: x * 6)
case("meshgrid", tg.meshgrid, normal(2), normal(3), indexing="ij", torch="",
     ref=lambda *x, indexing: tuple(np.meshgrid(*x, indexing=indexing)))
case("meshgrid xy", tg.meshgrid, normal(2), normal(3), normal(4), indexing="xy", torch="",
     ref=lambda *x, indexing: tuple(np.meshgrid(*x, indexing=indexing)))
case("cartesian_prod", tg.cartesian_prod, normal(2), normal(3),
     ref=lambda a, b: np.stack([np.repeat(a, 3), np.tile(b, 2)], 1))
case("combinations", tg.combinations, normal(4), 3,
     ref=lambda x, r: np.array(list(itertools.combinations(x, r))))
case("combinations with_replacement", tg.combinations, normal(3), with_replacement=True,
     ref=lambda x, with_replacement: np.array(
         list(itertools.combinations_with_replacement(x, 2))))

# ---- cutting

case("split_with_sizes", tg.split_with_sizes, normal(2, 5), [0, 1, 4], 1,
     ref=lambda x, n, d: tuple(np.split(x, [0, 1], 1)))
case("unsafe_split", tg.unsafe_split, normal(5, 2), 3, ref=lambda x, n: tuple(np.split(x, [3])))
case("unsafe_split_with_sizes", tg.unsafe_split_with_sizes, normal(3), [1, 2],
     ref=lambda x, n: tuple(np.split(x, [1])))
case("unsafe_chunk", tg.unsafe_chunk, normal(5), 2, ref=lambda x, n: tuple(np.split(x, [3])))
case("chunk nothing", tg.chunk, normal(0, 2), 3, ref=lambda x, n: (x, x, x))
case("tensor_split", tg.tensor_split, normal(5, 2), 3,
     ref=lambda x, n: tuple(np.array_split(x, n)))
case("tensor_split indices", tg.tensor_split, normal(2, 5), (1, 4, -4, 9), 1,
     ref=lambda x, n, d: tuple(np.split(x, n, d)))
case("tensor_split tensor", tg.tensor_split, normal(5), np.array([1, 3]),
     ref=lambda x, n: tuple(np.split(x, n)))
case("hsplit", tg.hsplit, normal(2, 4), 2, ref=lambda x, n: tuple(np.hsplit(x, n)))
case("vsplit", tg.vsplit, normal(4, 2), (1, 3), ref=lambda x, n: tuple(np.vsplit(x, n)))
case("dsplit", tg.dsplit, normal(1, 2, 4), 2, ref=lambda x, n: tuple(np.dsplit(x, n)))


def with_part(index):
    """A copy in which the part at `index` is replaced."""
    def replaced(x, src, *rest):
        out = np.array(x)
        out[index] = src
        return out
    return replaced


case("select_scatter", tg.select_scatter, normal(3, 4), normal(3), 1, -1,
     ref=with_part((slice(None), -1)))
case("slice_scatter", tg.slice_scatter, normal(5, 2), normal(2, 2), 0, 1, -1, 2, dtypes=INT,
     ref=with_part(slice(1, -1, 2)))

# ---- diagonals and triangles

case("diagonal", tg.diagonal, normal(3, 4), ref=np.diagonal, dtypes=EVERY)
case("diagonal dims", tg.diagonal, normal(3, 2, 4), 1, 2, 0, ref=np.diagonal)
case("diagonal below", tg.diagonal, normal(3, 4), -1, ref=np.diagonal)
case("diagonal outside", tg.diagonal, normal(3, 4), 7, ref=np.diagonal)
case("embed_diagonal", OPS["embed_diagonal"].call, normal(2), (2, 3), 1, 0, 1, torch="",
     ref=lambda x, *rest: np.diag(x, 1)[:2])
case("diag", tg.diag, normal(3), 1, ref=np.diag, dtypes=EVERY)
case("diag of a matrix", tg.diag, normal(3, 4), -1, ref=np.diag)
case("diag_embed", tg.diag_embed, normal(2, 3),
     ref=lambda x: np.stack([np.diag(row) for row in x]))
case("diag_embed dims", tg.diag_embed, normal(2, 3), 1, 0, 2,
     ref=lambda x, *rest: np.stack([np.diag(row, 1) for row in x], 1))
case("diagflat", tg.diagflat, normal(2, 2), -1, ref=np.diagflat)
case("diagonal_scatter", tg.diagonal_scatter, normal(3, 3), normal(2), 1,
     ref=with_part((np.array([0, 1]), np.array([1, 2]))))
case("tril", tg.tril, normal(2, 3, 4), 1, ref=np.tril, dtypes=EVERY)
case("triu", tg.triu, normal(3, 4), -1, ref=np.triu, dtypes=EVERY)
case("tril_indices", lambda x: x[tuple(tg.tril_indices(3, 4, 1))], normal(3, 4), torch="",
     ref=lambda x: x[np.tril_indices(3, 1, 4)])
case("triu_indices", lambda x: x[tuple(tg.triu_indices(3, 4, -1))], normal(3, 4), torch="",
     ref=lambda x: x[np.triu_indices(3, -1, 4)])

# ---- another order, or several times

case("flip", tg.flip, normal(2, 3), (0, -1), ref=np.flip)
case("repeat", tg.repeat, normal(2, 3), 2, 1, 2, ref=lambda x, *r: np.tile(x, r))
case("repeat zero", tg.repeat, normal(2, 3), 0, 2, ref=lambda x, *r: np.tile(x, r))
case("repeat once", tg.repeat, normal(2, 3), 1, 1, ref=lambda x, *r: x)
case("flip dims", tg.flip, normal(2, 3), dims=[1], ref=lambda x, dims: np.flip(x, dims))
case("fliplr", tg.fliplr, normal(2, 3), ref=np.fliplr, dtypes=EVERY)
case("flipud", tg.flipud, normal(2, 3), ref=np.flipud)
case("roll", tg.roll, normal(3, 4), (1, -6), (0, 1), ref=np.roll, dtypes=EVERY)
case("roll flat", tg.roll, normal(3, 4), 5, ref=np.roll)
case("rot90", tg.rot90, normal(2, 3), ref=np.rot90, dtypes=EVERY)
case("rot90 thrice", tg.rot90, normal(2, 3, 4), 3, (1, 2), ref=np.rot90)
case("rot90 twice back", tg.rot90, normal(2, 3), -2, (1, 0), ref=np.rot90)
case("tile", tg.tile, normal(2, 3), (2,), ref=np.tile)
case("repeat_interleave", tg.repeat_interleave, normal(2, 3), 2, 1, dtypes=EVERY,
     ref=lambda x, r, d: np.repeat(x, r, d))
case("repeat_interleave counts", tg.repeat_interleave, normal(3, 2), np.array([2, 0, 1]), 0,
     ref=lambda x, r, d: np.repeat(x, r, d))
case("repeat_interleave flat", tg.repeat_interleave, normal(2, 2), 3, ref=np.repeat)
case("repeat_interleave places", OPS["repeat_interleave"].call, np.array([2, 0, 3]), grad=False,
     ref=lambda r: np.repeat(np.arange(3), r))

# ---- by strides

case("as_strided", lambda x: tg.as_strided(x.contiguous(), (2, 3), (4, 1), 1), normal(3, 4),
     torch="", dtypes=EVERY, ref=lambda x: x[:2, 1:])
case("as_strided overlapping", lambda x: tg.as_strided(x.contiguous(), (3, 2, 2), (1, 0, 2), 3),
     normal(3, 4), torch="",
     ref=lambda x: np.ravel(x)[3 + np.arange(3)[:, None, None] + np.array([[0, 2], [0, 2]])])
case("unfold_dim", tg.Tensor.unfold, normal(2, 7, 3), 1, 3, 2, torch="", dtypes=EVERY,
     ref=lambda x, *rest: np.lib.stride_tricks.sliding_window_view(x, 3, 1)[:, ::2])
case("as_strided_scatter", lambda x, src: tg.as_strided_scatter(
     x.contiguous(), src, (2, 2), (5, 1), 1), normal(3, 4), normal(2, 2), torch="",
     ref=with_part((np.array([[0, 0], [1, 1]]), np.array([[1, 2], [2, 3]]))))
STORED = ((2, 3), (3, 1), 0)
case("restride", OPS["restride"].call, normal(2, 3), STORED, ((3, 2), (1, 2), 1), STORED, torch="",
     ref=lambda x, *rest: np.ravel(x)[np.array([[1, 3], [2, 4], [3, 5]])])

# ---- differences and areas

case("diff", tg.diff, normal(3, 4), ref=np.diff, dtypes=NUMERIC)
case("diff bool", tg.diff, bools(5), ref=np.diff, grad=False, second=False)
case("diff twice", tg.diff, normal(4, 3), 2, 0, ref=np.diff)
case("diff joined", tg.diff, normal(3, 2), 1, 0, normal(1, 2), normal(2, 2), ref=np.diff)
case("gradient", tg.gradient, normal(5, 4), torch="", ref=lambda x: tuple(np.gradient(x)))
case("gradient spacing", tg.gradient, normal(4, 5), spacing=0.5, dim=1, edge_order=2, torch="",
     ref=lambda x, spacing, dim, edge_order: (
         np.gradient(x, spacing, axis=dim, edge_order=edge_order),))
case("gradient coordinates",
     lambda x, at: tg.gradient(x, spacing=(at.to(x.dtype),), dim=0, edge_order=2),
     normal(5, 2), np.array([0.0, 1.0, 3.0, 4.0, 7.0]), torch="", second=False,
     ref=lambda x, at: (np.gradient(x, at, axis=0, edge_order=2),))
case("trapezoid", tg.trapezoid, normal(3, 4), normal(3, 4),
     ref=lambda y, x: np.trapezoid(y, x))
case("trapezoid dx", tg.trapezoid, normal(3, 4), dx=0.5, dim=0,
     ref=lambda y, dx, dim: np.trapezoid(y, dx=dx, axis=dim))
case("trapz", tg.trapz, normal(3, 4), normal(3), dim=0,
     ref=lambda y, x, dim: np.trapezoid(y, x, axis=dim))
case("cumulative_trapezoid", tg.cumulative_trapezoid, normal(2, 5), normal(5),
     ref=lambda y, x: np.cumsum((y[:, 1:] + y[:, :-1]) / 2 * np.diff(x), 1))
case("unravel_index", tg.unravel_index, integers(0, 24, 5), (2, 3, 4), grad=False, second=False,
     ref=np.unravel_index)

case("pad_constant", shape.pad_constant, normal(2, 3), ((1, 0), (2, 1)), 1.5, torch="",
     ref=lambda x, w, value: np.pad(x, w, constant_values=value))

# ---- what is refused

bad("view dtype", lambda m, x: x[:, :3].view(m.float64), X, error=ShapeError,
    words="view: expected a last dimension whose bytes are elements of float64, got shape [3, 3]")
bad("unflatten", lambda m, x: x.unflatten(1, (3, -1)), X, error=ShapeError,
    words="unflatten: expected sizes whose product is 4")
bad("movedim", lambda m, x: x.movedim((0, 1), (0, 0)), X, error=ShapeError,
    words="movedim: expected as many sources as destinations, none of them twice")
bad("mT", lambda m, x: x.mT, floats(3), error=ShapeError, words="mT: expected matrices, got shape")
bad("H", lambda m, x: x.H, floats(2, 3, 4), error=ShapeError, words="H: expected a matrix")
bad("sum_to_size", lambda m, x: x.sum_to_size(3, 2), X, error=ShapeError,
    words="sum_to_size: expected a size that broadcasts to [3, 4], got [3, 2]")
bad("channels last", lambda m, x: x.contiguous(memory_format=m.channels_last), floats(1, 2, 3, 4),
    error=NotImplementedError, words="contiguous: expected contiguous_format", in_torch=False)
bad("cat of a tensor", lambda m, x: m.cat(x), X, error=TypeError,
    words="cat: expected a list or tuple of tensors, got Tensor")
bad("cat 0-d", lambda m, x: m.cat([x, x]), floats(), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined dimension, got shapes [] and []")
bad("cat into an input", lambda m, x: m.cat([x, x], out=x), X, error=ShapeError,
    words="cat: expected out with memory of its own")
bad("stack of nothing", lambda m: m.stack([]), error=ShapeError,
    words="stack: expected a non-empty list of tensors")
bad("broadcast_shapes", lambda m: m.broadcast_shapes((2, 3), (2,)), error=ShapeError,
    words="broadcast_shapes: expected shapes that broadcast, got [2, 3] and [2]")
bad("meshgrid", lambda m, x: m.meshgrid(x, indexing="ij"), X, error=ShapeError,
    words="meshgrid: expected vectors, got [3, 4]")
bad("meshgrid indexing", lambda m, x: m.meshgrid(x, indexing="yx"), floats(3), error=ShapeError,
    words="meshgrid: expected indexing 'ij' or 'xy', got 'yx'")
bad("combinations", lambda m, x: m.combinations(x), X, error=ShapeError,
    words="combinations: expected a vector, got shape [3, 4]")
bad("narrow", lambda m, x: x.narrow(0, 2, 2), X, error=ShapeError,
    words="narrow: expected a range within [0, 3), got start 2 and length 2")
bad("narrow start", lambda m, x: x.narrow(0, 4, 0), X, error=IndexRangeError,
    words="narrow: expected start in [-3, 3], got 4")
bad("select", lambda m, x: x.select(1, 4), X, error=IndexRangeError,
    words="select: expected an index in [-4, 4), got 4")
bad("tensor_split", lambda m, x: x.tensor_split(0), X, error=ShapeError,
    words="tensor_split: expected sections > 0, got 0")
bad("hsplit", lambda m, x: x.hsplit(3), X, error=ShapeError,
    words="hsplit: expected sections that divide 4 (dimension 1 of [3, 4]), got 3")
bad("dsplit", lambda m, x: x.dsplit(2), X, error=ShapeError,
    words="dsplit: expected at least 3 dimensions, got shape [3, 4]")
bad("select_scatter", lambda m, x, y: m.select_scatter(x, y, 0, 0), X, floats(3), error=ShapeError,
    words="select_scatter: expected src of shape [4], got [3]")
bad("slice_scatter", lambda m, x, y: m.slice_scatter(x, y, 0, 0, 1), X, floats(4),
    error=ShapeError, words="slice_scatter: expected src of shape [1, 4], got [4]")
bad("diagonal", lambda m, x: x.diagonal(0, 1, -1), X, error=ShapeError,
    words="diagonal: expected two dimensions, got 1 and -1")
bad("diag", lambda m, x: x.diag(), floats(2, 3, 4), error=ShapeError,
    words="diag: expected a vector or a matrix, got shape [2, 3, 4]")
bad("tril", lambda m, x: x.tril(), floats(3), error=ShapeError,
    words="tril: expected at least 2 dimensions, got shape [3]")
bad("triu_indices", lambda m: m.triu_indices(-1, 2), error=ShapeError,
    words="triu_indices: expected sizes >= 0, got -1 and 2")
bad("fill_diagonal_", lambda m, x: x.fill_diagonal_(1.0), floats(2, 3, 2), error=ShapeError,
    words="fill_diagonal_: expected a matrix, or more dimensions of equal sizes")
bad("flip twice", lambda m, x: x.flip(0, 0), X, error=ShapeError,
    words="flip: expected each dimension once, got [0, 0]")
bad("fliplr", lambda m, x: x.fliplr(), floats(3), error=ShapeError, words="fliplr: expected at")
bad("roll", lambda m, x: x.roll((1, 2), 0), X, error=ShapeError,
    words="roll: expected as many dims as shifts, got (1, 2) and (0,)")
bad("rot90", lambda m, x: x.rot90(1, (0,)), X, error=ShapeError,
    words="rot90: expected two of at least 2 dimensions, got [0]")
bad("repeat negative", lambda m, x: x.repeat(-1, 1), X, error=ShapeError,
    words="repeat: expected numbers >= 0, got [-1, 1]")
bad("repeat_interleave", lambda m, x, r: x.repeat_interleave(r, 1), X, LONG, error=ShapeError,
    words="repeat_interleave: expected one number or 4 of them, got shape [3]")
bad("repeat_interleave float", lambda m, x: m.repeat_interleave(x), floats(3), error=DTypeError,
    words="repeat_interleave: expected whole numbers, got float32")
bad("as_strided", lambda m, x: x.as_strided((3, 4), (4, 2)), X, error=ShapeError,
    words="as_strided: expected places within the 12 elements of the memory")
bad("as_strided sizes", lambda m, x: x.as_strided((3, 4), (4,)), X, error=ShapeError,
    words="as_strided: expected a stride >= 0 for each size")
bad("unfold", lambda m, x: x.unfold(1, 5, 1), X, error=ShapeError,
    words="unfold: expected a size in [0, 4], got 5")
bad("unfold step", lambda m, x: x.unfold(1, 2, 0), X, error=ShapeError,
    words="unfold: expected a step > 0, got 0")
bad("resize_", lambda m, x: x.requires_grad_().resize_(2, 2), X, error=RuntimeError,
    words="resize_: expected a tensor that does not require grad")
bad("diff order", lambda m, x: x.diff(-1), X, error=ShapeError,
    words="diff: expected an order >= 0, got -1")
bad("gradient", lambda m, x: m.gradient(x, edge_order=3), X, error=ShapeError,
    words="gradient: expected edge_order 1 or 2, got 3")
bad("gradient places", lambda m, x: m.gradient(x, dim=0, edge_order=2), floats(2, 3),
    error=ShapeError, words="gradient: expected at least 3 places along dims [0], got shape [2, 3]")
bad("trapezoid", lambda m, x: m.trapezoid(x, x, dx=1.0), X, error=TypeError,
    words="trapezoid: expected x or dx, got both")
bad("unravel_index", lambda m, x: m.unravel_index(x, (3, 4)), X, error=TypeError,
    words="unravel_index: expected integer indices, got float32")
