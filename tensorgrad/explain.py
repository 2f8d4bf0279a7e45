"""The words of a failed op: what the array library raised becomes the library's own exception and
message.

Runs on the failure path only, so the checks that make messages better cost a working program
nothing.
"""

from __future__ import annotations

from typing import Any

from tensorgrad import modes
from tensorgrad.errors import (
    BackendError,
    DTypeError,
    GraphError,
    IndexRangeError,
    OutOfMemoryError,
    ShapeError,
)
from tensorgrad.graph import TensorCore, unwrap


def explain(
    op: Any, error: Exception, args: tuple[Any, ...], statics: tuple[Any, ...]
) -> Exception:
    """The exception to raise for `error`, which the backend or a composition raised in `op`."""
    if isinstance(error, BackendError | DTypeError | GraphError | IndexRangeError | ShapeError):
        return error
    if isinstance(error, MemoryError):
        return out_of_memory(op.name, error)
    arrays = [unwrap(value) for value in args if hasattr(unwrap(value), "dtype")]
    if not arrays:
        return error
    table = modes.current().backends
    devices = sorted({str(table[array.__class__].device_of(array)) for array in arrays})
    if len(devices) > 1:
        return BackendError(
            f"{op.name}: expected all tensors to be on the same device, got {' and '.join(devices)}"
        )
    got = _shapes(arrays) + _settings(op.statics, statics)
    rank = max(arrays[0].ndim, 1)
    if type(error).__name__ == "AxisError" or (
        isinstance(error, IndexError) and _names_no_dimension(op, statics, rank)
    ):
        return IndexRangeError(
            f"{op.name}: expected a dimension in [{-rank}, {rank - 1}], got {got} "
            "(Dimension out of range)"
        )
    if isinstance(error, IndexError):
        return IndexRangeError(f"{op.name}: expected indices in range, got {got} ({error})")
    if isinstance(error, OverflowError):
        numbers = [v for v in args if isinstance(v, int | float)]
        return DTypeError(
            f"{op.name}: expected numbers within {arrays[0].dtype}, got {numbers} ({error})"
        )
    if isinstance(error, TypeError):
        types = [str(array.dtype) for array in arrays]
        types += [type(v).__name__ for v in args if not isinstance(v, TensorCore)]
        return DTypeError(
            f"{op.name}: expected {op.expects or 'dtypes that it is defined for'}, "
            f"got {' and '.join(types)} ({error})"
        )
    if isinstance(error, ValueError):
        if not op.expects and _broadcast([array.shape for array in arrays]):
            dtypes = " and ".join([str(array.dtype) for array in arrays])
            return DTypeError(
                f"{op.name}: expected values that it is defined for, got {dtypes} of {got} "
                f"({error})"
            )
        expected = op.expects or "shapes that broadcast"
        return ShapeError(f"{op.name}: expected {expected}, got {got} ({error})")
    return error


def out_of_memory(name: str, error: MemoryError) -> OutOfMemoryError:
    """What is said of memory that is not there; of an op inside of an op, by that one."""
    if isinstance(error, OutOfMemoryError):
        return error
    whose = type(error).__module__.partition(".")[0]
    backends = {b.xp.__name__: b for b in modes.current().backends.values()}
    free = backends[whose].free_memory() if whose in backends else ""
    return OutOfMemoryError(
        f"{name}: expected memory for the result, got out of memory ({error}{free})"
    )


def _names_no_dimension(op: Any, statics: tuple[Any, ...], rank: int) -> bool:
    dim = dict(zip(op.statics, statics)).get("dim")
    dims = dim if isinstance(dim, tuple) else (dim,)
    return any(isinstance(d, int) and not -rank <= d < rank for d in dims)


def _broadcast(shapes: list[tuple[int, ...]]) -> bool:
    sizes: dict[int, int] = {}
    for shape in shapes:
        for place, n in enumerate(reversed(shape)):
            if n != 1 and sizes.setdefault(place, n) != n:
                return False
    return True


def _shapes(arrays: list[Any]) -> str:
    return "shapes " + " and ".join(str(list(array.shape)) for array in arrays)


def _settings(names: list[str], values: tuple[Any, ...]) -> str:
    plain = [f"{k}={v!r}" for k, v in zip(names, values) if _is_plain(v)]
    return f" with {', '.join(plain)}" if plain else ""


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, int | float | str)
