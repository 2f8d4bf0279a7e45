"""The registry under every Module: which of its attributes are parameters, buffers and submodules.

What is registered lies in the instance's own `__dict__`, where Python finds it without a
`__getattr__`; `_roles` says in order of registration what each of these names is. Knows nothing of
calls, devices or files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tensorgrad.graph import TensorCore
from tensorgrad.nn.parameter import Buffer, Parameter, TransientBuffer
from tensorgrad.nn.parts import Parts

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.nn.module import Module

PARAMETER, BUFFER, MODULE = "parameter", "buffer", "module"
_TAKES = {
    PARAMETER: "a Parameter or None",
    BUFFER: "a Tensor or None",
    MODULE: "a Module or None",
}


# Hooks of all modules that see what is registered: hook(module, name, value).
REGISTERING: dict[str, OrderedDict[int, Callable[..., Any]]] = {
    PARAMETER: OrderedDict(),
    BUFFER: OrderedDict(),
    MODULE: OrderedDict(),
}


def _role_of(value: Any) -> str | None:
    if isinstance(value, Registry):
        return MODULE
    if isinstance(value, TensorCore):
        if isinstance(value, Parameter):
            return PARAMETER
        return BUFFER if isinstance(value, Buffer) else None
    return None


def _takes(role: str | None, value: Any) -> bool:
    if role == BUFFER and isinstance(value, TensorCore):
        return True
    return value is None or _role_of(value) == role


def joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


class Registry:
    """Base of Module: registration by assignment or by name, and walks over what is registered."""

    _roles: dict[str, str]
    _transient: set[str]  # buffers that are no part of the state

    def __init__(self) -> None:
        self.__dict__.update(_roles={}, _transient=set())

    def __setattr__(self, name: str, value: Any) -> None:
        role = _role_of(value)
        fields = self.__dict__
        if "_roles" not in fields:
            if role is not None:
                raise AttributeError(
                    f"{type(self).__name__}: expected super().__init__() before a {role} is "
                    f"assigned, got {name!r}"
                )
            object.__setattr__(self, name, value)
            return
        known = fields["_roles"].get(name)
        if role is None and known is None:
            object.__setattr__(self, name, value)
        elif role is None or role == known:
            if role is None and not _takes(known, value):
                raise TypeError(
                    f"{type(self).__name__}.{name}: expected {_TAKES[known]}, got "
                    f"{type(value).__name__}"
                )
            fields[name] = self._as_hooks_have_it(known, name, value)
        else:
            self._forget(name)
            fields.pop(name, None)
            self._register(role, name, value, not isinstance(value, TransientBuffer))

    if not TYPE_CHECKING:  # it would give every name a type

        def __getattr__(self, name):
            """For modules of users that look elsewhere for names that super() does not find."""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Without it copying asks a `__getattr__` of the user's, before there are attributes.
        self.__dict__.update(state)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._roles.pop(name, None)
        self._transient.discard(name)

    @property
    def _modules(self) -> Parts:
        return Parts(self, MODULE)

    @property
    def _parameters(self) -> Parts:
        return Parts(self, PARAMETER)

    @property
    def _buffers(self) -> Parts:
        return Parts(self, BUFFER)

    def _register(self, role: str, name: str, value: Any, persistent: bool = True) -> None:
        where = f"register_{role}"
        if "_roles" not in self.__dict__:
            raise AttributeError(
                f"{where}: expected super().__init__() to have run, got {name!r} before"
            )
        if not isinstance(name, str):
            raise TypeError(f"{where}: expected a name, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{where}: expected a name without dots, not empty, got {name!r}")
        taken = name in self.__dict__ or any(name in vars(base) for base in type(self).__mro__)
        if taken and self._roles.get(name) != role:
            raise KeyError(f"{where}: expected a new name, got {name!r}, which already exists")
        self.__dict__[name] = self._as_hooks_have_it(role, name, value)
        self._roles[name] = role
        if persistent:
            self._transient.discard(name)
        else:
            self._transient.add(name)

    def _as_hooks_have_it(self, role: str, name: str, value: Any) -> Any:
        """The value, or what a hook of all modules gives in its place."""
        for hook in list(REGISTERING[role].values()):
            given = hook(self, name, value)
            if given is not None:
                if not _takes(role, given):
                    raise TypeError(
                        f"{role} registration hook: expected {_TAKES[role]}, got "
                        f"{type(given).__name__}"
                    )
                value = given
        return value

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """Make `param` (a Parameter, or None to keep the name free) an attribute."""
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"register_parameter: expected a Parameter or None for {name!r}, got "
                    f"{type(param).__name__}"
                )
            if not param.is_leaf:
                raise ValueError(
                    f"register_parameter: expected a leaf for {name!r}, got a tensor with a history"
                )
        self._register(PARAMETER, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make `tensor` an attribute that moves with the module and, if persistent, is part of its
        state.
        """
        if tensor is not None and not isinstance(tensor, TensorCore):
            raise TypeError(
                f"register_buffer: expected a Tensor or None for {name!r}, got "
                f"{type(tensor).__name__}"
            )
        self._register(BUFFER, name, tensor, persistent)

    def register_module(self, name: str, module: Module | None) -> None:
        """Make `module` an attribute."""
        if module is not None and not isinstance(module, Registry):
            raise TypeError(
                f"register_module: expected a Module or None for {name!r}, got "
                f"{type(module).__name__}"
            )
        self._register(MODULE, name, module)

    add_module = register_module

    # ---- what is registered

    def _own(self, role: str) -> list[tuple[str, Any]]:
        """(name, value) of this module alone, values of None included."""
        fields = self.__dict__
        return [(name, fields[name]) for name, its in self._roles.items() if its == role]

    def _named(
        self, role: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        owners: Any = [(prefix, self)]
        if recurse:
            owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        seen: set[int] = set()
        for path, owner in owners:
            for name, value in owner._own(role):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield joined(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) of this module and, with `recurse`, of all below it."""
        return self._named(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters; each once, though several names may lead to it."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(name, buffer) of this module and, with `recurse`, of all below it."""
        return self._named(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly below."""
        return self._named(MODULE, "", False, True)

    def children(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted path, module) of this module and all below it, parents first."""
        memo = set() if memo is None else memo
        this: Any = self
        if this in memo:
            return
        if remove_duplicate:
            memo.add(this)
        yield prefix, this
        for name, child in self._own(MODULE):
            if child is not None:
                yield from child.named_modules(memo, joined(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; "" is this one."""
        module: Any = self
        for name in target.split(".") if target else []:
            if module._roles.get(name) != MODULE or module.__dict__[name] is None:
                raise AttributeError(f"get_submodule: expected a path to a module, got {target!r}")
            module = module.__dict__[name]
        return module  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a dotted path, whose parent exists; strict: in place of another."""
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError(f"set_submodule: expected a path to a module, got {target!r}")
        if strict:
            self.get_submodule(target)
        self.get_submodule(path).register_module(name, module)

    def _get(self, role: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if owner._roles.get(name) != role:
            raise AttributeError(f"get_{role}: expected a path to a {role}, got {target!r}")
        return owner.__dict__[name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._get(PARAMETER, target)  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._get(BUFFER, target)  # type: ignore[no-any-return]
