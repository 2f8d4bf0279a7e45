"""Losses over a vocabulary that need only a few of its words at each step.

Hierarchical softmax and negative sampling, as in Mikolov et al. 2013, "Distributed Representations
of Words and Phrases and their Compositionality". Both hold the output vectors and take counts of
the words; the input vectors are an `Embedding` elsewhere. PyTorch has neither.
"""

from __future__ import annotations

import heapq
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.activation import logsigmoid
from tensorgrad.ops.binning import searchsorted
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import tensor, zeros
from tensorgrad.ops.embedding import embedding
from tensorgrad.ops.indexing import index_select
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.linear import linear
from tensorgrad.ops.over_elements import reduced, way
from tensorgrad.ops.reduction import sum
from tensorgrad.ops.sampling import randint
from tensorgrad.ops.shape import squeeze, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

PARTS = 2**53  # into which the noise distribution is cut: as fine as a double


def huffman_paths(counts: list[float]) -> list[list[tuple[int, int]]]:
    """For each word its path from the root of the Huffman tree over `counts`: (inner node, +1 for
    the branch of the smaller count, -1 for the other). Inner nodes are numbered from 0, the root
    last. Huffman 1952.
    """
    words = len(counts)
    heap = [(count, word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    above: dict[int, tuple[int, int]] = {}  # of a word or of words + an inner node
    for node in range(words - 1):
        (smaller, first), (larger, second) = heapq.heappop(heap), heapq.heappop(heap)
        above[first], above[second] = (node, 1), (node, -1)
        heapq.heappush(heap, (smaller + larger, words + node))
    paths = []
    for word in range(words):
        path, place = [], word
        while place in above:
            node, sign = above[place]
            path.append((node, sign))
            place = words + node
        paths.append(path[::-1])
    return paths


def _known(name: str, counts: Any) -> list[float]:
    if not hasattr(counts, "__iter__"):
        raise TypeError(f"{name}: expected how often each word occurs, got {counts!r}")
    known: list[float] = counts.tolist() if isinstance(counts, TensorCore) else list(counts)  # type: ignore[attr-defined]
    if len(known) < 2 or min(known) < 0 or max(known) <= 0:
        raise ValueError(
            f"{name}: expected counts >= 0 of at least two words, not all 0, got {known[:8]}"
        )
    return known


class _WordLoss(Module):
    """What both share: rows of weights, the check of what is given, reduction."""

    weight: Parameter

    def __init__(
        self, in_features: int, n_classes: int, rows: int, reduction: str, device: Any, dtype: Any
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.n_classes = n_classes
        self.reduction = way(type(self).__name__, reduction, None, None)
        self.weight = Parameter(zeros(rows, in_features, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Zeros: every decision is even at first."""
        self.weight.detach().zero_()

    def _check(self, input: Tensor, target: Tensor) -> None:
        name = type(self).__name__
        fits = input.ndim == 2 and input.shape[1] == self.in_features
        if not fits or tuple(target.shape) != tuple(input.shape[:1]):
            raise ShapeError(
                f"{name}: expected input (N, {self.in_features}) and target (N,), got "
                f"{list(input.shape)} and {list(target.shape)}"
            )
        if target.numel() and not bool(((target >= 0) & (target < self.n_classes)).all()):
            raise IndexRangeError(
                f"{name}: expected target values in [0, {self.n_classes}), got "
                f"{target.min().item()} to {target.max().item()}"
            )

    def _scores(self, input: Tensor, index: Tensor) -> Tensor:
        """Products (N, n) of each input with the rows of weight that `index` (N, n) names."""
        rows = embedding(index, self.weight)
        return squeeze(matmul(rows, unsqueeze(input, 2)), 2)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.n_classes}, reduction={self.reduction!r}"


class HierarchicalSoftmax(_WordLoss):
    """-log p(target | input) where a word is reached by binary decisions down a Huffman tree.

    log p(word | x) = sum over the inner nodes n of its path of logsigmoid(+-weight[n] . x), + for
    the branch of the smaller count. Frequent words have short paths: a step costs about log2
    (n_classes) products in place of n_classes. The probabilities of all words sum to 1.

    counts (n_classes,): how often each word occurs. weight: (n_classes - 1, in_features), zeros at
    first; the tree is part of the state: path_nodes and path_signs (n_classes, longest path), signs
    0 behind a path's end. Morin and Bengio 2005; Mikolov et al. 2013.
    """

    path_nodes: Tensor
    path_signs: Tensor

    def __init__(
        self,
        in_features: int,
        counts: Any,
        reduction: str = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        known = _known("HierarchicalSoftmax", counts)
        words = len(known)
        super().__init__(in_features, words, words - 1, reduction, device, dtype)
        paths = huffman_paths(known)
        longest = max(len(path) for path in paths)
        full = [path + [(0, 0)] * (longest - len(path)) for path in paths]
        nodes = [[node for node, _ in path] for path in full]
        signs = [[sign for _, sign in path] for path in full]
        self.register_buffer("path_nodes", tensor(nodes, device=device))
        self.register_buffer("path_signs", tensor(signs, device=device))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Inputs (N, in_features) and words (N,) to the losses (N,), or as `reduction` says."""
        self._check(input, target)
        scores = self._scores(input, index_select(self.path_nodes, 0, target))
        return reduced(
            -self._decided(scores, index_select(self.path_signs, 0, target)), self.reduction
        )

    @staticmethod
    def _decided(scores: Tensor, signs: Tensor) -> Tensor:
        taken = cast(signs * signs, scores.dtype)
        return sum(logsigmoid(scores * cast(signs, scores.dtype)) * taken, -1)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities (N, n_classes) of all words for inputs (N, in_features)."""
        scores = linear(input, self.weight)
        total = zeros(input.shape[0], self.n_classes, dtype=input.dtype, device=input.device)
        # A step of all paths at a time, so that no table (N, n_classes, longest path) is needed.
        for step in range(self.path_nodes.shape[1]):
            decision = unsqueeze(index_select(scores, 1, self.path_nodes[:, step]), 2)
            total = total + self._decided(decision, unsqueeze(self.path_signs[:, step], 1))
        return total


class NegativeSamplingLoss(_WordLoss):
    """-logsigmoid(w_target . x) - sum over k noise words of logsigmoid(-w_noise . x): the word that
    occurred told from words that did not.

    counts (n_classes,): how often each word occurs. num_negatives (k) noise words for each input
    are drawn in proportion to count^power, from the default generator unless one is given; a draw
    that hits the target counts nothing. weight (the w): (n_classes, in_features), zeros at first.
    Mikolov et al. 2013.
    """

    noise: Tensor

    def __init__(
        self,
        in_features: int,
        counts: Any,
        num_negatives: int = 5,
        power: float = 0.75,
        reduction: str = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        known = _known("NegativeSamplingLoss", counts)
        words = len(known)
        super().__init__(in_features, words, words, reduction, device, dtype)
        if num_negatives <= 0:
            raise ValueError(
                f"NegativeSamplingLoss: expected num_negatives > 0, got {num_negatives}"
            )
        self.num_negatives = num_negatives
        self.power = power
        sums = list(accumulate(count**power if count else 0.0 for count in known))
        bounds = [int(reached / sums[-1] * PARTS) for reached in sums]
        # Integers, which no change of the module's dtype makes coarser.
        self.register_buffer("noise", tensor(bounds, device=device), persistent=False)

    def draw(self, count: int, generator: Generator | None = None) -> Tensor:
        """Noise words (count, num_negatives)."""
        size = (count, self.num_negatives)
        places = randint(0, PARTS, size, generator=generator, device=self.noise.device)
        return searchsorted(self.noise, places, right=True)

    def forward(self, input: Tensor, target: Tensor, generator: Generator | None = None) -> Tensor:
        """Inputs (N, in_features) and words (N,) to the losses (N,), or as `reduction` says."""
        self._check(input, target)
        negatives = self.draw(input.shape[0], generator)
        words = unsqueeze(target, 1)
        kept = cast(negatives != words, input.dtype)
        found = squeeze(logsigmoid(self._scores(input, words)), 1)
        told = sum(logsigmoid(-self._scores(input, negatives)) * kept, 1)
        return reduced(-(found + told), self.reduction)
