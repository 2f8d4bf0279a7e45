"""Sums of products over named dimensions, as a chain of batched matrix products.

https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
"""

from __future__ import annotations

import itertools
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.arithmetic import mul
from tensorgrad.ops.diagonals import diagonal
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import reshape, to_order
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "einsum",
    "tensordot",
]

# A label is a letter, or a number for a dimension under an ellipsis, counted from the last.
Label = str | int
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
    inputs, output = _parse(equation, operands)
    terms = [_diagonals(x, labels) for x, labels in zip(operands, inputs, strict=True)]
    _check_sizes(terms, output)
    while len(terms) > 1:
        first, second = _cheapest(terms, output)
        rest = [term for place, term in enumerate(terms) if place not in (first, second)]
        wanted = {*output, *itertools.chain.from_iterable(labels for _, labels in rest)}
        terms = [*rest, _contract(terms[first], terms[second], wanted)]
    x, labels = _summed(*terms[0], set(output))
    return _ordered(x, labels, output)


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
    x, labels = _contract((a, labels_a), (b, labels_b), set(kept))
    return _ordered(x, labels, kept)


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


def _parse(equation: str, operands: Sequence[Any]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand's dimensions, and of the output's."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if not operands or len(parts) != len(operands):
        raise ShapeError(
            f"einsum: expected an operand for each of {len(parts)} parts of {equation!r}, got "
            f"{len(operands)}"
        )
    inputs = []
    covered = 0  # how many dimensions the widest ellipsis stands for
    for part, operand in zip(parts, operands):
        hidden = operand.ndim - len(part.replace("...", ""))
        labels = _labels(equation, part, hidden)
        if len(labels) != operand.ndim:
            raise ShapeError(
                f"einsum: expected {len(labels)} dimensions for {part!r} of {equation!r}, got "
                f"shape {list(operand.shape)}"
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


def _check_sizes(terms: list[tuple[Any, list[Label]]], output: list[Label]) -> None:
    sizes: dict[Label, int] = {}
    for x, labels in terms:
        for label, n in zip(labels, x.shape):
            if n != 1 and sizes.setdefault(label, n) != n:
                shapes = " and ".join([str(list(x.shape)) for x, _ in terms])
                raise ShapeError(
                    f"einsum: expected equal sizes under one label, got shapes {shapes}"
                )


# ---- computing


def _diagonals(x: Any, labels: list[Label]) -> tuple[Any, list[Label]]:
    """With every label once."""
    for label in list(dict.fromkeys(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(
                    f"einsum: expected equal sizes under one label, got shape {list(x.shape)}"
                )
            x = diagonal(x, 0, first, second)
            labels = [old for place, old in enumerate(labels) if place not in (first, second)]
            labels.append(label)
    return x, labels


def _summed(x: Any, labels: list[Label], wanted: set[Label]) -> tuple[Any, list[Label]]:
    dims = tuple([place for place, label in enumerate(labels) if label not in wanted])
    if not dims:
        return x, labels
    return total(x, dims, False), [label for label in labels if label in wanted]


def _ordered(x: Any, labels: list[Label], output: list[Label]) -> Any:
    order = tuple([labels.index(label) for label in output])
    return x if order == tuple(range(len(order))) else to_order(x, order)


def _cheapest(terms: list[tuple[Any, list[Label]]], output: list[Label]) -> tuple[int, int]:
    """The pair whose product is the smallest beside its factors; of equals the quickest."""
    if len(terms) == 2:
        return 0, 1
    counts = Counter(itertools.chain(output, *[labels for _, labels in terms]))
    best, found = (math.inf, math.inf), (0, 1)
    for first, second in itertools.combinations(range(len(terms)), 2):
        sizes: dict[Label, int] = {}
        uses: Counter[Label] = Counter()
        for x, labels in (terms[first], terms[second]):
            uses.update(labels)
            for label, n in zip(labels, x.shape):
                sizes[label] = max(n, sizes.get(label, n))
        kept = math.prod([n for label, n in sizes.items() if counts[label] > uses[label]])
        factors = math.prod(terms[first][0].shape) + math.prod(terms[second][0].shape)
        cost = kept - factors, math.prod(sizes.values())
        if cost < best:
            best, found = cost, (first, second)
    return found


def _contract(
    first: tuple[Any, list[Label]], second: tuple[Any, list[Label]], wanted: set[Label]
) -> tuple[Any, list[Label]]:
    """The product of two terms, summed over the labels that nobody wants any more."""
    sizes = dict(zip(second[1], second[0].shape))
    a, of_a = _without_ones(*first, sizes)
    b, of_b = _without_ones(*second, dict(zip(first[1], first[0].shape)))
    a, of_a = _summed(a, of_a, wanted | set(of_b))
    b, of_b = _summed(b, of_b, wanted | set(of_a))
    shared = [label for label in of_a if label in of_b]
    batch = [label for label in shared if label in wanted]
    inner = [label for label in shared if label not in wanted]
    only_a = [label for label in of_a if label not in shared]
    only_b = [label for label in of_b if label not in shared]
    size_a, size_b = dict(zip(of_a, a.shape)), dict(zip(of_b, b.shape))
    sizes = size_a | size_b
    n, k, m = (_size(labels, sizes) for labels in (only_a, inner, only_b))
    a = _ordered(a, of_a, [*batch, *only_a, *inner])
    b = _ordered(b, of_b, [*batch, *inner, *only_b])
    groups = [_size(batch, sizes)] if batch else []
    a, b = reshape(a, *groups, n, k), reshape(b, *groups, k, m)
    if not inner:  # an outer product
        product: Any = mul(a, b)
    elif not only_a and not only_b and batch:  # many products of vectors
        product = total(mul(reshape(a, *groups, k), reshape(b, *groups, k)), -1, False)
    else:
        product = matmul(a, b)
    labels = [*batch, *only_a, *only_b]
    return reshape(product, tuple([sizes[label] for label in labels])), labels


def _without_ones(x: Any, labels: list[Label], other: dict[Label, int]) -> tuple[Any, list[Label]]:
    """Without the dimensions of size 1 that broadcast over those of the other term."""
    gone = [n == 1 and other.get(label, 1) != 1 for label, n in zip(labels, x.shape)]
    if not any(gone):
        return x, labels
    shape = tuple([n for n, drop in zip(x.shape, gone) if not drop])
    return reshape(x, shape), [label for label, drop in zip(labels, gone) if not drop]


def _size(labels: list[Label], sizes: dict[Label, int]) -> int:
    return math.prod([sizes[label] for label in labels])
