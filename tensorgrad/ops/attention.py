"""Attention: rows of values mixed by how well queries and keys agree.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.choice import masked_fill, where
from tensorgrad.ops.conversion import all_widened
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.diagonals import lower
from tensorgrad.ops.dropout import dropout
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.linear import linear
from tensorgrad.ops.reduction import every, mean
from tensorgrad.ops.shape import expand, reshape, squeeze, to_order, unsqueeze
from tensorgrad.ops.softmaxes import softmax

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "multi_head_attention_forward",
    "scaled_dot_product_attention",
]


def _allowed(queries: int, keys: int, like: Tensor) -> Tensor:
    """(queries, keys) bool: query i sees the keys up to i."""
    return lower(zeros_of(like, (queries, keys)) + 1, 0) > 0


def _scores(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = matmul(query, swap_last(key)) * scale
    if mask is None:
        return scores
    if mask.dtype == dtypes.bool_:
        return where(mask, scores, -math.inf)
    return scores + mask


def _shared_by_heads(x: Tensor, heads: int) -> Tensor:
    """(..., h, S, E) -> (..., heads, S, E): each of the h repeated for its group of heads."""
    own = x.shape[-3]
    if heads % own:
        raise ShapeError(
            f"scaled_dot_product_attention: expected a number of heads that divides {heads}, got "
            f"{own}"
        )
    lead, (rows, size) = tuple(x.shape[:-2]), x.shape[-2:]
    wide = expand(unsqueeze(x, -3), (*lead, heads // own, rows, size))
    return reshape(wide, (*lead[:-1], heads, rows, size))


def _check_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if len({query.dtype, key.dtype, value.dtype}) > 1:
        raise DTypeError(
            "scaled_dot_product_attention: expected query, key and value of one dtype, got "
            f"{query.dtype}, {key.dtype} and {value.dtype}"
        )
    fits = (
        min(query.ndim, key.ndim, value.ndim) >= 2
        and query.shape[-1] == key.shape[-1]
        and key.shape[-2] == value.shape[-2]
    )
    if not fits:
        raise ShapeError(
            "scaled_dot_product_attention: expected query (..., L, E), key (..., S, E) and value "
            f"(..., S, Ev), got {list(query.shape)}, {list(key.shape)} and {list(value.shape)}"
        )
    if mask is not None and mask.dtype not in (dtypes.bool_, query.dtype, dtypes.float32):
        raise DTypeError(
            "scaled_dot_product_attention: expected an attn_mask of dtype bool or "
            f"{query.dtype}, got {mask.dtype}"
        )


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + attn_mask) @ value: (..., L, E), (..., S, E), (..., S, Ev)
    to (..., L, Ev).

    attn_mask: (..., L, S), added; or bool, True where the key takes part. A query that sees no key
    gives zeros. is_causal: query i sees the keys up to i. dropout_p: of the weights, always.
    scale: 1 / sqrt(E) unless told. enable_gqa: dimension -3 counts heads, and key and value may
    have fewer, each shared by a group. Vaswani et al. 2017; Ainslie et al. 2023.
    """
    _check_attention(query, key, value, attn_mask)
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "scaled_dot_product_attention: expected attn_mask or is_causal, got both"
        )
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    attend = attention if dropout_p == 0 else partial(_with_dropout, dropout_p)
    return all_widened(attend)(query, key, value, attn_mask, scale, is_causal, enable_gqa)


