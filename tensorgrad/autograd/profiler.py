"""`tensorgrad.profiler` by PyTorch's older names, with the methods of its `EventList`.

https://docs.pytorch.org/docs/stable/autograd.html#profiler
"""

from __future__ import annotations

from typing import Any

from tensorgrad import profiler
from tensorgrad.profiler import EventList, record_function

__all__ = ["EventList", "profile", "record_function"]


class profile:
    """Record the calls in a `with` block, unless `enabled` is false.

    use_cuda: take the time on the GPU as well. The others are those of `profiler.profile`. What
    was recorded is `function_events`, whose methods and properties this object has too.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
    ) -> None:
        activities = [profiler.ProfilerActivity.CPU]
        self.enabled = enabled
        self._profile = profiler.profile(
            activities=activities + [profiler.ProfilerActivity.CUDA] * use_cuda,
            record_shapes=record_shapes,
            profile_memory=profile_memory,
            with_stack=with_stack,
        )

    def __enter__(self) -> profile:
        if self.enabled:
            self._profile.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.enabled:
            self._profile.stop()

    @property
    def function_events(self) -> EventList:
        return self._profile.events()

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        return self._profile.key_averages(group_by_input_shape, group_by_stack_n)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function_events, name)

    def __str__(self) -> str:
        return self.table() if self.enabled else "<unfinished profiler.profile>"
