"""Recurrent layers and cells of the CuPy backend: a launch and a product of cuBLAS for a step."""

from __future__ import annotations

from tensorgrad.kernels.cuda import recurrent


class CupyRecurrent:
    """Part of CupyBackend."""

    lstm_gates = staticmethod(recurrent.lstm_gates)
    lstm_gates_vjp = staticmethod(recurrent.lstm_gates_vjp)
    lstm = staticmethod(recurrent.lstm)
    lstm_vjp = staticmethod(recurrent.lstm_vjp)
    gru = staticmethod(recurrent.gru)
    gru_vjp = staticmethod(recurrent.gru_vjp)
    rnn = staticmethod(recurrent.rnn)
    rnn_vjp = staticmethod(recurrent.rnn_vjp)
