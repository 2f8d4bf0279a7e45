"""What a profile is written as: tables, which are PyTorch's to the letter, traces and stacks."""

import gzip
import json

import pytest

import tensorgrad as tg
from tensorgrad import profiler
from tensorgrad.profiler import profile
from tensorgrad.profiler.events import EventList, FunctionEvent


def written(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_a_trace_for_perfetto(name, tmp_path):
    with profile(record_shapes=True, profile_memory=True, with_stack=True) as prof:
        x = tg.ones(5, requires_grad=True)
        (tg.exp(x) * 2).sum().backward()
    prof.add_metadata("model", "exp")
    prof.export_chrome_trace(tmp_path / name)
    trace = written(tmp_path / name)
    assert trace["model"] == "exp"
    parts = trace["traceEvents"]
    bars = [part for part in parts if part["ph"] == "X"]
    assert [bar["name"] for bar in bars] == [event.name for event in prof.events()]
    (bar,) = (bar for bar in bars if bar["name"] == "exp")
    assert bar["args"]["Input Dims"] == [[5]]
    assert bar["args"]["Bytes"] == 20
    assert "test_profile_tables.py" in bar["args"]["Call stack"]
    starts = {part["id"]: part["ts"] for part in parts if part["ph"] == "s"}
    ends = {part["id"]: part["ts"] for part in parts if part["ph"] == "f"}
    assert len(ends) == 3
    assert all(starts[number] < time for number, time in ends.items())
    curve = [part["args"]["bytes"] for part in parts if part["ph"] == "C"]
    assert max(curve) >= 20
    assert all(part["dur"] >= 0 for part in bars)


def test_traces_by_a_handler(tmp_path):
    handle = profiler.tensorboard_trace_handler(tmp_path / "new", "me", use_gzip=True)
    with profile(on_trace_ready=handle):
        tg.ones(1)
    (path,) = (tmp_path / "new").iterdir()
    assert path.name.startswith("me.")
    assert written(path)["traceEvents"]


def test_stacks_for_a_flame_graph(tmp_path):
    with profile(with_stack=True) as prof:
        tg.ones(100, 100).exp()
    prof.export_stacks(tmp_path / "stacks")
    lines = (tmp_path / "stacks").read_text().splitlines()
    assert any("test_stacks_for_a_flame_graph" in line.split(" ")[0] for line in lines)
    assert all(int(line.rpartition(" ")[2]) > 0 for line in lines)
    with pytest.raises(ValueError, match="expected metric to be in"):
        prof.export_stacks(tmp_path / "stacks", "count")
    assert "Source Location" in prof.key_averages(group_by_stack_n=2).table()


ROWS = [  # name, start, end, parent, bytes
    ("ProfilerStep#0", 0.0, 2_500_000.0, None, 0),
    ("a_name_that_is_much_longer_than_the_column_of_names_is_allowed_to_be", 5.0, 1500.5, 0, 4096),
    ("exp", 10.25, 12.5, 1, 5 * 1024**2),
    ("exp", 2000.0, 2010.0, 0, -300),
]


def table_events():
    found = []
    for number, (name, start, end, parent, size) in enumerate(ROWS):
        event = FunctionEvent(number, name, 1, None if parent is None else found[parent])
        event.time_range.start, event.time_range.end = start, end
        event.self_cpu_memory_usage = size
        event.input_shapes = [[2, 3], []]
        found.append(event)
    return EventList(found, profile_memory=True)


def pytorchs_events(util):
    events = util.EventList(profile_memory=True, use_device=None)
    for number, (name, start, end, _, _) in enumerate(ROWS):
        name = name.replace("#0", "*")  # which PyTorch does when it reads its trace
        shapes = [[2, 3], []]
        events.append(
            util.FunctionEvent(number, name, 1, start, end, input_shapes=shapes, stack=[])
        )
    events._build_tree()
    mine = table_events()
    for event, known in zip(events, mine):
        event.cpu_memory_usage = known.cpu_memory_usage
    return events


TABLES = [
    {},
    {"sort_by": "cpu_time_total", "row_limit": 1},
    {"sort_by": "self_cpu_memory_usage", "header": "here"},
    {"sort_by": "count", "time_unit": "ms"},
    {"top_level_events_only": True, "max_name_column_width": None},
]


@pytest.mark.parametrize("options", TABLES, ids=str)
@pytest.mark.parametrize("shapes", [False, True])
@pytest.mark.parametrize("summed", [False, True])
def test_tables_are_pytorchs(options, shapes, summed):
    util = pytest.importorskip("torch.autograd.profiler_util")
    mine, other = table_events(), pytorchs_events(util)
    if summed:
        mine, other = mine.key_averages(shapes), other.key_averages(shapes)
    assert mine.table(**options) == other.table(**options)


def test_tables_that_cannot_be():
    events = table_events()
    with pytest.raises(AttributeError, match=r"expected sort_by to be one of .*, got 'size'"):
        events.table(sort_by="size")
    with pytest.raises(ValueError, match=r"expected time_unit to be one of .*, got 'h'"):
        events.table(time_unit="h")
    assert EventList().table() == ""
