"""Indexing, gathering and scattering.

PyTorch's rules: numbers, slices, None and Ellipsis first and as views, then integer and boolean
tensors, as a copy. https://docs.pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import inplace, modes
from tensorgrad.backend import Device
from tensorgrad.errors import BackendError, DTypeError, IndexRangeError, ShapeError
from tensorgrad.graph import Node, TensorCore, unwrap, wrap
from tensorgrad.op import OPS, TensorFunction, primitive
from tensorgrad.ops.creation import tensor, zeros_of
from tensorgrad.ops.sampling import rand_like, randn_like
from tensorgrad.ops.shape import expand, one_dim, pick, take_slice

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = [
    "gather",
    "index_select",
    "masked_select",
    "nonzero",
    "scatter_add",
]

Index = tuple[Any, ...]


def one_form(input: Any, index: Any) -> tuple[Index, Index]:
    """An index as (basic part, arrays and full slices): the second is empty where there are no
    arrays.
    """
    backend = modes.current().backends[input._array.__class__]
    parts = [_as_array(part, backend) for part in (index if isinstance(index, tuple) else (index,))]
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


class Choice:
    """A boolean without dimensions as an index: a new dimension of one place, or of none."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows


def _as_array(part: Any, backend: Any) -> Any:
    """A list or bool in an index as an array; tensors as theirs, beside the indexed one."""
    if isinstance(part, list | tuple | bool):
        array = backend.asarray(
            [unwrap(value) for value in part] if not isinstance(part, bool) else part,
            None,
            backend.default_device,
        )
        return array.astype("int64") if not array.size and array.dtype.kind == "f" else array
    part = unwrap(part)
    return _beside(part, backend) if hasattr(part, "dtype") else part


def _convert(part: Any, backend: Any) -> list[Any]:
    """One entry of an index as numbers, slices and integer arrays; a boolean array becomes one a
    dimension.
    """
    if part is None or part is Ellipsis or isinstance(part, int):
        return [part]
    if isinstance(part, slice):
        start, stop, step = (
            None if bound is None else int(bound) for bound in (part.start, part.stop, part.step)
        )
        if step is not None and step <= 0:
            raise ValueError(f"getitem: expected a slice step > 0, got {step}")
        return [slice(start, stop, step)]
    kind = getattr(getattr(part, "dtype", None), "kind", None)
    if kind == "b":
        found = backend.nonzero(part.reshape(1) if not part.ndim else part)
        if not part.ndim:
            return [Choice(found[:, 0])]
        return [found[:, d] for d in range(part.ndim)]
    if kind not in ("i", "u"):
        raise IndexRangeError(
            "getitem: expected integer, bool or slice indices, got "
            f"{getattr(part, 'dtype', type(part).__name__)} "
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


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index]: a view for numbers, slices, None and Ellipsis, a copy where tensors or lists
    take part.
    """
    if index.__class__ is int:
        return take_slice(input, (index,))
    basic, arrays = one_form(input, index)
    if not arrays:
        return take_slice(input, basic)
    if any(part != slice(None) for part in basic):
        input = take_slice(input, basic)
    return pick(input, arrays)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """input[index] = value, in place; the value broadcasts and is converted to the
    tensor's dtype.
    """
    basic, arrays = one_form(input, index)
    if not isinstance(value, TensorCore | int | float | bool | complex):
        value = tensor(value, device=input.device)
    inplace.check_writable(input, "setitem")
    value = _on_device_of(input, value)
    if not arrays:
        inplace.set_item(input, basic, value)
        return
    if any(part != slice(None) for part in basic):
        input = take_slice(input, basic)
    inplace.set_item(input, arrays, value)


def copy_(input: Tensor, src: Tensor) -> Tensor:
    """Write `src`, a tensor or a number, into this tensor, broadcast and converted."""
    if isinstance(src, int | float):
        return fill_(input, src)
    if not isinstance(src, TensorCore):
        raise TypeError(f"copy_: expected a tensor, got {type(src).__name__}")
    src = _on_device_of(input, src)
    if src.dtype != input.dtype:
        src = OPS["cast"].call(src, input.dtype)
    inplace.set_item(input, (Ellipsis,), src, "copy_")
    return input


def fill_(input: Tensor, value: Any) -> Tensor:
    """Write one number everywhere."""
    inplace.set_item(input, (Ellipsis,), value, "fill_")
    return input


def zero_(input: Tensor) -> Tensor:
    """Write zeros."""
    inplace.set_item(input, (Ellipsis,), 0, "zero_")
    return input


def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write normal numbers of the given mean and standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal_: expected std >= 0, got {std}")
    inplace.check_writable(input, "normal_")
    drawn = randn_like(input, generator=generator)
    return copy_(input, drawn * std + mean)


def uniform_(
    input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write uniform numbers in [from_, to)."""
    if from_ > to:
        raise RuntimeError(f"uniform_: expected from <= to, got {from_} and {to}")
    inplace.check_writable(input, "uniform_")
    drawn = rand_like(input, generator=generator)
    return copy_(input, drawn * (to - from_) + from_)


