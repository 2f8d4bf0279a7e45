"""Activation functions of the CuPy backend: each one launch forward and one backward."""

from __future__ import annotations

from typing import Any

from tensorgrad.backends.array_backend import Array
from tensorgrad.kernels.cuda import activation


class CupyActivations:
    """Part of CupyBackend."""

    def relu(self, input: Array) -> Any:
        return activation.over_elements("relu", input)

    def relu_vjp(self, g: Array, y: Array) -> Any:
        return activation.over_elements("relu_vjp", g, y)

    def sigmoid(self, input: Array) -> Any:
        return activation.over_elements("sigmoid", input)

    def sigmoid_vjp(self, g: Array, y: Array) -> Any:
        return activation.over_elements("sigmoid_vjp", g, y)

    def silu(self, input: Array) -> Any:
        return activation.over_elements("silu", input)

    def silu_vjp(self, g: Array, input: Array) -> Any:
        return activation.over_elements("silu_vjp", g, input)

    def gelu(self, input: Array) -> Any:
        return activation.over_elements("gelu", input)

    def gelu_vjp(self, g: Array, input: Array) -> Any:
        return activation.over_elements("gelu_vjp", g, input)

    def gelu_tanh(self, input: Array) -> Any:
        return activation.over_elements("gelu_tanh", input)

    def gelu_tanh_vjp(self, g: Array, input: Array) -> Any:
        return activation.over_elements("gelu_tanh_vjp", g, input)
