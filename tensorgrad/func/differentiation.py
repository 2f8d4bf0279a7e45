"""Derivatives of functions as functions. Arguments and results may be nested containers.

Each call differentiates by fresh inputs, so these functions nest; what they return has a history
only where something outside asks for it: an argument, or a tensor that the function closes over.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from tensorgrad import _tensor, engine, modes
from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.func import trees
from tensorgrad.graph import Leaf, Node, TensorCore
from tensorgrad.ops.creation import zeros_like, zeros_of
from tensorgrad.ops.joining import stack
from tensorgrad.ops.shape import reshape, to_shape

# The leaves of calls that have returned: a function that made such calls does not depend on them.
_inner: weakref.WeakSet[Node] = weakref.WeakSet()
Argnums = int | tuple[int, ...]


class Inputs:
    """The tensors of some arguments, made fresh to differentiate by."""

    def __init__(self, op: str, trees_of: Any) -> None:
        self.outside = modes.is_grad_enabled()
        self.tied = False
        for value in trees.leaves(trees_of):
            if not isinstance(value, TensorCore):
                raise TypeError(
                    f"{op}: expected tensors to differentiate by, got {type(value).__name__}"
                )
        self.trees = trees.mapped(self._fresh, trees_of)
        self.tensors = trees.leaves(self.trees)

    def _fresh(self, tensor: Any) -> Any:
        if self.outside and tensor._node is not None:
            self.tied = True
            with modes.enable_grad():
                return to_shape(tensor, tuple(tensor.shape))
        return tensor.detach().requires_grad_()

    def wanted_outside(self, outputs: Iterable[Any]) -> bool:
        """Whether what was computed depends on more than the fresh inputs."""
        wanted = self.outside and (self.tied or _reaches_others(outputs, self.tensors))
        _inner.update([x._node for x in self.tensors if x._node.__class__ is Leaf])
        return wanted

    def gradients(self, outputs: list[Any], weights: list[Any], create_graph: bool) -> list[Any]:
        """Of sum(output * weight) by each input; zeros where nothing depends on it."""
        pairs = [(y, v) for y, v in zip(outputs, weights) if y._node is not None]
        found: Any = [None] * len(self.tensors)
        if pairs:
            found = engine.grad(
                [y for y, _ in pairs],
                self.tensors,
                [v for _, v in pairs],
                True,
                create_graph,
                True,
            )
        return [zeros_like(x) if g is None else g for x, g in zip(self.tensors, found)]


def _reaches_others(outputs: Iterable[Any], inputs: list[Any]) -> bool:
    seen: set[Node] = {x._node for x in inputs}
    stack = [y._node for y in outputs if isinstance(y, TensorCore) and y._node is not None]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.__class__ is Leaf and node not in _inner:
            return True
        stack.extend([edge for edge in node.edges if edge is not None])
    return False


def _plain(tree: Any, wanted: bool) -> Any:
    """Results without the history of the fresh inputs, unless somebody outside wants one."""
    if wanted:
        return tree

    def plain(leaf: Any) -> Any:
        return leaf.detach() if isinstance(leaf, _tensor.Tensor) else leaf

    return trees.mapped(plain, tree)


def _chosen(op: str, args: tuple[Any, ...], argnums: Argnums) -> tuple[list[int], Any]:
    """The places of the arguments to differentiate by, and these."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise RuntimeError(
                f"{op}: expected argnums within the {len(args)} arguments, got {number}"
            )
    places = [number % len(args) for number in numbers]
    if not places or len(set(places)) < len(places):
        raise RuntimeError(f"{op}: expected argnums that differ, got {argnums}")
    return places, tuple([args[place] for place in places])


