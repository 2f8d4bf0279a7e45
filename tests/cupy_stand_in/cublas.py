"""cuBLAS by NumPy: products of matrices at addresses, refused where the library would refuse."""

from __future__ import annotations

import ctypes
from typing import Any

import ml_dtypes
import numpy as np

from tests.cuda_ladder import execution

HANDLE = 4711
DTYPES = {  # by kind and that of the sums, and the dtype of these
    (0, 68): (np.dtype("f4"), np.dtype("f4")),
    (1, 70): (np.dtype("f8"), np.dtype("f8")),
    (2, 68): (np.dtype("f2"), np.dtype("f4")),
    (14, 68): (np.dtype(ml_dtypes.bfloat16), np.dtype("f4")),
}


def at(address: int, shape: tuple[int, ...], steps: tuple[int, ...], dtype: Any) -> np.ndarray:
    """What lies at an address, elements so many steps apart."""
    last = sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    memory = (ctypes.c_char * ((last + 1) * dtype.itemsize)).from_address(address)
    strides = [step * dtype.itemsize for step in steps]
    return np.ndarray(shape, dtype, memory, strides=strides)


def gemmStridedBatchedEx(
    handle, transa, transb, m, n, k, alpha, A, Atype, lda, strideA, B, Btype, ldb, strideB,
    beta, C, Ctype, ldc, strideC, batchCount, computeType, algo,
):  # fmt: skip
    dense = lda >= (k if transa else m) and ldb >= (n if transb else k) and ldc >= m
    given = DTYPES.get((Atype, computeType)) if Atype == Btype else None
    made = DTYPES.get((Ctype, computeType))
    if given is None or made is None or made[0] not in given:  # given's own dtype, or its sums'
        raise RuntimeError("CUBLAS_STATUS_NOT_SUPPORTED")
    if handle != HANDLE or not dense or min(m, n, k) < 1:
        raise RuntimeError("CUBLAS_STATUS_INVALID_VALUE")
    dtype, wide = given
    execution.launches["gemm"] += 1
    factors = []
    for address, turned, rows, columns, step, batch in (
        (A, transa, m, k, lda, strideA),
        (B, transb, k, n, ldb, strideB),
    ):
        steps = (batch, step, 1) if turned else (batch, 1, step)
        factors.append(at(address, (batchCount, rows, columns), steps, dtype).astype(wide))
    out = at(C, (batchCount, m, n), (strideC, 1, ldc), made[0])
    scale, kept = [at(address, (), (), wide) for address in (alpha, beta)]
    with np.errstate(all="ignore"):
        product = scale * (factors[0] @ factors[1])
        out[...] = product + kept * out if kept else product


CUBLAS: dict[str, Any] = {
    "gemmStridedBatchedEx": gemmStridedBatchedEx,
    "CUBLAS_OP_N": 0,
    "CUBLAS_OP_T": 1,
    "CUBLAS_COMPUTE_32F": 68,
    "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_GEMM_DEFAULT": -1,
}
