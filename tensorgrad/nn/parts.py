"""What a module has registered in one role, as a mapping to read and write: the `_modules`,
`_parameters` and `_buffers` by which programs replace parts under a name.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorgrad.nn.registry import Registry


class Parts(MutableMapping[str, Any]):
    """The registered names of one role in their order; nothing is kept here but the module."""

    def __init__(self, module: Registry, role: str) -> None:
        self._module = module
        self._role = role

    def __getitem__(self, name: str) -> Any:
        if self._module._roles.get(name) != self._role:
            raise KeyError(name)
        return self._module.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        module = self._module
        module._register(self._role, name, value, name not in module._transient)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, role in self._module._roles.items() if role == self._role])

    def __len__(self) -> int:
        return sum(role == self._role for role in self._module._roles.values())

    def __repr__(self) -> str:
        return repr(dict(self))
