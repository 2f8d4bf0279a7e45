"""What a Module's state is: parameters and persistent buffers by dotted name, how they are read and
loaded, and the hooks around both.

Modules save and load each their own part, so that a subclass can do it in another way. Nothing is
written before everything has been looked at: a state that does not fit leaves the module as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, NoReturn

from tensorgrad._tensor import Parameter
from tensorgrad.graph import HookHandle, TensorCore
from tensorgrad.nn.parameter import is_lazy
from tensorgrad.nn.registry import BUFFER, MODULE, PARAMETER, Registry

Hook = Callable[..., Any]
EXTRA = "_extra_state"
ASSIGN = "assign_to_params_buffers"  # in the metadata, where PyTorch's modules look for it


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if self == ([], []):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"


class StateHooks:
    """The hooks of one module around saving and loading, in the order in which they run."""

    def __init__(self) -> None:
        self.before_saving: OrderedDict[int, Hook] = OrderedDict()
        # (hook, whether what it returns replaces the state)
        self.after_saving: OrderedDict[int, tuple[Hook, bool]] = OrderedDict()
        # (hook, whether the module is its first argument)
        self.before_loading: OrderedDict[int, tuple[Hook, bool]] = OrderedDict()
        self.after_loading: OrderedDict[int, Hook] = OrderedDict()


class _Faults(list[str]):
    """What is wrong with a state, and what is to be written if nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Callable[[], Any]] = []