@fused()
def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    causal: bool,
    grouped: bool,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value; zeros for a query that sees no key."""
    return _with_dropout(0.0, query, key, value, mask, scale, causal, grouped)


def _with_dropout(
    dropout_p: float,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    causal: bool,
    grouped: bool,
) -> Tensor:
    if grouped:
        key = _shared_by_heads(key, query.shape[-3])
        value = _shared_by_heads(value, query.shape[-3])
    if causal:
        mask = _allowed(query.shape[-2], key.shape[-2], query)
    scores = _scores(query, key, mask, scale)
    if mask is None:
        weights = softmax(scores, -1)
    else:
        blind = every(scores == -math.inf, -1, True)
        weights = masked_fill(softmax(masked_fill(scores, blind, 0), -1), blind, 0)
    return matmul(dropout(weights, dropout_p), value)


# ---- many heads, with their projections


class AttentionError(ShapeError, AssertionError):
    """Arguments that do not fit each other; PyTorch asserts that they do."""


def _expect(condition: bool, expected: str, got: Any) -> None:
    if not condition:
        raise AttentionError(f"multi_head_attention_forward: expected {expected}, got {got}")


def _check_ranks(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
) -> bool:
    """Whether there is a batch."""
    rank = query.ndim
    ranks = [query.ndim, key.ndim, value.ndim]
    _expect(rank in (2, 3), "a query of 2 or 3 dimensions", list(query.shape))
    _expect(len(set(ranks)) == 1, "query, key and value of equal rank", ranks)
    if padding is not None:
        _expect(
            padding.ndim == rank - 1,
            f"a key_padding_mask of {rank - 1} dimensions",
            list(padding.shape),
        )
    if mask is not None:
        _expect(mask.ndim in (2, 3), "an attn_mask of 2 or 3 dimensions", list(mask.shape))
    return rank == 3


def _added(mask: Tensor | None, name: str, like: Tensor) -> Tensor | None:
    """A mask as numbers to add: -inf where a bool one holds."""
    if mask is None or dtypes.is_floating_point(mask.dtype):
        return mask
    _expect(mask.dtype == dtypes.bool_, f"a {name} of bools or floats", mask.dtype)
    return masked_fill(zeros_of(like, tuple(mask.shape)), mask, -math.inf)


def _rows_of(x: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if x is None else x[start : start + count]


def _projected(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    together: bool,
    weights: tuple[Tensor | None, ...],
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    separate: bool | int,
) -> list[Tensor]:
    """Queries, keys and values of all heads, each (length, N, E)."""
    size = query.shape[-1]
    if separate:
        _expect(all(w is not None for w in weights), "the three projection weights", "None")
        _expect(
            tuple(key.shape[:2]) == tuple(value.shape[:2]),
            "key and value of equal length and batch",
            f"{list(key.shape)} and {list(value.shape)}",
        )
    else:
        _expect(in_proj_weight is not None, "in_proj_weight", "None")
        _expect(
            tuple(key.shape) == tuple(value.shape),
            "key and value of equal shape",
            f"{list(key.shape)} and {list(value.shape)}",
        )
        if together:  # one product in place of three
            packed = linear(query, in_proj_weight, in_proj_bias)  # type: ignore[arg-type]
            return [packed[..., n * size : (n + 1) * size] for n in range(3)]
        weights = tuple(_rows_of(in_proj_weight, n * size, size) for n in range(3))
    biases = [_rows_of(in_proj_bias, n * size, size) for n in range(3)]
    return [
        linear(x, weight, bias)  # type: ignore[arg-type]
        for x, weight, bias in zip((query, key, value), weights, biases)
    ]


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """(length, N, E) -> (N, heads, length, E / heads)."""
    length, batch, size = x.shape
    return to_order(reshape(x, (length, batch, heads, size // heads)), (1, 2, 0, 3))


def _given_heads(x: Tensor, batch: int, heads: int, size: int, name: str) -> Tensor:
    fits = x.ndim == 3 and x.shape[0] == batch * heads and x.shape[2] == size
    _expect(fits, f"{name} of shape [{batch * heads}, S, {size}]", list(x.shape))
    return reshape(x, (batch, heads, x.shape[1], size))


def _wider(mask: Tensor | None) -> Tensor | None:
    """One more key, seen by every query."""
    return None if mask is None else cat([mask, zeros_of(mask, (*mask.shape[:-1], 1))], -1)


def _merged_mask(
    mask: Tensor | None, padding: Tensor | None, batch: int, heads: int, lengths: tuple[int, int]
) -> Tensor | None:
    """Both masks in a shape that broadcasts to (N, heads, L, S)."""
    if mask is not None:
        stacked = (batch * heads, *lengths)
        if tuple(mask.shape) != (lengths if mask.ndim == 2 else stacked):
            raise ShapeError(
                "multi_head_attention_forward: expected an attn_mask of shape "
                f"{list(lengths)} or {list(stacked)}, got {list(mask.shape)}"
            )
        mask = mask if mask.ndim == 2 else reshape(mask, (batch, heads, *lengths))
    if padding is None:
        return mask
    _expect(
        tuple(padding.shape) == (batch, lengths[1]),
        f"a key_padding_mask of shape {[batch, lengths[1]]}",
        list(padding.shape),
    )
    padding = reshape(padding, (batch, 1, 1, lengths[1]))
    return padding if mask is None else mask + padding


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool | int,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool | int = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool | int = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of `num_heads` heads over projections of query (L, N, E), key (S, N, Ek) and value
    (S, N, Ev), projected again: (L, N, E), and the weights (N, L, S), the heads' mean unless not
    average_attn_weights, or None unless need_weights. Without N everywhere for one sample.

    A mask is added to the scores, or bool: True where a key is hidden. key_padding_mask: (N, S);
    attn_mask: (L, S) or (N * num_heads, L, S). bias_k and bias_v, and the zeros of add_zero_attn,
    are one more key and value each. static_k and static_v (N * num_heads, S, E / num_heads)
    stand for projected keys and values. Vaswani et al. 2017.
    """
    together = query is key and key is value
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask)
    if not batched:
        query, key, value = unsqueeze(query, 1), unsqueeze(key, 1), unsqueeze(value, 1)
        key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
    queries, batch, size = query.shape
    _expect(size == embed_dim_to_check, f"an embedding size of {embed_dim_to_check}", size)
    _expect(size % num_heads == 0, f"a size that {num_heads} heads divide", size)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "multi_head_attention_forward: expected an attn_mask beside is_causal, got None"
        )
    q, k, v = _projected(
        query, key, value, together, (q_proj_weight, k_proj_weight, v_proj_weight),
        in_proj_weight, in_proj_bias, use_separate_proj_weight,
    )  # fmt: skip
    mask = _added(attn_mask, "attn_mask", query)
    padding = _added(key_padding_mask, "key_padding_mask", query)
    if is_causal and padding is None and not need_weights:
        mask = _added(~_allowed(queries, key.shape[0], query), "attn_mask", query)
    _expect((bias_k is None) == (bias_v is None), "both bias_k and bias_v, or neither", "one")
    if bias_k is not None and bias_v is not None:
        _expect(static_k is None and static_v is None, "no bias beside static keys", "both")
        k = cat([k, expand(bias_k, (1, batch, size))], 0)
        v = cat([v, expand(bias_v, (1, batch, size))], 0)
        mask, padding = _wider(mask), _wider(padding)
    width = size // num_heads
    q = _split_heads(q, num_heads)
    k = (
        _split_heads(k, num_heads) if static_k is None
        else _given_heads(static_k, batch, num_heads, width, "static_k")
    )  # fmt: skip
    v = (
        _split_heads(v, num_heads) if static_v is None
        else _given_heads(static_v, batch, num_heads, width, "static_v")
    )  # fmt: skip
    if add_zero_attn:
        k, v = (cat([x, zeros_of(x, (batch, num_heads, 1, width))], 2) for x in (k, v))
        mask, padding = _wider(mask), _wider(padding)
    mask = _merged_mask(mask, padding, batch, num_heads, (queries, k.shape[2]))
    dropped = dropout_p if training else 0.0
    weights = None
    if need_weights:
        weights = softmax(_scores(q, k, mask, math.sqrt(1 / width)), -1)
        weights = dropout(weights, dropped)
        mixed = matmul(weights, v)
        weights = mean(weights, 1) if average_attn_weights else weights
    else:
        mixed = scaled_dot_product_attention(q, k, v, mask, dropped)
    out = reshape(to_order(mixed, (2, 0, 1, 3)), (queries, batch, size))
    out = linear(out, out_proj_weight, out_proj_bias)
    if batched:
        return out, weights
    return squeeze(out, 1), None if weights is None else squeeze(weights, 0)
