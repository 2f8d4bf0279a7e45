"""Padding, interpolation, sampling at places, shuffles between channels and space."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.nn import functional
from tensorgrad.op import OPS
from tensorgrad.ops.taps import Taps
from tests.cases.table import *

TAPS = Taps([[(0, 0.5), (2, 2.0)], [(1, 1.0)], [(2, -1.0), (0, 3.0)], []], 3)


def weighed(x, dim, taps):
    x = np.moveaxis(x, dim, 0)
    rows = [sum((w * x[i] for i, w in row), np.zeros(x.shape[1:])) for row in taps.rows]
    return np.moveaxis(np.stack(rows), 0, dim)


def F(m):
    return m.nn.functional


# A case is read as one line.
# fmt: off

case("combine", OPS["combine"].call, normal(2, 3, 4), 1, TAPS, torch="", dtypes=NARROW, ref=weighed)

# ---- padding

case("constant_pad_nd", tg.constant_pad_nd, normal(2, 3, 4), (1, 2, 0, 1), 1.5, dtypes=EVERY,
     ref=lambda x, p, v: np.pad(x, ((0, 0), (0, 1), (1, 2)), constant_values=np.array(v, x.dtype)))
case("constant_pad_nd crop", tg.constant_pad_nd, normal(2, 3, 4), (-1, 2, 1, -2))
case("pad", functional.pad, normal(2, 3), (1, 2), dtypes=EVERY,
     ref=lambda x, p: np.pad(x, ((0, 0), (1, 2))))
case("pad reflect", functional.pad, normal(2, 3, 4), (2, 1), "reflect", dtypes=NUMERIC,
     ref=lambda x, p, m: np.pad(x, ((0, 0), (0, 0), p), m))
case("pad reflect 3d", functional.pad, normal(1, 2, 3, 3, 3), (2, 1, 0, 1, 1, -1), "reflect")
case("pad replicate", functional.pad, normal(1, 2, 3, 4), (2, 9, 1, 0), "replicate", dtypes=NUMERIC,
     ref=lambda x, p, m: np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 9)), "edge"))
case("pad replicate crop", functional.pad, normal(2, 3, 4), (-3, 2), "replicate")
case("pad circular", functional.pad, normal(1, 2, 3, 4), (2, 1, 3, 0), "circular", dtypes=EVERY,
     ref=lambda x, p, m: np.pad(x, ((0, 0), (0, 0), (3, 0), (2, 1)), "wrap"))
case("pad circular crop", functional.pad, normal(2, 3, 5), (-2, 2), "circular")

# ---- interpolation

case("interpolate", functional.interpolate, normal(2, 3, 4), scale_factor=2, dtypes=NARROW,
     ref=lambda x, scale_factor: np.repeat(x, 2, -1))
case("interpolate nearest", functional.interpolate, normal(1, 2, 4, 5), (7, 3))
case("interpolate nearest 3d", functional.interpolate, normal(1, 1, 2, 3, 4),
     scale_factor=(2, 1, 0.5))
case("interpolate nearest-exact", functional.interpolate, normal(1, 2, 4, 5), (7, 3),
     mode="nearest-exact")
case("interpolate linear", functional.interpolate, normal(2, 3, 4), 7, mode="linear", dtypes=NARROW,
     align_corners=True,
     ref=lambda x, n, mode, align_corners: np.apply_along_axis(
         lambda row: np.interp(np.linspace(0, 3, n), np.arange(4), row), -1, x))
case("interpolate bilinear", functional.interpolate, normal(1, 2, 4, 5), (7, 3), mode="bilinear",
     dtypes=NARROW)
case("interpolate bilinear scale", functional.interpolate, normal(1, 2, 4, 5), mode="bilinear",
     scale_factor=1.3)
case("interpolate bilinear recomputed", functional.interpolate, normal(1, 2, 4, 5),
     mode="bilinear", scale_factor=(1.3, 0.7), recompute_scale_factor=True)
case("interpolate bilinear same", functional.interpolate, normal(1, 2, 3, 4), (3, 4),
     mode="bilinear", ref=lambda x, size, mode: x)
case("interpolate trilinear", functional.interpolate, normal(1, 1, 2, 3, 2), (3, 2, 4),
     mode="trilinear", align_corners=True)
case("interpolate bicubic", functional.interpolate, normal(1, 2, 4, 5), (7, 3), mode="bicubic",
     dtypes=NARROW)
case("interpolate bicubic corners", functional.interpolate, normal(1, 1, 4, 5), (1, 9),
     mode="bicubic", align_corners=True)
case("interpolate area", functional.interpolate, normal(1, 2, 6, 5), (3, 2), mode="area")
case("interpolate antialias", functional.interpolate, normal(1, 2, 9, 8), (4, 11), mode="bilinear",
     antialias=True)
case("interpolate antialias bicubic", functional.interpolate, normal(1, 1, 9, 8), (4, 11),
     mode="bicubic", antialias=True)
case("upsample", functional.upsample, normal(1, 2, 3), 5, mode="linear", torch="")
case("upsample_nearest", functional.upsample_nearest, normal(1, 2, 3, 3), scale_factor=2, torch="",
     ref=lambda x, scale_factor: x.repeat(2, -1).repeat(2, -2))
case("upsample_bilinear", functional.upsample_bilinear, normal(1, 2, 3, 3), 5, torch="")

# ---- places

IMAGE, VOLUME = normal(2, 2, 4, 5), normal(1, 2, 3, 4, 3)
PLACES, FAR = between(-0.95, 0.95, 2, 3, 4, 2), between(-2.5, 2.5, 2, 3, 4, 2)

case("grid_sample", functional.grid_sample, IMAGE, PLACES, align_corners=False)
case("sampled", OPS["sampled"].call, IMAGE, PLACES, "bilinear", "zeros", False, torch="")
case("max_of_target", OPS["max_of_target"].call, distinct(2, 5, 7), (2, 3), torch="",
     ref=lambda x, target: np.stack([np.stack([
         x[:, a:b, c:d].max((1, 2)) for c, d in ((0, 3), (2, 5), (4, 7))
     ], -1) for a, b in ((0, 3), (2, 5))], 1))
case("grid_sample corners", functional.grid_sample, IMAGE,
     given(np.stack([np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)), -1)] * 2)),
     mode="nearest", align_corners=True, ref=lambda x, grid, **how: x)
case("grid_sample far", functional.grid_sample, IMAGE, FAR, align_corners=True)
case("grid_sample border", functional.grid_sample, IMAGE, FAR, padding_mode="border",
     align_corners=False)
case("grid_sample reflection", functional.grid_sample, IMAGE, FAR, padding_mode="reflection",
     align_corners=False)
case("grid_sample nearest", functional.grid_sample, IMAGE, FAR, mode="nearest",
     padding_mode="reflection", align_corners=True)
case("grid_sample bicubic", functional.grid_sample, IMAGE, PLACES, mode="bicubic",
     align_corners=False)
case("grid_sample bicubic border", functional.grid_sample, IMAGE, FAR, mode="bicubic",
     padding_mode="border", align_corners=True)
case("grid_sample volume", functional.grid_sample, VOLUME, between(-2, 2, 1, 2, 2, 2, 3),
     padding_mode="reflection", align_corners=True)
case("grid_sampler", tg.grid_sampler, IMAGE, PLACES, 0, 1, True)
case("grid_sampler_2d", tg.grid_sampler_2d, IMAGE, PLACES, 1, 0, False)
case("grid_sampler_3d", tg.grid_sampler_3d, VOLUME, between(-1, 1, 1, 2, 2, 2, 3), 0, 0, False)
case("affine_grid", functional.affine_grid, normal(2, 2, 3), (2, 1, 3, 4), align_corners=True,
     dtypes=NARROW,
     ref=lambda theta, size, align_corners: np.einsum(
         "nij,hwj->nhwi", theta,
         np.stack([*np.meshgrid(np.linspace(-1, 1, 4), [-1, 0, 1]), np.ones((3, 4))], -1)))
case("affine_grid borders", functional.affine_grid, normal(2, 2, 3), (2, 1, 1, 4),
     align_corners=False)
case("affine_grid volume", functional.affine_grid, normal(1, 3, 4), (1, 1, 2, 3, 2),
     align_corners=False)

# ---- channels and space

case("pixel_shuffle", tg.pixel_shuffle, normal(2, 8, 2, 3), 2, dtypes=EVERY,
     ref=lambda x, r: x.reshape(2, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 4, 6))
case("pixel_unshuffle", tg.pixel_unshuffle, normal(2, 4, 6), 2, dtypes=EVERY,
     ref=lambda x, r: x.reshape(2, 2, 2, 3, 2).transpose(0, 2, 4, 1, 3).reshape(8, 2, 3))
case("channel_shuffle", tg.channel_shuffle, normal(1, 6, 2, 2), 3, dtypes=EVERY,
     ref=lambda x, g: x[:, [0, 2, 4, 1, 3, 5]])

# ---- errors

I34 = floats(1, 2, 3, 4)

bad("pad odd", lambda m, x: F(m).pad(x, (1, 1, 1)), I34, error=ShapeError,
    words="pad: expected pairs of widths")
bad("pad reflect width", lambda m, x: F(m).pad(x, (4, 0), "reflect"), floats(1, 2, 4),
    error=ShapeError, words="pad: expected widths of at most 3 for mode 'reflect' and size 4")
bad("pad circular width", lambda m, x: F(m).pad(x, (5, 0), "circular"), floats(1, 2, 4),
    error=ShapeError, words="pad: expected widths of at most 4")
bad("pad replicate nothing", lambda m, x: F(m).pad(x, (-3, -1), "replicate"), floats(1, 2, 4),
    error=ShapeError, words="pad: expected sizes of at least 1 for mode 'replicate'")
bad("pad crop", lambda m, x: F(m).pad(x, (-3, -2)), floats(2, 4), error=ShapeError,
    words="pad: expected a size >= 0 to be left")
bad("pad value", lambda m, x: F(m).pad(x, (1, 1), "reflect", 1.0), floats(1, 2, 4),
    error=RuntimeError, words="pad: expected no value with mode 'reflect', got 1.0")
bad("constant_pad_nd", lambda m, x: m.constant_pad_nd(x, (1,)), X, error=ShapeError,
    words="constant_pad_nd: expected pairs of widths")
bad("interpolate mode", lambda m, x: F(m).interpolate(x, 3, mode="bilinear"), floats(1, 2, 4),
    error=NotImplementedError, words="interpolate: expected a mode")
bad("interpolate both", lambda m, x: F(m).interpolate(x, 3, 2.0), I34, error=ValueError,
    words="interpolate: expected size or scale_factor, got both or neither")
bad("interpolate neither", lambda m, x: F(m).interpolate(x), I34, error=ValueError,
    words="interpolate: expected size or scale_factor, got both or neither")
bad("interpolate size", lambda m, x: F(m).interpolate(x, (3, 4, 5)), I34, error=ValueError,
    words="interpolate: expected size of 2 numbers")
bad("interpolate scale", lambda m, x: F(m).interpolate(x, None, (2.0,)), I34, error=ValueError,
    words="interpolate: expected scale_factor of 2 numbers")
bad("interpolate corners", lambda m, x: F(m).interpolate(x, 3, align_corners=True), I34,
    error=ValueError, words="interpolate: expected no align_corners with mode 'nearest'")
bad("interpolate antialias", lambda m, x: F(m).interpolate(x, 3, antialias=True), I34,
    error=ValueError, words="interpolate: expected antialias with 'bilinear' and 'bicubic' alone")
bad("interpolate recompute",
    lambda m, x: F(m).interpolate(x, 3, recompute_scale_factor=True), I34, error=ValueError,
    words="interpolate: expected recompute_scale_factor with scale_factor alone")
bad("interpolate nothing", lambda m, x: F(m).interpolate(x, scale_factor=0.1), I34,
    error=ShapeError, words="interpolate: expected sizes of at least 1, got [0, 0]")
bad("interpolate int64", lambda m, x: F(m).interpolate(x, 3, mode="bilinear"),
    ints([[[1, 2], [3, 4]]]), error=DTypeError,
    words="interpolate: expected a floating point dtype, got int64")
bad("grid_sample mode", lambda m, x, g: F(m).grid_sample(x, g, "cubic", align_corners=True), I34,
    floats(1, 2, 2, 2), error=ValueError, words="grid_sample: expected mode of")
bad("grid_sample padding", lambda m, x, g: F(m).grid_sample(x, g, "nearest", "same", True), I34,
    floats(1, 2, 2, 2), error=ValueError, words="grid_sample: expected padding_mode of")
bad("grid_sample grid", lambda m, x, g: F(m).grid_sample(x, g, align_corners=True), I34,
    floats(1, 2, 2, 3), error=ShapeError, words="grid_sample: expected input (N, C, H, W) and grid")
bad("grid_sample dtype", lambda m, x, g: F(m).grid_sample(x, g.double(), align_corners=True), I34,
    floats(1, 2, 2, 2), error=DTypeError, words="grid_sample: expected input and grid of one")
bad("grid_sample bicubic volume",
    lambda m, x, g: F(m).grid_sample(x, g, "bicubic", align_corners=True), floats(1, 1, 2, 2, 2),
    floats(1, 1, 1, 1, 3), error=ShapeError, words="grid_sample: expected 4 dimensions for bicubic")
bad("grid_sampler_2d", lambda m, x, g: m.grid_sampler_2d(x, g, 0, 0, True), floats(1, 1, 2, 2, 2),
    floats(1, 1, 1, 1, 3), error=ShapeError, words="grid_sampler_2d: expected 4 dimensions")
bad("grid_sampler_3d", lambda m, x, g: m.grid_sampler_3d(x, g, 0, 0, True), I34,
    floats(1, 2, 2, 2), error=ShapeError, words="grid_sampler_3d: expected 5 dimensions")
bad("affine_grid theta", lambda m, x: F(m).affine_grid(x, (1, 1, 2, 2), True), floats(1, 2, 2),
    error=ValueError, words="affine_grid: expected theta of shape [1, 2, 3]")
bad("affine_grid dtype", lambda m, x: F(m).affine_grid(x, (1, 1, 2, 2), True),
    ints([[[1, 2, 3], [4, 5, 6]]]), error=ValueError, words="expected a floating point dtype")
bad("affine_grid size", lambda m, x: F(m).affine_grid(x, (1, 1, 0, 2), True), floats(1, 2, 3),
    error=ValueError, words="affine_grid: expected a size (N, C, H, W)")
bad("pixel_shuffle channels", lambda m, x: m.pixel_shuffle(x, 2), I34, error=ShapeError,
    words="pixel_shuffle: expected channels divisible by 4")
bad("pixel_shuffle rank", lambda m, x: m.pixel_shuffle(x, 2), X, error=ShapeError,
    words="pixel_shuffle: expected input (*, C, H, W)")
bad("pixel_shuffle factor", lambda m, x: m.pixel_shuffle(x, 0), I34, error=ShapeError,
    words="pixel_shuffle: expected upscale_factor of at least 1, got 0")
bad("pixel_unshuffle", lambda m, x: m.pixel_unshuffle(x, 2), I34, error=ShapeError,
    words="pixel_unshuffle: expected height and width divisible by 2")
bad("channel_shuffle", lambda m, x: m.channel_shuffle(x, 3), I34, error=ShapeError,
    words="channel_shuffle: expected channels divisible by groups, got 2 and 3")
bad("channel_shuffle rank", lambda m, x: m.channel_shuffle(x, 3), X, error=ShapeError,
    words="channel_shuffle: expected input (N, C, *size)")
