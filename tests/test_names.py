"""Names and attributes of tensors and of the library, in the words of a PyTorch program: each line
means the same in both libraries.
"""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import outcome
from tests.test_making import evaluate, plain

torch = pytest.importorskip("torch")

LINES = """
tuple(m.ones(2, 3).shape), m.ones(2, 3).shape.numel(), m.ones(2, 3).shape[1:].numel()
isinstance(m.ones(2).shape, m.Size), isinstance(m.ones(2, 3).shape[:1], m.Size)
type(m.ones(2, 3).shape + (4,)) is m.Size, type((4,) + m.ones(2, 3).shape) is m.Size
m.ones(2, 3).shape == (2, 3), m.ones(2, 3).size() == m.Size([2, 3]), m.ones(2).shape * 2
{m.ones(2, 3).shape: 1}[(2, 3)]
m.FloatTensor(2, 3).shape
m.FloatTensor([1, 2])
m.LongTensor([1.5, 2])
m.LongTensor(np.array([1.5]))
m.DoubleTensor(np.zeros(2, "float32"))
m.FloatTensor(m.ones(2))
m.FloatTensor(m.ones(2).double())
m.FloatTensor((2, 3))
m.FloatTensor(m.Size([2, 3])).shape
m.FloatTensor()
m.FloatTensor(2.5)
m.FloatTensor("a")
m.ByteTensor([256])
m.BoolTensor([1, 0])
m.HalfTensor([1.5]), m.BFloat16Tensor([1.5])
m.ShortTensor([1]), m.IntTensor([1]), m.CharTensor([1])
m.FloatTensor.dtype
isinstance(m.ones(2), m.FloatTensor), isinstance(m.ones(2), m.LongTensor)
isinstance(3, m.IntTensor)
isinstance(m.arange(2), (m.LongTensor, m.IntTensor)), issubclass(m.LongTensor, m.FloatTensor)
m.ones(2).type(m.LongTensor), m.ones(2).type("torch.DoubleTensor")
m.ones(2).type(m.ones(1).double().type())
m.Tensor(2, 3).shape, m.Tensor().shape, m.Tensor(m.Size([2])).shape
m.Tensor([1, 2]), m.Tensor(np.arange(2)), m.Tensor(m.arange(2))
m.Tensor(2.5)
m.ones(2).new(2, 3).shape, m.ones(2).new(), m.ones(2).new([1, 2]), m.arange(2).new([1.5])
m.ones(2).new(m.Size([2])).shape, m.ones(2).new(m.zeros(2))
m.ones(2).new(m.arange(2))
m.ones(2).apply_(lambda v: v + 1), m.arange(3).apply_(lambda v: v * 1.5)
m.ones(2, requires_grad=True).apply_(lambda v: v + 1)
m.ones(2, 2).map_(m.tensor([1.0, 2.0]), lambda a, b: a + b)
m.ones(2).map_(m.ones(2, 2), lambda a, b: a + b)
m.ones(2).map_(m.arange(2), lambda a, b: a + b)
m.ones(2).set_(m.arange(3.0)), m.ones(2).set_()
m.ones(2).set_(m.arange(3))
m.ones(2).is_pinned(), m.ones(2).is_shared(), m.ones(2).share_memory_().is_shared()
m.arange(4).share_memory_()
np.exp(m.zeros(2)), np.add(np.ones(2), m.ones(2)), np.sin(m.zeros(2)) + np.ones(2)
np.exp(m.zeros(2, requires_grad=True))
m.ones(2).untyped_storage().nbytes(), m.ones(4)[2:].untyped_storage().nbytes()
m.ones(2).untyped_storage().size(), len(m.ones(2).untyped_storage())
m.ones(4)[2:].is_set_to(m.ones(4))
m.ones(2).is_meta, m.ones(2).is_quantized, m.ones(2).is_mps, m.ones(2).is_sparse
m.autograd.Variable(m.ones(2), requires_grad=True).requires_grad
m.autograd.Variable(m.ones(2)), isinstance(m.ones(2), m.autograd.Variable)
m.autograd.Variable([1.0])
m.get_rng_state().dtype, m.get_rng_state().dim()
m.set_rng_state(m.zeros(3))
m.ones(1).uniform_(**{"from": 5, "to": 6}) >= 5, m.ones(1).random_(**{"from": 3, "to": 4})
m.set_num_threads(0)
m.set_num_threads("a")
m.get_num_threads() >= 1, m.get_num_interop_threads() >= 1
m.use_deterministic_algorithms(1)
m.set_default_device("nowhere")
m.set_deterministic_debug_mode("loud")
m.set_default_tensor_type(m.LongTensor)
m.is_anomaly_check_nan_enabled()
m.is_anomaly_enabled(), m.get_deterministic_debug_mode(), m.get_float32_matmul_precision()
m.are_deterministic_algorithms_enabled(), m.is_deterministic_algorithms_warn_only_enabled()
isinstance(m.float32, m.dtype), isinstance(m.ones(2).dtype, m.dtype), isinstance(3, m.dtype)
m.typename("a"), m.typename(m.ones(2)).rpartition(".")[2]
m.vmap(m.dot)(m.ones(2, 3), m.ones(2, 3))
m.compile(abs)(-3), m.compile()(abs)(-3), m.compile(mode="max-autotune")(abs)(-3)
m.frombuffer(bytearray(b"abcd"), dtype=m.uint8)
m.frombuffer(bytearray(b"abcdef"), dtype=m.int16, count=1, offset=2)
m.frombuffer(bytearray(b"abc"), dtype=m.int16)
m.frombuffer(bytearray(b""), dtype=m.int16)
m.frombuffer(bytearray(b"ab"), dtype=m.int16, count=2)
m.frombuffer(bytearray(b"ab"), dtype=m.int16, offset=2)
m.get_device(m.ones(2)), m.is_signed(m.ones(2)), m.is_signed(m.tensor([True]))
m.compiler.is_compiling(), m.compiler.disable(abs)(-3), m.compiler.compile(abs)(-3)
m.get_default_device().type, m.default_generator.device.type
"""


