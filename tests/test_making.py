"""Making and converting tensors, in the words of a PyTorch program: each line means the same in
both libraries.
"""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import outcome, torch_numpy

torch = pytest.importorskip("torch")

# `m` is the library.
LINES = """
m.zeros(2, 3, dtype=m.int64)
m.zeros([2, 3])
m.zeros(size=(2, 3), dtype=float)
m.zeros(2, dtype=bool)
m.ones(2, layout=m.strided, pin_memory=False)
m.zeros(2, out=m.empty(0, dtype=m.int64))
m.empty(size=(2,)).shape
m.full((2,), True)
m.full((2,), 3)
m.full((), 2.5)
m.full((2,), 2.5, dtype=m.int64)
m.full((2,), m.tensor(2.5))
m.full((2,), 3, dtype=m.bool)
m.full((2,), -1, dtype=m.uint8)
m.full((2,), 300, dtype=m.uint8)
m.full((2,), "a")
m.full_like(m.ones(2), 3)
m.full_like(m.ones(2), 3, dtype=m.int32)
m.zeros_like(m.tensor([True]), memory_format=m.preserve_format)
m.ones_like(m.tensor([1]), dtype=m.float16)
m.zeros(2, dtype=m.int64, requires_grad=True)
m.scalar_tensor(3)
m.scalar_tensor(3, dtype=m.int64)
m.empty_strided((2, 3), (1, 2)).stride()
m.empty_strided((2, 3), (1,))
m.empty_permuted((2, 3, 4), (0, 2, 1)).stride()
m.empty_permuted((2, 3), (0, 0))
m.arange(5)
m.arange(5.0)
m.arange(1, 5, 2)
m.arange(5, 1, -1)
m.arange(0, 1, 0.1)
m.arange(0, 5.5, 1.5, dtype=m.int32)
m.arange(0.1, 5.1, 2.5, dtype=m.int64)
m.arange(0, 10, 3, dtype=m.uint8)
m.arange(3, dtype=m.float16)
m.arange(end=4)
m.arange(start=1, end=4)
m.arange(True)
m.arange(m.tensor(5))
m.arange(0)
m.arange(-3)
m.arange(0, 3, 0)
m.arange(0, float("inf"))
m.arange(0, float("nan"))
m.arange("a")
m.linspace(0, 1, 5)
m.linspace(0, 10, steps=8, dtype=m.int64)
m.linspace(3, -2, 7, dtype=m.int32)
m.linspace(m.tensor(0.5), 1, 3)
m.linspace(0, 1, 1)
m.linspace(0, 1, 0)
m.linspace(0, 1, -1)
m.range(1, 4)
m.range(0, 1, 0.3)
m.range(3, -2, -2, dtype=m.int32)
m.range(2, 2)
m.range(4, 1)
m.range(1, 4, 0)
m.range(0, float("inf"))
m.range(4)
m.linspace(0, 1, 2.5)
m.linspace(m.ones(2), 1, 2)
m.logspace(0, 2, 3)
m.logspace(0, 3, 4, base=2, dtype=m.int64)
m.eye(3)
m.eye(2, 3, dtype=m.int64)
m.eye(-1)
m.eye(2.5)
m.tensor(3)
m.tensor(3.5)
m.tensor(True)
m.tensor(1 + 2j)
m.tensor([])
m.tensor([1, 2.5])
m.tensor([1, True])
m.tensor([[1, 2], [3, 4]], dtype=m.float16)
m.tensor(range(3))
m.tensor([m.tensor(1), m.tensor(2)])
m.tensor(np.array([1, 2], dtype=np.int16))
m.tensor(np.float32(1.5))
m.tensor([300], dtype=m.uint8)
m.tensor(2**40)
m.tensor(None)
m.tensor([1, None])
m.tensor("abc")
m.tensor({1: 2})
m.tensor([[1], [2, 3]])
m.as_tensor(3, dtype=m.float64)
m.asarray([1, 2])
m.asarray([1.0, 2.0], requires_grad=True).requires_grad
m.asarray(np.arange(3), copy=True)
m.from_numpy(np.arange(3))
m.from_numpy([1])
m.from_dlpack(np.arange(3))
np.from_dlpack(m.arange(3))
np.from_dlpack(m.ones(3, requires_grad=True))
np.asarray(m.ones(2))
np.array(m.ones(2), dtype=np.int64)
m.ones(2).new_zeros(3)
m.ones(2).new_zeros((3, 2), dtype=m.int64)
m.ones(2, dtype=m.int64).new_tensor([1.5, 2])
m.ones(2).new_full((2,), 7)
m.ones(2).new_ones(2, 2)
m.ones(2).new_empty((2, 2)).shape
m.ones(2).new_empty_strided((2, 2), (1, 2)).stride()
m.ones(2).to(m.float64)
m.ones(2).to("cpu")
m.ones(2).to(m.device("cpu"), m.int64)
m.ones(2).to(m.ones(1, dtype=m.int32))
m.ones(2).to(m.ones(1, dtype=m.int32), copy=True)
m.ones(2).to(float)
m.ones(2).to("nowhere")
m.ones(2).to(colour=1)
m.ones(2).type().rpartition(".")[2]
m.ones(2).type(m.float64)
m.ones(2).type_as(m.ones(1, dtype=m.int64))
m.tensor([1.7, -1.7]).int()
m.tensor([1.7, -1.7]).long()
m.tensor([0.0, 2.0]).bool()
m.tensor([3.7]).byte()
m.tensor([-3.7]).char()
m.tensor([1.5]).short()
m.tensor([1.5]).half()
m.tensor([1.5]).bfloat16()
m.tensor([1.5]).double().float()
m.tensor([1.5]).cfloat()
m.tensor([1.5]).cdouble()
m.ones(2, 3).dim(), m.ones(2, 3).ndimension(), m.ones(2, 3).nelement()
m.ones(2, 3).element_size(), m.ones(2, 3).nbytes, m.ones(2, 3).itemsize
m.ones(2).is_cuda, m.ones(2).is_cpu, m.ones(2).is_sparse, m.ones(2).get_device()
m.ones(2, 3).is_same_size(m.ones(3, 2)), m.is_same_size(m.ones(2), m.zeros(2))
m.ones(2).is_floating_point(), m.is_floating_point(m.arange(2)), m.ones(2).is_complex()
m.ones(2).is_signed(), m.tensor([True]).is_signed()
m.ones(2).layout == m.strided
m.is_tensor(m.ones(2)), m.is_tensor(3), m.numel(m.ones(2, 3))
m.is_nonzero(m.tensor(1.0)), m.is_nonzero(m.tensor([0]))
m.is_nonzero(m.ones(2))
m.can_cast(m.float32, m.int64), m.can_cast(m.int64, m.float32), m.can_cast(m.int64, m.uint8)
m.can_cast(m.int64, m.bool), m.can_cast(m.float64, m.float16)
m.promote_types(m.int32, m.float16), m.promote_types(m.uint8, m.int8)
m.result_type(m.ones(2, dtype=m.int32), 1.5), m.result_type(m.tensor(1.0), m.arange(2))
m.finfo(m.float32).eps, m.finfo(m.float16).max, m.finfo(m.bfloat16).tiny, m.finfo().bits
m.finfo(m.float64).resolution, m.finfo(m.float16).smallest_normal, m.finfo(m.float64).dtype
m.finfo(m.int32)
m.iinfo(m.int8).max, m.iinfo(m.uint8).min, m.iinfo(m.int64).bits, m.iinfo(m.int16).dtype
m.iinfo(m.float32)
m.tensor(3).item(), m.tensor([3.5]).item(), m.tensor(True).item(), m.tensor([[1], [2]]).tolist()
m.ones(2).item()
int(m.tensor(3.7)), float(m.tensor(3)), complex(m.tensor(3.0)), bool(m.tensor(0))
bool(m.ones(2))
bool(m.tensor([]))
[1, 2, 3][m.tensor(1)]
[1, 2, 3][m.tensor(1.0)]
len(m.ones(3, 2)), 3 in m.arange(4), m.tensor(3) in m.arange(3)
"a" in m.arange(3)
reversed(m.arange(6).reshape(3, 2))
reversed(m.tensor(3))
m.ones(2).fill_(m.tensor(3.0))
m.ones(2).fill_(m.ones(1))
m.ones(2, dtype=m.int64).fill_(2.7)
m.ones(2, dtype=m.int64).copy_(m.tensor([1.7, 2.7]))
m.ones(2).copy_(m.tensor(3))
m.ones(2).zero_()
m.rand(2, dtype=m.int64)
m.rand_like(m.ones(2, dtype=m.int64))
m.rand_like(m.ones(2, dtype=m.int64), dtype=m.float64).dtype
m.randn(size=(2,), requires_grad=True).requires_grad
m.randint(high=5, size=(2,)).shape
m.randint(5, 5, (2,))
m.randint(0, 5, (2,), dtype=m.float32).dtype
m.randint_like(m.ones(2), 2, 5).dtype
m.randperm(5, dtype=m.int32).sort()[0]
m.Generator().device.type
m.zeros(3).scatter_(0, m.tensor([0, 2]), 1.5)
m.zeros(3).scatter_(0, m.tensor([0, 2]), value=1)
m.zeros(3).scatter(0, m.tensor([0, 2]), src=m.tensor([1.0, 2.0]))
m.ones(3).scatter_(0, m.tensor([0, 2]), 2, reduce="multiply")
m.zeros(3, dtype=m.int64).scatter_(0, m.tensor([0, 2]), 1.5)
m.zeros(3).index_add_(0, m.tensor([0, 0]), m.ones(2), alpha=2)
m.zeros(3).index_copy_(0, m.tensor([0, 2]), m.ones(2))
m.zeros(3).index_fill_(0, m.tensor([0, -1]), 5)
m.zeros(3).index_put_((m.tensor([0, 1]),), m.tensor(2.0))
m.zeros(3).index_put_([m.tensor([0, 0])], m.tensor([2.0, 3.0]), accumulate=True)
m.zeros(3).masked_scatter_(m.tensor([True, False, True]), m.tensor([1.0, 2.0]))
m.zeros(3).put_(m.tensor([0, -1]), m.tensor([1.0, 2.0]))
m.arange(4).scatter_reduce(0, m.tensor([0, 0]), m.tensor([2, 4]), "mean")
m.zeros(3).scatter_reduce_(0, m.tensor([0, 0]), m.tensor([2.0, 3.0]), reduce="amax")
m.where(m.tensor([[0, 1], [2, 0]]))
m.tensor([[0, 1], [2, 0]]).nonzero(as_tuple=True)
m.nonzero(m.tensor(5.0)), m.nonzero(m.tensor(5.0), as_tuple=True)
m.isin(2, m.tensor([1, 2])), m.isin(m.tensor([1, 2]), m.tensor([2.0]), assume_unique=True)
""".strip().splitlines()


