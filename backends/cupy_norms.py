"""Norms of the CuPy backend, by CUDA kernels."""

from __future__ import annotations

from typing import Any

from tensorgrad.backends.array_backend import Array
from tensorgrad.kernels.cuda import batch_norm, layer_norm


class CupyNorms:
    """Part of CupyBackend."""

    def standardize(
        self,
        input: Array,
        weight: Array | None,
        bias: Array | None,
        dim: tuple[int, ...],
        eps: float,
    ) -> Any:
        found = layer_norm.standardize(input, weight, bias, dim, eps, True)
        if found is NotImplemented:
            found = batch_norm.standardize(input, weight, bias, dim, eps)
        if found is NotImplemented:
            return found
        out, mean, variance, state = found
        alone = {d % input.ndim for d in dim}
        kept = tuple(1 if d in alone else n for d, n in enumerate(input.shape))
        return out, mean.reshape(kept), variance.reshape(kept), state

    def standardize_vjp(
        self,
        g: Any,
        input: Array,
        weight: Array | None,
        eps: float,
        aux: Any,
        needs: tuple[bool, ...],
    ) -> Any:
        out, mean, variance = g
        if out is None or mean is not None or variance is not None:
            return NotImplemented
        if isinstance(aux, batch_norm.State):
            return batch_norm.standardize_vjp(out, input, aux)
        return layer_norm.standardize_vjp(out, input, weight, eps, aux, True, any(needs[1:]))

    def scale_by_root_mean_square(
        self, input: Array, weight: Array | None, dim: tuple[int, ...], eps: float
    ) -> Any:
        found = layer_norm.standardize(input, weight, None, dim, eps, False)
        return found if found is NotImplemented else (found[0], found[3])

    def scale_by_root_mean_square_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array | None,
        eps: float,
        aux: Any,
        needs: tuple[bool, ...],
    ) -> Any:
        found = layer_norm.standardize_vjp(g, input, weight, eps, aux, False, needs[1])
        return found if found is NotImplemented else found[:2]

    def shift_and_scale(self, input: Array, mean: Array, gain: Array, bias: Array | None) -> Any:
        return batch_norm.shift_and_scale(input, mean, gain, bias)

    def shift_and_scale_vjp(
        self, g: Array, input: Array, mean: Array, gain: Array, needs: tuple[bool, ...]
    ) -> Any:
        return batch_norm.shift_and_scale_vjp(g, input, mean, gain, needs)