def lines():
    return LINES.strip().splitlines()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", lines())
def test_line(line):
    mine, other = outcome(evaluate, line, tg), outcome(evaluate, line, torch)
    if isinstance(other, Exception):
        assert isinstance(mine, type(other)), mine
        assert not isinstance(mine, AttributeError)
        assert "expected" in str(mine), mine
    else:
        assert not isinstance(mine, Exception), mine
        assert plain(mine) == plain(other)


def test_a_shape_says_what_it_is():
    assert repr(tg.ones(2, 3).shape) == "tensorgrad.Size([2, 3])"


def test_attributes_stay_with_a_tensor_and_its_copies():
    x = tg.nn.Parameter(tg.ones(2))
    x.decay = [0.5]
    assert copy.copy(x).decay is x.decay
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert isinstance(twin, tg.nn.Parameter)
        assert twin.decay == [0.5]
        assert twin.decay is not x.decay
    with pytest.raises(AttributeError):
        (x * 2).decay  # noqa: B018


def test_numpy_functions_of_tensors_give_tensors_and_masks():
    x = tg.tensor([0.0, float("nan")])
    assert isinstance(np.isnan(x), tg.Tensor)
    assert x[np.isnan(x)].shape == (1,)


def test_a_tensor_over_a_buffer_shares_it():
    data = bytearray(b"abcd")
    x = tg.frombuffer(data, dtype=tg.uint8, offset=1)
    x.fill_(65)
    assert bytes(data) == b"aAAA"


def test_set_shares_memory():
    x, y = tg.zeros(3), tg.ones(2)
    x.set_(y)
    y.fill_(5)
    assert x.tolist() == [5.0, 5.0]
    assert x.is_set_to(y)
    assert x.untyped_storage().data_ptr() == y[1:].untyped_storage().data_ptr()


