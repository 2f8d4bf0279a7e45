"""The Numba backend: NumPy's primitives, and fused kernels where a benchmark shows that they win.

Every method hands its arrays to a kernel of `tensorgrad.kernels.numba` and knows nothing of how it
computes. Kernels are imported at their first use, and Numba with them. A kernel returns
NotImplemented for dtypes, layouts and sizes that it does not serve; the op's composition, or the
primitive of NumPy, then runs.
"""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.backend import Device
from tensorgrad.backends.array_backend import Array
from tensorgrad.backends.numba_activations import NumbaActivations
from tensorgrad.backends.numba_indexing import NumbaIndexing
from tensorgrad.backends.numba_losses import NumbaLosses
from tensorgrad.backends.numba_products import NumbaProducts
from tensorgrad.backends.numba_recurrent import NumbaRecurrent
from tensorgrad.backends.numba_windows import NumbaWindows
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.backends.reduction_primitives import Dim

# Elements from which choices of our own are faster than NumPy's.
MANY_CHOICES = 8192
# Elements from which reductions of our own, on all threads, are faster than NumPy's.
MANY_REDUCED = 131_072
# Elements from which remainders and whole quotients of our own are faster than NumPy's.
MANY_DIVIDED = 2048
# Elements from which running sums and products of our own are faster than NumPy's.
MANY_RUNNING = 2048
# Elements from which lengths of vectors of our own are faster than NumPy's.
MANY_SQUARES = 8192
# Elements from which transposed copies of our own, on all threads, are faster than NumPy's.
MANY_COPIED = 131_072


def _kernels(module: str) -> Any:
    """The kernel module, imported at the first look and a plain attribute from then on."""

    def load(self: NumbaBackend) -> Any:
        return importlib.import_module(f"tensorgrad.kernels.numba.{module}")

    return cached_property(load)


def _division(name: str) -> Any:
    """The method of an op that divides. It is NumPy's for few elements, at little more time."""
    theirs = getattr(NumpyBackend, name)

    def divide(self: NumbaBackend, input: Array, other: Array) -> Array:
        if input.__class__ is np.ndarray and input.size >= MANY_DIVIDED:
            out = self._divisions.divided(name, input, other)
            if out is not NotImplemented:
                return out
        return theirs(self, input, other)

    return divide


