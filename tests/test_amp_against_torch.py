"""Autocast and the gradient scaler against PyTorch: dtypes op by op, and whole trainings."""

import contextlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.amp import policies
from tensorgrad.amp.door import door
from tensorgrad.detours import Detour
from tests.cases import CASES, arrays
from tests.oracle import as_torch, outcome
from tests.test_torch import both, torch_function

torch = pytest.importorskip("torch")
lists = pytest.importorskip("torch.testing._internal.autocast_test_lists")

# Where the dtype is another one.
OTHERS = {
    ("corrcoef", tg.float32),  # computed in float64 here, no product of float32 inside
    ("cov", tg.float32),
    ("matrix_exp", tg.bfloat16),  # not of 16-bit floats here
    ("matrix_power", tg.bfloat16),
    ("max_pool3d", tg.bfloat16),  # PyTorch's list has the form without indices alone
}
TABLE = [
    (case, dtype)
    for case in CASES
    if case.torch != "" and torch_function(case) is not None
    for dtype in (tg.float32, tg.bfloat16)
    if (case.op, dtype) not in OTHERS
]


def dtypes_of(module, function, args, kwargs):
    with module.autocast("cpu"):
        results = arrays(function(*args, **kwargs))
    return [str(result.dtype).removeprefix("torch.") for result in results]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("case", "dtype"), TABLE, ids=[f"{c.id}-{d}" for c, d in TABLE])
def test_dtypes_of_the_table(case, dtype):
    ours, theirs = both(case, dtype)
    expected = outcome(dtypes_of, torch, torch_function(case), theirs, case.kwargs)
    if not isinstance(expected, Exception):  # it has no kernel for some in bfloat16
        assert dtypes_of(tg, case.function, ours, case.kwargs) == expected


def test_most_of_the_table_is_compared():
    assert len(TABLE) >= 1400


# ---- PyTorch's own lists of what autocast does, which need no GPU to be read


def ours(value):
    if isinstance(value, torch.Tensor):
        dtype = getattr(tg, str(value.dtype).removeprefix("torch."))
        return tg.tensor(value.float().numpy(), dtype=dtype)
    if isinstance(value, tuple | list):
        return type(value)(map(ours, value))
    return value


def named(name):
    """The function, or method, of a name in PyTorch's lists."""
    for home in (tg, tg.nn.functional, tg.Tensor):
        if hasattr(home, name):
            return getattr(home, name)
    return getattr(tg.linalg, name.removeprefix("linalg_"), None)


@contextlib.contextmanager
def cudas_lists(monkeypatch):
    """CPU tensors as if they were on CUDA."""
    monkeypatch.setitem(policies.LISTS, "cpu", policies.LISTS["cuda"])
    if door.for_good:  # another test has set autocast without a block
        door.for_good = False
        door.close()
    assert not door.open_blocks
    known, door.detour = door.detour, Detour(place=0)
    try:
        yield
    finally:
        door.detour = known


# Called in these lists by their inner signatures.
INNER = {
    "einsum",
    "huber_loss",
    "kl_div",
    "layer_norm",
    "margin_ranking_loss",
    "nll_loss2d",
    "poisson_nll_loss",
    "reflection_pad1d",
}


def check_list(entries, dtype, wanted):
    """Call each entry that we have under autocast; how many there were."""
    count = 0
    for entry in entries:
        name, args = entry[:2]
        kwargs = entry[2] if len(entry) > 2 and isinstance(entry[2], dict) else {}
        function = named(name)
        if function is None or name in INNER or name.endswith("_cell"):
            continue
        with tg.autocast("cpu", dtype=dtype):
            result = function(*ours(args), **kwargs)
        assert arrays(result)[0].dtype == wanted, name
        count += 1
    return count


def test_pytorchs_cpu_lists():
    known = lists.AutocastCPUTestLists(torch.device("cpu"))
    fast = known.torch_16 + known.nn_16
    assert check_list(fast, tg.bfloat16, tg.bfloat16) >= 11
    assert check_list(known.torch_fp32 + known.nn_fp32, tg.bfloat16, tg.float32) >= 13
    assert check_list(known.torch_need_autocast_promote, tg.bfloat16, tg.float32) == 2


