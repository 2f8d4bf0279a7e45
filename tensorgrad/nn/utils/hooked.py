"""weight_norm and spectral_norm as hooks that compute the weight before each forward: PyTorch's
older way, with the names that older state_dicts have.

See `nn.utils.parametrizations` for the same without hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tensorgrad.nn.functional import normalize
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter, is_lazy
from tensorgrad.nn.utils.parametrizations import (
    as_matrix,
    iterate,
    norm_except_dim,
    of_length,
    output_dim,
    over_norm,
)
from tensorgrad.ops.sampling import randn

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

M = TypeVar("M", bound=Module)


class _Computed:
    """A forward pre-hook that computes the tensor `name` of its module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Any) -> Tensor:
        raise NotImplementedError

    def parts(self) -> list[str]:
        """The names of what it computes from."""
        raise NotImplementedError

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def install(self, module: Module) -> None:
        setattr(module, self.name, self.compute(module))
        module.register_forward_pre_hook(self)


def _taken(op: str, kind: type[_Computed], module: Module, name: str) -> Any:
    """The parameter of this name, which the module gives away."""
    if _hook(kind, module, name) is not None:
        raise RuntimeError(f"{op}: expected one {op} on {name!r}, got a second")
    weight = module.get_parameter(name)
    if is_lazy(weight):
        raise ValueError(f"{op}: expected an initialized parameter, got {weight}")
    delattr(module, name)
    return weight


def _hook(kind: type[_Computed], module: Module, name: str) -> tuple[int, Any] | None:
    table = module._hook_table().pre
    for key, (hook, _) in table.items():
        if isinstance(hook, kind) and hook.name == name:
            return key, hook
    return None


def _remove(op: str, kind: type[_Computed], module: M, name: str) -> M:
    found = _hook(kind, module, name)
    if found is None:
        raise ValueError(f"{op}: expected a tensor with that norm, got {name!r}")
    key, hook = found
    weight = hook.compute(module).detach()
    del module._hook_table().pre[key]
    for part in (name, *hook.parts()):
        delattr(module, part)
    module.register_parameter(name, Parameter(weight))
    return module


# ---- length and direction


class _WeightNorm(_Computed):
    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name)
        self.dim = dim

    def parts(self) -> list[str]:
        return [f"{self.name}_g", f"{self.name}_v"]

    def compute(self, module: Any) -> Tensor:
        length, direction = (getattr(module, part) for part in self.parts())
        return of_length(direction, length, self.dim)


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Train a weight as its lengths along `dim` (`weight_g`) and its directions (`weight_v`):
    g * v / ||v||. dim None: one length. Salimans and Kingma 2016.
    """
    weight = _taken("weight_norm", _WeightNorm, module, name)
    norm = _WeightNorm(name, -1 if dim is None else dim)
    length = norm_except_dim(weight.detach(), norm.dim)
    for part, value in zip(norm.parts(), (length, weight.detach()), strict=True):
        module.register_parameter(part, Parameter(value))
    norm.install(module)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight an ordinary parameter again."""
    return _remove("remove_weight_norm", _WeightNorm, module, name)


# ---- spectral norm


class _SpectralNorm(_Computed):
    def __init__(self, name: str, steps: int, dim: int, eps: float) -> None:
        super().__init__(name)
        self.steps = steps
        self.dim = dim
        self.eps = eps

    def parts(self) -> list[str]:
        return [f"{self.name}_orig", f"{self.name}_u", f"{self.name}_v"]

    def compute(self, module: Any) -> Tensor:
        weight, u, v = (getattr(module, part) for part in self.parts())
        return over_norm(weight, as_matrix(weight, self.dim), u, v)

    def __call__(self, module: Any, inputs: Any) -> None:
        if module.training:
            weight, u, v = (getattr(module, part) for part in self.parts())
            # v first, then u: the older order, on which the values of older states depend.
            iterate(as_matrix(weight, self.dim).t(), v, u, self.steps, self.eps)
        super().__call__(module, inputs)


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide a weight (`weight_orig`) by its largest singular value, which is followed by power
    iterations in training (buffers `weight_u`, `weight_v`). Miyato et al. 2018.

    dim: of the outputs; 1 for transposed convolutions, else 0, unless told.
    """
    if n_power_iterations <= 0:
        raise ValueError(
            f"spectral_norm: expected n_power_iterations > 0, got {n_power_iterations}"
        )
    weight = _taken("spectral_norm", _SpectralNorm, module, name)
    dim = output_dim(module) if dim is None else dim
    norm = _SpectralNorm(name, n_power_iterations, dim, eps)
    original, *vectors = norm.parts()
    module.register_parameter(original, weight)
    for part, size in zip(vectors, as_matrix(weight.detach(), dim).shape, strict=True):
        drawn = randn(size, dtype=weight.dtype, device=weight.device)
        module.register_buffer(part, normalize(drawn, dim=0, eps=eps))
    norm.install(module)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight, divided by its spectral norm, an ordinary parameter again."""
    return _remove("remove_spectral_norm", _SpectralNorm, module, name)
