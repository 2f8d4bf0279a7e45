"""Steps of whole arrays by a rule, all at once where a backend compiles it. Knows arrays only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from tensorgrad import modes
from tensorgrad.elementwise import ARRAY, Trace

Rule = Callable[..., tuple[Any, ...]]


class OnDevice(NamedTuple):
    """What a GPU is to find out for itself, so that the host need neither wait for it nor be there
    when the step is replayed.
    """

    counters: list[Any] | None  # arrays of one number, the steps of each array so far; it counts
    skip: Any  # an array of one number, not 0 if the step is to be left out, uncounted; or None


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
        self.counts: dict[tuple[bool, ...], bool] = {}  # what `can_count` has found

    def step(
        self,
        lists: Sequence[Any],
        numbers: dict[str, Any],
        compiled: bool,
        device: OnDevice | None = None,
    ) -> None:
        """Write what the rule makes of aligned lists for each of its arguments; of those that are
        unused None, and of the step's number where the device counts.
        """
        arrays = lists[0]
        kernel = None
        if compiled:
            backend = modes.current().backends[arrays[0].__class__]
            kernel = getattr(backend, "step_elements", None)
        # An array that is there twice is stepped twice, one step after the other.
        if kernel is not None and len(set(map(id, arrays))) == len(arrays):
            self.by_trace(kernel, lists, numbers, device=device)
        elif device is None:
            self.by_rule(lists, numbers)
        else:
            self.by_trace(lambda *_: NotImplemented, lists, numbers, device=device)

    def can_count(self, used: Sequence[bool], numbers: dict[str, Any]) -> bool:
        """Whether a GPU can make the step's numbers from a count of its own. used: which arguments
        are arrays or the step's number.
        """
        key = tuple(used)
        found = self.counts.get(key)
        if found is None:
            found = not self.hosts
            if self.count is not None:
                given = [ARRAY if use else None for use in used]
                given[self.count] = 1.0
                choices = self.trace(given, numbers).has_choices
                found = self.count is not None and not choices
            self.counts[key] = found
        return found

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
        device: OnDevice | None = None,
    ) -> None:
        """By the kernel; by the rule, or `otherwise`, where it serves not."""
        if device is not None:
            self.by_device(kernel, lists, numbers, otherwise or self.by_rule, device)
            return
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

    def by_device(
        self,
        kernel: Callable[..., Any],
        lists: Sequence[Any],
        numbers: dict[str, Any],
        otherwise: Callable[..., None],
        device: OnDevice,
    ) -> None:
        """Likewise, on a device that counts the step or leaves it out by itself."""
        given = [None if values is None else ARRAY for values in lists]
        if device.counters is not None and self.count is not None:
            given[self.count] = 1.0
        trace = self.trace(given, numbers)
        backend = modes.current().backends[lists[0][0].__class__]
        values: Any = trace.numbers
        if device.counters is not None:
            counted = trace.sources() if self.count is not None else None
            found = backend.count_steps(device.counters, counted, trace.constants, device.skip)
            values = values if counted is None else found
        together = [lists[k] for k, value in enumerate(given) if value is ARRAY]
        if kernel(trace.text, together, values, device.skip) is not NotImplemented:
            return
        # What no kernel serves the host must look into.
        if device.skip is not None and backend.to_numpy(device.skip).item():
            return
        lists = list(lists)
        if device.counters is not None and self.count is not None:
            lists[self.count] = [
                int(backend.to_numpy(counter).item()) for counter in device.counters
            ]
        otherwise(lists, numbers)

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
