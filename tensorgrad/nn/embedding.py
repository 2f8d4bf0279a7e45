"""Tables of learned rows, and of sums over bags of them.

https://docs.pytorch.org/docs/stable/nn.html#sparse-layers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.nn import functional, init
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.creation import empty

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Table(Module):
    """A weight (num_embeddings, embedding_dim), standard normal at first, its row `padding_idx`
    zeros.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Tensor | None,
        freeze: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    f"{name}: expected padding_idx in [{-num_embeddings}, {num_embeddings}), got "
                    f"{padding_idx}"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        if weight is not None:
            if tuple(weight.shape) != (num_embeddings, embedding_dim):
                raise AssertionError(
                    f"{name}: expected a weight of shape {[num_embeddings, embedding_dim]}, got "
                    f"{list(weight.shape)}"
                )
            self.weight = Parameter(weight, requires_grad=not freeze)
            return
        values = empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
        self.weight = Parameter(values, requires_grad=not freeze)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx] = 0

    @classmethod
    def _over(cls, embeddings: Tensor, freeze: bool, **options: Any) -> Any:
        """A table over the memory of `embeddings`."""
        if embeddings.ndim != 2:
            raise AssertionError(
                f"{cls.__name__}.from_pretrained: expected 2 dimensions, got shape "
                f"{list(embeddings.shape)}"
            )
        make: Any = cls  # whose subclasses take the weight by name
        table = make(*embeddings.shape, _weight=embeddings, **options)
        table.weight.requires_grad_(not freeze)
        return table


class Embedding(_Table):
    """Rows of weight (num_embeddings, embedding_dim) named by integers of any shape: (*,
    embedding_dim).

    The weight starts standard normal; row `padding_idx` starts as zeros and gets no gradient.
    max_norm: longer rows among those named are shortened in place first, lengths by the norm
    `norm_type`. scale_grad_by_freq divides each row's gradient by how often it is named. sparse:
    `weight.grad` holds the rows that were named alone, and SGD, Adagrad, Adam, AdamW and SparseAdam
    step these alone.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype
        )
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An Embedding over the memory of `embeddings` (rows, columns), trained only if freeze is
        false.
        """
        return cls._over(  # type: ignore[no-any-return]
            embeddings,
            freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("sparse", False),
        ):
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value}"
        return text


class EmbeddingBag(_Table):
    """The "sum", "mean" or "max" (`mode`) of the rows of weight (num_embeddings, embedding_dim)
    that each bag names: (bags, embedding_dim).

    input: (bags, n), or one dimension with `offsets`, where each bag begins (and, with
    include_last_offset, where the last one ends). Rows `padding_idx` are left out. The other
    arguments as in `Embedding`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """An EmbeddingBag over the memory of `embeddings` (rows, columns), trained only if freeze
        is false.
        """
        return cls._over(  # type: ignore[no-any-return]
            embeddings,
            freeze,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """per_sample_weights, shaped as input, multiply the rows of a sum."""
        return functional.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("mode", ""),
            ("padding_idx", None),
        ):
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value!r}"
        return text
