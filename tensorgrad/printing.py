"""How a tensor reads when printed: PyTorch's words around NumPy's layout of the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import dtypes


def describe(tensor: Any) -> str:
    """`tensor([[1., 2.]], dtype=float64, requires_grad=True)`."""
    array = tensor._on_host()
    if array.dtype == dtypes.bfloat16:
        array = array.astype("float32")
    role = getattr(tensor, "_role", None)
    head = "tensor(" if role is None else f"{role.__name__} containing:\ntensor("
    body = np.array2string(
        array,
        separator=", ",
        prefix="tensor(",
        precision=4,
        threshold=1000,
        edgeitems=3,
        floatmode="maxprec",
    )
    notes = []
    if not array.size and array.ndim != 1:
        notes.append(f"size={tuple(array.shape)}")
    if tensor.device.type != "cpu":
        notes.append(f"device='{tensor.device}'")
    if tensor.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
        notes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return head + ", ".join([body, *notes]) + ")"
