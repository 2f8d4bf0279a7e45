"""Products on the Numba backend: our own threads multiply, so that NumPy's BLAS keeps none of its
own spinning beside them. A product that BLAS runs on one thread stays there.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from tensorgrad.backends.numpy_backend import NumpyBackend

Array: TypeAlias = Any

# Multiply-adds of a product up to which NumPy's BLAS uses one thread, and is faster.
SMALL_PRODUCT = 65_536


class NumbaProducts(NumpyBackend):
    """Part of NumbaBackend."""

    _gemm: Any
    _linear: Any

    def matmul(self, input: Array, other: Array) -> Array:
        if not other.ndim or input.size * other.shape[-1] < SMALL_PRODUCT:
            return super().matmul(input, other)
        result = self._gemm.matmul(input, other)
        return super().matmul(input, other) if result is NotImplemented else result

    def linear(self, input: Array, weight: Array, bias: Array | None) -> Array:
        """One product of all rows, the bias added where it lies: the composition multiplies a batch
        of matrices one by one and writes the output twice.
        """
        if not (input.ndim > 1 and weight.ndim == 2 and input.dtype is weight.dtype):
            return NotImplemented
        if weight.dtype.char not in "fd":
            return NotImplemented
        if bias is not None and (bias.dtype is not weight.dtype or bias.shape != weight.shape[:1]):
            return NotImplemented
        rows = input if input.ndim == 2 else input.reshape(-1, input.shape[-1])
        if min(rows.shape + weight.shape) >= 4 and rows.size * len(weight) >= SMALL_PRODUCT:
            out = self._gemm.product(rows, weight.T, bias)
        else:
            out = np.matmul(rows, weight.T)
            if bias is not None:
                out += bias
        return out if input.ndim == 2 else out.reshape(*input.shape[:-1], weight.shape[0])

    def linear_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        bias: Array | None,
        needs: tuple[bool, ...],
    ) -> Any:
        """The three rules without the ops around them."""
        kind = weight.dtype
        if kind.char not in "fd" or input.dtype is not kind or g.dtype is not kind:
            return NotImplemented
        if input.ndim < 2 or not (g.size and input.size) or (bias is not None and bias.ndim != 1):
            return NotImplemented
        outputs = g if g.ndim == 2 else g.reshape(-1, g.shape[-1])
        inputs = input if input.ndim == 2 else input.reshape(-1, input.shape[-1])
        wants_input, wants_weight, wants_bias = needs
        if wants_weight:
            found = self._linear.linear_vjp(outputs, inputs, weight, wants_input)
            if found is not NotImplemented:
                g_input, g_weight, g_bias = found
                if wants_input:
                    g_input = g_input.reshape(input.shape)
                return g_input, g_weight, g_bias if wants_bias else None
        return (
            self.matmul(outputs, weight).reshape(input.shape) if wants_input else None,
            self.matmul(outputs.T, inputs) if wants_weight else None,
            self.sum(outputs, 0, False) if wants_bias else None,
        )