class Stateful(Registry):
    """The part of `Module` that is about its state."""

    _state_hooks: StateHooks | None = None

    def _state_hook_table(self) -> StateHooks:
        if self._state_hooks is None:
            self._state_hooks = StateHooks()
        return self._state_hooks

    # ---- saving

    def state_dict(
        self,
        *args: Any,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name, as tensors that share their memory,
        and what `get_extra_state` gives.

        destination: a dict to put them into. prefix: stands before every name, its dot included.
        keep_vars: the tensors themselves, not detached. PyTorch's older programs give these three
        by position.
        """
        if args:
            given = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given
        state = OrderedDict() if destination is None else destination
        hooks = self._state_hooks
        for hook in list(hooks.before_saving.values()) if hooks else ():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, child in self._own(MODULE):
            if child is not None:
                child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, replaces in list(hooks.after_saving.values()) if hooks else ():
            result = hook(self, state, prefix, {})
            if result is not None:
                if not replaces:
                    raise RuntimeError(
                        f"state_dict: expected the hook to return None, got {type(result).__name__}"
                    )
                state = result
        return state

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own state, without that of modules below, into `destination`."""
        for name, value in self._saved():
            kept = keep_vars or is_lazy(value)
            destination[prefix + name] = value if kept else value.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def _saved(self) -> list[tuple[str, Any]]:
        """(name, value) of this module's parameters and persistent buffers."""
        return [
            (name, value)
            for role in (PARAMETER, BUFFER)
            for name, value in self._own(role)
            if value is not None and name not in self._transient
        ]

    def get_extra_state(self) -> Any:
        """What else belongs to this module's state; of a subclass that defines it, in the state as
        "_extra_state".
        """
        raise RuntimeError(
            f"get_extra_state: expected {type(self).__name__} to define it beside set_extra_state"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(
            f"set_extra_state: expected {type(self).__name__} to define it beside get_extra_state"
        )

    # ---- loading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of `state_dict` into the parameters and buffers of those names.

        strict: missing and unexpected names are errors. assign: take the given tensors themselves.
        Raises RuntimeError that lists all faults together; nothing has been written then, unless
        for missing and unexpected names alone where hooks after loading may forgive them.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected a mapping, got {type(state_dict).__name__}")
        metadata = getattr(state_dict, "_metadata", None) or {}
        keys, faults = IncompatibleKeys([], []), _Faults()
        after: list[Callable[[IncompatibleKeys], Any]] = []
        self._load_all(dict(state_dict), "", metadata, assign, keys, faults, after)
        complaints = keys if strict else IncompatibleKeys([], [])
        if faults or (any(complaints) and not after):
            self._refuse(complaints, faults)
        for write in faults.writes:
            write()
        for hook in after:
            if hook(keys) is not None:
                raise RuntimeError("load_state_dict: expected hooks to return None, got a value")
        if any(complaints):
            self._refuse(complaints, faults)
        return keys

    def _load_all(
        self,
        state: dict[str, Any],
        prefix: str,
        metadata: Mapping[str, Any],
        assign: bool,
        keys: IncompatibleKeys,
        faults: _Faults,
        after: list[Callable[[IncompatibleKeys], Any]],
    ) -> None:
        local = {**metadata.get(prefix[:-1], {}), **({ASSIGN: True} if assign else {})}
        self._load_from_state_dict(state, prefix, local, True, *keys, faults)
        for name, child in self._own(MODULE):
            if child is not None:
                below = f"{prefix}{name}."
                part = {key: value for key, value in state.items() if key.startswith(below)}
                child._load_all(part, below, metadata, assign, keys, faults, after)
        if self._state_hooks is not None:
            after += [partial(hook, self) for hook in self._state_hooks.after_loading.values()]

    def _refuse(self, keys: IncompatibleKeys, faults: list[str]) -> NoReturn:
        lines = []
        if keys.missing_keys:
            lines.append(f"Missing key(s) in state_dict: {', '.join(map(repr, keys[0]))}.")
        if keys.unexpected_keys:
            lines.append(f"Unexpected key(s) in state_dict: {', '.join(map(repr, keys[1]))}.")
        raise RuntimeError(
            f"load_state_dict: expected the state of {type(self).__name__}, got Error(s):\n\t"
            + "\n\t".join(lines + faults)
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own state, whose names begin with `prefix`, without that of modules
        below; what does not fit is added to the lists. Subclasses may do so in another way.
        """
        if self._state_hooks is not None:
            given = (state_dict, prefix, local_metadata, strict)
            for hook, with_module in list(self._state_hooks.before_loading.values()):
                first = (self, *given) if with_module else given
                hook(*first, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get(ASSIGN, False)
        writes: list[Callable[[], Any]] = []
        own = dict(self._saved())
        for name, known in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys += [key] * strict
            elif fault := _misfit(key, state_dict[key], known):
                error_msgs.append(fault)
            else:
                writes.append(partial(self._take, name, state_dict[key], assign))
        extra = prefix + EXTRA
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if extra in state_dict:
                writes.append(partial(self.set_extra_state, state_dict[extra]))
            else:
                missing_keys += [extra] * strict
        elif extra in state_dict:
            unexpected_keys += [extra] * strict
        if strict:
            unexpected_keys += [
                key
                for key in state_dict
                if key.startswith(prefix)
                and key != extra
                and not self._expects(key[len(prefix) :], own)
            ]
        if isinstance(error_msgs, _Faults):
            error_msgs.writes += writes
        else:  # called by the user
            for write in writes:
                write()

    def _expects(self, name: str, own: dict[str, Any]) -> bool:
        first, dot, _ = name.partition(".")
        return self._roles.get(first) == MODULE if dot else name in own

    def _take(self, name: str, value: Any, assign: bool) -> None:
        known = self.__dict__[name]
        if is_lazy(value):
            return
        if is_lazy(known):
            known.materialize(value.shape)
        if not assign:
            known.detach().copy_(value)
        elif self._roles[name] == PARAMETER:
            self.__dict__[name] = Parameter(value, known.requires_grad)
        else:
            self.__dict__[name] = value

    # ---- hooks

    def register_state_dict_pre_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return HookHandle(self._state_hook_table().before_saving, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when this module and those below
        are in `state_dict`, which it may change; it returns None.
        """
        return HookHandle(self._state_hook_table().after_saving, (hook, False))

    def _register_state_dict_hook(self, hook: Hook) -> HookHandle:
        """The same; what it returns takes the state's place."""
        return HookHandle(self._state_hook_table().after_saving, (hook, True))

    def register_load_state_dict_pre_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before this module is loaded: it may change the state.
        """
        return HookHandle(self._state_hook_table().before_loading, (hook, True))

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> HookHandle:
        """The same, without the module unless `with_module`."""
        return HookHandle(self._state_hook_table().before_loading, (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(module, incompatible_keys)` when all has been loaded: it may take names out of
        the two lists, which are then no errors. It returns None.
        """
        return HookHandle(self._state_hook_table().after_loading, hook)


def _misfit(key: str, new: Any, known: Any) -> str | None:
    """Why a value cannot be loaded into a tensor, if so."""
    if not isinstance(new, TensorCore):
        return f"{key}: expected a tensor, got {type(new).__name__}."
    if is_lazy(known):
        return None
    if is_lazy(new):
        return f"{key}: expected shape {list(known.shape)}, got {new}."
    if new._array.shape != known.shape:
        return (
            f"size mismatch for {key}: expected shape {list(known.shape)}, got "
            f"{list(new._array.shape)}."
        )
    return None