class NumbaBackend(
    NumbaActivations,
    NumbaIndexing,
    NumbaLosses,
    NumbaProducts,
    NumbaRecurrent,
    NumbaWindows,
    NumpyBackend,
):
    name = "numba"

    _activation = _kernels("activation")
    _choice = _kernels("choice")
    _copying = _kernels("copying")
    _directions = _kernels("directions")
    _divisions = _kernels("divisions")
    _formulas = _kernels("formulas")
    _gemm = _kernels("gemm")
    _softmax = _kernels("softmax")
    _linear = _kernels("linear")
    _linear_loss = _kernels("linear_loss")
    _logsumexp = _kernels("logsumexp")
    _norms = _kernels("norms")
    _channels = _kernels("channels")
    _lstm = _kernels("lstm")
    _gru = _kernels("gru")
    _elman = _kernels("elman")
    _attention = _kernels("attention")
    _convolution = _kernels("convolution")
    _order = _kernels("order")
    _picked = _kernels("picked")
    _pooling = _kernels("pooling")
    _bags = _kernels("bags")
    _dropout = _kernels("dropout")
    _embedding = _kernels("embedding")
    _scans = _kernels("scans")
    _scattering = _kernels("scattering")
    _optimizers = _kernels("optimizers")
    _random = _kernels("random")
    _reductions = _kernels("reductions")
    _sampling = _kernels("sampling")
    _special = _kernels("special")
    _taps = _kernels("taps")
    _window_sums = _kernels("window_sums")
    _word2vec = _kernels("word2vec")

    # ---- reductions

    def _reduce_many(self, name: str, input: Array, dim: Dim, keepdim: bool) -> Array:
        kernels = self._reductions
        if dim is not None:
            normalize_axis_tuple(dim, input.ndim)  # refuses what NumPy refuses
        out = kernels.reduced(input, kernels.KINDS[name], dim, keepdim)
        return getattr(super(), name)(input, dim, keepdim) if out is NotImplemented else out

    def sum(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        if input.size >= MANY_REDUCED:
            return self._reduce_many("sum", input, dim, keepdim)
        return NumpyBackend.sum(self, input, dim, keepdim)  # `super` would cost 0.2 us

    def amax(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        if input.size >= MANY_REDUCED:
            return self._reduce_many("amax", input, dim, keepdim)
        return super().amax(input, dim, keepdim)

    def amin(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        if input.size >= MANY_REDUCED:
            return self._reduce_many("amin", input, dim, keepdim)
        return super().amin(input, dim, keepdim)

    # ---- copies

    def copy(self, input: Array) -> Array:
        return super().copy(input) if input.size < MANY_COPIED else self._copying.ordered(input)

    def reshape(self, input: Array, shape: tuple[int, ...]) -> Array:
        if input.size >= MANY_COPIED and not input.flags.c_contiguous:
            try:
                return np.reshape(input, shape, copy=False)
            except ValueError:  # no view shows it so
                input = self._copying.ordered(input)
        return input.reshape(shape)

    # ---- divisions

    fmod = _division("fmod")
    remainder = _division("remainder")
    floor_divide = _division("floor_divide")

    # ---- choices

    def where(self, condition: Array, input: Array, other: Array) -> Array:
        if condition.size >= MANY_CHOICES:
            out = self._choice.where(condition, input, other)
            if out is not NotImplemented:
                return out
        return np.where(condition, input, other)

    # ---- special functions

    def erf(self, input: Array) -> Array:
        result = self._special.erf(input)
        return super().erf(input) if result is NotImplemented else result

    # ---- softmax

    def softmax(self, input: Array, dim: int) -> Array:
        return self._softmax.softmax(input, dim) if input.ndim else NotImplemented

    def softmax_vjp(self, g: Array, y: Array, dim: int) -> Array:
        return self._softmax.softmax_vjp(g, y, dim) if y.ndim else NotImplemented

    def log_softmax(self, input: Array, dim: int) -> Array:
        return self._softmax.log_softmax(input, dim) if input.ndim else NotImplemented

    def log_softmax_vjp(self, g: Array, y: Array, dim: int) -> Array:
        return self._softmax.log_softmax_vjp(g, y, dim) if y.ndim else NotImplemented

    # ---- normalisation

    def standardize(
        self,
        input: Array,
        weight: Array | None,
        bias: Array | None,
        dim: tuple[int, ...],
        eps: float,
    ) -> Any:
        return self._norms.standardize(input, weight, bias, dim, eps)

    def standardize_vjp(
        self, g: Any, input: Array, weight: Array | None, dim: tuple[int, ...], eps: float, aux: Any
    ) -> Any:
        out, mean, variance = g
        if out is None or mean is not None or variance is not None:
            return NotImplemented
        return self._norms.standardize_vjp(out, input, weight, dim, eps, aux)

    def scale_by_root_mean_square(
        self, input: Array, weight: Array | None, dim: tuple[int, ...], eps: float
    ) -> Any:
        found = self._norms.standardize(input, weight, None, dim, eps, False)
        return found if found is NotImplemented else (found[0], found[3])

    def scale_by_root_mean_square_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array | None,
        dim: tuple[int, ...],
        eps: float,
        aux: Any,
    ) -> Any:
        found = self._norms.standardize_vjp(g, input, weight, dim, eps, aux, False)
        return found if found is NotImplemented else found[:2]

    def shift_and_scale(self, input: Array, mean: Array, gain: Array, bias: Array | None) -> Array:
        return self._channels.shift_and_scale(input, mean, gain, bias)

    def shift_and_scale_vjp(
        self, g: Array, input: Array, mean: Array, gain: Array, bias: Array | None
    ) -> Any:
        return self._channels.shift_and_scale_vjp(g, input, mean, gain, bias)

    # ---- lengths

    def root_of_squares(self, input: Array, dim: Any, keepdim: bool) -> Array:
        if input.size < MANY_SQUARES:
            return NotImplemented
        return self._directions.root_of_squares(input, dim, keepdim)

    def root_of_squares_vjp(self, g: Array, input: Array, y: Array, dim: Any) -> Array:
        if input.size < MANY_SQUARES:
            return NotImplemented
        return self._directions.root_of_squares_vjp(g, input, y, dim)

    def unit_vectors(self, input: Array, dim: int, eps: float) -> Any:
        return self._directions.unit_vectors(input, dim, eps)

    def unit_vectors_vjp(self, g: Array, input: Array, dim: int, eps: float, aux: Any) -> Array:
        return self._directions.unit_vectors_vjp(g, input, dim, eps, aux)

    def cosines(self, x1: Array, x2: Array, dim: int, eps: float) -> Any:
        return self._directions.cosines(x1, x2, dim, eps)

    def cosines_vjp(
        self,
        g: Array,
        x1: Array,
        x2: Array,
        y: Array,
        dim: int,
        eps: float,
        needs: tuple[bool, ...],
        aux: Any,
    ) -> Any:
        return self._directions.cosines_vjp(g, x1, x2, y, dim, eps, needs, aux)

    # ---- order

    def first_in_order(self, input: Array, dim: int, count: int, descending: bool) -> Array:
        found = self._order.first_in_order(input, dim, count, descending)
        if found is NotImplemented:
            return super().first_in_order(input, dim, count, descending)
        return found

    def cumsum(self, input: Array, dim: int, backwards: bool = False) -> Array:
        if input.size >= MANY_RUNNING:
            out = self._scans.running(input, dim, backwards=backwards)
            if out is not NotImplemented:
                return out
        return super().cumsum(input, dim, backwards)

    def cumprod(self, input: Array, dim: int) -> Array:
        if input.size >= MANY_RUNNING:
            out = self._scans.running(input, dim, products=True)
            if out is not NotImplemented:
                return out
        return super().cumprod(input, dim)

    def median(self, input: Array) -> Array:
        found = self._order.median(input)
        return super().median(input) if found is NotImplemented else found

    # ---- attention

    def attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None,
        scale: float,
        causal: bool,
        grouped: bool,
    ) -> Any:
        return self._attention.attention(query, key, value, mask, scale, causal, grouped)

    def attention_vjp(
        self,
        g: Array,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None,
        scale: float,
        causal: bool,
        needs: tuple[bool, ...],
        y: Array,
        aux: Array,
    ) -> Any:
        how = mask, scale, causal, needs, y, aux
        return self._attention.attention_vjp(g, query, key, value, *how)

    # ---- lists of arrays at once: see `tensorgrad.stepping`

    def step_elements(self, trace: str, arrays: list[list[Array]], numbers: list[float]) -> Any:
        return self._optimizers.step_elements(trace, arrays, numbers)

    def step_rows(
        self, rows: Array, trace: str, arrays: list[list[Array]], numbers: list[float]
    ) -> Any:
        return self._optimizers.step_rows(rows, trace, arrays, numbers)

    def total_norm(self, arrays: list[Array]) -> Any:
        return self._optimizers.total_norm(arrays)

    # ---- word vectors: see `tensorgrad.text.word_steps`

    def word_steps(
        self,
        tokens: Array,
        bounds: Array,
        inputs: Array,
        outputs: Array,
        keep: Array,
        noise: Array | None,
        paths: Array | None,
        window: int,
        negatives: int,
        cbow: bool,
        rates: tuple[float, float],
        seed: int,
        workers: int,
        bags: tuple[Array, Array] | None,
    ) -> None:
        self._word2vec.train(
            tokens, bounds, inputs, outputs, keep, noise, paths, window, negatives, cbow, rates,
            seed, workers, bags,
        )  # fmt: skip

    # ---- random numbers

    def random_bits(self, key: int, offset: int, count: int, device: Device) -> Array:
        return self._random.random_bits(key, offset, count)

    def uniform(
        self, shape: tuple[int, ...], dtype: Any, key: int, offset: int, device: Device
    ) -> Array:
        out = self._random.uniform(shape, dtype, key, offset)
        return super().uniform(shape, dtype, key, offset, device) if out is NotImplemented else out

    def drop(self, input: Array, p: float, key: int, offset: int) -> Array:
        return self._dropout.drop(input, p, key, offset)

    def normal(
        self, shape: tuple[int, ...], dtype: Any, key: int, offset: int, device: Device
    ) -> Array:
        out = self._random.normal(shape, dtype, key, offset)
        return super().normal(shape, dtype, key, offset, device) if out is NotImplemented else out