def double_in_place(tensor, done):
    tensor.mul_(2)
    done.set()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_shared_memory_is_written_by_other_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    context = multiprocessing.get_context(method)
    x = tg.nn.Parameter(tg.arange(6.0).reshape(2, 3), requires_grad=False).share_memory_()
    done = context.Event()
    child = context.Process(target=double_in_place, args=(x[1:] if method == "fork" else x, done))
    child.start()
    child.join(60)
    assert done.is_set()
    assert x[1].tolist() == [6.0, 8.0, 10.0]


def test_the_file_of_shared_memory_goes_with_the_tensor():
    from pathlib import Path

    from tensorgrad.shared import block_of

    x = tg.ones(3).share_memory_()
    path = Path(block_of(x._array).path)
    assert path.exists()
    view = x[1:]
    del x
    assert path.exists()
    assert view.is_shared()
    del view
    assert not path.exists()


def test_fork_rng_leaves_the_generator_as_it_was():
    tg.manual_seed(3)
    expected = tg.rand(2).tolist()
    tg.manual_seed(3)
    with tg.random.fork_rng():
        tg.manual_seed(5)
        tg.rand(7)
    assert tg.rand(2).tolist() == expected
    with tg.random.fork_rng(enabled=False):
        tg.manual_seed(3)
    assert tg.rand(2).tolist() == expected


def test_the_state_of_a_generator_survives_bytes_and_large_seeds():
    generator = tg.Generator().manual_seed(2**64 - 3)
    tg.rand(5, generator=generator)
    state = generator.get_state()
    expected = tg.rand(3, generator=generator).tolist()
    other = tg.Generator()
    other.set_state(tg.ByteTensor(state.tolist()))
    assert other.initial_seed() == 2**64 - 3
    assert tg.rand(3, generator=other).tolist() == expected


def test_default_device_chooses_the_backend():
    with tg.use_backend("numpy"):
        tg.set_default_device("cpu")
        assert tg.get_backend().name == "numpy"
        with tg.device("cpu") as place:
            assert place == tg.get_default_device()
        assert tg.get_backend().name == "numpy"


def test_default_tensor_type_sets_the_default_dtype():
    tg.set_default_tensor_type("torch.DoubleTensor")
    try:
        assert tg.ones(1).dtype == tg.float64
    finally:
        tg.set_default_tensor_type(tg.FloatTensor)
    assert tg.ones(1).dtype == tg.float32


def test_settings_are_handed_back():
    tg.use_deterministic_algorithms(True, warn_only=True)
    assert tg.are_deterministic_algorithms_enabled()
    assert tg.is_deterministic_algorithms_warn_only_enabled()
    tg.set_deterministic_debug_mode("error")
    assert tg.get_deterministic_debug_mode() == 2
    tg.use_deterministic_algorithms(False)
    assert not tg.are_deterministic_algorithms_enabled()
    tg.set_float32_matmul_precision("high")
    assert tg.get_float32_matmul_precision() == "high"
    tg.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="set_float32_matmul_precision: expected one of"):
        tg.set_float32_matmul_precision("low")


def test_numbers_of_threads():
    seen = []

    def limited():  # in a thread of its own, whose number it is
        tg.set_num_threads(1)
        seen.append(tg.get_num_threads())
        tg.set_num_threads(10_000)
        seen.append(tg.get_num_threads())

    worker = threading.Thread(target=limited)
    worker.start()
    worker.join()
    assert seen == [1, tg.get_num_threads()]


def test_what_there_is_not():
    for name in ("jit", "sparse", "sparse_coo_tensor"):
        assert not hasattr(tg, name)
        with pytest.raises(AttributeError, match=f"{name}: expected a name that there is, got"):
            getattr(tg, name)
    with pytest.raises(TypeError, match="compile: expected a function or a module, got int"):
        tg.compile(3)