def _with_aux(op: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(f"{op}: expected func to return (output, aux), got {result!r:.60}")
    return result


def _tensors(op: str, tree: Any) -> list[Any]:
    found = trees.leaves(tree)
    for value in found:
        if not isinstance(value, TensorCore):
            raise RuntimeError(f"{op}: expected func to return tensors, got {type(value).__name__}")
    return found


def _call(func: Any, args: Any, kwargs: Any, places: list[int], fresh: Any) -> Any:
    given = list(args)
    for place, value in zip(places, fresh):
        given[place] = value
    return func(*given, **kwargs)


# ---- gradients


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns (gradient, value) of a scalar function; see `grad`."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        places, chosen = _chosen("grad", args, argnums)
        inputs = Inputs("grad", chosen)
        with modes.enable_grad():
            result = _call(func, args, kwargs, places, inputs.trees)
            value, aux = _with_aux("grad", result, has_aux)
            if not isinstance(value, TensorCore) or value._array.ndim:
                shape = list(value._array.shape) if isinstance(value, TensorCore) else value
                raise GraphError(
                    f"grad: expected func to return a tensor of no dimensions, got {shape!r:.60}"
                )
            wanted = inputs.wanted_outside([value])
            found = inputs.gradients([value], [None], wanted)
        slopes = trees.replaced(inputs.trees, iter(found))
        slopes = slopes[0] if isinstance(argnums, int) else slopes
        value, aux = _plain(value, wanted), _plain(aux, wanted)
        return (slopes, (value, aux)) if has_aux else (slopes, value)

    return both


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns the gradient of a scalar function by the arguments `argnums`: one
    for a number, a tuple for a tuple.

    has_aux: func returns (value, aux), and the result is (gradient, aux).
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def slope(*args: Any, **kwargs: Any) -> Any:
        slopes, value = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return slope


# ---- products with the Jacobian


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(func(*primals), pull[, aux]): pull(v) is v^T J, a tuple with one entry a primal."""
    inputs = Inputs("vjp", primals)
    with modes.enable_grad():
        result, aux = _with_aux("vjp", func(*inputs.trees), has_aux)
        outputs = _tensors("vjp", result)
        wanted = inputs.wanted_outside(outputs)

    def pull(cotangents: Any) -> Any:
        weights = trees.leaves(cotangents)
        if [tuple(v.shape) for v in weights] != [tuple(y.shape) for y in outputs]:
            raise ShapeError(
                f"vjp: expected cotangents of shapes {[list(y.shape) for y in outputs]}, got "
                f"{[list(v.shape) for v in weights]}"
            )
        outside = modes.is_grad_enabled() and (wanted or any(v._node is not None for v in weights))
        with modes.enable_grad():
            found = inputs.gradients(outputs, weights, outside)
        return trees.replaced(inputs.trees, iter(found))

    plain = _plain(result, wanted)
    return (plain, pull, _plain(aux, wanted)) if has_aux else (plain, pull)


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """(func(*primals), J tangents[, aux]), by two backward passes: the gradient of u^T J by u.

    `strict` is PyTorch's, for its forward mode; here it changes nothing.
    """
    inputs = Inputs("jvp", tuple(primals))
    vectors = trees.leaves(tuple(tangents))
    if [tuple(v.shape) for v in vectors] != [tuple(x.shape) for x in inputs.tensors]:
        raise ShapeError(
            f"jvp: expected tangents of shapes {[list(x.shape) for x in inputs.tensors]}, got "
            f"{[list(v.shape) for v in vectors]}"
        )
    outside = any(v._node is not None for v in vectors) and modes.is_grad_enabled()
    with modes.enable_grad():
        result, aux = _with_aux("jvp", func(*inputs.trees), has_aux)
        outputs = _tensors("jvp", result)
        wanted = inputs.wanted_outside(outputs) or outside
        weights = Inputs("jvp", [zeros_like(y) for y in outputs])
        back = inputs.gradients(outputs, weights.tensors, True)
        found = weights.gradients(back, vectors, wanted)
    moved = trees.replaced(result, iter(found))
    plain = _plain(result, wanted)
    return (plain, moved, _plain(aux, wanted)) if has_aux else (plain, moved)


# ---- whole Jacobians


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that returns the Jacobian of func by the arguments `argnums`: (*output shape,
    *input shape) for each output and input, nested like the outputs, then like the inputs.

    One backward pass a number of the outputs; `chunk_size` does not change that.
    """

    @functools.wraps(func)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        places, chosen = _chosen("jacrev", args, argnums)
        inputs = Inputs("jacrev", chosen)
        with modes.enable_grad():
            result = _call(func, args, kwargs, places, inputs.trees)
            result, aux = _with_aux("jacrev", result, has_aux)
            outputs = _tensors("jacrev", result)
            wanted = inputs.wanted_outside(outputs)
            blocks = [
                _blocks(inputs, output, wanted, isinstance(argnums, int)) for output in outputs
            ]
        found = trees.replaced(result, iter(blocks))
        return (found, _plain(aux, wanted)) if has_aux else found

    return matrix


def _blocks(inputs: Inputs, output: Any, wanted: bool, single: bool) -> Any:
    rows = []
    for number in range(output.numel()):
        unit = zeros_like(output)
        reshape(unit, -1)[number] = 1
        rows.append(inputs.gradients([output], [unit], wanted))
    found = []
    for place, x in enumerate(inputs.tensors):
        block = stack([row[place] for row in rows]) if rows else zeros_of(x, (0, *x.shape))
        found.append(reshape(block, *output.shape, *x.shape))
    nested = trees.replaced(inputs.trees, iter(found))
    return nested[0] if single else nested


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """As `jacrev`: the walk runs backward only. `randomness` is PyTorch's and changes nothing."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that returns the Hessian of a scalar function: the Jacobian of its Jacobian."""
    return jacrev(jacrev(func, argnums), argnums)
