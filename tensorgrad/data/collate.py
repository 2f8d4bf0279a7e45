"""From a list of items to one batch. Knows containers and tensors, not where items come from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad._tensor import Tensor
from tensorgrad.errors import ShapeError
from tensorgrad.ops.creation import as_tensor, tensor
from tensorgrad.ops.joining import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of items, whose structure it keeps.

    | items                | batch                                             |
    |----------------------|---------------------------------------------------|
    | tensors of shape S   | a tensor of shape (len(batch), *S)                |
    | NumPy arrays         | the same, of their dtype                          |
    | float                | float64 of shape (len(batch),)                    |
    | int, bool            | int64, bool of shape (len(batch),)                |
    | str, bytes           | the list itself                                   |
    | mappings             | the same mapping, each value collated             |
    | named tuples         | the same named tuple, each field collated         |
    | tuples, sequences    | a list, each position collated                    |

    Raises:
        ShapeError: tensors or arrays of different shapes, or sequences of different lengths.
        TypeError: items of another type.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, (np.ndarray, np.generic)):
        return _collate_numpy(batch)
    if isinstance(first, float):
        return tensor(list(batch), dtype=np.dtype(np.float64))
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuild(
            first, {key: default_collate([item[key] for item in batch]) for key in first}
        )
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            lengths = sorted({len(item) for item in batch})
            raise ShapeError(
                f"default_collate: expected sequences of one length, got lengths {lengths}"
            )
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return _rebuild(first, columns)
    raise TypeError(
        "default_collate: expected tensors, NumPy arrays, numbers, strings, mappings or sequences, "
        f"got {type(first)}"
    )


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays in `data` into tensors, at any depth, and leave the rest as it is.

    What a loader without batching applies to each item. Tuples become lists.
    """
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "USO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild(data, [default_convert(value) for value in data])
    return data


def _collate_numpy(batch: Sequence[Any]) -> Tensor:
    shapes = {np.shape(item) for item in batch}
    if len(shapes) > 1:
        raise ShapeError(f"default_collate: expected arrays of one shape, got shapes {shapes}")
    values = np.stack(batch)
    if values.dtype.kind in "USO":
        raise TypeError(f"default_collate: expected arrays of numbers, got {values.dtype}")
    return as_tensor(values)


def _rebuild(like: Any, values: Any) -> Any:
    """`values`, a dict or a list, as the kind of container that `like` is."""
    if isinstance(like, tuple):
        # PyTorch's choice: fields keep their names, a plain tuple becomes a list.
        return type(like)(*values) if hasattr(like, "_fields") else values
    if type(like) is type(values):
        return values
    try:
        return type(like)(values)
    except TypeError:  # `range` and its like cannot hold values
        return values
