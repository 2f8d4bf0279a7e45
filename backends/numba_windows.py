"""Windows of the Numba backend: convolution, pooling, and the sums of windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backends.array_backend import Array
from tensorgrad.backends.numba_activations import FEW
from tensorgrad.backends.numpy_backend import NumpyBackend

# Elements of the result from which weighted sums of our own are faster than NumPy's.
MANY_COMBINED = 256


class NumbaWindows(NumpyBackend):
    """Part of NumbaBackend."""

    _activation: Any
    _convolution: Any
    _pooling: Any
    _sampling: Any
    _taps: Any
    _window_sums: Any

    def combine(self, input: Array, dim: int, taps: Any) -> Array:
        out = NotImplemented
        if input.size * taps.count >= MANY_COMBINED * input.shape[dim]:
            out = self._taps.combine(input, dim % input.ndim, taps)
        return super().combine(input, dim, taps) if out is NotImplemented else out

    def sampled(
        self, input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool
    ) -> Any:
        if mode != "bilinear" or padding_mode == "reflection":
            return NotImplemented
        return self._sampling.sampled(input, grid, padding_mode == "border", align_corners)

    def sampled_vjp(
        self,
        g: Array,
        input: Array,
        grid_shape: tuple[int, ...],
        needs: tuple[bool, ...],
        aux: Any,
    ) -> Any:
        return self._sampling.sampled_vjp(g, input, grid_shape, needs, aux)

    def window_sum(
        self,
        input: Array,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
    ) -> Array:
        return self._window_sums.window_sum(input, kernel, stride, before, after)

    def window_sum_vjp(
        self,
        g: Array,
        input_shape: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
    ) -> Array:
        return self._window_sums.window_sum_vjp(g, input_shape, kernel, stride, before, after)

    def convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Array:
        return self._convolution.convolution(input, weight, bias, stride, padding, dilation, groups)

    def convolution_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        return self._convolution.convolution_vjp(
            g, input, weight, stride, padding, dilation, groups, needs
        )

    def rectified_convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Array:
        how = stride, padding, dilation, groups
        return self._convolution.convolution(input, weight, bias, *how, rectified=True)

    def rectified_convolution_vjp(
        self,
        g: Array,
        y: Array,
        input: Array,
        weight: Array,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        if y.size < FEW:
            passed = np.where(y <= 0, y.dtype.type(0), g)
        else:
            passed = self._activation.backward("relu", g, y)
            if passed is NotImplemented:
                return NotImplemented
        how = stride, padding, dilation, groups
        return self._convolution.convolution_vjp(passed, input, weight, *how, needs)

    def max_windows(
        self,
        input: Array,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        ceil_mode: bool = False,
    ) -> Any:
        return self._pooling.max_windows(input, kernel, stride, padding, dilation, ceil_mode)

    def max_windows_vjp(
        self, g: Array, input_shape: tuple[int, ...], kernel: tuple[int, ...], aux: Array
    ) -> Array:
        return self._pooling.max_windows_vjp(g, input_shape, len(kernel), aux)

    def largest_in_windows(
        self,
        input: Array,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        ceil_mode: bool,
    ) -> Array:
        how = kernel, stride, padding, dilation, ceil_mode
        found = self._pooling.max_windows(input, *how)
        return super().largest_in_windows(input, *how) if found is NotImplemented else found[1]

    def max_of_target(self, input: Array, target: tuple[int, ...]) -> Any:
        return self._pooling.max_of_target(input, target)

    def max_of_target_vjp(
        self, g: Array, input_shape: tuple[int, ...], target: tuple[int, ...], aux: Array
    ) -> Array:
        return self._pooling.max_windows_vjp(g, input_shape, len(target), aux)

    def transposed_convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
        size: tuple[int, ...],
    ) -> Array:
        how = stride, padding, dilation, groups
        return self._convolution.transposed_convolution(input, weight, bias, *how, size)

    def transposed_convolution_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        how = stride, padding, dilation, groups
        return self._convolution.transposed_convolution_vjp(g, input, weight, *how, needs)
