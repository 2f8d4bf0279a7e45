"""Attention on CupyBackend, by CUDA kernels run on the CPU: what is served, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

ONE = {"attention": 1}
BACK = {"attention_query_vjp": 1, "attention_key_vjp": 1}


def attended(shapes: Any, dtype: str, **options: Any) -> list[Any]:
    """The output and the gradients of query, key and value."""
    leaves = [
        tg.tensor(sample(shape, dtype, seed, 1.0), requires_grad=True)
        for seed, shape in enumerate(shapes)
    ]
    options = {k: tg.tensor(v) if k == "attn_mask" else v for k, v in options.items()}
    out = functional.scaled_dot_product_attention(*leaves, **options)
    out.backward(tg.tensor(sample(tuple(out.shape), dtype, 5)))
    return [part.detach().cpu().numpy() for part in (out, *(leaf.grad for leaf in leaves))]


def agree(shapes: Any, kernels: dict[str, int], dtype: str = "float32", **options: Any) -> None:
    before = execution.launches.copy()
    found = attended(shapes, dtype, **options)
    launched = execution.launches - before
    assert {name: launched[name] for name in launched if "attention" in name} == kernels
    with tg.use_backend("numpy"):
        wanted = attended(shapes, dtype, **options)
    for got, want in zip(found, wanted, strict=True):
        close(got, want, 60)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 1, 3)])
def test_any_number_of_dimensions(lead: Any, dtype: Any, cuda: Any) -> None:
    agree([(*lead, 4, 6), (*lead, 5, 6), (*lead, 5, 7)], ONE | BACK, str(dtype), is_causal=True)


def test_heads_of_groups_share_keys(cuda: Any) -> None:
    agree([(2, 6, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)], ONE | BACK, enable_gqa=True)


def test_a_mask_for_each_key(cuda: Any) -> None:
    mask = sample((2, 1, 1, 5), "float32") > 0
    agree([(2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 6)], ONE | BACK, attn_mask=mask)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16], ids=["float16", "bfloat16"])
def test_autocast_reads_numbers_of_16_bits(dtype: Any, cuda: Any) -> None:
    """And keeps the softmax in float32, rounding its results once."""
    leaves = [tg.randn(2, 5, 8, requires_grad=True) for _ in range(3)]
    before = execution.launches.copy()
    with tg.amp.autocast("cuda", dtype=dtype):
        q, k, v = [leaf.to(dtype) for leaf in leaves]
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    out.float().square().sum().backward()
    launched = execution.launches - before
    assert {name: launched[name] for name in ONE | BACK} == ONE | BACK
    assert out.dtype == dtype
    exact = [leaf.detach().to(dtype).double().requires_grad_() for leaf in leaves]
    wide = functional.scaled_dot_product_attention(*exact, is_causal=True)
    wide.square().sum().backward()
    for got, want in zip([out, *(x.grad for x in leaves)], [wide, *(x.grad for x in exact)]):
        bound = 2 * tg.finfo(dtype).eps * max(1.0, want.abs().max().item())
        assert ((got.double() - want).abs() <= bound).all()


UNSERVED = {
    "too many numbers": [(1, 3, 130), (1, 3, 130), (1, 3, 4)],
    "shapes that broadcast": [(2, 3, 4), (1, 5, 4), (1, 5, 4)],
    "none at all": [(0, 3, 4), (0, 5, 4), (0, 5, 4)],
}


@pytest.mark.parametrize("name", UNSERVED)
def test_what_no_kernel_serves_is_composed(name: str, cuda: Any) -> None:
    agree(UNSERVED[name], {})


def test_a_mask_that_wants_a_gradient(cuda: Any) -> None:
    """The gradient is the composition's."""
    before = execution.launches.copy()
    q, k, v = (tg.randn(1, 3, 4, requires_grad=True) for _ in range(3))
    mask = tg.zeros(3, 3, requires_grad=True)
    functional.scaled_dot_product_attention(q, k, v, mask).sum().backward()
    launched = execution.launches - before
    assert launched["attention"] == 1
    assert not any(name in launched for name in BACK)
    assert mask.grad.shape == (3, 3)


def test_heads_of_one_projection_give_a_result_laid_out_as_they_are(cuda: Any) -> None:
    """(N, L, heads, size) in memory, so that the heads of a row join without a copy."""
    packed = tg.randn(2, 5, 3, 4, 8)
    q, k, v = (packed[:, :, n].transpose(1, 2) for n in range(3))
    out = functional.scaled_dot_product_attention(q, k, v)
    assert out.transpose(1, 2).is_contiguous()
    with tg.use_backend("numpy"):
        want = functional.scaled_dot_product_attention(*(x.cpu() for x in (q, k, v)))
    close(out.cpu().numpy(), want.numpy())


def test_second_derivatives_are_the_compositions(cuda: Any) -> None:
    leaves = [tg.randn(1, 2, 3, dtype=tg.float64, requires_grad=True) for _ in range(3)]
    assert tg.autograd.gradgradcheck(functional.scaled_dot_product_attention, leaves)
