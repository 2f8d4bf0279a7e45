"""Awkward points (ties, zeros, NaN, infinities, nothing at all) and views, against PyTorch."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.cases import F16, F32, F64
from tests.oracle import INF, NAN, assert_same, outcome, torch_numpy
from tests.test_values import magnitude

torch = pytest.importorskip("torch")

AWKWARD = {
    "max of ties": (lambda m, x: m.max(x), [1.0, 3.0, 3.0]),
    "max with NaN": (lambda m, x: m.max(x), [1.0, NAN, NAN]),
    "nanmedian of ties": (lambda m, x: m.nanmedian(x), [2.0, NAN, 1.0, 1.0, 0.0]),
    "amax of ties": (lambda m, x: m.amax(x), [3.0, 3.0, 1.0, 3.0]),
    "amax of ties along dim": (lambda m, x: m.amax(x, 1), [[3.0, 3.0], [1.0, 2.0]]),
    "amax with NaN": (lambda m, x: m.amax(x), [1.0, NAN, 3.0]),
    "amin of ties": (lambda m, x: m.amin(x), [1.0, 1.0, 3.0]),
    "min of ties": (lambda m, x: m.min(x), [1.0, 1.0, 3.0]),
    "max along dim of ties": (lambda m, x: m.max(x, 0)[0], [3.0, 3.0, 1.0]),
    "max along dim with NaN": (lambda m, x: m.max(x, 0)[0], [3.0, NAN, NAN]),
    "maximum at a tie": (lambda m, x: m.maximum(x, m.ones_like(x)), [0.0, 1.0, 2.0]),
    "maximum with NaN": (lambda m, x: m.maximum(x, m.ones_like(x)), [NAN, 1.0]),
    "maximum of itself": (lambda m, x: m.maximum(x, x), [0.0, 1.0]),
    "minimum at a tie": (lambda m, x: m.minimum(x, m.ones_like(x)), [0.0, 1.0, 2.0]),
    "sqrt at 0": (lambda m, x: m.sqrt(x), [0.0, 4.0]),
    "sqrt below 0": (lambda m, x: m.sqrt(x), [-1.0]),
    "norm at 0": (lambda m, x: m.norm(x), [0.0, 0.0]),
    "norm of rows at 0": (lambda m, x: m.norm(x, dim=1), [[0.0, 0.0], [3.0, 4.0]]),
    "norm 1 at 0": (lambda m, x: m.norm(x, 1), [0.0, -2.0]),
    "norm 3 at 0": (lambda m, x: m.norm(x, 3), [0.0, -2.0]),
    "norm 3 of zeros": (lambda m, x: m.norm(x, 3), [0.0, 0.0]),
    "norm 0": (lambda m, x: m.norm(x, 0), [0.0, -2.0]),
    "norm inf of ties": (lambda m, x: m.norm(x, INF), [-2.0, 2.0, 1.0]),
    "norm of nothing": (lambda m, x: m.norm(x), []),
    "cdist inf of ties": (
        lambda m, x: m.cdist(x, 0 * x + 1, p=INF), [[1.0, 3.0, -1.0], [1.0, 1.0, 1.0]],
    ),
    "pdist inf of ties": (
        lambda m, x: F(m).pdist(x, INF), [[1.0, 3.0], [2.0, 4.0], [2.0, 4.0]],
    ),
    "abs at 0": (lambda m, x: m.abs(x), [-1.0, 0.0, 1.0]),
    "abs of inf": (lambda m, x: m.abs(x), [INF, -INF]),
    "sign": (lambda m, x: m.sign(x), [-1.0, 0.0, INF]),
    "smooth L1 at infinities": (
        lambda m, x: F(m).smooth_l1_loss(x, m.zeros_like(x), reduction="none"), [INF, -INF, 1.0],
    ),
    "Huber at infinities": (
        lambda m, x: F(m).huber_loss(x, m.zeros_like(x), reduction="none"), [INF, -INF, 1.0],
    ),
    "relu at 0": (lambda m, x: m.relu(x), [-1.0, 0.0, 1.0]),
    "relu of NaN": (lambda m, x: m.relu(x), [NAN, INF]),
    "where with NaN not taken": (lambda m, x: m.where(x > 0, m.log(x), 0.0 * x), [-1.0, 2.0]),
    "where with inf slope not taken": (lambda m, x: m.where(x > 0, m.sqrt(x), x), [0.0, 2.0]),
    "prod with one zero": (lambda m, x: m.prod(x), [2.0, 0.0, 3.0]),
    "prod with two zeros": (lambda m, x: m.prod(x), [2.0, 0.0, 0.0]),
    "prod along dim with zeros": (lambda m, x: m.prod(x, 1), [[2.0, 0.0], [1.0, 3.0]]),
    "prod of nothing": (lambda m, x: m.prod(x), []),
    "prod of one": (lambda m, x: m.prod(x), 5.0),
    "pow 0": (lambda m, x: x**0, [0.0, 2.0, NAN]),
    "pow 2 at 0": (lambda m, x: x**2, [0.0, -2.0]),
    "pow 1 at 0": (lambda m, x: x**1, [0.0, -2.0]),
    "pow 0.5 at 0": (lambda m, x: x**0.5, [0.0, 4.0]),
    "pow -1 at 0": (lambda m, x: x**-1, [0.0, 4.0]),
    "pow of tensors at 0": (lambda m, x: x ** m.zeros_like(x), [0.0, 2.0]),
    "0 to the power": (lambda m, x: 0**x, [0.0, 2.0, -1.0]),
    "2 to the power": (lambda m, x: 2**x, [0.0, 2.0, -1.0]),
    "zeros to the power": (lambda m, x: m.zeros_like(x) ** x, [0.0, 2.0, -1.0]),
    "negative base": (lambda m, x: (-m.ones_like(x)) ** x, [2.0, 0.5]),
    "clamp at the bounds": (lambda m, x: m.clamp(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]),
    "clamp of NaN": (lambda m, x: m.clamp(x, -1, 1), [NAN, INF]),
    "clamp min over max": (lambda m, x: m.clamp(x, 2, 1), [0.0, 1.5, 3.0]),
    "clamp by tensors at the bounds": (
        lambda m, x: m.clamp(x, min=m.zeros_like(x), max=m.ones_like(x)), [-1.0, 0.0, 1.0, 2.0],
    ),
    "clamp bounds get gradients": (
        lambda m, x: m.clamp(m.ones_like(x), min=x, max=x + 1), [-1.0, 0.0, 1.0, 2.0],
    ),
    "igamma of infinity": (
        lambda m, x: m.igamma(x.detach(), m.tensor([1.0, INF, 0.0, NAN]).to(x.dtype)) + 0 * x[0],
        [[1.0], [INF], [0.0], [NAN]],
    ),
    "igammac of infinity": (
        lambda m, x: m.igammac(x.detach(), m.tensor([1.0, INF, 0.0, NAN]).to(x.dtype)) + 0 * x[0],
        [[1.0], [INF], [0.0], [NAN]],
    ),
    "round of halves": (lambda m, x: m.round(x), [0.5, 1.5, -0.5, 2.5]),
    "sum of nothing": (lambda m, x: m.sum(x), []),
    "mean of nothing": (lambda m, x: m.mean(x), []),
    "var of one": (lambda m, x: m.var(x), [2.0]),
    "var of nothing": (lambda m, x: m.var(x), []),
    "std of equal": (lambda m, x: m.std(x), [2.0, 2.0]),
    "std of one": (lambda m, x: m.std(x), [2.0]),
    "var biased of one": (lambda m, x: m.var(x, 0, correction=0), [2.0]),
    "logsumexp with -inf": (lambda m, x: m.logsumexp(x, 0), [-INF, 1.0]),
    "logsumexp of inf": (lambda m, x: m.logsumexp(x, 0), [INF, 1.0]),
    "logsumexp of nothing": (lambda m, x: m.logsumexp(x, 0), []),
    "softmax with -inf": (lambda m, x: m.softmax(x, 0), [-INF, 1.0, 2.0]),
    "softmax of -inf": (lambda m, x: m.softmax(x, 0), [-INF, -INF]),
    "softmax of a number": (lambda m, x: m.softmax(x, -1), 2.0),
    "log_softmax of a number": (lambda m, x: m.log_softmax(x, -1), 2.0),
    "softmax of nothing": (lambda m, x: m.softmax(x, 0), []),
    "log_softmax with -inf": (lambda m, x: m.log_softmax(x, 0), [-INF, 1.0, 2.0]),
    "log_softmax of nothing": (lambda m, x: m.log_softmax(x, 1), [[], []]),
    "log at 0": (lambda m, x: m.log(x), [0.0, -1.0, INF]),
    "log1p at -1": (lambda m, x: m.log1p(x), [-1.0, 0.0]),
    "reciprocal at 0": (lambda m, x: 1 / x, [0.0, -0.0]),
    "0 / 0": (lambda m, x: x / x, [0.0]),
    "atan2 at 0": (lambda m, x: m.atan2(x, m.zeros_like(x)), [0.0, 1.0]),
    "sigmoid far out": (lambda m, x: m.sigmoid(x), [-1000.0, 1000.0, -INF, INF, NAN]),
    "tanh far out": (lambda m, x: m.tanh(x), [-1000.0, INF, NAN]),
    "fmod by 0": (lambda m, x: m.fmod(x, 0.0), [1.0]),
    "remainder signs": (lambda m, x: m.remainder(x, -3), [-4.0, 4.0, 3.0, 0.0]),
    "remainder of inf": (lambda m, x: m.remainder(x, 2.0), [INF, NAN]),
    "floor_divide by 0": (lambda m, x: x.detach() // 0.0 + 0 * x, [1.0, -1.0]),
    "floor_divide signs": (lambda m, x: x.detach() // -0.1 + 0 * x, [1.0, -1.0, 0.3]),
    "cumsum of nothing": (lambda m, x: m.cumsum(x, 0), []),
    "cumsum 0-d": (lambda m, x: m.cumsum(x, 0), 2.0),
    "cumsum with NaN": (lambda m, x: m.cumsum(x, 0), [1.0, NAN, 1.0]),
    "sort of NaN": (lambda m, x: m.sort(x)[0], [NAN, 1.0, -INF, 2.0]),
    "sort of NaN descending": (lambda m, x: m.sort(x, descending=True)[0], [NAN, 1.0, -INF, 2.0]),
    "topk of ties": (lambda m, x: m.topk(x, 2)[0], [1.0, 3.0, 3.0]),
    "topk 0-d": (lambda m, x: m.topk(x, 1)[0], 3.0),
    "sort 0-d": (lambda m, x: m.sort(x)[0], 3.0),
    "max 0-d along dim": (lambda m, x: m.max(x, 0)[0], 3.0),
    "amax no dims": (lambda m, x: m.amax(x, ()), [[1.0, 2.0]]),
    "sum no dims": (lambda m, x: m.sum(x, ()), [[1.0, 2.0]]),
    "gather twice": (lambda m, x: m.gather(x, 0, m.tensor([1, 1, 0])), [1.0, 2.0]),
    "index twice": (lambda m, x: x[m.tensor([1, 1, -1])], [1.0, 2.0]),
    "unsqueeze 0-d": (lambda m, x: m.unsqueeze(x, 0), 3.0),
    "index 0-d": (lambda m, x: x[None], 3.0),
    "index 0-d with mask": (lambda m, x: x[m.tensor(True)], 3.0),
    "index with a true": (lambda m, x: x[True], [1.0, 2.0]),
    "index with a false": (lambda m, x: x[False], [1.0, 2.0]),
    "index with Ellipsis only": (lambda m, x: x[...], 3.0),
    "matmul of nothing": (lambda m, x: m.matmul(x, m.zeros(0, 2, dtype=x.dtype)), [[], []]),
    "expand of a diagonal": (lambda m, x: x.expand(3, 2) * x, [1.0, 2.0]),
    "stack of itself": (lambda m, x: m.stack([x, x, x]), [1.0, 2.0]),
    "softplus threshold": (lambda m, x: F(m).softplus(x), [20.0, 20.1, -1000.0, 1000.0]),
    "elu far out": (lambda m, x: F(m).elu(x), [-1000.0, 1000.0, 0.0]),
    "leaky_relu at 0": (lambda m, x: F(m).leaky_relu(x, 0.1), [-1.0, 0.0, 1.0]),
    "gelu far out": (lambda m, x: F(m).gelu(x), [-100.0, 100.0, 0.0]),
    "silu far out": (lambda m, x: F(m).silu(x), [-1000.0, 1000.0, 0.0]),
    "logsigmoid far out": (lambda m, x: F(m).logsigmoid(x), [-1000.0, 1000.0]),
    "max_pool2d of ties": (lambda m, x: m.max_pool2d(x, 2), [[[1.0, 1.0], [1.0, 0.0]]]),
    "max_pool2d of NaN": (lambda m, x: m.max_pool2d(x, 2), [[[1.0, NAN], [2.0, 0.0]]]),
    "batch norm of equal": (
        lambda m, x: F(m).batch_norm(x, None, None, training=True), [[1.0], [1.0]],
    ),
    "batch norm of nothing": (
        lambda m, x: F(m).batch_norm(m.zeros((0, 2), dtype=x.dtype), x * 0, x, None, x), [1.0, 2.0],
    ),
    "smooth_l1 at beta": (lambda m, x: F(m).smooth_l1_loss(x, m.zeros_like(x)), [1.0, -1.0, 0.0]),
    "bce at the ends": (
        lambda m, x: F(m).binary_cross_entropy(x, m.ones_like(x)), [1.0, 0.5],
    ),
    "logit at the ends": (lambda m, x: m.logit(x), [0.0, 0.5, 1.0]),
    "bce with logits far out": (
        lambda m, x: F(m).binary_cross_entropy_with_logits(x, m.ones_like(x)), [-1000.0, 1000.0],
    ),
    "kl_div of target 0": (
        lambda m, x: F(m).kl_div(x, m.zeros_like(x), reduction="sum"), [-1.0, -2.0],
    ),
    "cross entropy of far logits": (
        lambda m, x: F(m).cross_entropy(x, m.tensor([0, 1])), [[1000.0, -1000.0], [1000.0, 0.0]],
    ),
    "cross entropy all ignored": (
        lambda m, x: F(m).cross_entropy(x, m.tensor([-100, -100])), [[1.0, 2.0], [3.0, 4.0]],
    ),
    "cross entropy with -inf": (
        lambda m, x: F(m).cross_entropy(x, m.tensor([1])), [[-INF, 2.0]],
    ),
    "layer norm of equal": (lambda m, x: F(m).layer_norm(x, (2,)), [[1.0, 1.0]]),
    "embedding twice": (lambda m, x: F(m).embedding(m.tensor([0, 0, 1]), x), [[1.0], [2.0]]),
    "embedding of no columns": (lambda m, x: F(m).embedding(m.tensor([0]), x), [[], []]),
    "embedding padding": (
        lambda m, x: F(m).embedding(m.tensor([0, -0, 1]), x, padding_idx=-1), [[1.0], [2.0]],
    ),
}  # fmt: skip


def F(module):
    return module.nn.functional


# In half precision PyTorch divides by the number as float32 has it, multiplies 0 by infinity, and
# has no distances.
NOT_IN_HALF = (
    "floor_divide signs", "bce at the ends", "cdist inf of ties", "pdist inf of ties",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0")  # PyTorch's
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_point(name, backend):
    function, data = AWKWARD[name]
    for dtype in (F64, F32) if name in NOT_IN_HALF else (F64, F32, F16):
        x = tg.tensor(data, dtype=getattr(tg, dtype), requires_grad=True)
        tx = torch.tensor(data, dtype=getattr(torch, dtype), requires_grad=True)
        one, two = outcome(function, tg, x), outcome(function, torch, tx)
        if isinstance(two, Exception):
            assert isinstance(one, type(two)), one
            continue
        if isinstance(one, Exception):
            raise one
        assert_same(one, two, 1.0, "value")
        assert one.requires_grad == two.requires_grad
        weights = np.arange(1.0, 1 + two.numel()).reshape(tuple(two.shape))
        if not two.requires_grad:
            continue
        (one * tg.tensor(weights, dtype=x.dtype)).sum().backward()
        (two * torch.tensor(weights, dtype=tx.dtype)).sum().backward()
        if tx.grad is None:  # PyTorch's way to say zero
            assert not x.grad.any()
            continue
        assert_same(x.grad, tx.grad, magnitude([torch_numpy(tx.grad)]), "gradient")


def test_where_we_differ_from_torch():
    """NaN stays visible in `sign` and the slope of `abs`; a row of -inf has gradient 0, not NaN."""
    x = tg.tensor([NAN, -2.0], requires_grad=True)
    assert np.isnan(tg.sign(x).detach().numpy()[0])
    tg.abs(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [NAN, -1.0])
    row = tg.tensor([-INF, -INF], requires_grad=True)
    tg.logsumexp(row, 0).backward()
    np.testing.assert_array_equal(row.grad.numpy(), [0.0, 0.0])


# ---- views: strides, contiguity, and writes that show through


def torch_or_ours(tensor):
    return tg if isinstance(tensor, tg.Tensor) else torch


VIEWS = {
    "reshape": lambda x: x.reshape(12, 2),
    "reshape of transposed": lambda x: x.transpose(0, 1).reshape(-1),
    "view": lambda x: x.view(4, 6),
    "view -1": lambda x: x.view(-1),
    "view of a slice": lambda x: x[1:].view(3, 4),
    "flatten": lambda x: x.flatten(1),
    "flatten nothing": lambda x: x.flatten(0, 0),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "transpose": lambda x: x.transpose(0, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "T of a row": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "t": lambda x: x[0].t(),
    "movedim": lambda x: x.movedim(0, -1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "expand": lambda x: x[:, :1].expand(2, 3, 4),
    "expand_as": lambda x: x[0].expand_as(x),
    "broadcast_to": lambda x: x[0, 0].broadcast_to((5, 4)),
    "squeeze": lambda x: x[:1].squeeze(0),
    "squeeze all": lambda x: x[:1, :1].squeeze(),
    "squeeze nothing": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "unsqueeze of transposed": lambda x: x.transpose(0, 1).unsqueeze(1),
    "select": lambda x: x.select(1, 2),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "split": lambda x: x.split(2, 2)[1],
    "chunk": lambda x: x.chunk(2, -1)[0],
    "unbind": lambda x: x.unbind(1)[2],
    "number": lambda x: x[1],
    "numbers": lambda x: x[1, 2, 3],
    "slices": lambda x: x[:, ::2, 1:3],
    "None": lambda x: x[None, :, None],
    "Ellipsis": lambda x: x[..., 0],
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "contiguous of contiguous": lambda x: x.contiguous(),
    "contiguous of transposed": lambda x: x.transpose(0, 1).contiguous(),
    "clone": lambda x: x.clone(),
    "flip": lambda x: x.flip(0),
    "repeat": lambda x: x.repeat(1, 1, 2),
    "array index": lambda x: x[[0, 1]],
    "mask": lambda x: x[x > 3],
    "chain": lambda x: x.transpose(0, 1)[1].unsqueeze(0).squeeze(0).t(),
    "empty": lambda x: x[:0],
    "T": lambda x: x[0].T,
    "H": lambda x: x[1].H,
    "mH": lambda x: x.mH,
    "swapdims": lambda x: x.swapdims(1, 2),
    "moveaxis": lambda x: x.moveaxis((0, 2), (2, 1)),
    "view_as": lambda x: x.view_as(x.view(6, 4)),
    "reshape_as": lambda x: x.transpose(0, 1).reshape_as(x),
    "ravel": lambda x: x.ravel(),
    "ravel of transposed": lambda x: x.transpose(0, 1).ravel(),
    "as_strided": lambda x: x.as_strided((2, 2, 3), (12, 1, 4), 1),
    "as_strided of a view": lambda x: x[1, 1:].as_strided((2, 3), (4, 1)),
    "as_strided before a view": lambda x: x[1, 1:].as_strided((3, 2), (4, 1), 2),
    "unfold": lambda x: x.unfold(2, 2, 2),
    "unfold of transposed": lambda x: x.transpose(0, 2).unfold(1, 3, 1),
    "diagonal": lambda x: x.diagonal(1, 1, 2),
    "diagonal below": lambda x: x.diagonal(-1, 2, 0),
    "diagonal of transposed": lambda x: x.permute(2, 0, 1)[1:].diagonal(),
    "diag": lambda x: x[0].diag(),
    "tensor_split": lambda x: x.tensor_split(3, 2)[1],
    "hsplit": lambda x: x.hsplit((1,))[1],
    "dsplit": lambda x: x.dsplit(2)[1],
    "split_with_sizes": lambda x: x.split_with_sizes((1, 3), 2)[1],
    "narrow from the end": lambda x: x.narrow(1, -2, 2),
    "atleast_3d": lambda x: x[0].unsqueeze(-1),
    "meshgrid": lambda x: torch_or_ours(x).meshgrid(x[0, 0], x[1, 0, :3], indexing="xy")[1],
    "broadcast_tensors": lambda x: torch_or_ours(x).broadcast_tensors(x[0, 0], x)[1],
    "t_": lambda x: x[0].t_(),
    "squeeze_": lambda x: x[:1].squeeze_(0).unsqueeze_(-1),
    "transpose_": lambda x: x.view(6, 4).transpose_(0, 1)[1:],
    "as_strided_": lambda x: x[0].as_strided_((2, 2), (1, 4)),
    "clone of transposed": lambda x: x.transpose(0, 1).clone(),
    "clone of a slice": lambda x: x.permute(2, 0, 1)[::2].clone(),
    "clone of expanded": lambda x: x[0, 0].expand(3, 2, 4).clone(),
    "clone in order": lambda x: x.mT.clone(memory_format=torch_or_ours(x).contiguous_format),
    "repeat once": lambda x: x.repeat(1, 1, 1),
    "rot90 never": lambda x: x.rot90(0),
    "roll nowhere": lambda x: x.roll(0, 0),
    "repeat_interleave once": lambda x: x.repeat_interleave(1, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_view(name):
    base, torch_base = (
        np.arange(24.0).reshape(2, 3, 4),
        torch.arange(24.0).double().reshape(2, 3, 4),
    )
    x = tg.tensor(base)
    mine, other = VIEWS[name](x), VIEWS[name](torch_base)
    assert_same(mine, other, 1.0, name)
    assert mine.is_contiguous() == other.is_contiguous()
    if mine.numel() and 1 not in mine.shape:
        assert mine.stride() == other.stride()
    if other.untyped_storage().data_ptr() == torch_base.untyped_storage().data_ptr():
        assert mine.storage_offset() == other.storage_offset()
        if mine.numel():
            assert mine.data_ptr() - x.data_ptr() == other.data_ptr() - torch_base.data_ptr()
    x.zero_()
    torch_base.zero_()
    assert_same(mine, other, 1.0, "after a write to the base")
    if name not in ("expand", "expand_as", "broadcast_to", "meshgrid"):
        mine.fill_(7.0)
        other.fill_(7.0)
        assert_same(x, torch_base, 1.0, "after a write to the view")
