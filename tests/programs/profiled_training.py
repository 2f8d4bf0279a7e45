"""Where the time of a training loop goes: PyTorch's profiler recipe, in steps with a schedule."""

import json
import os

import numpy as np
import torch
import torch.nn as nn
import torch.profiler
from torch.profiler import ProfilerActivity, profile, record_function, schedule


def main(prepare):
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.standard_normal((64, 3, 8, 8))).to(torch.get_default_dtype())
    labels = torch.from_numpy((inputs.numpy().mean((1, 2, 3)) > 0).astype("int64"))
    model = prepare(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    tables, history = [], []

    def trace_handler(prof):
        table = prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=-1)
        tables.append(table)
        prof.export_chrome_trace(f"trace_{prof.step_num}.json")

    def train(data):
        with record_function("forward_pass"):
            loss = criterion(model(data), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())

    with profile(
        activities=[ProfilerActivity.CPU],
        schedule=schedule(wait=1, warmup=1, active=3, repeat=2),
        on_trace_ready=trace_handler,
        record_shapes=True,
        profile_memory=True,
        with_stack=True,
    ) as prof:
        for _ in range(12):
            train(inputs)
            prof.step()

    assert sorted(name for name in os.listdir() if name.startswith("trace")) == [
        "trace_10.json",
        "trace_5.json",
    ]
    with open("trace_10.json") as file:
        trace = json.load(file)
    names = [event.get("name") for event in trace["traceEvents"]]
    assert [f"ProfilerStep#{i}" in names for i in range(6, 11)] == [False, True, True, True, False]
    averages = prof.key_averages(group_by_input_shape=True)
    (forward,) = [event for event in averages if event.key == "forward_pass"]
    assert forward.count == 3
    assert forward.cpu_time_total >= forward.self_cpu_time_total > 0
    (step,) = [event for event in averages if event.key.startswith("Optimizer.step#Adam.step")]
    assert step.count == 3
    assert any("conv" in event.key and event.input_shapes for event in averages)
    for column in ("Self CPU %", "CPU total", "CPU Mem", "# of Calls", "ProfilerStep*"):
        assert all(column in table for table in tables)
    assert len(tables) == 2

    with torch.autograd.profiler.profile(record_shapes=True) as old:
        train(inputs)
    assert "forward_pass" in old.key_averages().table(sort_by="cpu_time_total", row_limit=5)
    for _ in range(30):
        train(inputs)
    return history
