"""The compiled step over lists of arrays: against the rules themselves."""

import re
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import types

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.kernels.numba import generated, many, optimizers
from tests.kernel_samples import SHAPES, sample
from tests.optimizer_samples import OPTIONS, same, strange, trained

backend = NumbaBackend()


def count_kernels(monkeypatch):
    """How often the compiled step has been taken."""
    calls = []
    module = NumbaBackend()._optimizers
    original = module.step_elements

    def counted(*arguments):
        result = original(*arguments)
        calls.append(result is None)
        return result

    monkeypatch.setattr(module, "step_elements", counted)
    return calls


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_compiled_rule_gives_the_rules_own_bits(name, dtype, monkeypatch):
    calls = count_kernels(monkeypatch)
    got, want = trained(name, dtype, None), trained(name, dtype, False)
    assert len(calls) >= 7
    assert all(calls)
    same(got, want)


@pytest.mark.parametrize("name", OPTIONS)
def test_nan_and_infinities_go_where_the_rule_sends_them(name):
    with np.errstate(all="ignore"):
        got, want = (trained(name, "float32", fused, spoil=strange) for fused in (None, False))
    same(got, want)


def turned(gradient):
    return np.asfortranarray(gradient)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_gradients_may_lie_as_they_will(name, monkeypatch):
    calls = count_kernels(monkeypatch)
    shapes = [(3, 5), (4, 3, 2), (300, 301)]
    got, want = (trained(name, "float32", None, shapes, 3, spoil) for spoil in (turned, None))
    assert all(calls)
    same(got, want)


def test_a_parameter_that_joins_later_keeps_its_own_count():
    results = []
    for fused in None, False:
        first, late = (tg.ones(3, requires_grad=True) for _ in range(2))
        optimizer = optim.Adam([first, late], lr=0.1, fused=fused)
        for step in range(4):
            first.grad = tg.tensor([1.0, -2.0, 3.0]) * (step + 1)
            if step > 1:
                late.grad = first.grad.clone()
            optimizer.step()
        results.append([*first.tolist(), *late.tolist()])
    assert results[0] == results[1]


def test_a_parameter_that_is_there_twice_is_stepped_twice():
    param = tg.ones(200_000, requires_grad=True)
    with pytest.warns(UserWarning, match="duplicates"):
        optimizer = optim.SGD([param, param], lr=1.0)
    param.grad = tg.ones(200_000)
    optimizer.step()
    assert bool((param == -1).all())


def test_a_gradient_may_be_the_parameter_itself():
    param = tg.arange(1.0, 101.0).requires_grad_()
    param.grad = param.detach()
    optim.SGD([param], lr=0.5).step()
    np.testing.assert_array_equal(param.detach().numpy(), np.arange(1.0, 101.0) / 2)


@pytest.mark.parametrize(
    "fault", ["dtype", "half", "gradient", "layout", "shape", "rank", "frozen", "scalar"]
)
def test_nothing_is_written_when_one_array_is_not_served(fault):
    params, grads = ([np.ones(3, "f4"), np.ones((2, 3), "f4")] for _ in range(2))
    trace = "t0 = x0 - x1\ny0 = t0"
    if fault == "dtype":
        params[1], grads[1] = params[1].astype("f8"), grads[1].astype("f8")
    elif fault == "half":
        params, grads = ([a.astype("f2") for a in arrays] for arrays in (params, grads))
    elif fault == "gradient":
        grads[1] = grads[1].astype("f8")
    elif fault == "layout":
        params[1] = np.asfortranarray(params[1])
    elif fault == "shape":
        grads[1] = grads[1].T
    elif fault == "rank":
        grads[1] = grads[1].reshape(-1)
    elif fault == "frozen":
        params[1].flags.writeable = False
    else:
        params[1], grads[1] = np.float32(1), np.ones((), "f4")
    assert backend.step_elements(trace, [params, grads], []) is NotImplemented
    assert all((array == 1).all() for array in params + grads)


def test_the_struct_is_read_as_numpy_lays_it_out():
    assert many.layout_holds()


@pytest.mark.parametrize("name", OPTIONS)
def test_loops_are_of_vectors(name):
    """Also with five arrays, four of them written: LLVM gives up where it must compare too many."""
    kind, options = OPTIONS[name]
    param = tg.ones(3, requires_grad=True)
    param.grad = tg.ones(3)
    optimizer = getattr(optim, kind)([param], **options)
    for _ in range(7):
        optimizer.step()
    trace = optimizer.stepper.traced[1]
    arrays = 1 + max(int(number) for number in re.findall(r"x(\d+)", trace.text))
    space = dict(optimizers.FUNCTIONS, real=np.float32, double=np.float64)
    exec(generated.source(trace.text, arrays, len(trace.numbers)), space)
    loop = numba.njit(error_model="numpy")(space["loop"])
    pointer = types.CPointer(types.float32)
    numbers = types.CPointer(types.float64)
    loop.compile((*[pointer] * arrays, numbers, types.int64, types.int64))
    (code,) = loop.inspect_llvm().values()
    for operation in "load", "store":
        assert re.search(rf"{operation} <(4|8|16) x float>", code)


# ---- threads and processes


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    arrays = [sample(shape, "float32", seed) for seed, shape in enumerate(SHAPES)]

    def everything():
        return [*trained("adam", "float32", None, steps=2), backend.total_norm(arrays)]

    most = numba.get_num_threads()
    several = everything()
    try:
        numba.set_num_threads(1)
        one = everything()
    finally:
        numba.set_num_threads(most)
    monkeypatch.setattr(many, "can_launch", lambda: False)
    for a, b, c in zip(several, one, everything(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


SCRIPT = """
import numba
from numba.core import event
import tensorgrad as tg
compiled = []
class Listener(event.Listener):
    def on_start(self, started):
        compiled.append(started.data["dispatcher"].py_func.__name__)
    def on_end(self, ended):
        pass
event.register("numba:compile", Listener())
w = tg.ones(3, requires_grad=True)
w.grad = tg.tensor([1.0, 2.0, 3.0])
tg.optim.Adam([w], lr=0.5, betas=(0.5, 0.75)).step()
tg.nn.utils.clip_grad_norm_([w], 1.0)
print(len(compiled), *w.tolist())
"""


def test_another_process_loads_what_one_has_compiled():
    command = [sys.executable, "-c", SCRIPT]
    outputs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert outputs[0][1:] == outputs[1][1:]
    assert outputs[1][0] == "0"
    np.testing.assert_allclose([float(x) for x in outputs[1][1:]], 0.5, rtol=1e-6)
