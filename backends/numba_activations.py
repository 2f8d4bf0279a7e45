"""Activation functions of the Numba backend: all in one module of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backends.array_backend import Array

# Elements of relu up to which NumPy is as fast, and nothing needs to be compiled.
FEW = 4096


class NumbaActivations:
    """Part of NumbaBackend."""

    _activation: Any

    def relu(self, input: Array) -> Array:
        if input.size < FEW and input.dtype.char in "fd":
            return np.maximum(input, 0)
        return self._activation.forward("relu", input)

    def relu_vjp(self, g: Array, y: Array) -> Array:
        return NotImplemented if y.size < FEW else self._activation.backward("relu", g, y)

    def sigmoid(self, input: Array) -> Array:
        return self._activation.forward("sigmoid", input)

    def sigmoid_vjp(self, g: Array, y: Array) -> Array:
        return self._activation.backward("sigmoid", g, y)

    def tanh_slope(self, gradient: Array, output: Array) -> Array:
        return self._activation.backward("tanh", gradient, output)

    def gelu(self, input: Array) -> Array:
        return self._activation.forward("gelu", input)

    def gelu_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("gelu", g, input)

    def gelu_tanh(self, input: Array) -> Array:
        return self._activation.forward("gelu_tanh", input)

    def gelu_tanh_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("gelu_tanh", g, input)

    def silu(self, input: Array) -> Array:
        return self._activation.forward("silu", input)

    def silu_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("silu", g, input)

    def mish(self, input: Array) -> Array:
        return self._activation.forward("mish", input)

    def mish_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("mish", g, input)

    def elu(self, input: Array, alpha: float, scale: float, input_scale: float) -> Array:
        return self._activation.forward("elu", input, alpha * scale, scale, input_scale)

    def elu_vjp(
        self, g: Array, input: Array, alpha: float, scale: float, input_scale: float
    ) -> Array:
        return self._activation.backward("elu", g, input, alpha * scale, scale, input_scale)

    def softplus(self, input: Array, beta: float, threshold: float) -> Array:
        return self._activation.forward("softplus", input, beta, threshold)

    def softplus_vjp(self, g: Array, input: Array, beta: float, threshold: float) -> Array:
        return self._activation.backward("softplus", g, input, beta, threshold)

    def logsigmoid(self, input: Array) -> Array:
        return self._activation.forward("logsigmoid", input)

    def logsigmoid_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("logsigmoid", g, input)

    def leaky_relu(self, input: Array, negative_slope: float) -> Array:
        return self._activation.forward("leaky_relu", input, negative_slope)

    def leaky_relu_vjp(self, g: Array, input: Array, negative_slope: float) -> Array:
        return self._activation.backward("leaky_relu", g, input, negative_slope)

    def hardtanh(self, input: Array, min_val: float, max_val: float) -> Array:
        return self._activation.forward("hardtanh", input, min_val, max_val)

    def hardtanh_vjp(self, g: Array, input: Array, min_val: float, max_val: float) -> Array:
        return self._activation.backward("hardtanh", g, input, min_val, max_val)

    def hardsigmoid(self, input: Array) -> Array:
        return self._activation.forward("hardsigmoid", input)

    def hardsigmoid_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("hardsigmoid", g, input)

    def hardswish(self, input: Array) -> Array:
        return self._activation.forward("hardswish", input)

    def hardswish_vjp(self, g: Array, input: Array) -> Array:
        return self._activation.backward("hardswish", g, input)

    def hardshrink(self, input: Array, lambd: float) -> Array:
        return self._activation.forward("hardshrink", input, lambd)

    def hardshrink_vjp(self, g: Array, input: Array, lambd: float) -> Array:
        return self._activation.backward("hardshrink", g, input, lambd)

    def softshrink(self, input: Array, lambd: float) -> Array:
        return self._activation.forward("softshrink", input, lambd)

    def softshrink_vjp(self, g: Array, input: Array, lambd: float) -> Array:
        return self._activation.backward("softshrink", g, input, lambd)

    def threshold(self, input: Array, threshold: float, value: float) -> Array:
        return self._activation.forward("threshold", input, threshold, value)

    def threshold_vjp(self, g: Array, input: Array, threshold: float) -> Array:
        return self._activation.backward("threshold", g, input, threshold)
