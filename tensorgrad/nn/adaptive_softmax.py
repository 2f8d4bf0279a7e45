"""A softmax over very many classes in clusters: rare classes cost little.

Grave et al. 2017, https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.errors import ShapeError
from tensorgrad.nn.container import ModuleList, Sequential
from tensorgrad.nn.linear import Linear
from tensorgrad.nn.module import Module
from tensorgrad.ops.choice import masked_fill
from tensorgrad.ops.creation import zeros
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.indexing import gather, index_select
from tensorgrad.ops.joining import cat
from tensorgrad.ops.places import nonzero
from tensorgrad.ops.reduction import argmax, mean
from tensorgrad.ops.scattering import index_add, index_copy
from tensorgrad.ops.shape import reshape, squeeze, unsqueeze
from tensorgrad.ops.softmaxes import log_softmax

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _ASMoutput(NamedTuple):
    """The log probability of each target, and the negative mean of them."""

    output: Any
    loss: Any


def _at(log_probabilities: Tensor, index: Tensor) -> Tensor:
    return squeeze(gather(log_probabilities, 1, unsqueeze(index, 1)), 1)


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over n_classes, sorted by frequency: the first cutoffs[0] by `head`, the others in
    clusters from cutoff to cutoff, of which the head gives the whole and `tail` the members.

    log p(class) = log_softmax(head(x))[class], or log_softmax(head(x))[cluster] +
    log_softmax(tail[cluster](x))[member]. head: a Linear of cutoffs[0] + clusters outputs, with a
    bias if head_bias; tail[i]: two Linear without bias over in_features // div_value^(i + 1)
    features. Grave et al. 2017.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        in_order = given == sorted(set(given)) and all(int(cutoff) == cutoff for cutoff in given)
        if not given or not in_order or given[0] <= 0 or given[-1] > n_classes - 1:
            raise ValueError(
                "AdaptiveLogSoftmaxWithLoss: expected cutoffs as growing integers in "
                f"[1, {n_classes - 1}], got {given}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*given, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = given[0]
        self.n_clusters = len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        options: Any = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, head_bias, **options)
        self.tail = ModuleList()
        for number, (start, end) in enumerate(pairwise(self.cutoffs)):
            inner = int(in_features // div_value ** (number + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, inner, False, **options),
                    Linear(inner, end - start, False, **options),
                )
            )

    def reset_parameters(self) -> None:
        self.head.reset_parameters()
        for projection in self.tail:
            for layer in projection:  # type: ignore[attr-defined]
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Inputs (N, in_features) and classes (N,) to log probabilities (N,) and the loss; or
        (in_features,) and () to ().
        """
        single = target_.ndim == 0
        if target_.ndim > 1 or input_.ndim != target_.ndim + 1:
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: expected input (N, in_features) and target (N,), or "
                f"(in_features,) and (), got {list(input_.shape)} and {list(target_.shape)}"
            )
        input = unsqueeze(input_, 0) if single else input_
        target = reshape(target_, -1)
        count = target.shape[0]
        if input.shape[0] != count:
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: expected {input.shape[0]} targets, got {count}"
            )
        if count and not bool(((target >= 0) & (target < self.n_classes)).all()):
            raise RuntimeError(
                "AdaptiveLogSoftmaxWithLoss: expected target values in "
                f"[0, {self.n_classes - 1}], got {target.min().item()} to {target.max().item()}"
            )
        in_head = target
        in_tail = zeros(count, dtype=input.dtype, device=input.device)
        for number, (start, end) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= start) & (target < end)
            in_head = masked_fill(in_head, inside, self.shortlist_size + number)
            rows = squeeze(nonzero(inside), 1)
            if rows.numel():
                members = index_select(target, 0, rows) - start
                own = log_softmax(self.tail[number](index_select(input, 0, rows)), 1)
                in_tail = index_add(in_tail, 0, rows, _at(own, members))
        output = in_tail + _at(log_softmax(self.head(input), 1), in_head)
        loss = -mean(output)
        return _ASMoutput(squeeze(output, 0) if single else output, loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities (N, n_classes) of all classes for inputs (N, in_features)."""
        head = log_softmax(self.head(input), 1)
        parts = [narrow(head, 1, 0, self.shortlist_size)]
        for number, projection in enumerate(self.tail):
            cluster = narrow(head, 1, self.shortlist_size + number, 1)
            parts.append(cluster + log_softmax(projection(input), 1))
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class (N,) for inputs (N, in_features): argmax(log_prob(input), 1)."""
        best = argmax(self.head(input), 1)
        # A class of the shortlist that beats all clusters beats all their members.
        rows = squeeze(nonzero(best >= self.shortlist_size), 1)
        if not rows.numel():
            return best
        among_all = argmax(self.log_prob(index_select(input, 0, rows)), 1)
        return index_copy(best, 0, rows, among_all)
