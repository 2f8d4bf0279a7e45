"""Transformers: layers of attention and feed-forward networks, each added to its input.

Vaswani et al. 2017, https://docs.pytorch.org/docs/stable/nn.html#transformer-layers. Sequences are
(L, N, d_model), with batch_first (N, L, d_model), or (L, d_model) for one. A mask is added to the
scores of attention, or bool: True where a key is hidden; it has a shape (L, S) or (N * nhead, L,
S), a key padding mask (N, S).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.nn import functional, init
from tensorgrad.nn.attention import MultiheadAttention
from tensorgrad.nn.container import ModuleList
from tensorgrad.nn.dropout import Dropout
from tensorgrad.nn.linear import Linear
from tensorgrad.nn.module import Module
from tensorgrad.nn.normalization import LayerNorm
from tensorgrad.ops.creation import full
from tensorgrad.ops.diagonals import triu

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

Activation = str | Callable[["Tensor"], "Tensor"]
NAMED = {"relu": functional.relu, "gelu": functional.gelu}


class _Layer(Module):
    """What the layers share: a feed-forward network, and how sublayers are added to their input.

    x + sublayer(norm(x)) with norm_first, norm(x + sublayer(x)) without.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        batch_first: bool,
        norm_first: bool,
        bias: bool,
        attentions: tuple[str, ...],
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        options: Any = {"device": device, "dtype": dtype}
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, **options
            )
            self.register_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **options)
        self.norm_first = norm_first
        numbers = range(1, len(attentions) + 2)
        for number in numbers:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **options)
            self.register_module(f"norm{number}", norm)
        for number in numbers:
            self.register_module(f"dropout{number}", Dropout(dropout))
        if isinstance(activation, str) and activation not in NAMED:
            raise RuntimeError(
                f"{type(self).__name__}: expected activation 'relu', 'gelu' or a function, got "
                f"{activation!r}"
            )
        # By its name where it has one: a name can be saved with the module, a function cannot.
        self.activation = next(
            (name for name, function in NAMED.items() if activation is function), activation
        )

    def _add(self, number: int, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + dropout(sublayer(norm(x)))  # type: ignore[no-any-return]
        return norm(x + dropout(sublayer(x)))  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        activation = self.activation
        activate = NAMED[activation] if isinstance(activation, str) else activation
        return self.linear2(self.dropout(activate(self.linear1(x))))  # type: ignore[no-any-return]


def _attended(
    attention: Module,
    memory: Tensor | None,
    mask: Tensor | None,
    padding: Tensor | None,
    is_causal: bool,
) -> Callable[[Tensor], Tensor]:
    """Attention of x to `memory`, or to itself, as a sublayer."""

    def sublayer(x: Tensor) -> Tensor:
        other = x if memory is None else memory
        return attention(  # type: ignore[no-any-return]
            x,
            other,
            other,
            key_padding_mask=padding,
            need_weights=False,
            attn_mask=mask,
            is_causal=is_causal,
        )[0]

    return sublayer


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then linear2(activation(linear1(x))), each behind dropout
    added to its input and normalised: norm(x + f(x)), or x + f(norm(x)) with norm_first (Xiong et
    al. 2020).

    activation: "relu", "gelu" or a function. Modules: self_attn, linear1 (dim_feedforward,
    d_model), linear2, norm1 and norm2.
    """

    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, ("self_attn",), device, dtype,
        )  # fmt: skip

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        own = _attended(self.self_attn, None, src_mask, src_key_padding_mask, is_causal)
        return self._add(2, self._add(1, src, own), self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """As `TransformerEncoderLayer`, with attention to a second sequence, `memory`, between the two
    sublayers.

    Modules: self_attn, multihead_attn, linear1, linear2, norm1, norm2 and norm3.
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, ("self_attn", "multihead_attn"), device, dtype,
        )  # fmt: skip

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        own = _attended(self.self_attn, None, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = _attended(
            self.multihead_attn, memory, memory_mask, memory_key_padding_mask, memory_is_causal
        )
        x = self._add(2, self._add(1, tgt, own), other)
        return self._add(3, x, self._feed_forward)


class _Stack(Module):
    """num_layers copies of a layer, one behind the other, and a norm behind the last."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _run(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *args, **kwargs)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """num_layers copies of encoder_layer, with its values, one behind the other; norm behind the
    last.

    enable_nested_tensor and mask_check, which choose how PyTorch computes, change nothing.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """is_causal says that `mask` is the causal one; None does not say, and the mask counts as
        given.
        """
        return self._run(
            src,
            src_mask=mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=bool(is_causal),
        )


class TransformerDecoder(_Stack):
    """num_layers copies of decoder_layer, with its values, one behind the other; norm behind the
    last.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """tgt_is_causal and memory_is_causal say that a mask is the causal one; None does not
        say, and the mask counts as given.
        """
        return self._run(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=bool(tgt_is_causal),
            memory_is_causal=memory_is_causal,
        )


class Transformer(Module):
    """An encoder over src (S, N, d_model), and a decoder over tgt (T, N, d_model) that attends to
    what the encoder gives: (T, N, d_model).

    custom_encoder and custom_decoder stand for the stacks of layers that the other arguments
    describe. Weights of two dimensions start by xavier_uniform_. Vaswani et al. 2017.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        like: Any = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder
        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*like)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*like)
            self.decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        place = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[place] != tgt.shape[place]:
            raise ShapeError(
                "Transformer: expected batches of equal size, got src "
                f"{list(src.shape)} and tgt {list(tgt.shape)}"
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                f"Transformer: expected {self.d_model} features, got src {list(src.shape)} and "
                f"tgt {list(tgt.shape)}"
            )
        memory = self.encoder(  # type: ignore[misc]
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(  # type: ignore[misc, no-any-return]
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """(sz, sz), 0 where a query may see a key, up to its own place, and -inf behind."""
        return triu(full((sz, sz), -math.inf, device=device, dtype=dtype), 1)
