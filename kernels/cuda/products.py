"""Stacks of products of matrices by cuBLAS, one launch each, of views as they lie in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = Any


def _layout(matrix: Array) -> tuple[bool, int]:
    """Whether columns, not rows, are dense in memory, and how far those are apart."""
    size = matrix.dtype.itemsize
    down, across = matrix.strides[-2] // size, matrix.strides[-1] // size
    rows, columns = matrix.shape[-2:]
    if across == 1 or columns == 1:
        return False, max(down, columns)
    if down != 1 and rows != 1:
        raise ValueError(f"multiply: expected dense rows or columns, got strides {matrix.strides}")
    return True, max(across, rows)


@cache
def _kind(char: str) -> Any:
    """How cuBLAS calls a dtype."""
    import cupy

    runtime = cupy.cuda.runtime
    kinds = {
        "d": runtime.CUDA_R_64F,
        "f": runtime.CUDA_R_32F,
        "e": runtime.CUDA_R_16F,
        "E": runtime.CUDA_R_16BF,
    }
    return kinds[char]


@cache
def _sums(char: str) -> tuple[Any, Any, Any]:
    """How cuBLAS calls the dtype of sums, and their numbers 0 and 1."""
    import cupy

    cublas = cupy.cuda.cublas
    compute = cublas.CUBLAS_COMPUTE_64F if char == "d" else cublas.CUBLAS_COMPUTE_32F
    dtype = "f8" if char == "d" else "f4"
    return compute, np.zeros(1, dtype), np.ones(1, dtype)


def multiply(a: Array, b: Array, out: Array, add: bool = False) -> None:
    """out[i] = a[i] @ b[i], or that added to it: (B, m, k), (B, k, n), (B, m, n) of one dtype;
    of numbers of 16 bits the sums are float32, and `out` may be. Rows or columns are dense, rows in
    `out`, and a step of 0 between matrices takes one for all.
    """
    import cupy

    # cuBLAS counts columns first: it is asked for the transposed product.
    turned_a, step_a = _layout(a)
    turned_b, step_b = _layout(b)
    kind, (compute, zero, one) = _kind(a.dtype.char), _sums(a.dtype.char)
    size = a.dtype.itemsize
    cublas = cupy.cuda.cublas
    cublas.gemmStridedBatchedEx(
        cupy.cuda.device.get_cublas_handle(),
        cublas.CUBLAS_OP_T if turned_b else cublas.CUBLAS_OP_N,
        cublas.CUBLAS_OP_T if turned_a else cublas.CUBLAS_OP_N,
        out.shape[2],
        out.shape[1],
        a.shape[2],
        one.ctypes.data,
        b.data.ptr,
        kind,
        step_b,
        b.strides[0] // size,
        a.data.ptr,
        kind,
        step_a,
        a.strides[0] // size,
        (one if add else zero).ctypes.data,
        out.data.ptr,
        _kind(out.dtype.char),
        _layout(out)[1],
        out.strides[0] // out.dtype.itemsize,
        len(out),
        compute,
        cublas.CUBLAS_GEMM_DEFAULT,
    )
