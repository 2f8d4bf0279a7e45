"""Recurrent layers and cells of the Numba backend, a module of kernels for each kind."""

from __future__ import annotations

from typing import Any

from tensorgrad.backends.array_backend import Array


class NumbaRecurrent:
    """Part of NumbaBackend."""

    _lstm: Any
    _gru: Any
    _elman: Any

    def lstm_gates(self, gates: Array, cell: Array) -> Any:
        return self._lstm.lstm_gates(gates, cell)

    def lstm_gates_vjp(self, g: Any, cell: Array, aux: Array) -> Any:
        return self._lstm.lstm_gates_vjp(g[0], g[1], cell, aux)

    def lstm(
        self,
        projected: Array,
        hidden: Array,
        cell: Array,
        weight: Array,
        projection: Array | None,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> Any:
        return self._lstm.lstm(projected, hidden, cell, weight, projection, sizes, backwards)

    def lstm_vjp(
        self,
        g: Any,
        projected_shape: tuple[int, ...],
        weight: Array,
        aux: Any,
        needs: tuple[bool, ...],
    ) -> Any:
        return self._lstm.lstm_vjp(g, projected_shape, weight, aux, needs)

    def gru(
        self,
        projected: Array,
        hidden: Array,
        weight: Array,
        bias: Array | None,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> Any:
        return self._gru.gru(projected, hidden, weight, bias, sizes, backwards)

    def gru_vjp(
        self,
        g: Any,
        projected_shape: tuple[int, ...],
        weight: Array,
        aux: Any,
        needs: tuple[bool, ...],
    ) -> Any:
        return self._gru.gru_vjp(g, projected_shape, weight, aux, needs)

    def rnn(
        self,
        projected: Array,
        hidden: Array,
        weight: Array,
        rectified: bool,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> Any:
        return self._elman.rnn(projected, hidden, weight, rectified, sizes, backwards)

    def rnn_vjp(
        self,
        g: Any,
        projected_shape: tuple[int, ...],
        weight: Array,
        rectified: bool,
        aux: Any,
        needs: tuple[bool, ...],
    ) -> Any:
        return self._elman.rnn_vjp(g, projected_shape, weight, rectified, aux, needs)
