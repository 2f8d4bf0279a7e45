"""In-place ops: what a write does to histories and to views.

An in-place op computes its result out of place, writes it into the tensor's memory, and gives the
tensor the result's history. Where the tensor is a view, its base gets a history in which the value
written through the view flows and what it covered does not, and every other view of that memory is
derived again from the new base.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import DTypeError, GraphError, IndexRangeError, ShapeError
from tensorgrad.graph import (
    Leaf,
    Node,
    TensorCore,
    give_history,
    has_repeats,
    shares_memory,
    tick,
    unwrap,
    version_of,
    wrap,
    written,
)
from tensorgrad.op import OPS, fitting
from tensorgrad.out import refuse_partial_overlap
from tensorgrad.walk import turned

# Their value of 0 dimensions is read, as a number, before anything is written.
FILLS = ("masked_fill_", "index_fill_")

Path = tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...]


def inplace(function: Callable[..., Any]) -> Callable[..., Any]:
    """The in-place method `x.<function>_(...)` of an out-of-place op."""
    name = function.__name__ + "_"

    @functools.wraps(function)
    def method(input: Any, *args: Any, **kwargs: Any) -> Any:
        check_writable(input, name)
        for arg in (*args, *kwargs.values()) if kwargs else args:
            if shares_memory(arg, input) and (arg._array.ndim or name not in FILLS):
                refuse_partial_overlap(name, input._array, arg._array)
        old = wrap(input._array, input._node)
        result = function(old, *args, **kwargs)
        result = _fit(result, input, name)
        node = result._node
        if node is not None:
            # Rules that need the old values must find them after the write.
            old._array = _backend(input).copy(input._array)
        _backend(input).assign(input._array, result._array)
        finish(input, node)
        return input

    method.__name__ = name
    method.__doc__ = (
        f"In-place version of `{function.__name__}`: writes into this tensor and returns it."
    )
    return method


def inplace_view(function: Callable[..., Any]) -> Callable[..., Any]:
    """The in-place method `x.<function>_(...)` of a view op: the tensor becomes that view."""
    name = function.__name__ + "_"

    @functools.wraps(function)
    def method(input: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_leaf(input, name)
        before = wrap(input._array, input._node)
        before._version = version_of(input)
        with modes.enable_grad():  # not the values change, so the history is kept without asking
            result = function(before, *args, **kwargs)
        _take_place(before, input)
        input._array = result._array
        if input._node.__class__ is Leaf:
            input._node.shape = input._array.shape
        else:
            give_history(input, result._node)
            input._view = result._view
            version_of(input).add_view(input)
        written(input)
        return input

    method.__name__ = name
    method.__doc__ = f"In-place version of `{function.__name__}`: this tensor becomes that view."
    return method


def _take_place(before: Any, input: Any) -> None:
    """Let `before`, the tensor as it was, be what its views were taken from, and what it was itself
    a view of.
    """
    if hasattr(input, "_view"):
        before._view = input._view
    views = version_of(input).views
    for place, known in enumerate(views):
        view = known()
        if view is input:
            views[place] = weakref.ref(before)
        elif view is not None and view._view[0] is input:
            view._view = (before, *view._view[1:])


def forget_views(input: Any) -> None:
    """Let go of the views of a tensor that gets another shape or memory: they stay what they are,
    and writes through them no longer change its history.
    """
    views = version_of(input).views
    for known in list(views):
        view = known()
        if view is not None and (view is input or view._view[0] is input):
            del view._view
            views.remove(known)


def set_item(input: Any, index: tuple[Any, ...], value: Any, name: str = "setitem") -> None:
    """input[index] = value, for an index that ops/indexing.py has put into one form."""
    check_writable(input, name)
    target = input._array
    array = unwrap(value)
    if not hasattr(array, "dtype") and not isinstance(array, int | float | complex):
        raise TypeError(f"{name}: expected a number or a tensor, got {type(array).__name__}")
    backend = _backend(input)
    try:
        place = _probe(backend, target, index)
        shape = place.shape
    except IndexError as error:
        raise IndexRangeError(
            f"{name}: expected indices in range, got shape {list(target.shape)} ({error})"
        ) from error
    if hasattr(array, "shape") and not _broadcasts(array.shape, shape):
        raise ShapeError(
            f"{name}: expected a value that broadcasts to {list(shape)}, got {list(array.shape)}"
        )
    if shares_memory(value, input) and array.ndim:
        refuse_partial_overlap(name, place if is_basic(index) else target, array)
    if not hasattr(array, "dtype"):
        array = fitting(name, array, target.dtype)
    if (extra := getattr(array, "ndim", 0) - len(shape)) > 0:  # sizes of 1, which broadcast
        value = OPS["reshape"].call(value, array.shape[extra:])
        array = unwrap(value)
    source = value._node if isinstance(value, TensorCore) else None
    node: Node | None = None
    if modes.current().record and (source is not None or input._node is not None):
        if source is not None and array.dtype != target.dtype:
            value = OPS["cast"].call(value, target.dtype)
            source = value._node
        node = Put(input._node, source, index, target.shape)
    backend.assign_at(target, index, array)
    finish(input, node)


def check_writable(input: Any, name: str) -> None:
    """Refuse what must not be written: an expanded tensor, and while recording a leaf that requires
    grad.

    The gradient of an overwritten leaf, or of a leaf of which a view is overwritten, would be
    undefined.
    """
    array = input._array
    if has_repeats(array):
        raise ShapeError(
            f"{name}: expected a tensor whose elements have memory of their own, got an expanded "
            f"one of shape {list(array.shape)} (more than one element refers to a single memory "
            "location; clone() it first)"
        )
    refuse_leaf(input, name)


def refuse_leaf(input: Any, name: str) -> None:
    """While recording, a leaf that requires grad and its views stay as they are."""
    if not modes.current().record:
        return
    base = base_of(input)
    for tensor, what in ((input, "a leaf"), (base, "a view of a leaf")):
        if tensor._node.__class__ is Leaf:
            raise GraphError(
                f"{name}: expected a tensor that may be changed in place, got {what} that requires "
                f"grad ({what} Variable that requires grad is being used in an in-place operation; "
                "use no_grad())"
            )
    if input._node is None and base._node is not None:
        raise GraphError(
            f"{name}: expected a view that was made while recording, got one made in no_grad mode "
            "(A view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled: the base's history would not know)"
        )


def finish(input: Any, node: Node | None) -> None:
    """After a write: advance the version, give the tensor its new history, and renew the views."""
    version = version_of(input)
    version.written = tick()
    if node is None:
        return
    base = base_of(input)
    if base is input:
        give_history(input, node)
    else:
        give_history(base, WriteThrough(base, node, path_of(input)))
    for reference in list(version.views):  # deriving a view again adds to them
        view = reference()
        if view is not None and base_of(view) is base:
            parent, function, statics = view._view
            give_history(view, function(parent, *statics)._node)
    # The histories above are younger than the write, as they must be: nothing they save has
    # changed.


def base_of(tensor: Any) -> Any:
    """The tensor that a view, or a view of a view, was taken from; the tensor itself
    if it is none.
    """
    while (view := getattr(tensor, "_view", None)) is not None:
        tensor = view[0]
    return tensor


def path_of(tensor: Any) -> Path:
    """The view ops that lead from the base to the tensor."""
    steps = []
    while (view := getattr(tensor, "_view", None)) is not None:
        tensor, function, statics = view
        steps.append((function, statics))
    return tuple(reversed(steps))


def _follow(path: Path, value: Any) -> Any:
    for function, statics in path:
        value = function(value, *statics)
    return value


class Put(Node):
    """History of `x[index] = value`: what was there before gets no gradient, the value gets that of
    its place.
    """

    __slots__ = ("index",)

    op_name = "setitem"

    def __init__(
        self, input: Node | None, value: Node | None, index: tuple[Any, ...], shape: tuple[int, ...]
    ) -> None:
        self.begin((input, value), shape)
        self.index = index

    def name(self) -> str:
        return "CopySlices"

    def pull(self, g: Any) -> tuple[Any, ...]:
        backend = modes.current().backends[g.__class__]
        kept = None
        if self.edges[0] is not None:
            kept = backend.copy(g)
            backend.assign_at(kept, self.index, 0)
        return kept, self.of_value(g)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        kept = None
        if self.edges[0] is not None:
            kept = OPS["copy"].call(g)
            set_item(kept, self.index, 0)
        return kept, self.of_value(g)

    def of_value(self, g: Any) -> Any:
        if self.edges[1] is None:
            return None
        return OPS["getitem" if is_basic(self.index) else "index"].call(g, self.index)


class WriteThrough(Node):
    """History of a base one of whose views was written: the base's old gradient outside, the view's
    inside.
    """

    __slots__ = ("path",)

    op_name = "write_through_view"

    def __init__(self, base: Any, view: Node, path: Path) -> None:
        self.begin((base._node, view), base._array.shape)
        self.path = path

    def name(self) -> str:
        return "CopySlices"

    def pull(self, g: Any) -> tuple[Any, ...]:
        kept = None
        if self.edges[0] is not None:
            backend = modes.current().backends[g.__class__]
            kept = backend.copy(g)
            covered = _follow(self.path, kept)
            _check_view(backend, covered, kept)
            backend.assign(covered, 0)
        return kept, self.of_view(g)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        kept = None
        if self.edges[0] is not None:
            kept = OPS["copy"].call(g)
            covered = _follow(self.path, kept)
            _check_view(_backend(kept), covered._array, kept._array)
            set_item(covered, (Ellipsis,), 0)
        return kept, self.of_view(g)

    def of_view(self, g: Any) -> Any:
        """The part of the base's gradient that is the view's, as users see it: the view may take
        complex numbers apart.
        """
        return turned(_follow(self.path, turned(g)))


def _check_view(backend: Any, covered: Any, kept: Any) -> None:
    """A gradient lies in order; strided views of what does not cannot be found in it."""
    if covered.size and not backend.is_view(covered, kept):
        raise GraphError(
            "as_strided: expected elements that lie in order where a view by strides is written, "
            "got a base that does not (use contiguous() first)"
        )


def is_basic(index: tuple[Any, ...]) -> bool:
    """Whether an index is of numbers, slices, None and Ellipsis only, and so names a view."""
    return all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in index)


def _backend(tensor: Any) -> Any:
    return modes.current().backends[tensor._array.__class__]


def _probe(backend: Any, target: Any, index: tuple[Any, ...]) -> Any:
    return backend.getitem(target, index) if is_basic(index) else backend.index(target, index)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    extra = len(shape) - len(to)
    if extra > 0 and any(n != 1 for n in shape[:extra]):
        return False
    return all(n in (1, m) for n, m in zip(reversed(shape), reversed(to)))


def _fit(result: Any, input: Any, name: str) -> Any:
    """The result in the tensor's dtype, if it has the tensor's shape."""
    if result._array.shape != input._array.shape:
        raise ShapeError(
            f"{name}: expected a result of this tensor's shape {list(input._array.shape)}, "
            f"got {list(result._array.shape)}"
        )
    if result._array.dtype != input._array.dtype:
        if not dtypes.can_cast(result._array.dtype, input._array.dtype):
            raise DTypeError(
                f"{name}: expected a result castable to {input._array.dtype}, got "
                f"{result._array.dtype} "
                "(result type can't be cast to the desired output type)"
            )
        return OPS["cast"].call(result, input._array.dtype)
    return result
