"""The next token, drawn from what a language model gives all of them. Knows tensors of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.errors import ShapeError
from tensorgrad.ops.choice import where
from tensorgrad.ops.ordering import sort, topk
from tensorgrad.ops.sampling import multinomial
from tensorgrad.ops.scan import cumsum
from tensorgrad.ops.softmaxes import softmax
from tensorgrad.random import Generator

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def sampling_shares(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """The probabilities that `sample_token` draws by, in the shape of logits (..., V):
    softmax(logits / temperature), of which first the `top_k` largest are kept, then of these the
    fewest that make up `top_p` (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751), scaled to
    the sum 1. Equal ones at the edge are all kept. A temperature below 1 sharpens, one above 1
    flattens.

    Raises:
        ValueError: a temperature that is not above 0, a `top_k` below 1, a `top_p` that is not in
            (0, 1].
        ShapeError: logits without a dimension, or none of them.
    """
    if not temperature > 0:
        raise ValueError(f"sampling_shares: expected a temperature above 0, got {temperature!r}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"sampling_shares: expected top_k of at least 1, got {top_k!r}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"sampling_shares: expected top_p in (0, 1], got {top_p!r}")
    if not logits.ndim or not logits.shape[-1]:
        raise ShapeError(
            f"sampling_shares: expected logits of shape (..., V), got {list(logits.shape)}"
        )
    shares = softmax(logits / temperature, -1)
    if top_k is not None and top_k < shares.shape[-1]:
        least = topk(shares, top_k, -1)[0][..., -1:]
        shares = where(shares < least, 0.0, shares)
        shares = shares / shares.sum(-1, keepdim=True)
    if top_p is not None:
        ordered = sort(shares, -1, True)[0]
        # A token is kept as long as those before it do not make up top_p: so the first always is.
        kept = cumsum(ordered, -1) - ordered < top_p
        least = where(kept, ordered, 1.0).amin(-1, keepdim=True)
        shares = where(shares < least, 0.0, shares)
        shares = shares / shares.sum(-1, keepdim=True)
    return shares


def sample_token(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """A token for each row of logits (..., V), drawn by `sampling_shares`: int64 (...)."""
    shares = sampling_shares(logits, temperature, top_k, top_p)
    drawn = multinomial(shares.reshape(-1, shares.shape[-1]), 1, generator=generator)
    return drawn.reshape(shares.shape[:-1])
