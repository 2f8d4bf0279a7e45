"""CupyBackend's steps over lists of arrays, by CUDA kernels run on the CPU: against the rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tests.cuda_ladder import execution
from tests.kernel_samples import SHAPES, sample
from tests.optimizer_samples import OPTIONS, same, strange, trained

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_compiled_rule_gives_the_rules_own_bits(name: str, dtype: Any, cuda: Any) -> None:
    before = execution.launches["step_elements"]
    got = trained(name, dtype, backend="cupy")
    assert execution.launches["step_elements"] == before + 7  # one for all arrays
    same(got, trained(name, dtype, False, backend="numpy"))


@pytest.mark.parametrize("name", OPTIONS)
def test_nan_and_infinities_go_where_the_rule_sends_them(name: str, cuda: Any) -> None:
    with np.errstate(all="ignore"):
        got = trained(name, "float32", spoil=strange, steps=3, backend="cupy")
        want = trained(name, "float32", False, spoil=strange, steps=3, backend="numpy")
    same(got, want)


def test_gradients_may_lie_as_they_will(cuda: Any) -> None:
    shapes = [(3, 5), (4, 3, 2), (70, 71)]
    got = trained("adam", "float32", None, shapes, 3, np.asfortranarray, "cupy")
    same(got, trained("adam", "float32", None, shapes, 3, None, "cupy"))


STEP, NORM = {"count_steps": 1, "step_elements": 1}, {"squares": 1, "root": 1}


def test_a_step_of_a_model_is_one_launch(cuda: Any) -> None:
    model = nn.Sequential(*[nn.Linear(3, 3) for _ in range(20)])
    optimizer = optim.Adam(model.parameters())
    for _ in range(2):
        model(tg.ones(2, 3)).sum().backward()
        before = execution.launches.copy()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert execution.launches - before == STEP | NORM


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_a_step_in_half_precision_is_one_launch(dtype: Any, cuda: Any) -> None:
    """In which eps of Adam, too small for float16, keeps 0 / 0 away."""
    params = [tg.ones(3, dtype=dtype, requires_grad=True) for _ in range(5)]
    for param in params:
        param.grad = tg.tensor([1.0, 0.0, -1.0], dtype=dtype)
    before = execution.launches.copy()
    optim.Adam(params, 0.5).step()
    nn.utils.clip_grad_norm_(params, 100.0)
    assert execution.launches - before == STEP | NORM
    assert params[4].tolist() == [0.5, 1.0, 1.5]


def test_who_counts_the_steps(cuda: Any) -> None:
    """The device where it can, which changes hands with the settings and with a file."""
    found = {}
    for name, (kind, options) in OPTIONS.items():
        param = tg.ones(3, requires_grad=True)
        param.grad = tg.ones(3)
        optimizer = getattr(optim, kind)([param], **options)
        optimizer.step()
        if "step" in optimizer.state[param]:
            found[name] = optimizer.state[param]["step"].device.type
    on_host = {"radam", "nadam", "asgd"}
    assert found == {name: "cpu" if name in on_host else "cuda" for name in found}
    assert on_host | {"adam", "adagrad", "rmsprop"} <= set(found)

    param = tg.ones(3, requires_grad=True)
    param.grad = tg.ones(3)
    state: Any = None
    for fused, device, twin in ((None, "cuda", 1), (False, "cpu", 2), (None, "cuda", 3)):
        optimizer = optim.Adam([{"params": [param], "fused": fused}])
        if state is not None:
            state["param_groups"][0]["fused"] = fused
            optimizer.load_state_dict(state)
        optimizer.step()
        step = optimizer.state[param]["step"]
        assert (step.device.type, step.item()) == (device, twin)
        state = optimizer.state_dict()


def scaled(name: str, gradients: list[list[float]], backend: str, **more: Any) -> list[Any]:
    """Parameter, states and scale after a scaler's steps on gradients that are given."""
    kind, options = OPTIONS[name]
    with tg.use_backend(backend):
        params = [tg.tensor([1.0, -2.0], requires_grad=True), tg.ones(3, requires_grad=True)]
        optimizer = getattr(optim, kind)([{"params": params, **more}], **options)
        scaler = tg.amp.GradScaler(params[0].device.type, init_scale=8.0, growth_interval=2)
        for gradient in gradients:
            scaler.scale(tg.ones(()))
            params[0].grad, params[1].grad = tg.tensor(gradient), tg.ones(3)
            scaler.step(optimizer)
            scaler.update()
        states = [value for param in params for value in optimizer.state[param].values()]
        numbers = [scaler.get_scale(), scaler._get_growth_tracker()]
        return [[value.tolist() for value in (*params, *states)], numbers]


