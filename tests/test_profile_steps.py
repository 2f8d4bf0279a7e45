"""Which steps of a program a profile records; PyTorch's schedules are the measure of ours."""

import pytest

import tensorgrad as tg
from tensorgrad import profiler
from tensorgrad.profiler import profile

SCHEDULES = [
    {"wait": wait, "warmup": warmup, "active": active, "repeat": repeat, "skip_first": skip}
    for wait in (0, 2)
    for warmup in (0, 1)
    for active in (1, 3)
    for repeat in (0, 2)
    for skip in (0, 3)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first_wait", [0, 1])
def test_schedules_are_pytorchs(first_wait):
    theirs = pytest.importorskip("torch.profiler").schedule
    for numbers in SCHEDULES:
        mine = profiler.schedule(**numbers, skip_first_wait=first_wait)
        other = theirs(**numbers, skip_first_wait=first_wait)
        for step in range(24):
            assert mine(step).name == other(step).name


def test_what_is_no_schedule():
    with pytest.raises(ValueError, match="expected active >= 1 and the others >= 0, got"):
        profiler.schedule(wait=0, warmup=1, active=0)
    with pytest.warns(UserWarning, match="without warmup"):
        profiler.schedule(wait=0, warmup=0, active=1)
    with pytest.raises(ValueError, match="expected activities to be members"):
        profile(activities=["cpu"])
    with pytest.raises(RuntimeError, match="expected a recording that has ended"):
        profile().events()


def recordings(module, numbers, steps):
    """The steps in each recording of a loop, as its handler sees them."""
    found = []

    def handle(prof):
        events = [event.name for event in prof.events()]
        found.append([name for name in events if name.startswith("ProfilerStep")])

    plan = module.profiler.schedule(**numbers)
    cpu = [module.profiler.ProfilerActivity.CPU]
    with module.profiler.profile(activities=cpu, schedule=plan, on_trace_ready=handle) as prof:
        for _ in range(steps):
            module.ones(2) + 1
            prof.step()
    return found, prof.step_num


@pytest.mark.parametrize("steps", [3, 5, 11])
def test_recordings_are_those_of_the_schedule(steps):
    mine = recordings(tg, {"wait": 1, "warmup": 1, "active": 2}, steps)
    cycles = [[f"ProfilerStep#{i}", f"ProfilerStep#{i + 1}"] for i in (2, 6, 10)]
    whole = [cycle for cycle in cycles if steps > int(cycle[1].partition("#")[2])]
    rest = [["ProfilerStep#2", "ProfilerStep#3"]] if steps == 3 else []
    rest = rest or ([["ProfilerStep#10", "ProfilerStep#11"]] if steps == 11 else [])
    assert mine == (whole + rest, steps)


def test_steps_are_summed_as_one():
    with pytest.warns(UserWarning, match="without warmup"):
        plan = profiler.schedule(wait=0, warmup=0, active=3)
    with profile(schedule=plan) as prof:
        for _ in range(2):
            tg.ones(1)
            prof.step()
    assert {e.key: e.count for e in prof.key_averages()} == {"ProfilerStep*": 3, "ones": 2}
