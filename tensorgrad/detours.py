"""Functions that take another way for a while, and pay nothing for it at other times.

While a detour is open its functions have other code, which passes the arguments to what the detour
puts around them; when it closes they have their own code again, so that without it a call executes
not one instruction more. Every reference to a function sees this, methods and operators included.
Several detours may be open at once: each knows its place, and the one of the highest is outermost.

Knows functions and nothing of what is put around them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, TypeVar

from tensorgrad.first_call import is_settled, settled

Call = Callable[..., Any]
Around = Callable[[Call], Call]
Function = TypeVar("Function", bound=Callable[..., Any])
PLACE = "the call"

# Functions that are no ops and that a profile shows all the same, with what each is called: a text,
# or a function of the arguments that gives it.
SHOWN: dict[Any, str | Callable[..., str]] = {}


def shown(name: str | Callable[..., str]) -> Callable[[Function], Function]:
    """Let a profile show the calls of the decorated function."""

    def declare(function: Function) -> Function:
        SHOWN[function] = name
        return function

    return declare


class Way:
    """One function that some detour leads around: its own code, and that for each set of open
    detours, made when it is needed.
    """

    def __init__(self, function: FunctionType) -> None:
        self.function = function
        self.plain = function.__code__
        self.taken: tuple[Detour, ...] = ()
        self.codes: dict[tuple[Detour, ...], CodeType] = {}

    def take(self, detours: tuple[Detour, ...]) -> None:
        """Give the function the code for these."""
        if not self.taken:  # else it is not its own; and a first call may have changed it
            self.plain = self.function.__code__
        self.taken = detours
        if not detours:
            self.function.__code__ = self.plain
            return
        if detours not in self.codes:
            call: Call = self.base()
            for detour in detours:
                call = detour.around[self.function](call)
            free = len(self.function.__code__.co_freevars)
            self.codes[detours] = code_that_calls(call, free)
        self.function.__code__ = self.codes[detours]

    def base(self) -> Call:
        """The function as it was. One whose code is written at its first call gets it then."""
        twin = twin_of(self.function, self.plain)
        if is_settled(twin):
            return twin

        def first(*args: Any, **kwargs: Any) -> Any:
            with _lock:
                if not is_settled(twin):
                    now, self.function.__code__ = self.function.__code__, self.plain
                    self.plain = twin.__code__ = settled(self.function).__code__
                    self.function.__code__ = now
            return twin(*args, **kwargs)

        return first


class Detour:
    """Something around functions: `around` has for each what makes of a call the one in its place.

    place: among the detours that are open at once, from the inside to the outside.
    """

    def __init__(self, place: int) -> None:
        self.place = place
        self.is_open = False
        self.around: dict[FunctionType, Around] = {}
        with _lock:
            _detours.append(self)
            _detours.sort(key=lambda detour: detour.place)

    def lead(self, function: FunctionType, around: Around) -> None:
        """Take one more function in; at once if the detour is open."""
        with _lock:
            self.around[function] = around
            if self.is_open:
                self._turn(function)

    def open(self) -> None:
        self._set(True)

    def close(self) -> None:
        self._set(False)

    def _set(self, is_open: bool) -> None:
        with _lock:
            self.is_open = is_open
            for function in self.around:
                self._turn(function)

    @staticmethod
    def _turn(function: FunctionType) -> None:
        if function not in _ways:
            _ways[function] = Way(function)
        _ways[function].take(tuple([d for d in _detours if d.is_open and function in d.around]))


_lock = threading.RLock()
_detours: list[Detour] = []
_ways: dict[Any, Way] = {}


def twin_of(function: FunctionType, code: CodeType) -> FunctionType:
    """Another function that differs in its code alone."""
    twin = FunctionType(
        code,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__annotations__ = function.__annotations__
    return twin


def undetoured(function: Any) -> Any:
    """The function for those who read its parameters: they are not those of a detour."""
    way = _ways.get(function)
    if way is None or function.__code__ is way.plain:
        return function
    return twin_of(function, way.plain)


def code_that_calls(call: Call, free: int) -> CodeType:
    """Code for a function with this many free variables, which passes its arguments to `call`."""
    code = _pattern(free)
    # Constants of code may be any object: so it needs no name in the globals of the function.
    constants = tuple(call if value == PLACE else value for value in code.co_consts)
    return code.replace(co_consts=constants)


@functools.cache
def _pattern(free: int) -> CodeType:
    names = "".join(f"_{i}, " for i in range(free))
    source = (
        f"def outer({names}):\n"
        "  def detour(*args, **kwargs):\n"
        f"    {names or None}\n"
        f"    call = {PLACE!r}\n"
        "    return call(*args, **kwargs)\n"
        "  return detour\n"
    )
    found: dict[str, Any] = {}
    exec(source, found)
    return found["outer"](*range(free)).__code__  # type: ignore[no-any-return]