def evaluate(line, m):
    return eval(line, {"m": m, "np": np})


def plain(value):
    """A result in words that do not depend on the library."""
    if isinstance(value, tuple | list):
        return tuple(plain(part) for part in value)
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch."), torch_numpy(value).tolist()
    if isinstance(value, tg.Tensor):
        return str(value.dtype), value.detach().tolist()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    return str(value).removeprefix("torch.")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", LINES)
def test_line(line, backend):
    mine, other = outcome(evaluate, line, tg), outcome(evaluate, line, torch)
    if isinstance(other, Exception):
        # Where PyTorch has no kernel for a dtype, its own kind of RuntimeError says so.
        kind = RuntimeError if isinstance(other, NotImplementedError) else type(other)
        assert isinstance(mine, kind), mine
        assert not isinstance(mine, AttributeError)
    else:
        assert not isinstance(mine, Exception), mine
        assert plain(mine) == plain(other)


def test_like_tensors_follow_their_model():
    x = tg.ones(2, 3, dtype=tg.float64)
    for made in (tg.empty_like(x), tg.rand_like(x), x.new_empty(2, 3)):
        assert (made.shape, made.dtype, made.device) == (x.shape, x.dtype, x.device)


def test_conversions_copy_only_where_they_must():
    x = tg.ones(3)
    assert x.to(tg.float32) is x
    assert x.to("cpu", copy=True) is not x
    assert x.float() is x
    assert tg.asarray(x) is x
    weight = tg.ones(3, requires_grad=True)
    tg.asarray(weight, copy=True).sum().backward()
    assert weight.grad.tolist() == [1, 1, 1]
    assert not tg.asarray(weight * 2, requires_grad=False).requires_grad
    data = np.zeros(3)
    tg.from_dlpack(tg.from_numpy(data)).fill_(2.0)
    assert data.tolist() == [2.0, 2.0, 2.0]


def test_a_conversion_hands_its_gradient_back_in_the_old_dtype():
    x = tg.ones(3, requires_grad=True)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype == tg.float32
    assert not x.long().requires_grad


def test_old_type_names():
    x = tg.ones(2)
    assert x.type() == tg.typename(x) == "torch.FloatTensor"
    assert x.type("torch.LongTensor").dtype == tg.int64
    with pytest.raises(ValueError, match="type: expected a dtype or one of"):
        x.type("Nonsense")


def test_the_text_of_limits():
    assert repr(tg.iinfo(tg.int8)) == repr(torch.iinfo(torch.int8)).strip()
    assert repr(tg.finfo(tg.float32)) == repr(torch.finfo(torch.float32))


def test_a_tensor_is_copied_with_what_belongs_to_it():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert twin.grad.tolist() == [1.0, 1.0]
    assert twin is not x
