"""Where time and memory go, op by op, forward and backward: PyTorch's profiler, by its names.

    with tg.profiler.profile(record_shapes=True) as prof:
        loss_of(model(x)).backward()
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))
    prof.export_chrome_trace("trace.json")  # for https://ui.perfetto.dev or chrome://tracing

https://docs.pytorch.org/docs/stable/profiler.html. An event is called as the op is, without the
prefix of PyTorch's C++ library ("linear", not "aten::linear"); the gradient rules of an op run in
an event called as its node ("LinearBackward0"), within "backward". While no profile is taken an op
executes not one instruction more. Operations and modules are not counted: there is no `with_flops`
and no `with_modules`.
"""

from tensorgrad.profiler.events import EventList, FunctionEvent, FunctionEventAvg
from tensorgrad.profiler.recorder import record_function
from tensorgrad.profiler.session import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = [
    "EventList",
    "FunctionEvent",
    "FunctionEventAvg",
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]
