"""Trajectories of optimizers: PyTorch's, those of each backend, and on from a loaded state."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tests.descents import OPTIONS, close, descend, host, quadratic


@pytest.mark.parametrize("fused", [None, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_trajectory_beside_torch(name, fused, backend):
    torch = pytest.importorskip("torch")
    kind, options = OPTIONS[name]
    results = []
    for library in (tg, torch):
        parameters, loss = quadratic(library)
        group = {"params": parameters, "fused": fused if library is tg else None}
        optimizer = getattr(library.optim, kind)([group], **options)
        descend(optimizer, loss, 50)
        state = optimizer.state_dict()["state"]
        results.append((host(parameters), state))
    (ours, state), (theirs, torch_state) = results
    close(ours, theirs)
    assert list(state) == list(torch_state)
    for number, values in torch_state.items():
        known = {key: value for key, value in values.items() if value is not None}
        assert sorted(state[number]) == sorted(known)
        for key, value in known.items():
            if not isinstance(value, torch.Tensor):
                assert state[number][key] == value
                continue
            assert state[number][key].shape == tuple(value.shape)
            close([state[number][key].numpy()], [value.numpy()])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", OPTIONS)
def test_backends_and_the_rule_agree(name, dtype):
    kind, options = OPTIONS[name]
    results = []
    for backend, fused in (("numpy", None), ("numba", None), ("numba", False)):
        with tg.use_backend(backend):
            parameters, loss = quadratic(tg, dtype)
            group = {"params": parameters, "fused": fused}
            descend(getattr(optim, kind)([group], **options), loss, 4)
            results.append(host(parameters))
    close(results[1], results[0], 1e-5 if dtype == "float32" else 2e-2)
    close(results[2], results[0], 1e-5 if dtype == "float32" else 2e-2)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_loaded_state_continues_the_trajectory(name, backend):
    kind, options = OPTIONS[name]
    whole, whole_loss = quadratic(tg)
    descend(getattr(optim, kind)(whole, **options), whole_loss, 9)
    parameters, loss = quadratic(tg)
    optimizer = getattr(optim, kind)(parameters, **options)
    descend(optimizer, loss, 5)
    saved = optimizer.state_dict()
    fresh = getattr(optim, kind)(parameters, lr=77)
    fresh.load_state_dict(saved)
    assert fresh.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    kept = {k: v.tolist() for values in saved["state"].values() for k, v in values.items()}
    descend(fresh, loss, 4)
    np.testing.assert_equal(host(parameters), host(whole))
    after = {k: v.tolist() for values in saved["state"].values() for k, v in values.items()}
    assert kept == after  # copies were taken


def test_state_dict_names_parameters_by_number(backend):
    parameters, loss = quadratic(tg)
    optimizer = optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}])
    descend(optimizer, loss, 1)
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2]]
    assert [group["lr"] for group in state["param_groups"]] == [1e-3, 0.5]
    assert sorted(state["state"][2]) == ["exp_avg", "exp_avg_sq", "step"]
    assert state["state"][0]["exp_avg"].shape == (3, 4)
    assert state["state"][0]["step"].dtype == tg.float32


def test_state_is_loaded_in_the_parameters_dtype():
    parameters, loss = quadratic(tg)
    source = optim.Adam(parameters)
    descend(source, loss, 1)
    narrow, _ = quadratic(tg, "float32")
    target = optim.Adam(narrow)
    target.load_state_dict(source.state_dict())
    assert target.state[narrow[0]]["exp_avg"].dtype == tg.float32


def test_a_state_of_other_groups_is_refused():
    parameters, loss = quadratic(tg)
    optimizer = optim.SGD(parameters, momentum=0.9)
    descend(optimizer, loss, 1)
    for other in (
        optim.SGD(parameters[:2]),
        optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:]}]),
    ):
        with pytest.raises(ValueError, match="load_state_dict: expected"):
            optimizer.load_state_dict(other.state_dict())
    assert "momentum_buffer" in optimizer.state[parameters[0]]
