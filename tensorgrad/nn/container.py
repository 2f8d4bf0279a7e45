"""Modules that hold modules or parameters: by number or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, Generic, TypeVar

from tensorgrad.errors import IndexRangeError
from tensorgrad.graph import TensorCore
from tensorgrad.nn.activation import ReLU
from tensorgrad.nn.conv import _Conv
from tensorgrad.nn.module import Module, indented
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.registry import MODULE

Item = TypeVar("Item")
Self = TypeVar("Self", bound="_Numbered[Any]")


class _Numbered(Module, Generic[Item]):
    """A list whose items are registered as "0", "1", ..."""

    def _names(self) -> list[str]:
        return [name for name, role in self._roles.items() if role == MODULE]

    def _place(self, name: str, item: Any) -> None:
        self.register_module(name, item)

    def _renew(self, items: Iterable[Item]) -> None:
        """Take the items anew, numbered from 0."""
        items = list(items)
        for name in self._names():
            delattr(self, name)
        for number, item in enumerate(items):
            self._place(str(number), item)

    def _number(self, key: Any) -> int:
        count, number = len(self), index(key)
        if not -count <= number < count:
            raise IndexRangeError(
                f"{type(self).__name__}: expected an index in [{-count}, {count}), got {number}"
            )
        return number % count

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Item]:
        fields = self.__dict__
        return iter([fields[name] for name in self._names()])

    def __contains__(self, item: object) -> bool:
        return any(item is own for own in self)

    def __getitem__(self, key: Any) -> Any:
        """The item at a number; for a slice another container of the items in it."""
        if isinstance(key, slice):
            part = type(self)()
            part._renew(list(self)[key])
            return part
        return list(self)[self._number(key)]

    def __setitem__(self, key: int, item: Item) -> None:
        self._place(self._names()[self._number(key)], item)

    def __delitem__(self, key: int | slice) -> None:
        items = list(self)
        del items[key if isinstance(key, slice) else self._number(key)]
        self._renew(items)

    def append(self: Self, item: Any) -> Self:
        self._place(str(len(self)), item)
        return self

    def extend(self: Self, items: Iterable[Any]) -> Self:
        for item in list(items):
            self.append(item)
        return self

    def insert(self, key: int, item: Item) -> None:
        items = list(self)
        if not -len(items) <= key <= len(items):
            raise IndexRangeError(
                f"insert: expected an index in [{-len(items)}, {len(items)}], got {key}"
            )
        items.insert(key, item)
        self._renew(items)

    def pop(self, key: int = -1) -> Item:
        item: Item = self[key]
        del self[key]
        return item

    def __iadd__(self: Self, items: Iterable[Any]) -> Self:
        return self.extend(items)

    def __add__(self: Self, items: Iterable[Any]) -> Self:
        joined = type(self)()
        joined._renew([*self, *items])
        return joined


class Sequential(_Numbered[Module]):
    """Modules one after the other, given as arguments or as one dict of names and modules."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = list(modules[0].items())
        else:
            named = [(str(number), module) for number, module in enumerate(modules)]
        for name, module in named:
            self.register_module(name, module)

    def __getitem__(self, key: Any) -> Any:
        """The module at a number; for a slice a Sequential in which they keep their names."""
        if isinstance(key, slice):
            return type(self)(dict(self._own(MODULE)[key]))
        return super().__getitem__(key)

    def __mul__(self, times: int) -> Sequential:
        """The same modules several times over, one round after the other."""
        return type(self)(*self._rounds(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Sequential:
        self._renew(self._rounds(times))
        return self

    def _rounds(self, times: Any) -> list[Module]:
        if not isinstance(times, int):
            raise TypeError(f"Sequential: expected a number of rounds, got {times!r}")
        if times <= 0:
            raise ValueError(f"Sequential: expected at least 1 round, got {times}")
        return list(self) * times

    def forward(self, input: Any) -> Any:
        fields = self.__dict__
        waiting: Any = None  # a convolution that a ReLU may follow: then the two are one
        for name, role in self._roles.items():
            if role != MODULE:
                continue
            module = fields[name]
            if waiting is not None:
                if module.__class__ is ReLU and module._hooks is None:
                    input, waiting = waiting.rectified(input), None
                    continue
                input, waiting = waiting(input), None
            if isinstance(module, _Conv) and module.joins_relu():
                waiting = module
            else:
                input = module(input)
        return input if waiting is None else waiting(input)


class ModuleList(_Numbered[Module]):
    """A list of modules; it computes nothing by itself."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or [])

    def __repr__(self) -> str:
        """Equal neighbours on one line: (0-2): 3 x Linear(...)."""
        groups: list[list[Any]] = []
        for number, text in enumerate(map(repr, self)):
            if groups and groups[-1][2] == text:
                groups[-1][1] = number
            else:
                groups.append([number, number, text])
        if not groups:
            return f"{type(self).__name__}()"
        lines = [
            f"({first}): {indented(text)}"
            if first == last
            else f"({first}-{last}): {last - first + 1} x {indented(text)}"
            for first, last, text in groups
        ]
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


class ParameterList(_Numbered[Any]):
    """A list of parameters; tensors that are none are made into such, other values stay what they
    are.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(values or [])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterList: expected to be read, got a call")

    def _names(self) -> list[str]:
        return [str(number) for number in range(self._size)]

    def _place(self, name: str, item: Any) -> None:
        setattr(self, name, _parameter(item))
        self._size = max(self._size, int(name) + 1)

    def _renew(self, items: Iterable[Any]) -> None:
        items = list(items)
        for name in self._names():
            delattr(self, name)
        self._size = 0
        self.extend(items)

    def extend(self: Self, items: Iterable[Any]) -> Self:
        if isinstance(items, TensorCore) or not isinstance(items, Iterable):
            raise TypeError(
                f"ParameterList.extend: expected an iterable of values, got {type(items).__name__}"
            )
        return super().extend(items)

    def extra_repr(self) -> str:
        return "\n".join(_line(name, self.__dict__[name]) for name in self._names())


class _Keyed(Module, Generic[Item]):
    """A dict whose items are registered under their keys."""

    def _names(self) -> list[str]:
        return [name for name, role in self._roles.items() if role == MODULE]

    def _place(self, key: str, item: Any) -> None:
        self.register_module(key, item)

    def __getitem__(self, key: str) -> Item:
        if key not in self._names():
            raise KeyError(key)
        return self.__dict__[key]  # type: ignore[no-any-return]

    def __setitem__(self, key: str, item: Any) -> None:
        self._place(key, item)

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __contains__(self, key: object) -> bool:
        return key in self._names()

    def keys(self) -> list[str]:
        return list(self)

    def values(self) -> list[Item]:
        return [item for _, item in self.items()]

    def items(self) -> list[tuple[str, Item]]:
        return [(name, self.__dict__[name]) for name in self._names()]

    def update(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        for key, item in dict(items).items():
            self[key] = item

    def pop(self, key: str) -> Item:
        item = self[key]
        del self[key]
        return item

    def clear(self) -> None:
        for key in list(self):
            del self[key]


class ModuleDict(_Keyed[Module]):
    """A dict of modules; it computes nothing by itself."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})


class ParameterDict(_Keyed[Any]):
    """A dict of parameters; tensors that are none are made into such, other values stay what they
    are.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: list[str] = []
        self.update(parameters or {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterDict: expected to be read, got a call")

    def _names(self) -> list[str]:
        return self._keys

    def _place(self, key: str, item: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: expected keys to be strings, got {key!r}")
        setattr(self, key, _parameter(item))
        if key not in self._keys:
            self._keys.append(key)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._keys.remove(key)

    @classmethod
    def fromkeys(cls, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """The same value, or none, under each of several keys."""
        return cls(dict.fromkeys(keys, default))

    def copy(self) -> ParameterDict:
        """Another dict of the same values."""
        return type(self)(dict(self.items()))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return dict(self.items()).get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to the default if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """The last key and its value, taken out."""
        if not len(self):
            raise KeyError("popitem: expected a dict with parameters, got an empty one")
        key = list(self)[-1]
        return key, self.pop(key)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    def __or__(self, other: ParameterDict) -> ParameterDict:
        joined = self.copy()
        joined.update(other.items())
        return joined

    def __ior__(self, other: ParameterDict) -> ParameterDict:
        self.update(other.items())
        return self

    def extra_repr(self) -> str:
        return "\n".join(_line(name, value) for name, value in self.items())


def _parameter(value: Any) -> Any:
    if isinstance(value, TensorCore) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _line(name: str, value: Any) -> str:
    if not isinstance(value, TensorCore):
        return f"({name}): Object of type: {type(value).__name__}"
    tensor: Any = value
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join(map(str, tensor.shape))
    return f"({name}): {kind} containing: [{tensor.dtype} of size {size}]"
