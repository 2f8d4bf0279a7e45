"""Windows of the CuPy backend: convolution, pooling, and sums of neighbours."""

from __future__ import annotations

from typing import Any

from tensorgrad.backends.array_backend import Array, ArrayBackend
from tensorgrad.kernels.cuda import convolution, folding, pooling
from tensorgrad.kernels.cuda import taps as weighted

Tuple = tuple[int, ...]


class CupyWindows(ArrayBackend):
    """Part of CupyBackend."""

    def windows(self, input: Array, kernel: Tuple, stride: Tuple, dilation: Tuple) -> Array:
        # CuPy's as_strided forgets whose memory it shows; `own` must see that it is a view.
        return super().windows(input, kernel, stride, dilation).view()

    def fold_windows(
        self, input: Array, size: Tuple, kernel: Tuple, stride: Tuple, dilation: Tuple
    ) -> Array:
        found = folding.fold_windows(input, size, kernel, stride, dilation)
        if found is NotImplemented:
            return super().fold_windows(input, size, kernel, stride, dilation)
        return found

    def combine(self, input: Array, dim: int, taps: Any) -> Array:
        found = weighted.combine(input, dim % input.ndim, taps)
        return super().combine(input, dim, taps) if found is NotImplemented else found

    def max_windows(
        self,
        input: Array,
        kernel: Tuple,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        ceil_mode: bool = False,
    ) -> Any:
        return pooling.max_windows(input, kernel, stride, padding, dilation, ceil_mode)

    def max_windows_vjp(
        self,
        g: Array,
        input_shape: Tuple,
        kernel: Tuple,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        ceil_mode: bool,
        aux: Array,
    ) -> Any:
        how = kernel, stride, padding, dilation, ceil_mode
        return pooling.max_windows_vjp(g, input_shape, aux, *how)

    def largest_in_windows(
        self,
        input: Array,
        kernel: Tuple,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        ceil_mode: bool,
    ) -> Array:
        how = kernel, stride, padding, dilation, ceil_mode
        found = pooling.largest_in_windows(input, *how)
        return super().largest_in_windows(input, *how) if found is NotImplemented else found

    def max_of_target(self, input: Array, target: Tuple) -> Any:
        return pooling.max_of_target(input, target)

    def max_of_target_vjp(self, g: Array, input_shape: Tuple, target: Tuple, aux: Array) -> Array:
        return pooling.max_of_target_vjp(g, input_shape, target, aux)

    def window_sum(
        self, input: Array, kernel: Tuple, stride: Tuple, before: Tuple, after: Tuple
    ) -> Any:
        return pooling.window_sum(input, kernel, stride, before, after)

    def window_sum_vjp(
        self,
        g: Array,
        input_shape: Tuple,
        kernel: Tuple,
        stride: Tuple,
        before: Tuple,
        after: Tuple,
    ) -> Any:
        return pooling.window_sum_vjp(g, input_shape, kernel, stride, before, after)

    # ---- convolution

    def convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.convolution(input, weight, bias, *how)

    def convolution_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.convolution_vjp(g, None, input, weight, *how, needs)

    def rectified_convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.convolution(input, weight, bias, *how, rectified=True)

    def rectified_convolution_vjp(
        self,
        g: Array,
        y: Array,
        input: Array,
        weight: Array,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.convolution_vjp(g, y, input, weight, *how, needs)

    def transposed_convolution(
        self,
        input: Array,
        weight: Array,
        bias: Array | None,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
        size: Tuple,
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.transposed_convolution(input, weight, bias, *how, size)

    def transposed_convolution_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        groups: int,
        needs: tuple[bool, ...],
    ) -> Any:
        how = stride, padding, dilation, groups
        return convolution.transposed_convolution_vjp(g, input, weight, *how, needs)
