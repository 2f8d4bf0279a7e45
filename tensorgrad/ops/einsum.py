"""Sums of products over named dimensions, as a chain of batched matrix products.

https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
"""

from __future__ import annotations

import functools
import itertools
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tensorgrad.errors import ShapeError
from tensorgrad.ops.arithmetic import mul
from tensorgrad.ops.diagonals import diagonal
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import to_order, to_shape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "einsum",
    "tensordot",
]

# A label is a letter, or a number for a dimension under an ellipsis, counted from the last.
Label: TypeAlias = str | int
Shape: TypeAlias = tuple[int, ...]
Term: TypeAlias = tuple[tuple[Label, ...], Shape]
LETTERS = string.ascii_uppercase + string.ascii_lowercase


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of the products of the operands' elements over all labels that the output lacks.

    `equation` names the dimensions of each operand and of the output, as "bij,bjk->bik"; a label
    repeated in an operand takes its diagonal, "..." stands for dimensions that broadcast. Without
    an output it is all labels that occur once, in alphabetical order. Also as `einsum(operand,
    labels, ..., output_labels)`, with lists of numbers from 0 to 51. Two operands are contracted at
    a time, first those whose product shrinks the most.
    """
    if not isinstance(equation, str):
        equation, operands = _from_lists((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    recipe = _recipe(equation, tuple([tuple(x.shape) for x in operands]))
    terms = list(operands)
    for place, first, second in recipe.diagonals:
        terms[place] = diagonal(terms[place], 0, first, second)
    for first, second, pair in recipe.pairs:
        product = _contract(terms[first], terms[second], pair)
        terms = [term for place, term in enumerate(terms) if place not in (first, second)]
        terms.append(product)
    (x,) = terms
    return _arranged(x, recipe.last)


@takes_out
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum of products over dimensions of `a` and of `b`: `dims` is two lists of dimensions, or the
    number of those that come last in `a` and first in `b`.
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: expected dims in [0, {min(a.ndim, b.ndim)}], got {dims}")
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    elif hasattr(dims, "tolist"):
        dims = dims.tolist()
    of_a, of_b = ([d] if isinstance(d, int) else [int(n) for n in d] for d in dims)
    if len(of_a) != len(of_b):
        raise ShapeError(f"tensordot: expected as many dims of a as of b, got {of_a} and {of_b}")
    labels_a: list[Label] = list(range(a.ndim))
    labels_b: list[Label] = list(range(a.ndim, a.ndim + b.ndim))
    for i, j in zip(of_a, of_b):
        n, m = a.shape[i], b.shape[j]
        if n != m and 1 not in (n, m):
            raise ShapeError(
                f"tensordot: expected equal sizes in dims {i} and {j}, got {n} and {m}"
            )
        labels_b[j] = labels_a[i]
    kept = [x for x in labels_a if x not in labels_b] + [x for x in labels_b if x not in labels_a]
    pair = _pair(
        (tuple(labels_a), tuple(a.shape)), (tuple(labels_b), tuple(b.shape)), frozenset(kept)
    )
    return _arranged(_contract(a, b, pair), _arrangement(pair.result, kept))


# ---- reading


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of the form with lists of numbers."""

    def letters(numbers: Iterable[Any]) -> str:
        return "".join(["..." if n is Ellipsis else LETTERS[_number(n)] for n in numbers])

    pairs = arguments[: len(arguments) // 2 * 2]
    equation = ",".join([letters(numbers) for numbers in pairs[1::2]])
    if len(arguments) % 2:
        equation += "->" + letters(arguments[-1])
    return equation, pairs[0::2]


def _number(label: Any) -> int:
    if not isinstance(label, int) or not 0 <= label < len(LETTERS):
        raise ShapeError(f"einsum: expected labels in [0, {len(LETTERS)}), got {label!r}")
    return label


def _parse(equation: str, shapes: Sequence[Shape]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand's dimensions, and of the output's."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if not shapes or len(parts) != len(shapes):
        raise ShapeError(
            f"einsum: expected an operand for each of {len(parts)} parts of {equation!r}, got "
            f"{len(shapes)}"
        )
    inputs = []
    covered = 0  # how many dimensions the widest ellipsis stands for
    for part, shape in zip(parts, shapes):
        hidden = len(shape) - len(part.replace("...", ""))
        labels = _labels(equation, part, hidden)
        if len(labels) != len(shape):
            raise ShapeError(
                f"einsum: expected {len(labels)} dimensions for {part!r} of {equation!r}, got "
                f"shape {list(shape)}"
            )
        inputs.append(labels)
        covered = max(covered, hidden if "..." in part else 0)
    if arrow:
        output = _labels(equation, right, covered)
        known = set(itertools.chain.from_iterable(inputs))
        if len(set(output)) < len(output) or not known.issuperset(output):
            raise ShapeError(
                f"einsum: expected each label of the output once and in an operand, got "
                f"{equation!r}"
            )
        return inputs, output
    counts = Counter(itertools.chain.from_iterable(inputs))
    once = sorted([x for x, count in counts.items() if count == 1 and isinstance(x, str)])
    return inputs, [*range(covered - 1, -1, -1), *once]


def _labels(equation: str, part: str, hidden: int) -> list[Label]:
    before, dots, after = part.partition("...")
    if not all(letter in LETTERS for letter in before + after):
        raise ShapeError(f"einsum: expected letters, ',', '->' and '...', got {equation!r}")
    middle = range(hidden - 1, -1, -1) if dots else ()
    return [*before, *middle, *after]


# ---- planning: on labels and shapes alone, so that a call that comes again plans nothing


class Arrangement(NamedTuple):
    """What makes a term ready: its shape without dimensions of size 1 that broadcast (None: as it
    is), the dimensions to sum, the order of the others, and the shape to give them (None: theirs).
    """

    narrow: Shape | None
    summed: tuple[int, ...]
    order: tuple[int, ...] | None
    shape: Shape | None


class Pair(NamedTuple):
    """How two terms are multiplied, "mul", "dot" or "matmul", and the term that results."""

    first: Arrangement
    second: Arrangement
    kind: str
    result: Term


class Recipe(NamedTuple):
    """The steps of one einsum: (operand, dimension, dimension) of each diagonal, (place, place,
    how) of each product, what is left to do with the last term.
    """

    diagonals: list[tuple[int, int, int]]
    pairs: list[tuple[int, int, Pair]]
    last: Arrangement


@functools.lru_cache(maxsize=1024)
def _recipe(equation: str, shapes: tuple[Shape, ...]) -> Recipe:
    inputs, output = _parse(equation, shapes)
    diagonals: list[tuple[int, int, int]] = []
    terms: list[Term] = []
    for place, (labels, shape) in enumerate(zip(inputs, shapes)):
        term, steps = _diagonals(tuple(labels), shape)
        terms.append(term)
        diagonals += [(place, *step) for step in steps]
    _check_sizes(terms)
    pairs = []
    while len(terms) > 1:
        first, second = _cheapest(terms, output)
        if len(terms) == 2 and output and output[-1] not in terms[1][0]:
            first, second = 1, 0  # so that the result lies in order
        rest = [term for place, term in enumerate(terms) if place not in (first, second)]
        wanted = frozenset([*output, *itertools.chain.from_iterable(labels for labels, _ in rest)])
        pair = _pair(terms[first], terms[second], wanted)
        pairs.append((first, second, pair))
        terms = [*rest, pair.result]
    return Recipe(diagonals, pairs, _arrangement(terms[0], output))


def _check_sizes(terms: list[Term]) -> None:
    sizes: dict[Label, int] = {}
    for labels, shape in terms:
        for label, n in zip(labels, shape):
            if n != 1 and sizes.setdefault(label, n) != n:
                shapes = " and ".join([str(list(shape)) for _, shape in terms])
                raise ShapeError(
                    f"einsum: expected equal sizes under one label, got shapes {shapes}"
                )


def _diagonals(labels: tuple[Label, ...], shape: Shape) -> tuple[Term, list[tuple[int, int]]]:
    """The term with every label once, and the pairs of dimensions whose diagonal that takes."""
    steps = []
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if shape[first] != shape[second]:
                raise ShapeError(
                    f"einsum: expected equal sizes under one label, got shape {list(shape)}"
                )
            steps.append((first, second))
            kept = [place for place in range(len(shape)) if place not in (first, second)]
            shape = (*[shape[place] for place in kept], shape[first])
            labels = (*[labels[place] for place in kept], label)
    return (labels, shape), steps


def _cheapest(terms: list[Term], output: list[Label]) -> tuple[int, int]:
    """The pair whose product is the smallest beside its factors; of equals the quickest."""
    if len(terms) == 2:
        return 0, 1
    counts = Counter(itertools.chain(output, *[labels for labels, _ in terms]))
    best, found = (math.inf, math.inf), (0, 1)
    for first, second in itertools.combinations(range(len(terms)), 2):
        sizes: dict[Label, int] = {}
        uses: Counter[Label] = Counter()
        for labels, shape in (terms[first], terms[second]):
            uses.update(labels)
            for label, n in zip(labels, shape):
                sizes[label] = max(n, sizes.get(label, n))
        kept = math.prod([n for label, n in sizes.items() if counts[label] > uses[label]])
        factors = math.prod(terms[first][1]) + math.prod(terms[second][1])
        cost = kept - factors, math.prod(sizes.values())
        if cost < best:
            best, found = cost, (first, second)
    return found


@functools.lru_cache(maxsize=1024)
def _pair(first: Term, second: Term, wanted: frozenset[Label]) -> Pair:
    """The product of two terms, summed over the labels that nobody wants any more."""
    size_a, size_b = dict(zip(*first)), dict(zip(*second))
    # A size of 1 broadcasts over the other term's: as if the dimension were not there.
    of_a = {x: n for x, n in size_a.items() if n != 1 or size_b.get(x, 1) == 1}
    of_b = {x: n for x, n in size_b.items() if n != 1 or size_a.get(x, 1) == 1}
    sizes = of_a | of_b
    shared = [label for label in of_a if label in of_b]
    batch = [label for label in shared if label in wanted]
    inner = [label for label in shared if label not in wanted]
    only_a = [label for label in of_a if label not in of_b and label in wanted]
    only_b = [label for label in of_b if label not in of_a and label in wanted]
    n, k, m, groups = (
        math.prod([sizes[label] for label in labels]) for labels in (only_a, inner, only_b, batch)
    )
    lead = (groups,) if batch else ()
    if inner and batch and not only_a and not only_b:  # many products of vectors
        kind, shape_a, shape_b = "dot", (*lead, k), (*lead, k)
    else:
        kind = "matmul" if inner else "mul"
        shape_a, shape_b = (*lead, n, k), (*lead, k, m)
    labels = (*batch, *only_a, *only_b)
    return Pair(
        _arrangement(first, [*batch, *only_a, *inner], of_a, shape_a),
        _arrangement(second, [*batch, *inner, *only_b], of_b, shape_b),
        kind,
        (labels, tuple([sizes[label] for label in labels])),
    )


def _arrangement(
    term: Term,
    order: list[Label],
    kept: dict[Label, int] | None = None,
    shape: Shape | None = None,
) -> Arrangement:
    """Of the labels in `kept` those not in `order` are summed."""
    labels, sizes = term
    narrow = None
    if kept is not None and len(kept) < len(labels):
        labels, narrow = tuple(kept), tuple(kept.values())
        sizes = narrow
    summed = tuple([place for place, label in enumerate(labels) if label not in order])
    rest = [label for label in labels if label in order]
    places = tuple([rest.index(label) for label in order])
    final = tuple([dict(zip(labels, sizes))[label] for label in order])
    return Arrangement(
        narrow,
        summed,
        None if places == tuple(range(len(places))) else places,
        None if shape == final else shape,
    )


# ---- computing


def _arranged(x: Any, how: Arrangement) -> Tensor:
    if how.narrow is not None:
        x = to_shape(x, how.narrow)
    if how.summed:
        x = total(x, how.summed, False)
    if how.order is not None:
        x = to_order(x, how.order)
    return x if how.shape is None else to_shape(x, how.shape)


def _contract(a: Any, b: Any, pair: Pair) -> Any:
    a, b = _arranged(a, pair.first), _arranged(b, pair.second)
    if pair.kind == "matmul":
        product: Any = matmul(a, b)
    elif pair.kind == "mul":
        product = mul(a, b)
    else:
        product = total(mul(a, b), -1, False)
    shape = pair.result[1]
    return product if tuple(product.shape) == shape else to_shape(product, shape)
