"""What an index in brackets means, by PyTorch's rules.

Numbers, slices, None and Ellipsis come first and name a view; then integer and boolean tensors,
which pick a copy. https://docs.pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

import operator
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import BackendError, IndexRangeError
from tensorgrad.graph import TensorCore, unwrap

__all__ = []

Index = tuple[Any, ...]
PLACES = (dtypes.int64, dtypes.int32)
LONGEST_LIST = 32  # a list in which slices or lists stand is an index a dimension, if it is shorter


def one_form(input: Any, index: Any) -> tuple[Index, Index]:
    """An index as (basic part, arrays and full slices): the second is empty where there are no
    arrays.
    """
    backend = modes.current().backends[input._array.__class__]
    parts = [_as_array(part, backend) for part in _entries(index)]
    _check_masks(input, parts)
    converted: list[Any] = []
    for part in parts:
        converted.extend(_convert(part, backend))
    choices = [part for part in converted if isinstance(part, Choice)]
    if not choices and not any(hasattr(part, "dtype") for part in converted):
        return tuple(converted), ()
    new = (None, Ellipsis, *choices)
    consumed = sum(1 for part in converted if not any(part is one for one in new))
    if Ellipsis in [part for part in converted if not hasattr(part, "dtype")]:
        place = next(i for i, part in enumerate(converted) if part is Ellipsis)
        converted[place : place + 1] = [slice(None)] * (input.ndim - consumed)
    if consumed > input.ndim:
        raise IndexRangeError(
            f"getitem: expected at most {input.ndim} indices for shape "
            f"{list(input.shape)}, got {consumed}"
        )
    basic = tuple(
        slice(None) if hasattr(part, "dtype") else None if isinstance(part, Choice) else part
        for part in converted
    )
    converted = [part.rows if isinstance(part, Choice) else part for part in converted]
    # An int takes its dimension away in the basic step; everything else leaves one behind.
    arrays = tuple(
        part if hasattr(part, "dtype") else slice(None)
        for part in converted
        if hasattr(part, "dtype") or not isinstance(part, int)
    )
    while arrays and not hasattr(arrays[-1], "dtype"):
        arrays = arrays[:-1]
    return basic, arrays


def tensor_indices(op: str, input: Any, indices: Any) -> Index:
    """Integer tensors, masks and None as integer arrays and full slices, one a dimension."""
    if not isinstance(indices, tuple | list):
        raise TypeError(f"{op}: expected a tuple of tensors, got {type(indices).__name__}")
    backend = modes.current().backends[unwrap(input).__class__]
    parts = [None if part is None else _as_array(part, backend) for part in indices]
    _check_masks(input, [slice(None) if part is None else part for part in parts])
    found: list[Any] = []
    for part in parts:
        if part is None:
            found.append(slice(None))
        elif part.dtype in PLACES:
            found.append(part)
        else:
            found.extend(_convert(part, backend))
    if len(found) > input.ndim:
        raise IndexRangeError(
            f"{op}: expected at most {input.ndim} indices for shape {list(input.shape)}, "
            f"got {len(found)}"
        )
    return tuple(found)


def _entries(index: Any) -> Index:
    """The entries of an index, one a dimension: a tuple's, or those of a list that holds more than
    numbers.
    """
    if isinstance(index, tuple):
        return index
    several = isinstance(index, list) and len(index) < LONGEST_LIST
    if several and any(
        part is None or part is Ellipsis or isinstance(part, TensorCore | list | tuple | slice)
        for part in index
    ):
        return tuple(index)
    return (index,)


def is_one_mask(index: Any) -> bool:
    """Whether a single boolean mask with dimensions, beside full slices, is the whole index."""
    parts = [
        part
        for part in _entries(index)
        if part is not Ellipsis and not (isinstance(part, slice) and part == slice(None))
    ]
    if len(parts) != 1:
        return False
    if isinstance(parts[0], list):
        return bool(parts[0]) and all(isinstance(value, bool) for value in parts[0])
    dtype = getattr(parts[0], "dtype", None)
    return dtype is not None and dtype.kind in "bu" and parts[0].ndim > 0


class Choice:
    """A boolean without dimensions as an index: a new dimension of one place, or of none."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows


def _as_array(part: Any, backend: Any) -> Any:
    """A list or bool in an index as an array; tensors as theirs, beside the indexed one. Bytes are
    masks.
    """
    if isinstance(part, list | tuple | range | bool):
        values = part if isinstance(part, bool) else [unwrap(value) for value in part]
        array = backend.asarray(values, None, backend.default_device)
    else:
        array = unwrap(part)
        if not hasattr(array, "dtype"):
            return part
        array = _beside(array, backend)
    if not array.size and array.dtype.kind == "f" and not isinstance(part, TensorCore):
        return backend.cast(array, dtypes.int64)
    return backend.cast(array, dtypes.bool_) if array.dtype == dtypes.uint8 else array


def _convert(part: Any, backend: Any) -> list[Any]:
    """One entry of an index as numbers, slices and integer arrays; a boolean array becomes one a
    dimension.
    """
    if part is None or part is Ellipsis or isinstance(part, int):
        return [part]
    if isinstance(part, slice):
        start, stop, step = (
            None if bound is None else operator.index(bound)
            for bound in (part.start, part.stop, part.step)
        )
        if step is not None and step <= 0:
            raise ValueError(f"getitem: expected a slice step > 0, got {step}")
        return [slice(start, stop, step)]
    dtype = getattr(part, "dtype", None)
    if dtype is None and isinstance(part, str):
        raise TypeError(f"getitem: expected integer, bool or slice indices, got {part!r}")
    if dtype == dtypes.bool_:
        found = backend.nonzero(part.reshape(1) if not part.ndim else part)
        if not part.ndim:
            return [Choice(found[:, 0])]
        return [found[:, d] for d in range(part.ndim)]
    if dtype not in PLACES:
        raise IndexRangeError(
            "getitem: expected integer, bool or slice indices, got "
            f"{dtype or type(part).__name__} "
            "(tensors used as indices must be long, int, byte or bool tensors)"
        )
    return [int(part)] if not part.ndim else [part]


def _beside(array: Any, backend: Any) -> Any:
    """An index where the indexed tensor is; one on the CPU may name places on any device, as in
    PyTorch.
    """
    source = modes.current().backends[array.__class__]
    if source is backend:
        return array
    if source.device_type != "cpu":
        raise BackendError(
            "getitem: expected indices on the CPU or beside the indexed tensor, "
            f"got {source.device_of(array)} and {backend.default_device}"
        )
    return backend.asarray(source.to_numpy(array), None, backend.default_device)


def _check_masks(input: Any, parts: list[Any]) -> None:
    """A boolean mask has the shape of the dimensions that it picks from."""
    place = 0
    for part in parts:
        if getattr(getattr(part, "dtype", None), "kind", "") == "b":
            expected = tuple(input.shape[place : place + part.ndim])
            if tuple(part.shape) != expected:
                raise IndexRangeError(
                    f"getitem: expected a mask of shape {list(expected)}, got {list(part.shape)}"
                )
            place += part.ndim
        elif part is Ellipsis:
            return  # what follows counts from the end; NumPy checks it
        elif part is not None:
            place += 1