def test_pytorchs_cuda_lists(monkeypatch):
    known = lists.AutocastTestLists(torch.device("cpu"))
    fast = known.torch_fp16 + known.nn_fp16 + known.linalg_fp16 + known.methods_fp16
    exact = known.torch_fp32 + known.nn_fp32 + known.methods_fp32
    with cudas_lists(monkeypatch):
        assert check_list(fast, tg.float16, tg.float16) >= 19
        assert check_list(exact, tg.float16, tg.float32) >= 40
        assert check_list(known.torch_need_autocast_promote, tg.float16, tg.float32) >= 8
        with pytest.raises(RuntimeError, match="binary_cross_entropy: expected no autocast"):
            check_list(known.banned, tg.float16, tg.float32)
        for cell in (tg.nn.LSTMCell(3, 4), tg.nn.GRUCell(3, 4), tg.nn.GRU(3, 4)):
            with tg.autocast("cpu", dtype=tg.float16):
                assert {part.dtype for part in cell(tg.ones(2, 3))} == {np.dtype("float16")}


def test_ops_that_cudas_lists_do_not_name_keep_their_dtype(monkeypatch):
    """Whatever they are composed of."""
    with cudas_lists(monkeypatch), tg.autocast("cpu", dtype=tg.float16):
        x = tg.ones(4, 4).half()
        for name in ("elu", "gelu", "mish", "selu", "silu", "logsigmoid", "glu", "normalize"):
            assert getattr(tg.nn.functional, name)(x).dtype == tg.float16, name
        for name in ("sigmoid", "tanh", "relu", "mean", "amax", "sqrt", "std", "var", "abs"):
            assert getattr(tg, name)(x).dtype == tg.float16, name


# ---- whole trainings


def mlp(m):
    nn = m.nn
    return nn.Sequential(
        nn.Linear(8, 32),
        nn.LayerNorm(32),
        nn.GELU(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 3),
    )


def conv_net(m):
    nn = m.nn
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3),
        nn.ReLU(), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def train(m, net, inputs, labels, dtype):
    optimizer = m.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    it = m.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=5)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        with m.autocast("cpu", dtype=dtype):
            loss = m.nn.functional.cross_entropy(net(inputs), labels)
        it.scale(loss).backward()
        it.step(optimizer)
        it.update()
        losses.append(loss.item())
    return np.array(losses), it.get_scale()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("make", "shape"), [(mlp, (24, 8)), (conv_net, (24, 1, 8, 8))])
def test_training_follows_pytorchs(make, shape, dtype):
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal(shape).astype("float32")
    labels = rng.integers(0, 3, 24)
    torch.manual_seed(0)
    theirs, mine = make(torch), make(tg)
    mine.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    wanted, scale = train(
        torch, theirs, as_torch(inputs), torch.from_numpy(labels), getattr(torch, dtype)
    )
    got, own_scale = train(tg, mine, tg.tensor(inputs), tg.tensor(labels), getattr(tg, dtype))
    assert own_scale == scale
    # Both round at other places: as far apart as either is from float32.
    np.testing.assert_allclose(got, wanted, rtol=0, atol=0.03 if dtype == "bfloat16" else 0.004)
    assert wanted[-1] < 0.6 * wanted[0]


def test_the_scaler_goes_pytorchs_way():
    """Scale and count after every update, over random overflows."""
    rng = np.random.default_rng(5)
    gradients = rng.standard_normal((60, 3)).astype("float32")
    gradients[rng.random(60) < 0.25, 1] = np.inf
    gradients[[7, 8]] = np.nan
    histories = []
    for m in (torch, tg):
        weight = m.nn.Parameter(m.ones(3))
        optimizer = m.optim.Adam([weight], lr=0.1)
        it = m.amp.GradScaler("cpu", init_scale=4.0, growth_factor=3.0, growth_interval=3)
        history = []
        for number, gradient in enumerate(gradients):
            it.scale(m.ones(()))
            weight.grad = m.tensor(gradient)
            if number % 3 == 0:
                it.unscale_(optimizer)
            it.step(optimizer)
            it.update(6.5 if number == 30 else None)
            state = it.state_dict()
            history.append([state["scale"], state["_growth_tracker"], *weight.tolist()])
        histories.append(history)
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-6)
