"""Weights set to zero for good: by a mask that is applied before each forward.

A pruned `weight` reads `weight_orig` (the parameter) * `weight_mask` (a buffer).

https://docs.pytorch.org/docs/stable/nn.html#module-torch.nn.utils
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.creation import ones_like
from tensorgrad.ops.joining import cat
from tensorgrad.ops.matrix_norms import vector_norm
from tensorgrad.ops.ordering import topk
from tensorgrad.ops.sampling import rand, rand_like
from tensorgrad.ops.shape import one_dim, reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Masked:
    """The forward pre-hook of a pruned tensor, and the methods that pruned it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.methods: list[BasePruningMethod] = []

    def __call__(self, module: Any, inputs: Any) -> None:
        original = getattr(module, f"{self.name}_orig")
        setattr(module, self.name, original * getattr(module, f"{self.name}_mask"))


def _hook(module: Module, name: str) -> tuple[int, _Masked] | None:
    table = {} if module._hooks is None else module._hooks.pre
    for key, (hook, _) in table.items():
        if isinstance(hook, _Masked) and hook.name == name:
            return key, hook
    return None


class BasePruningMethod:
    """One way to choose what is pruned: subclasses define `compute_mask`.

    PRUNING_TYPE: "unstructured" methods see the elements that are left as a vector, "structured"
    ones the channels that are left along their `dim`, "global" ones the whole tensor.
    """

    PRUNING_TYPE = "global"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, 1 or 0 for each element of `t`, of which `default_mask` are left."""
        raise NotImplementedError(
            f"{type(self).__name__}: expected the subclass to define compute_mask"
        )

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """`t` times the mask."""
        scores = t if importance_scores is None else importance_scores
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.further(scores, mask)

    def further(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The mask after this method chose among what `mask` left."""
        if self.PRUNING_TYPE == "global":
            return self.compute_mask(scores, mask)
        if self.PRUNING_TYPE == "unstructured":
            left: Any = mask == 1
        else:
            dim = one_dim("prune", self.dim, mask.ndim)  # type: ignore[attr-defined]
            others = tuple([d for d in range(mask.ndim) if d != dim])
            kept = mask.sum(others) != 0 if others else mask != 0
            left = (slice(None),) * dim + (kept,)
        renewed = mask.clone()
        renewed[left] = self.compute_mask(scores[left], mask[left])
        return renewed

    @classmethod
    def apply(
        cls,
        module: Module,
        name: str,
        *args: Any,
        importance_scores: Tensor | None = None,
        **kwargs: Any,
    ) -> BasePruningMethod:
        """Prune `module.name` by a method made of the arguments; what was pruned stays so."""
        method = cls(*args, **kwargs)
        own: Any = module
        found = _hook(module, name)
        value = getattr(own, name).detach()
        if importance_scores is not None and importance_scores.shape != value.shape:
            raise ShapeError(
                f"prune: expected importance_scores of shape {list(value.shape)}, got "
                f"{list(importance_scores.shape)}"
            )
        mask = ones_like(value) if found is None else getattr(own, f"{name}_mask")
        scores = value if importance_scores is None else importance_scores.detach()
        renewed = method.further(scores, mask).to(value.dtype)
        if found is None:
            hook = _Masked(name)
            original = module.get_parameter(name)
            delattr(module, name)
            module.register_parameter(f"{name}_orig", original)
            module.register_buffer(f"{name}_mask", renewed)
            module.register_forward_pre_hook(hook)
        else:
            hook = found[1]
            setattr(module, f"{name}_mask", renewed)
        hook.methods.append(method)
        hook(module, None)
        return method