GRADIENTS = [[1.0, 2.0], [np.inf, 1.0], [3.0, -1.0], [1.0, 1.0], [np.nan, 0.0], [2.0, 2.0]]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_device_leaves_out_a_step_that_overflowed(name: str, cuda: Any) -> None:
    got, want = (scaled(name, GRADIENTS, backend) for backend in ("cupy", "numpy"))
    assert got[1] == want[1]
    for one, other in zip(got[0], want[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    counted = OPTIONS[name][0] in ("Adam", "NAdam", "RAdam")
    assert not counted or 4.0 in got[0]  # of six steps two were left out
    assert scaled(name, GRADIENTS, "cupy", fused=False)[1] == want[1]


def test_what_no_kernel_steps_is_left_out_as_well(cuda: Any) -> None:
    """Arrays of two dtypes are stepped by the rule, for which the host reads what it must."""
    results = []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            params = [tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)]
            params[1] = tg.ones(2, dtype=tg.float64, requires_grad=True)
            optimizer, scaler = optim.Adam(params), tg.amp.GradScaler(params[0].device.type)
            for bad in (0.0, np.inf, 1.0):
                scaler.scale(tg.ones(()))
                params[0].grad = tg.tensor([bad, 1.0])
                params[1].grad = tg.tensor([1.0, 1.0], dtype=tg.float64)
                scaler.step(optimizer)
                scaler.update()
            results.append(
                [value.tolist() for value in (*params, optimizer.state[params[1]]["step"])]
            )
    assert results[0][2] == 2
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)


TRACE = "t0 = x0 - x1\ny0 = t0"


@pytest.mark.parametrize("fault", ["dtype", "gradient", "layout", "shape", "rank", "host"])
def test_nothing_is_written_when_one_array_is_not_served(fault: str, cuda: Any) -> None:
    params, grads = ([np.ones(3, "f4"), np.ones((2, 3), "f4")] for _ in range(2))
    if fault == "dtype":
        params[1], grads[1] = params[1].astype("f8"), grads[1].astype("f8")
    elif fault == "gradient":
        grads[1] = grads[1].astype("f8")
    elif fault == "shape":
        grads[1] = grads[1].T
    elif fault == "rank":
        grads[1] = grads[1].reshape(-1)
    lists = [[cuda.xp.asarray(array) for array in arrays] for arrays in (params, grads)]
    if fault == "layout":
        lists[0][1] = cuda.xp.asarray(params[1].T.copy()).transpose(1, 0)
    elif fault == "host":
        lists[0][1] = params[1]
    assert cuda.step_elements(TRACE, lists, []) is NotImplemented
    for array in (*lists[0], *lists[1]):
        assert (cuda.to_numpy(array) == 1).all()


def test_nothing_to_step(cuda: Any) -> None:
    """A launch of no blocks would be one of one."""
    before = execution.launches.total()
    empty = [cuda.xp.zeros((0, 3), "f4")]
    assert cuda.step_elements(TRACE, [empty, empty], []) is None
    rows = cuda.xp.zeros(0, "i8")
    table = cuda.xp.ones((4, 3), "f4")
    assert cuda.step_rows(rows, TRACE, [[table], empty], []) is None
    assert cuda.total_norm(empty).tolist() == 0
    assert execution.launches.total() == before


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "SparseAdam"])
def test_rows_of_a_sparse_gradient(name: str, dtype: Any, cuda: Any) -> None:
    start = sample((11, 5), dtype)
    found = []
    for backend, fused in (("cupy", None), ("numpy", False)):
        with tg.use_backend(backend):
            table = tg.tensor(start, requires_grad=True)
            optimizer = getattr(optim, name)([{"params": [table], "fused": fused}], lr=0.1)
            for step in range(3):
                optimizer.zero_grad()
                words = tg.tensor([[3, 0, 10], [3, 7, step]])
                nn.functional.embedding(words, table, sparse=True).square().sum().backward()
                optimizer.step()
            found.append([table.detach().cpu().numpy()])
    assert execution.launches["step_rows"] >= 3
    same(*found)


def test_a_row_that_is_not_there_is_refused(cuda: Any) -> None:
    table, gradient = cuda.xp.ones((4, 3), "f4"), cuda.xp.ones((2, 3), "f4")
    for rows, wrong in (([1, 4], 4), ([-1, 1], -1)):
        cuda.step_rows(cuda.xp.asarray(np.array(rows)), TRACE, [[table], [gradient]], [])
        with pytest.raises(tg.IndexRangeError, match=rf"step_rows: .* \[0, 4\), got {wrong} "):
            cuda.synchronize()
    # What is there has been stepped, twice, and nothing else.
    assert cuda.to_numpy(table).tolist() == [[1] * 3, [-1] * 3, [1] * 3, [1] * 3]


def test_clipping_is_that_of_the_reference(cuda: Any) -> None:
    results = []
    for name in "numpy", "cupy":
        with tg.use_backend(name):
            params = [tg.zeros(*shape, requires_grad=True) for shape in SHAPES]
            for seed, param in enumerate(params):
                param.grad = tg.tensor(sample(param.shape, "float32", seed))
            total = nn.utils.clip_grad_norm_(params, 1.0)
            assert total.device == params[0].device  # nothing has waited for it
            results.append([x.cpu().numpy() for x in (total, *[param.grad for param in params])])
    for got, want in zip(*results[::-1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_norms_of_several_dtypes_are_composed(cuda: Any) -> None:
    arrays = [cuda.xp.ones(2, "f4"), cuda.xp.ones(2, "f8")]
    assert cuda.total_norm(arrays) is NotImplemented
