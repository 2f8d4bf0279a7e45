"""Parameters that are computed from others: a module in place of a tensor.

`register_parametrization(layer, "weight", p)` makes `layer.weight` read p(original); the original
stands in `layer.parametrizations.weight.original` (original0, original1, ... where p takes several)
and is what an optimizer trains.

https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.register_parametrization.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.autograd import no_grad
from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.nn.container import ModuleDict, ModuleList
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Cache:
    """What parametrized tensors were computed to, while any `cached` block is open."""

    depth = 0
    values: dict[tuple[int, str], Any] = {}


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """In this block each parametrized tensor is computed once, when it is first read."""
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, the first nearest to the original."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            start: Any = original
            for module in reversed(list(self)):
                start = _inverse(module, start)
        self.is_tensor = isinstance(start, TensorCore)
        if self.is_tensor:
            if start.dtype != original.dtype and not unsafe:
                raise ValueError(
                    f"register_parametrization: expected right_inverse to keep {original.dtype}, "
                    f"got {start.dtype}"
                )
            _put(original, start)
            _register(self, "original", original)
        else:
            self.ntensors = len(start)
            for number, part in enumerate(start):
                value = part.detach()
                if isinstance(original, Parameter):
                    value = Parameter(value, original.requires_grad)
                _register(self, f"original{number}", value)
        if not unsafe:
            _check(self(), original)

    def _originals(self) -> list[Any]:
        if self.is_tensor:
            return [self.__dict__["original"]]
        return [self.__dict__[f"original{number}"] for number in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Set the originals to what the parametrizations make `value` of."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"right_inverse: expected {type(module).__name__} to define it, for a "
                        "value to be assigned"
                    )
                value = module.right_inverse(value)
        values = [value] if self.is_tensor else value
        for original, new in zip(self._originals(), values, strict=True):
            _put(original, new)

    def forward(self) -> Any:
        values = self._originals()
        for number, module in enumerate(self):
            result = module(*values) if not number else module(values[0])
            values = [result]
        return values[0]


def _inverse(module: Module, value: Any) -> Any:
    """What `module` makes the value of, where it says so; else the value."""
    inverse = getattr(module, "right_inverse", None)
    if inverse is None:
        return value
    try:
        return inverse(value)
    except NotImplementedError:
        return value


def _put(tensor: Any, value: Any) -> None:
    """Give a tensor, which stays the same object to optimizers, the memory of another."""
    if value is not tensor:
        tensor.data = value.detach().clone()


def _register(module: Module, name: str, value: Any) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


def _check(result: Any, original: Any) -> None:
    if not isinstance(result, TensorCore):
        raise ValueError(
            "register_parametrization: expected a parametrization to return a tensor, got "
            f"{type(result).__name__}"
        )
    shape, wanted = tuple(result._array.shape), tuple(original.shape)
    if shape != wanted or result._array.dtype != original.dtype:
        raise ShapeError(
            f"register_parametrization: expected a tensor of {original.dtype} and shape "
            f"{list(wanted)}, got {result._array.dtype} and {list(shape)} (unsafe=True lets it)"
        )


class _Parametrized(Module):
    """Stands before a module's class: reads and writes of parametrized names go through their
    parametrizations.
    """

    parametrizations: ModuleDict

    def __getattr__(self, name: str) -> Any:
        known = self.__dict__.get("parametrizations")
        if known is None or name not in known:
            raise AttributeError(f"{type(self).__name__}: expected an attribute, got {name!r}")
        if not _Cache.depth:
            return known[name]()
        key = id(self), name
        if key not in _Cache.values:
            _Cache.values[key] = known[name]()
        return _Cache.values[key]

    def __setattr__(self, name: str, value: Any) -> None:
        known = self.__dict__.get("parametrizations")
        if known is not None and name in known:
            known[name].right_inverse(value)
        else:
            super().__setattr__(name, value)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let `module.tensor_name` be computed by `parametrization`, after those that it has.

    A parametrization with a `right_inverse` starts from what that makes the tensor of, which may
    be several tensors. unsafe: shape and dtype may change. Raises ValueError for a name that is no
    parameter or buffer.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        own: Any = module
        if not unsafe:
            value = getattr(module, tensor_name)
            _check(parametrization(value), value)
        own.parametrizations[tensor_name].append(parametrization)
        own.parametrizations[tensor_name].unsafe |= unsafe
        return module
    if tensor_name not in {name for name, _ in _tensors(module)}:
        raise ValueError(
            f"register_parametrization: expected the name of a parameter or buffer, got "
            f"{tensor_name!r}"
        )
    original = getattr(module, tensor_name)
    parametrizations = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        kind = type(module)
        module.__class__ = type(f"Parametrized{kind.__name__}", (_Parametrized, kind), {})
        module.register_module("parametrizations", ModuleDict())
    module.parametrizations[tensor_name] = parametrizations  # type: ignore[attr-defined]
    return module


def _tensors(module: Module) -> list[tuple[str, Any]]:
    return [
        *module.named_parameters(recurse=False, remove_duplicate=False),
        *module.named_buffers(recurse=False, remove_duplicate=False),
    ]


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module, or its tensor of this name, has parametrizations."""
    if not isinstance(module, _Parametrized):
        return False
    return tensor_name is None or tensor_name in module.parametrizations


def type_before_parametrizations(module: Module) -> type:
    """The class of the module as it was written."""
    return type(module).__bases__[1] if is_parametrized(module) else type(module)


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor an ordinary one again: as computed, or as its original if not
    `leave_parametrized`.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"remove_parametrizations: expected a parametrized tensor, got {tensor_name!r}"
        )
    own: Any = module
    parametrizations = own.parametrizations[tensor_name]
    if not leave_parametrized and not parametrizations.is_tensor:
        raise ValueError(
            "remove_parametrizations: expected leave_parametrized for a tensor made of several, "
            "got False"
        )
    with no_grad():
        value = getattr(module, tensor_name) if leave_parametrized else None
    original = parametrizations._originals()[0]
    if parametrizations.is_tensor:
        if value is not None:
            _put(original, value)
    else:
        kind = Parameter if isinstance(original, Parameter) else None
        original = kind(value, original.requires_grad) if kind else value
    del own.parametrizations[tensor_name]
    if not len(own.parametrizations):
        del own.parametrizations
        own.__class__ = type_before_parametrizations(module)
    _register(module, tensor_name, original)
    return module


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Let `to_module` have the parametrizations of `from_module`, or those of one tensor alone, and
    their originals: the same objects, which both then share. Returns `to_module`.
    """
    if not is_parametrized(from_module, tensor_name):
        raise ValueError(
            "transfer_parametrizations_and_params: expected a parametrized module, got "
            f"{type(from_module).__name__} with tensor_name={tensor_name!r}"
        )
    source: Any = from_module
    target: Any = to_module
    for name in [*source.parametrizations] if tensor_name is None else [tensor_name]:
        parametrizations = source.parametrizations[name]
        if not hasattr(target, name):
            _register(target, name, parametrizations._originals()[0])
        for parametrization in parametrizations:
            register_parametrization(target, name, parametrization, unsafe=True)
        own = target.parametrizations[name]
        own.unsafe = parametrizations.unsafe
        for part in vars(parametrizations):
            if part.startswith("original"):
                setattr(own, part, getattr(parametrizations, part))
    return to_module
