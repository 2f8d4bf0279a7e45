"""Steps of whole arrays by a rule, all at once where a backend compiles it. Knows arrays only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tensorgrad import modes
from tensorgrad.elementwise import ARRAY, Trace

Rule = Callable[..., tuple[Any, ...]]


class Stepper:
    """Carries out one rule: an optimizer's, or what one array alone becomes.

    states: the names of the rule's arguments after parameter and gradient; on_host: those of them
    that are numbers, given and kept as arrays of no dimensions on the CPU, but "step" as it is.
    """

    def __init__(self, rule: Rule, states: Sequence[str] = (), on_host: Sequence[str] = ()) -> None:
        self.rule = rule
        # The places of the rule's arguments: parameter, gradient, states.
        self.hosts = [k for k, name in enumerate(states, 2) if name in on_host]
        self.kept = [k for k in self.hosts if states[k - 2] != "step"]
        # The place of the step's number, where nothing else makes a step's numbers differ from the
        # last one's, and the rule can be followed.
        self.count = self.hosts[0] if self.hosts and not self.kept else None
        self.targets = [0, *range(2, len(states) + 2)]  # what the results are new values of
        self.traced: tuple[Any, Trace] | None = None  # the last one, and what it was made of

    def step(self, lists: Sequence[Any], numbers: dict[str, Any], compiled: bool) -> None:
        """Write what the rule makes of aligned lists for each of its arguments; of those that are
        unused None.
        """
        arrays = lists[0]
        kernel = None
        if compiled:
            backend = modes.current().backends[arrays[0].__class__]
            kernel = getattr(backend, "step_elements", None)
        # An array that is there twice is stepped twice, one step after the other.
        if kernel is None or len(set(map(id, arrays))) != len(arrays):
            self.by_rule(lists, numbers)
        else:
            self.by_trace(kernel, lists, numbers)

    def by_rule(self, lists: Sequence[Any], numbers: dict[str, Any]) -> None:
        table = modes.current().backends
        for i, array in enumerate(lists[0]):
            given = [None if values is None else values[i] for values in lists]
            results = self.rule(*given, **numbers)
            backend = table[array.__class__]
            for k, value in zip(self.targets, results, strict=False):
                if given[k] is not None:
                    backend.assign(given[k], value)

    def by_trace(
        self,
        kernel: Callable[..., Any],
        lists: Sequence[Any],
        numbers: dict[str, Any],
        otherwise: Callable[..., None] | None = None,
    ) -> None:
        """By the kernel; by the rule, or `otherwise`, where it serves not."""
        hosts = [k for k in self.hosts if lists[k] is not None]
        known: list[Any] = []
        if hosts:
            known = list(zip(*[map(float, lists[k]) for k in hosts], strict=True))
            if known.count(known[0]) != len(known):  # arrays of one history are stepped together
                for value in dict.fromkeys(known):
                    some = [i for i, other in enumerate(known) if other == value]
                    self.by_trace(kernel, these(lists, some), numbers, otherwise)
                return
        given = [None if values is None else ARRAY for values in lists]
        for k in hosts:
            given[k] = lists[k][0]
        trace = self.trace(given, numbers)
        together = [lists[k] for k, value in enumerate(given) if value is ARRAY]
        if kernel(trace.text, together, trace.numbers) is NotImplemented:
            (otherwise or self.by_rule)(lists, numbers)
            return
        table = modes.current().backends
        for k in self.kept:
            for array in lists[k]:
                table[array.__class__].assign(array, trace.results[self.targets.index(k)])

    def trace(self, given: list[Any], numbers: dict[str, Any]) -> Trace:
        """The rule's trace; the last one if it was of the same numbers, or follows the step's."""
        count = self.count
        step = None if count is None else given[count]
        hosts = [float(given[k]) for k in self.hosts if k != count and given[k] is not None]
        key = hosts, list(numbers.values()), [value is None for value in given]
        if (
            self.traced is None
            or self.traced[0] != key
            or (step and not self.traced[1].renew(step))
        ):
            self.traced = key, self.trace_anew(given, numbers)
        return self.traced[1]

    def trace_anew(self, given: list[Any], numbers: dict[str, Any]) -> Trace:
        if self.count is not None:
            try:
                return Trace(self.rule, given, numbers, self.targets, self.count)
            except TypeError:
                self.count = None  # what the rule does with the step's number cannot be followed
        return Trace(self.rule, given, numbers, self.targets)


def these(lists: Sequence[Any], places: Iterable[int]) -> list[Any]:
    """The parts of aligned lists, some of which may be None, at these places."""
    places = list(places)
    return [None if values is None else [values[i] for i in places] for values in lists]
