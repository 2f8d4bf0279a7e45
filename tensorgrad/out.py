"""`out=`: an op's result written into a tensor that the caller already has.

PyTorch's rules: nothing is recorded, the result must be castable to the dtype of `out`, and an
`out` of another shape gets memory of the right one. Knows tensors and writes, and no op.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from tensorgrad import dtypes, modes
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import TensorCore, has_repeats, shares_memory, unwrap, written

Result = TypeVar("Result")


def takes_out(function: Callable[..., Result], apart: bool = False) -> Callable[..., Result]:
    """Give a function that returns a tensor, or several, the keyword `out`; `apart` as in
    `takes_out_apart`.
    """

    @functools.wraps(function)
    def with_out(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return function(*args, **kwargs)
        return into(out, function.__name__, function, args, kwargs, apart)

    return with_out


def takes_out_apart(function: Callable[..., Result]) -> Callable[..., Result]:
    """As `takes_out`, for a function whose `out` must have the result's dtype and share no memory
    with the arguments.
    """
    return takes_out(function, apart=True)


def into(
    out: Any,
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    apart: bool = False,
) -> Any:
    """`function(*args, **kwargs)` written into `out`: a tensor, or one for each result."""
    targets = (out,) if isinstance(out, TensorCore) else out
    if not isinstance(targets, tuple | list) or not all(isinstance(t, TensorCore) for t in targets):
        raise TypeError(f"{name}: expected out to be a tensor or several, got {type(out).__name__}")
    recording = modes.current().record
    with modes.enable_grad():
        result = function(*args, **(kwargs or {}))
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(targets):
        raise TypeError(f"{name}: expected {len(results)} tensors as out, got {len(targets)}")
    for value, target in zip(results, targets):
        _check(name, value, target, recording)
        if apart:
            _check_apart(name, value, target, (*args, *(kwargs or {}).values()))
        for argument in (*args, *(kwargs or {}).values()):
            if shares_memory(argument, target):
                refuse_partial_overlap(name, target._array, argument._array)
    for value, target in zip(results, targets):
        _write(name, value, target)
    return out if isinstance(out, TensorCore) else type(result)(*targets)


def _check(name: str, value: Any, target: Any, recording: bool) -> None:
    if recording and (value._node is not None or target._node is not None):
        raise GraphError(
            f"{name}: expected tensors that do not require grad beside out=, got one that does "
            "(functions with out=... arguments don't support automatic differentiation)"
        )
    if has_repeats(target._array):
        raise ShapeError(
            f"{name}: expected out whose elements have memory of their own, got an expanded tensor "
            f"of shape {list(target._array.shape)} (unsupported operation; clone() it first)"
        )
    source, wanted = value._array.dtype, target._array.dtype
    if not dtypes.can_cast(source, wanted):
        raise DTypeError(
            f"{name}: expected out of a dtype that {source} can be cast to, got {wanted} "
            "(result type can't be cast to the desired output type)"
        )


def _check_apart(name: str, value: Any, target: Any, arguments: tuple[Any, ...]) -> None:
    if value._array.dtype != target._array.dtype:
        raise DTypeError(
            f"{name}: expected out of dtype {value._array.dtype}, got {target._array.dtype}"
        )
    kind, overlap = target._array.__class__, backend_of(target).overlap
    for argument in arguments:
        array = unwrap(argument)
        if array.__class__ is kind and overlap(target._array, array):
            raise ShapeError(
                f"{name}: expected out to have memory of its own, got one that overlaps an "
                "argument (unsupported operation; clone() it first)"
            )


def refuse_partial_overlap(name: str, target: Any, array: Any) -> None:
    """Refuse an argument that lies partly in the memory that is written, where both lie densely, as
    PyTorch does: what is read there would depend on what is written first.
    """
    if not (array.size and target.size and _is_dense(array) and _is_dense(target)):
        return
    address = modes.current().backends[target.__class__].address
    start, other = address(target), address(array)
    if start == other and target.nbytes == array.nbytes and _steps(target) == _steps(array):
        return
    if start < other + array.nbytes and other < start + target.nbytes:
        raise ShapeError(
            f"{name}: expected arguments that share no memory with what is written, or all of it "
            f"in the same order, got shapes {list(target.shape)} and {list(array.shape)} "
            "(unsupported operation; clone() it first)"
        )


def _steps(array: Any) -> list[tuple[int, int]]:
    return [(step, n) for step, n in zip(array.strides, array.shape) if n != 1]


def _is_dense(array: Any) -> bool:
    """Whether the elements fill a piece of memory, in any order of the dimensions."""
    expected = array.itemsize
    for step, n in sorted(_steps(array)):
        if step != expected:
            return False
        expected *= n
    return True


def _write(name: str, value: Any, target: Any) -> None:
    array = unwrap(value)
    backend = modes.current().backends[array.__class__]
    if backend.device_of(array) != backend_of(target).device_of(target._array):
        raise TypeError(f"{name}: expected out on {backend.device_of(array)}, got another device")
    if array.shape != target._array.shape:
        if target._array.size:
            warnings.warn(
                f"{name}: out of shape {list(target._array.shape)} is given new memory of shape "
                f"{list(array.shape)}; pass an empty tensor, or one of that shape",
                UserWarning,
                stacklevel=4,
            )
        target._array = backend.empty(array.shape, target._array.dtype, backend.device_of(array))
    backend.assign(target._array, array)
    written(target)


def backend_of(tensor: Any) -> Any:
    return modes.current().backends[tensor._array.__class__]
