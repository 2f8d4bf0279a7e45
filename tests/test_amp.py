"""Autocast: what it casts, what it leaves alone, and that it leaves no trace."""

import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.amp.door import door
from tensorgrad.amp.policies import policies
from tensorgrad.nn import functional as F
from tensorgrad.utils.checkpoint import checkpoint


def autocast(**options):
    return tg.autocast("cpu", **options)


@pytest.fixture
def matrix():
    return tg.tensor(np.random.default_rng(0).standard_normal((4, 4)), dtype=tg.float32)


def test_products_are_fast_and_losses_exact(matrix):
    layer = nn.Linear(4, 3)
    with autocast():
        out = layer(matrix)
        assert out.dtype == (matrix @ matrix).dtype == matrix.matmul(matrix).dtype == tg.bfloat16
        loss = F.mse_loss(out, tg.zeros(4, 3))
        assert loss.dtype == tg.float32
    loss.backward()
    assert layer.weight.grad.dtype == layer.bias.grad.dtype == tg.float32
    assert layer(matrix).dtype == tg.float32


def test_what_is_no_float32_stays(matrix):
    double, whole = matrix.double(), tg.ones(4, 4, dtype=tg.int64)
    with autocast():
        assert (double @ double).dtype == tg.float64
        assert (whole @ whole).dtype == tg.int64


def test_out_is_written_as_without_autocast(matrix):
    out = tg.empty(4, 4)
    with autocast():
        tg.mm(matrix, matrix, out=out)
    assert (out == tg.mm(matrix, matrix)).all()


def test_blocks_nest(matrix):
    with autocast():
        with autocast(enabled=False):
            assert not tg.is_autocast_enabled("cpu")
            assert (matrix @ matrix).dtype == tg.float32
            with autocast(dtype=tg.float16):
                assert tg.get_autocast_dtype("cpu") == tg.float16
                assert (matrix @ matrix).dtype == tg.float16
        assert tg.is_autocast_enabled("cpu")
        assert not tg.is_autocast_enabled("cuda")
        assert (matrix @ matrix).dtype == tg.bfloat16
    assert not tg.is_autocast_enabled("cpu")
    assert tg.get_autocast_dtype("cpu") == tg.bfloat16
    assert tg.get_autocast_dtype("cuda") == tg.float16


def test_an_error_inside_ends_the_block(matrix):
    with pytest.raises(RuntimeError), autocast():
        matrix @ tg.ones(3, 3)
    assert not tg.is_autocast_enabled("cpu")
    assert (matrix @ matrix).dtype == tg.float32


def test_as_a_decorator(matrix):
    @autocast()
    def product(x):
        """Of itself."""
        return x @ x

    assert product(matrix).dtype == tg.bfloat16
    assert product.__doc__ == "Of itself."
    assert (matrix @ matrix).dtype == tg.float32
    with pytest.raises(TypeError, match="autocast: expected a function to decorate, got Tensor"):
        autocast()(matrix)


def test_other_threads_are_left_alone(matrix):
    found = []
    with autocast():
        thread = threading.Thread(target=lambda: found.append((matrix @ matrix).dtype))
        thread.start()
        thread.join()
        assert (matrix @ matrix).dtype == tg.bfloat16
    assert found == [tg.float32]


def test_functions_have_their_own_code_when_no_block_is_open(matrix):
    with autocast():
        inside = {function: function.__code__ for function in policies()}
    assert len(inside) >= 150
    for function, code in inside.items():
        assert function.__code__ is not code
    assert not door.open_blocks


def test_a_parameter_is_cast_once_in_a_block(matrix):
    layer = nn.Linear(4, 4)

    def casts(**options):
        with autocast(**options):
            out = layer(layer(matrix))
        seen, nodes = set(), [out.grad_fn]
        while nodes:
            node = nodes.pop()
            if node is not None and node not in seen:
                seen.add(node)
                nodes += [other for other, _ in node.next_functions]
        return sum(node.name() == "CastBackward0" for node in seen)

    assert casts() == 2
    assert casts(cache_enabled=False) == 4


def test_a_parameter_that_is_written_is_cast_anew(matrix):
    layer = nn.Linear(4, 4, bias=False)
    with autocast():
        before = layer(matrix)
        with tg.no_grad():
            layer.weight.zero_()
        assert (layer(matrix) == 0).all()
        assert not (before == 0).all()


def test_a_parameter_used_without_recording_still_gets_its_gradient(matrix):
    layer = nn.Linear(4, 4)
    with autocast():
        with tg.no_grad():
            layer(matrix)
        layer(matrix).sum().backward()
    assert layer.weight.grad is not None


def test_backward_inside_the_block_gives_the_same(matrix):
    grads = []
    for inside in (True, False):
        weight = tg.ones(4, 4, requires_grad=True)
        with autocast():
            loss = F.gelu(matrix @ weight).float().sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        grads.append(weight.grad)
    assert (grads[0] == grads[1]).all()
    assert grads[0].dtype == tg.float32


def test_a_checkpoint_runs_again_under_its_own_autocast(matrix):
    layer = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    grads = []
    for run in (lambda x: layer(x), lambda x: checkpoint(layer, x)):
        layer.zero_grad()
        with autocast():
            out = run(matrix)
        out.float().sum().backward()
        grads.append([parameter.grad for parameter in layer.parameters()])
    for one, two in zip(*grads, strict=True):
        assert (one == two).all()


