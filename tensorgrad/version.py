"""Which tensorgrad this is, and what it was built with: nothing, it is all Python."""

from __future__ import annotations

__all__ = ["__version__", "cuda", "hip"]

__version__ = "0.1.0"
cuda: str | None = None  # CuPy finds the CUDA libraries of the machine at its first use
hip: str | None = None