# ---- between devices


class Move(Node):
    """History of a copy to another device: the gradient travels back."""

    __slots__ = ("source",)

    op_name = "to"

    def __init__(self, input: Any, source: Device) -> None:
        self.begin((input._node,), input._array.shape)
        self.source = source

    def name(self) -> str:
        return "ToCopyBackward0"

    def pull(self, g: Any) -> tuple[Any, ...]:
        return (_moved(g, self.source),)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        return (move(g, self.source),)


def _moved(array: Any, device: Device) -> Any:
    table = modes.current().backends
    on_host = table[array.__class__].to_numpy(array)
    return table.on(device.type).asarray(on_host, None, device)


def _on_device_of(input: Tensor, value: Any) -> Any:
    """A tensor that is to be written into `input`, moved there if it lives elsewhere."""
    if isinstance(value, TensorCore):
        table = modes.current().backends
        if table[value._array.__class__] is not table[input._array.__class__]:
            return move(value, input.device)  # type: ignore[arg-type]
    return value


def move(input: Tensor, device: Device) -> Tensor:
    """A copy on another device; gradients flow back."""
    node = None
    if input._node is not None and modes.current().record:
        node = Move(input, input.device)
    return wrap(_moved(input._array, device), node)


# ---- along a dimension

gather_along = primitive(
    "gather",
    "input index",
    "dim",
    input=lambda g, input_shape, index, dim: scatter_add_along(
        zeros_of(g, input_shape), index, g, dim
    ),
)
scatter_add_along: TensorFunction = primitive(
    "scatter_add",
    "input index src",
    "dim",
    input=lambda g: g,
    src=lambda g, index, dim: gather_along(g, index, dim),
)


def _check_along(op: str, input: Any, dim: int, index: Any) -> None:
    if index.ndim != input.ndim:
        raise ShapeError(
            f"{op}: expected an index with {input.ndim} dimensions, got shape {list(index.shape)}"
        )
    if unwrap(index).dtype.kind not in "iu":
        raise DTypeError(f"{op}: expected an index of dtype int64, got {index.dtype}")
    place = one_dim(op, dim, input.ndim)
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, input.shape)) if d != place):
        raise ShapeError(
            f"{op}: expected an index no larger than {list(input.shape)} but along {dim}, "
            f"got {list(index.shape)}"
        )


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0: elements picked along `dim`; no negative
    indices.
    """
    _check_along("gather", input, dim, index)
    return gather_along(input, index, dim)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of input with src[i][j] added at [index[i][j]][j] for dim 0; places named twice
    receive both.
    """
    _check_along("scatter_add", input, dim, index)
    if tuple(src.shape) != tuple(index.shape):
        src = take_slice(src, tuple([slice(n) for n in index.shape]))
    return scatter_add_along(input, index, src, dim)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The places `index` (one dimension) along `dim`; a copy."""
    place = one_dim("index_select", dim, input.ndim)
    return pick(input, (*(slice(None),) * place, unwrap(index)))


def nonzero(input: Tensor) -> Tensor:
    """(count, ndim) int64: the indices of the elements that are not 0."""
    array = input._array
    return wrap(modes.current().backends[array.__class__].nonzero(array))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask (bool) holds, in one dimension; the two shapes broadcast."""
    if unwrap(mask).dtype.kind != "b":
        raise DTypeError(f"masked_select: expected a mask of dtype bool, got {mask.dtype}")
    rank = max(input.ndim, mask.ndim)
    sizes = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (input, mask)]
    shape = tuple([m if n == 1 else n for n, m in zip(*sizes)])
    return getitem(expand(input, shape), expand(mask, shape))
