"""Shapes, views, joining and cutting."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
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
case("flip", tg.flip, normal(2, 3), (0, -1), ref=np.flip)
case("repeat", tg.repeat, normal(2, 3), 2, 1, 2, ref=lambda x, *r: np.tile(x, r))
case("repeat zero", tg.repeat, normal(2, 3), 0, 2, ref=lambda x, *r: np.tile(x, r))
case("pad_constant", shape.pad_constant, normal(2, 3), ((1, 0), (2, 1)), 1.5, torch="",
     ref=lambda x, w, value: np.pad(x, w, constant_values=value))