def _count(amount: float, size: int) -> int:
    """How many of `size` to prune: a number of them, or a fraction."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise TypeError(f"prune: expected amount as a number, got {amount!r}")
    whole = isinstance(amount, int)
    if amount < 0 or (not whole and amount > 1):
        raise ValueError(f"prune: expected amount in [0, 1] or a number >= 0, got {amount}")
    if whole and amount > size:
        raise ValueError(f"prune: expected amount of at most {size}, got {amount}")
    return int(amount) if whole else round(amount * size)


class _Amount(BasePruningMethod):
    def __init__(self, amount: float) -> None:
        _count(amount, amount if isinstance(amount, int) else 1)
        self.amount = amount

    def _without(self, mask: Tensor, scores: Tensor) -> Tensor:
        """The mask without the elements of the smallest scores."""
        flat = mask.clone().reshape(-1)
        count = _count(self.amount, flat.numel())
        if count:
            flat[topk(reshape(scores, -1), count, largest=False)[1]] = 0
        return flat.reshape(mask.shape)


class RandomUnstructured(_Amount):
    """Elements drawn at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return self._without(default_mask, rand_like(t))


class L1Unstructured(_Amount):
    """The elements of smallest absolute value."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return self._without(default_mask, t.abs())


class _Structured(_Amount):
    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _without_channels(self, mask: Tensor, scores: Tensor) -> Tensor:
        """The mask without the channels of the smallest scores."""
        dim = one_dim("prune", self.dim, mask.ndim)
        renewed = mask.clone()
        count = _count(self.amount, mask.shape[dim])
        if count:
            chosen = topk(scores, count, largest=False)[1]
            renewed[(slice(None),) * dim + (chosen,)] = 0
        return renewed


class RandomStructured(_Structured):
    """Channels along `dim` drawn at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = t.shape[one_dim("prune", self.dim, t.ndim)]
        return self._without_channels(default_mask, rand(size, device=t.device))


class LnStructured(_Structured):
    """The channels along `dim` of smallest n-norm."""

    def __init__(self, amount: float, n: float, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        dim = one_dim("prune", self.dim, t.ndim)
        others = tuple([d for d in range(t.ndim) if d != dim])
        lengths = vector_norm(t, float(self.n), dim=others)
        return self._without_channels(default_mask, lengths)


class Identity(BasePruningMethod):
    """Nothing: gives the module its mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """What a given mask leaves out."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(dtype=default_mask.dtype, device=default_mask.device)


# ---- the functions


def identity(module: Module, name: str) -> Module:
    """Give the parameter its mask, of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune `amount` elements (a number, or a fraction) drawn at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the `amount` elements of smallest absolute value, or of smallest scores."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune `amount` channels along `dim`, drawn at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: float,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the `amount` channels along `dim` of smallest n-norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune what is 0 in `mask`."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: Mapping[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters, (module, name) each, as if they were one vector."""
    places = list(parameters)
    given = importance_scores or {}
    masks, scores = [], []
    for module, name in places:
        own: Any = module
        value = getattr(own, name).detach()
        scores.append(reshape(given.get((module, name), value), -1))
        masks.append(reshape(getattr(own, f"{name}_mask", ones_like(value)), -1))
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f"global_unstructured: expected an unstructured method, got {method.PRUNING_TYPE}"
        )
    mask, start = method.further(cat(scores), cat(masks)), 0
    for (module, name), part in zip(places, masks, strict=True):
        shape = getattr(module, name).shape
        custom_from_mask(module, name, mask[start : start + part.numel()].reshape(shape))
        start += part.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruned tensor an ordinary parameter, with zeros where it was pruned."""
    found = _hook(module, name)
    if found is None or module._hooks is None:
        raise ValueError(f"remove: expected a pruned parameter, got {name!r}")
    own: Any = module
    original: Parameter = getattr(own, f"{name}_orig")
    original.data = original.detach() * getattr(own, f"{name}_mask")
    del module._hooks.pre[found[0]]
    for part in (name, f"{name}_orig", f"{name}_mask"):
        delattr(module, part)
    module.register_parameter(name, original)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a tensor of the module, or of one below it, is pruned."""
    hooks = [part._hooks for part in module.modules() if part._hooks is not None]
    return any(isinstance(hook, _Masked) for table in hooks for hook, _ in table.pre.values())
