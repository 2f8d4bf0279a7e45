"""Attention of the CuPy backend: one launch forward and two backward."""

from __future__ import annotations

from tensorgrad.kernels.cuda import attention as kernels


class CupyAttention:
    """Part of CupyBackend."""

    attention = staticmethod(kernels.attention)
    attention_vjp = staticmethod(kernels.attention_vjp)
