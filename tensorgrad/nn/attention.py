"""Attention of many heads, with its projections as parameters.

https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.nn import functional, init
from tensorgrad.nn.linear import Linear
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.creation import empty
from tensorgrad.ops.shape import transpose

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class NonDynamicallyQuantizableLinear(Linear):
    """A `Linear` under the name that PyTorch prints for the projection of an attention's output."""


class MultiheadAttention(Module):
    """Attention of num_heads heads over projections of query (L, N, embed_dim), key (S, N, kdim)
    and value (S, N, vdim), projected again: (L, N, embed_dim) and the weights (N, L, S).

    Each head: softmax(q k.T / sqrt(embed_dim / num_heads) + masks) v. batch_first: N stands first;
    without N everywhere for one sample. dropout: of the weights, in training. add_bias_kv: one more
    learned key and value; add_zero_attn: one of zeros. Parameters: in_proj_weight (3 embed_dim,
    embed_dim), or q_, k_ and v_proj_weight where kdim or vdim differs from embed_dim, and
    in_proj_bias (3 embed_dim,); bias_k and bias_v (1, 1, embed_dim); out_proj. Vaswani et al. 2017.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"MultiheadAttention: expected embed_dim and num_heads > 0, got {embed_dim} and "
                f"{num_heads}"
            )
        if embed_dim % num_heads:
            raise AssertionError(
                f"MultiheadAttention: expected num_heads to divide embed_dim, got {num_heads} and "
                f"{embed_dim}"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim == self.vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        options: Any = {"device": device, "dtype": dtype}
        shapes: dict[str, tuple[int, ...] | None] = {
            "q_proj_weight": (embed_dim, embed_dim),
            "k_proj_weight": (embed_dim, self.kdim),
            "v_proj_weight": (embed_dim, self.vdim),
            "in_proj_weight": None,
        }
        if self._qkv_same_embed_dim:
            shapes = dict.fromkeys(shapes) | {"in_proj_weight": (3 * embed_dim, embed_dim)}
        shapes["in_proj_bias"] = (3 * embed_dim,) if bias else None
        for name, shape in shapes.items():
            value = None if shape is None else Parameter(empty(shape, **options))
            self.register_parameter(name, value)
        for name in ("bias_k", "bias_v"):
            value = Parameter(empty(1, 1, embed_dim, **options)) if add_bias_kv else None
            self.register_parameter(name, value)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, **options)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self.in_proj_weight is not None:
            init.xavier_uniform_(self.in_proj_weight)
        for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """A mask is added to the scores, or bool: True where a key is hidden. key_padding_mask:
        (N, S); attn_mask: (L, S) or (N * num_heads, L, S); is_causal says that it is the causal
        one. The weights are None unless need_weights, and the mean of the heads' unless not
        average_attn_weights: then (N, num_heads, L, S).
        """
        swapped = self.batch_first and query.ndim == 3
        if swapped:
            # What is one tensor stays one: its three projections are then one product.
            known = {id(x): transpose(x, 0, 1) for x in (query, key, value)}
            query, key, value = (known[id(x)] for x in (query, key, value))
        out, weights = functional.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return transpose(out, 0, 1) if swapped else out, weights
