"""How a tensor reads when printed: PyTorch's layout of the numbers and its words around them.

https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import dtypes

PRECISION = 4
THRESHOLD = 1000  # elements from which on only the ends of each dimension are shown
EDGE_ITEMS = 3
LINE_WIDTH = 80


def describe(tensor: Any) -> str:
    """`tensor([[1., 2.]], dtype=float64, requires_grad=True)`."""
    array = tensor._on_host()
    if array.dtype == dtypes.bfloat16:
        array = array.astype("float32")
    role = getattr(tensor, "_role", None)
    head = "tensor(" if role is None else f"{role.__name__} containing:\ntensor("
    summarized = array.size > THRESHOLD
    body = np.array2string(
        array,
        max_line_width=LINE_WIDTH + 2,  # PyTorch does not count the last separator
        separator=", ",
        prefix="tensor(",
        threshold=THRESHOLD,
        edgeitems=EDGE_ITEMS,
        formatter=_formatters(_shown(array) if summarized else array),
    )
    if summarized:
        body = body.replace(", ...,", ",  ...,")
    notes = []
    if not array.size and array.ndim != 1:
        notes.append(f"size={tuple(array.shape)}")
    if tensor.device.type != "cpu":
        notes.append(f"device='{tensor.device}'")
    usual = [dtypes.get_default_dtype()]
    if array.size:
        usual += [dtypes.scalar_dtype(1j), dtypes.int64, dtypes.bool_]
    if tensor.dtype not in usual:
        notes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return head + ", ".join([body, *notes]) + ")"


def _shown(array: Any) -> Any:
    """The elements that a summary shows: the first and last few along each dimension."""
    for axis, size in enumerate(array.shape):
        if size > 2 * EDGE_ITEMS:
            ends = [*range(EDGE_ITEMS), *range(size - EDGE_ITEMS, size)]
            array = np.take(array, ends, axis=axis)
    return array


def _formatters(array: Any) -> Any:
    if array.dtype.kind != "c":
        return {"float_kind": _float_format(array)}
    real, imag = _float_format(array.real), _float_format(array.imag)

    def both(value: Any) -> str:
        second = imag(value.imag).lstrip()
        return real(value.real) + ("" if second[0] in "+-" else "+") + second + "j"

    return {"complex_kind": both}


def _float_format(array: Any) -> Callable[[Any], str]:
    """One format for all elements: whole numbers as `3.`, others with four decimals or an
    exponent.
    """
    if array.dtype.kind != "f":
        return str
    values = np.asarray(array, "float64").ravel()
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    whole = bool((sizes == np.ceil(sizes)).all())
    scientific = bool(
        sizes.size
        and (
            sizes.max() / sizes.min() > 1000
            or sizes.max() > 1e8
            or (not whole and sizes.min() < 1e-4)
        )
    )
    if scientific:
        spec, ending = f".{PRECISION}e", ""
    elif whole:
        spec, ending = ".0f", "."
    else:
        spec, ending = f".{PRECISION}f", ""

    def form(value: Any) -> str:
        return format(value, spec) + (ending if np.isfinite(value) else "")

    width = max(
        (len(form(value)) for value in values[np.isfinite(values) & (values != 0)]), default=0
    )
    return lambda value: form(value).rjust(width)
