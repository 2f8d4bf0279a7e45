"""Who counts the steps of a parameter: the host, or a GPU that works without waiting for it.

Where a backend has `count_steps`, and a rule's numbers can be made there, the state "step" lies
beside its parameter: such a step can be captured in a graph, and the device can leave it out. Knows
no rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tensorgrad import modes
from tensorgrad._tensor import Tensor
from tensorgrad.backend import CPU
from tensorgrad.ops.creation import zeros
from tensorgrad.stepping import OnDevice, Stepper


class Counting:
    """What an optimizer inherits. A step is left out if `found_inf` is given and not 0, which only
    a device that counts can find out.
    """

    elementwise = False  # whether the rule treats each element by itself, in traceable functions
    counted = True  # whether the state has "step"
    states: list[str]
    stepper: Stepper
    state: defaultdict[Tensor, dict[str, Any]]
    found_inf: Tensor | None

    def compiles(self, group: dict[str, Any]) -> bool:
        return self.elementwise and group.get("fused") is not False

    def on_device(
        self,
        group: dict[str, Any],
        params: Sequence[Tensor],
        states: Sequence[Any],
        numbers: dict[str, Any],
    ) -> bool:
        """Whether the device counts the steps of these parameters, each of which is there once."""
        backend = modes.current().backends[params[0]._array.__class__]
        return (
            hasattr(backend, "count_steps")
            and self.compiles(group)
            and len(set(params)) == len(params)
            and self.stepper.can_count(self.used(states), numbers)
        )

    def used(self, states: Sequence[Any]) -> list[bool]:
        """Of the rule's arguments by position, whether they are given: these states, and others."""
        named = zip(self.states, states, strict=True)
        return [True, True, *[name == "step" or value is not None for name, value in named]]

    def left_to_device(self, counters: Sequence[Tensor] | None) -> OnDevice | None:
        if counters is None and self.found_inf is None:
            return None
        arrays = None if counters is None else [counter._array for counter in counters]
        return OnDevice(arrays, None if self.found_inf is None else self.found_inf._array)

    def counters(self, params: Sequence[Tensor], beside: bool) -> list[Tensor]:
        """The state "step" of each parameter, made at the first time: beside it or on the CPU."""
        found = []
        for param in params:
            state = self.state[param]
            step = state.get("step")
            if step is None or (step._array.__class__ is param._array.__class__) is not beside:
                device = param.device if beside else CPU  # a file may have it elsewhere
                step = zeros((), device=device) if step is None else step.to(device)
                state["step"] = step
            found.append(step)
        return found

    def count_steps(self, params: Sequence[Tensor]) -> list[int]:
        """The number of the coming step of each parameter, counted in the state "step".

        Counters are tensors on the CPU: reading one never waits for a device.
        """
        backend = modes.current().backends[params[0]._array.__class__]
        capture = getattr(backend, "capture", None)
        if capture is not None:
            capture.refuse(f"a step of {type(self).__name__}, whose numbers change each time")
        counts = []
        for step in self.counters(params, backend.device_type == "cpu"):
            array = step._array
            count = int(array) + 1
            array.fill(count)
            counts.append(count)
        return counts
