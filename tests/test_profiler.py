"""Profiles: which calls are noted, their times, memory and shapes, and that nothing is left of them
afterwards.
"""

import contextlib
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, profiler, walk
from tensorgrad.op import OPS
from tensorgrad.profiler import profile, record_function


def codes():
    """The code of every declared op that has been called before."""
    found = {name: op.call.__code__ for name, op in OPS.items()}
    return {name: code for name, code in found.items() if code.co_name != "stub"}


def names(prof):
    return [event.name for event in prof.events()]


def named(prof, name):
    return [event for event in prof.events() if event.name == name]


def one_step():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    with profile() as prof:
        with record_function("forward"):
            loss = (model(tg.ones(2, 4)) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return prof


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_step_of_training(backend):
    with tg.use_backend(backend):
        prof = one_step()
    (forward,), (backward,) = named(prof, "forward"), named(prof, "backward")
    assert [event.name for event in forward.cpu_children] == [
        "ones",
        "linear",
        "tanh",
        "pow",
        "mean",
    ]
    inside = [event.name for event in backward.cpu_children]
    wanted = ["MeanBackward0", "PowBackward0", "TanhBackward0", "LinearBackward0"]
    assert [name for name in inside if name in wanted] == wanted
    top = [event.name for event in prof.events() if event.cpu_parent is None]
    assert top == [
        "forward",
        "backward",
        "Optimizer.step#SGD.step",
        "Optimizer.zero_grad#SGD.zero_grad",
    ]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_reads_a_rule_is_no_op(backend):
    """An optimizer's rule and a formula are called on symbols once, to be compiled."""
    with tg.use_backend(backend):
        weight = tg.ones(3, requires_grad=True)
        optimizer = tg.optim.Adam([weight])
        with profile(profile_memory=True, record_shapes=True) as prof:
            nn.functional.elu(weight, alpha=0.75).sum().backward()
            optimizer.step()
    (step,) = named(prof, "Optimizer.step#Adam.step")
    inside = {event.name for event in step.cpu_children}
    assert ("sqrt" in inside) == (backend == "numpy")
    assert all(shape == [3] for e in step.cpu_children for shape in e.input_shapes if shape)


def results():
    """What many kinds of ops give, from one seed."""
    tg.manual_seed(0)
    x = tg.randn(4, 4, requires_grad=True)
    written = x.clone()
    written[0] = 1
    table = nn.Embedding(10, 3, sparse=True)
    table(tg.tensor([1, 2])).sum().backward()
    (slope,) = tg.autograd.grad((x**3).sum(), x, create_graph=True)
    slope.sum().backward()
    words = x.view(2, 2, 4)
    found = [
        tg.func.vmap(lambda row: (row * 2).sum())(x),
        tg.func.jacrev(tg.exp)(x[0]),
        tg.fft.rfft(x).abs().sum(),
        tg.linalg.svd(x)[1],
        tg.einsum("ij,jk->ik", x, x),
        nn.LSTM(4, 5)(words)[0],
        nn.MultiheadAttention(4, 2)(words, words, words)[0],
        tg.utils.checkpoint.checkpoint(lambda a: a.sin() * 2, x, use_reentrant=False),
        table.weight.grad.to_dense(),
        x.grad,
        written,
    ]
    return [value.detach().numpy() for value in found]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_profile_changes_no_result(backend):
    with tg.use_backend(backend):
        plain = results()
        with profile(record_shapes=True, profile_memory=True, with_stack=True) as prof:
            noted = results()
    for mine, other in zip(noted, plain, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert {"embedding", "lstm", "rfft", "setitem", "svd"} <= set(names(prof))


def test_own_times_add_up_to_the_whole():
    prof = one_step()
    for event in prof.events():
        inside = sum(child.cpu_time_total for child in event.cpu_children)
        assert 0 <= event.self_cpu_time_total <= event.cpu_time_total
        assert event.self_cpu_time_total == pytest.approx(event.cpu_time_total - inside)
        for child in event.cpu_children:
            assert event.time_range.start <= child.time_range.start
            assert child.time_range.end <= event.time_range.end
    top = sum(event.cpu_time_total for event in prof.events() if event.cpu_parent is None)
    assert prof.events().self_cpu_time_total == pytest.approx(top)
    assert prof.key_averages().self_cpu_time_total == pytest.approx(top)
    assert prof.events().total_average().count == len(prof.events())


def test_without_a_profile_ops_have_their_own_code():
    x = tg.ones(3, requires_grad=True)
    (tg.exp(x) * 2).sum().backward()
    before = codes()
    assert {"exp", "mul", "sum"} <= before.keys()
    with profile():
        tg.exp(x)
        assert codes()["exp"] is not before["exp"]
    after = codes()
    assert {name: after[name] for name in before} == before
    assert all(after[name] is code for name, code in before.items())
    assert walk.noted is None


def test_an_error_ends_its_event_and_reads_as_without_a_profile():
    with pytest.raises(tg.ShapeError) as plain:
        tg.ones(2, 3) @ tg.ones(2, 3)
    with profile() as prof, pytest.raises(tg.ShapeError) as noted:
        tg.ones(2, 3) @ tg.ones(2, 3)
    assert str(noted.value) == str(plain.value)
    assert "matmul" in names(prof)
    with contextlib.suppress(ZeroDivisionError), profile() as prof:
        tg.ones(2)
        raise ZeroDivisionError
    assert names(prof) == ["ones"]
    assert tg.exp(tg.zeros(1)).item() == 1


def test_arguments_are_named_and_refused_as_without_a_profile():
    with profile():
        assert tg.sum(tg.ones(2, 3), axis=1).tolist() == [3, 3]
        assert tg.flatten(input=tg.ones(2, 3)).shape == (6,)
        with pytest.raises(TypeError, match="flatten: expected"):
            tg.flatten("a")


def test_shapes_tell_calls_apart():
    with profile(record_shapes=True) as prof:
        for size in (2, 2, 5):
            tg.exp(tg.ones(size))
            tg.ones(size, 2) @ tg.ones(2, 1)
    sums = prof.key_averages(group_by_input_shape=True)
    found = {(e.key, str(e.input_shapes)): e.count for e in sums}
    assert found["exp", "[[2]]"] == 2
    assert found["exp", "[[5]]"] == 1
    assert found["matmul", "[[5, 2], [2, 1]]"] == 1
    assert {e.key: e.count for e in prof.key_averages()}["exp"] == 3
    assert "Input Shapes" in sums.table()
    assert "Input Shapes" not in prof.key_averages().table()


def test_memory_is_counted_where_it_is_made_and_let_go():
    x = tg.ones(1000)
    with profile(profile_memory=True) as prof:
        with record_function("kept"):
            y = x + 1
        with record_function("let go"):
            z = x * 2
            del z
        with record_function("seen again"):
            y.view(10, 100).T[1:]
        with record_function("written"):
            y.add_(1)
        with record_function("freed"):
            del y
    sizes = {e.name: e.cpu_memory_usage for e in prof.events() if e.is_user_annotation}
    assert sizes == {"kept": 4000, "let go": 0, "seen again": 0, "written": 0, "freed": -4000}
    assert named(prof, "add")[0].self_cpu_memory_usage == 4000
    table = prof.key_averages().table(sort_by="cpu_memory_usage")
    assert "3.91 KB" in table
    assert "-3.91 KB" in table


def test_memory_that_a_node_saves_is_counted():
    x = tg.ones(64, 100, requires_grad=True)
    with profile(profile_memory=True) as prof:
        with record_function("made"):
            y = nn.functional.layer_norm(x, (100,))
        with record_function("freed"):
            del y
    sizes = {e.name: e.cpu_memory_usage for e in prof.events() if e.is_user_annotation}
    assert sizes["made"] >= 4 * 64 * (100 + 2)  # with each row's mean and deviation
    assert sizes["freed"] == -sizes["made"]


def test_other_threads_are_not_noted():
    results = []
    with profile() as prof:
        thread = threading.Thread(target=lambda: results.append(tg.exp(tg.zeros(2)).tolist()))
        thread.start()
        thread.join()
        with record_function("here"):
            pass
    assert results == [[1, 1]]
    assert names(prof) == ["here"]


def test_one_profile_at_a_time():
    with profile() as outer:
        tg.ones(1)
        with pytest.raises(RuntimeError, match="expected no other profile"), profile():
            pass
        tg.zeros(1)
    assert names(outer) == ["ones", "zeros"]


def test_named_blocks():
    @record_function("halved")
    def halve(n):
        return halve(n // 2) if n > 1 else n

    assert halve(4) == 1
    with profile() as prof:
        halve(4)
        with record_function("mul", "2"):
            tg.ones(1) * 2
    assert names(prof) == ["halved", "halved", "halved", "mul(2)", "ones", "mul"]
    depth = [0 if e.cpu_parent is None else 1 + depth_of(e.cpu_parent) for e in prof.events()]
    assert depth == [0, 1, 2, 0, 1, 1]


def depth_of(event):
    return 0 if event.cpu_parent is None else 1 + depth_of(event.cpu_parent)


def test_a_block_that_a_profile_ends_in():
    prof = profile()
    prof.start()
    with record_function("outer"):
        tg.ones(1)
        prof.stop()
    assert names(prof) == ["outer", "ones"]
    outer, ones = prof.events()
    assert outer.time_range.end >= ones.time_range.end


def test_functions_of_users_show_under_their_names():
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with profile() as prof:
        Double.apply(tg.ones(2, requires_grad=True)).sum().backward()
    assert named(prof, "Double")
    (rules,) = named(prof, "DoubleBackward")
    assert [event.name for event in rules.cpu_children] == ["mul"]


def test_calls_and_their_rules_have_one_number():
    with profile() as prof:
        x = tg.ones(3, requires_grad=True)
        nn.functional.cross_entropy(x.reshape(1, 3), tg.tensor([1])).backward()
    forward = {e.sequence_nr: e.name for e in prof.events() if e.sequence_nr >= 0 and not e.scope}
    pairs = {forward[e.sequence_nr]: e.name for e in prof.events() if e.scope}
    assert pairs["reshape"] == "ReshapeBackward0"
    assert all(rules.startswith(call.title().replace("_", "")) for call, rules in pairs.items())


# ---- autocast, which leads ops around as well


def test_autocast_inside_a_profile_and_around_it():
    a = tg.ones(2, 2)
    tg.mm(a, a)
    before = codes()
    autocast = tg.autocast("cpu", dtype=tg.bfloat16)
    with profile() as prof:
        with autocast:
            assert tg.mm(a, a).dtype == tg.bfloat16
        assert tg.mm(a, a).dtype == tg.float32
    assert names(prof).count("mm") == 2
    with autocast:
        with profile() as prof:
            assert tg.mm(a, a).dtype == tg.bfloat16
        assert tg.mm(a, a).dtype == tg.bfloat16
    assert names(prof).count("mm") == 1
    with contextlib.ExitStack() as stack:
        stack.enter_context(autocast)
        prof = profile()
        prof.start()
        stack.close()
        assert tg.mm(a, a).dtype == tg.float32
        prof.stop()
    assert names(prof).count("mm") == 1
    after = codes()
    assert all(after[name] is code for name, code in before.items())


# ---- other names, and another device


def test_names_beside_ops_are_pytorchs():
    torch = pytest.importorskip("torch")

    def beside(m, data):
        weight = m.ones(2, requires_grad=True)
        optimizer = m.optim.Adam([weight])
        cpu = [m.profiler.ProfilerActivity.CPU]
        with m.profiler.profile(activities=cpu) as prof:
            for (x,) in data.DataLoader(data.TensorDataset(m.ones(4, 2)), batch_size=2):
                optimizer.zero_grad()
                with m.profiler.record_function("loss"):
                    loss = (x * weight).sum()
                loss.backward()
                optimizer.step()
        found = {event.key: event.count for event in prof.key_averages()}
        return {name: n for name, n in found.items() if "#" in name or name == "loss"}

    mine, other = beside(tg, tg.utils.data), beside(torch, torch.utils.data)
    assert mine.keys() == other.keys()
    loader = "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
    # PyTorch counts the call that finds the end, too.
    assert (mine.pop(loader), other.pop(loader)) == (2, 3)
    assert mine == other


def test_the_older_profile():
    older = tg.autograd.profiler
    with older.profile(record_shapes=True) as prof, older.record_function("block"):
        tg.ones(2).exp()
    assert [event.name for event in prof.function_events] == ["block", "ones", "exp"]
    assert "exp" in prof.key_averages().table(sort_by="self_cpu_time_total")
    assert prof.self_cpu_time_total > 0
    assert "exp" in str(prof)
    with older.profile(enabled=False) as prof:
        tg.ones(1)
    with pytest.raises(RuntimeError, match="expected a recording"):
        prof.key_averages()


def test_time_and_memory_on_a_gpu(cuda):
    x = tg.ones(1000, device="cuda")
    assert profiler.ProfilerActivity.CUDA in profiler.supported_activities()
    with profile(profile_memory=True) as prof, record_function("block"):
        y = x + 1
        del y
    (add,) = named(prof, "add")
    assert add.device_time_total == 500  # microseconds, as the stand-in has it
    assert add.self_device_memory_usage == 4000
    assert add.self_cpu_memory_usage == 0
    table = prof.key_averages().table(sort_by="self_cuda_time_total")
    assert "Self CUDA time total: 500.000us" in table
    assert "CUDA Mem" in table
    cpu = [profiler.ProfilerActivity.CPU]
    with profile(activities=cpu) as prof:
        x + 1
    assert "CUDA" not in prof.key_averages().table()
