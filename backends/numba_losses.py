"""Cross-entropies of the Numba backend, of logits and of what a linear map makes them from, and the
logarithm of a sum of exponentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.backends.array_backend import Array

if TYPE_CHECKING:
    from tensorgrad.formula import Formula


class NumbaLosses:
    """Part of NumbaBackend."""

    _softmax: Any
    _formulas: Any
    _linear_loss: Any
    _picked: Any
    _logsumexp: Any

    def over_elements(
        self,
        input: Array,
        target: Array,
        third: Array | None,
        fourth: Array | None,
        formula: Formula,
        reduction: str,
    ) -> Any:
        given = [x for x in (input, target, third, fourth) if x is not None]
        return self._formulas.over_elements(given, formula, reduction)

    def over_elements_vjp(
        self,
        g: Array,
        input: Array,
        target: Array,
        third: Array | None,
        fourth: Array | None,
        formula: Formula,
        reduction: str,
        needs: tuple[bool, ...],
    ) -> Any:
        given = [x for x in (input, target, third, fourth) if x is not None]
        wanted = needs[: len(given)]
        found = self._formulas.over_elements_vjp(g, given, formula, reduction, wanted)
        return found if found is NotImplemented else (*found, None, None)[:4]

    def logsumexp(self, input: Array, dim: Any, keepdim: bool) -> Array:
        return self._logsumexp.logsumexp(input, dim, keepdim)

    def logsumexp_vjp(self, g: Array, input: Array, y: Array, dim: Any, keepdim: bool) -> Array:
        return self._logsumexp.logsumexp_vjp(g, input, y, dim)

    def softmax_cross_entropy(
        self, input: Array, target: Array, ignore_index: int, label_smoothing: float = 0.0
    ) -> Any:
        return self._softmax.softmax_cross_entropy(input, target, ignore_index, label_smoothing)

    def softmax_cross_entropy_vjp(
        self,
        g: Array,
        input: Array,
        target: Array,
        ignore_index: int,
        label_smoothing: float,
        aux: Array,
    ) -> Any:
        how = ignore_index, aux, label_smoothing
        result = self._softmax.softmax_cross_entropy_vjp(g, input, target, *how)
        return result if result is NotImplemented else (result, None)

    def linear_softmax_cross_entropy(
        self, input: Array, weight: Array, bias: Array | None, target: Array, ignore_index: int
    ) -> Any:
        return self._linear_loss.linear_softmax_cross_entropy(
            input, weight, bias, target, ignore_index
        )

    def linear_softmax_cross_entropy_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        bias: Array | None,
        target: Array,
        ignore_index: int,
        aux: Array,
        needs: tuple[bool, ...],
    ) -> Any:
        return self._linear_loss.linear_softmax_cross_entropy_vjp(
            g, input, weight, bias, target, ignore_index, aux, needs
        )

    def picked(self, input: Array, target: Array, ignore_index: int) -> Any:
        return self._picked.picked(input, target, ignore_index)

    def picked_vjp(
        self, g: Array, input_shape: tuple[int, ...], target: Array, ignore_index: int
    ) -> Any:
        found = self._picked.picked_vjp(g, input_shape, target, ignore_index)
        return found if found is NotImplemented else (found, None)

    def counted_mean(self, input: Array, target: Array, ignore_index: int) -> Any:
        return self._picked.counted_mean(input, target, ignore_index)

    def counted_mean_vjp(self, g: Array, input_shape: tuple[int, ...], aux: Any) -> Any:
        return np.broadcast_to(g / aux, input_shape), None