def test_recurrent_layers_take_half_precision_inputs():
    for layer in (nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4)):
        with autocast():
            out, _ = layer(tg.ones(5, 2, 3).bfloat16())
        assert out.dtype == tg.bfloat16
        with pytest.raises(ValueError, match="expected input of the weights' dtype float32"):
            layer(tg.ones(5, 2, 3).bfloat16())


def test_cpu_tensors_are_left_alone_under_cudas(matrix):
    with pytest.warns(UserWarning, match="autocast: expected a usable cuda device, got none"):
        context = tg.autocast("cuda")
    with context:
        assert (matrix @ matrix).dtype == tg.float32


def test_dtypes_and_devices_that_there_are_not(matrix):
    with pytest.warns(UserWarning, match="autocast: expected a dtype among .* got float32"):
        context = autocast(dtype=tg.float32)
    with context:
        assert (matrix @ matrix).dtype == tg.float32
    with pytest.raises(RuntimeError, match=r"autocast: expected device_type among .* got 'tpu'"):
        tg.autocast("tpu")
    with pytest.raises(ValueError, match="autocast: expected device_type to be a string, got int"):
        tg.autocast(0)
    assert tg.amp.is_autocast_available("cpu")
    assert not tg.amp.is_autocast_available("tpu")


# ---- custom functions


def test_custom_functions_choose_their_dtype(matrix):
    seen = {}

    class Product(tg.autograd.Function):
        @staticmethod
        @tg.amp.custom_fwd(device_type="cpu")
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @tg.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            seen["backward"] = (x @ x).dtype
            return g.float() @ x.T + x.T @ g.float()

    class Exact(tg.autograd.Function):
        @staticmethod
        @tg.amp.custom_fwd(device_type="cpu", cast_inputs=tg.float32)
        def forward(ctx, x):
            seen["input"] = x.dtype
            return x @ x

        @staticmethod
        @tg.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen["exact backward"] = (matrix @ matrix).dtype
            return g

    x = matrix.clone().requires_grad_()
    with autocast():
        out = Product.apply(x)
        exact = Exact.apply(x.bfloat16())
    assert out.dtype == tg.bfloat16
    assert exact.dtype == seen["input"] == tg.float32
    (out.float().sum() + exact.sum()).backward()
    assert seen["backward"] == tg.bfloat16
    assert seen["exact backward"] == tg.float32
    Exact.apply(x.bfloat16())
    assert seen["input"] == tg.bfloat16  # outside nothing is cast


# ---- settings, older names, dtypes


def test_the_older_names():
    from tensorgrad.cuda.amp import GradScaler

    with pytest.warns(UserWarning, match="usable cuda device"):
        assert not GradScaler().is_enabled()
    with tg.cuda.amp.autocast(enabled=False):
        assert not tg.is_autocast_enabled()


def test_settings_without_a_block(matrix):
    def settings():
        assert not tg.is_autocast_enabled("cpu")
        tg.set_autocast_dtype("cpu", tg.float16)
        assert tg.get_autocast_dtype("cpu") == tg.float16
        with autocast():
            assert (matrix @ matrix).dtype == tg.float16
        tg.set_autocast_enabled("cpu", True)
        assert tg.is_autocast_enabled("cpu")
        assert not tg.is_autocast_enabled("cuda")
        assert (matrix @ matrix).dtype == tg.float16
        tg.set_autocast_dtype("cpu", tg.bfloat16)
        assert (matrix @ matrix).dtype == tg.bfloat16
        with autocast(enabled=False):
            assert (matrix @ matrix).dtype == tg.float32
        tg.set_autocast_cache_enabled(False)
        assert not tg.is_autocast_cache_enabled()
        assert (matrix @ matrix).dtype == tg.bfloat16
        tg.set_autocast_enabled("cpu", False)
        assert (matrix @ matrix).dtype == tg.float32
        done.append(True)

    done = []
    thread = threading.Thread(target=settings)  # whose settings are its own
    thread.start()
    thread.join()
    assert done
    assert tg.get_autocast_dtype("cpu") == tg.bfloat16
    assert (matrix @ matrix).dtype == tg.float32
    with pytest.raises(RuntimeError, match="set_autocast_enabled: expected device_type among"):
        tg.set_autocast_enabled("tpu", True)
    with pytest.raises(TypeError, match="set_autocast_dtype: expected a dtype among"):
        tg.set_autocast_dtype("cpu", tg.float64)


def test_casts_of_parameters_are_forgotten(matrix):
    layer = nn.Linear(4, 4)
    with autocast():
        before = layer(matrix)
        layer.weight.data.fill_(0.0)  # a change that nobody notices
        layer.bias.data.fill_(0.0)
        assert layer(matrix).tolist() == before.tolist()
        tg.clear_autocast_cache()
        assert not layer(matrix).any()


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_padding_has_pytorchs_dtype(mode, spatial):
    torch = pytest.importorskip("torch")
    dtypes = []
    for m in (tg, torch):
        x = m.zeros((2, 3) + (4,) * spatial, dtype=m.bfloat16)
        with m.autocast("cpu"):
            dtypes.append(m.nn.functional.pad(x, (1, 1) * spatial, mode).dtype)
    assert f"torch.{dtypes[0]}" == str(dtypes[1])
