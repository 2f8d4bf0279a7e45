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
def _kinds(char: str) -> tuple[Any, Any, Any, Any]:
    """How cuBLAS calls a dtype and that of its sums, and the numbers 0 and 1 of the latter."""
    import cupy

    cublas, runtime = cupy.cuda.cublas, cupy.cuda.runtime
    if char == "d":
        kind, compute, sums = runtime.CUDA_R_64F, cublas.CUBLAS_COMPUTE_64F, "f8"
    else:
        kinds = {"f": runtime.CUDA_R_32F, "e": runtime.CUDA_R_16F, "E": runtime.CUDA_R_16BF}
        kind, compute, sums = kinds[char], cublas.CUBLAS_COMPUTE_32F, "f4"
    return kind, compute, np.zeros(1, sums), np.ones(1, sums)


def multiply(a: Array, b: Array, out: Array, add: bool = False) -> None:
    """out[i] = a[i] @ b[i], or that added to it: (B, m, k), (B, k, n), (B, m, n) of one dtype;
    of numbers of 16 bits the sums are float32. Rows or columns are dense, rows in `out`, and a step
    of 0 between matrices takes one for all.
    """
    import cupy

    # cuBLAS counts columns first: it is asked for the transposed product.
    turned_a, step_a = _layout(a)
    turned_b, step_b = _layout(b)
    kind, compute, zero, one = _kinds(out.dtype.char)
    size = out.dtype.itemsize
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
        kind,
        _layout(out)[1],
        out.strides[0] // size,
        len(out),
        compute,
        cublas.CUBLAS_GEMM_DEFAULT,
    )
