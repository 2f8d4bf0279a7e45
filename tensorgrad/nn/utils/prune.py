"""Weights set to zero for good: by a mask that is applied before each forward.

A pruned `weight` reads `weight_orig` (the parameter) * `weight_mask` (a buffer).

https://docs.pytorch.org/docs/stable/nn.html#module-torch.nn.utils
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


def _hook(module: Module, name: str) -> tuple[int, BasePruningMethod] | None:
    """The hook that prunes `module.name`, and its key."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


class BasePruningMethod:
    """One way to choose what is pruned: subclasses define `compute_mask`. Once applied it is the
    forward pre-hook of its module.

    PRUNING_TYPE says what a method sees that is applied to what is pruned already: "unstructured"
    the elements that are left as a vector, "structured" the channels that are left along its `dim`,
    "global" the whole tensor.
    """

    PRUNING_TYPE = "global"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times its mask."""
        mask: Tensor = getattr(module, f"{self._tensor_name}_mask")
        original: Tensor = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(original.dtype) * original

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, 1 or 0 for each element of `t`, of which `default_mask` are left."""
        raise NotImplementedError(
            f"{type(self).__name__}: expected the subclass to define compute_mask"
        )

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """`t` times the mask."""
        scores = _scores(t, importance_scores)
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    @classmethod
    def apply(
        cls,
        module: Module,
        name: str,
        *args: Any,
        importance_scores: Tensor | None = None,
        **kwargs: Any,
    ) -> BasePruningMethod:
        """Prune `module.name` by a method made of the arguments, and return the hook: that method,
        or, where the tensor was pruned before and stays so, the container of all of them.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        value: Tensor = getattr(module, name).detach()
        scores = _scores(value, importance_scores).detach()
        found = _hook(module, name)
        if found is None:
            mask = method.compute_mask(scores, default_mask=ones_like(value))
            original = module.get_parameter(name)
            delattr(module, name)
            module.register_parameter(f"{name}_orig", original)
        else:
            method = PruningContainer(*_methods(found[1]), method)
            mask = method.compute_mask(scores, getattr(module, f"{name}_mask"))
            del module._forward_pre_hooks[found[0]]
        module.register_buffer(f"{name}_mask", mask.to(value.dtype))
        module.register_forward_pre_hook(method)
        method(module, None)
        return method

    def remove(self, module: Module) -> None:
        """Make the tensor an ordinary parameter, with zeros where it was pruned."""
        name = self._tensor_name
        original: Parameter = getattr(module, f"{name}_orig")
        original.data = self.apply_mask(module).detach()
        for part in (name, f"{name}_orig", f"{name}_mask"):
            delattr(module, part)
        module.register_parameter(name, original)


class PruningContainer(BasePruningMethod):
    """The methods that pruned one tensor, in their order; the last one computes the mask, of what
    those before it left.
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if args:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"PruningContainer: expected a pruning method, got {method!r}")
        if method._tensor_name != self._tensor_name:
            raise ValueError(
                f"PruningContainer: expected methods of {self._tensor_name!r}, got one of "
                f"{method._tensor_name!r}"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _further(self._pruning_methods[-1], t, default_mask)


def _methods(hook: BasePruningMethod) -> Iterable[BasePruningMethod]:
    return hook if isinstance(hook, PruningContainer) else (hook,)


def _scores(t: Tensor, importance_scores: Tensor | None) -> Tensor:
    """What tells the elements of `t` that matter."""
    if importance_scores is None:
        return t
    if importance_scores.shape != t.shape:
        raise ShapeError(
            f"prune: expected importance_scores of shape {list(t.shape)}, got "
            f"{list(importance_scores.shape)}"
        )
    return importance_scores


def _further(method: Any, scores: Tensor, mask: Tensor) -> Tensor:
    """The mask after the method chose among what `mask` left."""
    if method.PRUNING_TYPE == "global":
        left: Any = ...
    elif method.PRUNING_TYPE == "unstructured":
        left = mask == 1
    elif method.PRUNING_TYPE == "structured":
        dim = one_dim("prune", method.dim, mask.ndim)
        others = tuple([d for d in range(mask.ndim) if d != dim])
        left = (slice(None),) * dim + (mask.sum(others) != 0 if others else mask != 0,)
    else:
        raise ValueError(
            f"{type(method).__name__}: expected PRUNING_TYPE 'unstructured', 'structured' or "
            f"'global', got {method.PRUNING_TYPE!r}"
        )
    renewed = mask.to(dtype=scores.dtype, copy=True)
    renewed[left] = method.compute_mask(scores[left], default_mask=mask[left]).to(scores.dtype)
    return renewed


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

    def _channels(self, t: Tensor) -> int:
        """`dim` of `t`, from its start."""
        if t.ndim < 2:
            raise ValueError(f"prune: expected a tensor with channels, got shape {list(t.shape)}")
        return one_dim("prune", self.dim, t.ndim)

    def _without_channels(self, mask: Tensor, dim: int, scores: Tensor) -> Tensor:
        """The mask without the channels along `dim` of the smallest scores."""
        renewed = mask.clone()
        count = _count(self.amount, mask.shape[dim])
        if count:
            chosen = topk(scores, count, largest=False)[1]
            renewed[(slice(None),) * dim + (chosen,)] = 0
        return renewed


class RandomStructured(_Structured):
    """Channels along `dim` drawn at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        dim = self._channels(t)
        return self._without_channels(default_mask, dim, rand(t.shape[dim], device=t.device))


class LnStructured(_Structured):
    """The channels along `dim` of smallest n-norm."""

    def __init__(self, amount: float, n: float, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        dim = self._channels(t)
        others = tuple([d for d in range(t.ndim) if d != dim])
        lengths = vector_norm(t, float(self.n), dim=others)
        return self._without_channels(default_mask, dim, lengths)


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
    mask, start = _further(method, cat(scores), cat(masks)), 0
    for (module, name), part in zip(places, masks, strict=True):
        shape = getattr(module, name).shape
        custom_from_mask(module, name, mask[start : start + part.numel()].reshape(shape))
        start += part.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruned tensor an ordinary parameter, with zeros where it was pruned."""
    found = _hook(module, name)
    if found is None:
        raise ValueError(f"remove: expected a pruned parameter, got {name!r}")
    found[1].remove(module)
    del module._forward_pre_hooks[found[0]]
    return module


def is_pruned(module: Module) -> bool:
    """Whether a tensor of the module, or of one below it, is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
