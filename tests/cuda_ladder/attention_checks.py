"""Checks of attention in tiles: near to the composition in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.graph import wrap
from tensorgrad.op import OPS
from tests.cuda_ladder import execution
from tests.cuda_ladder.checking import check, shifted
from tests.kernel_samples import close, sample

# (batch, heads, heads of keys, queries, keys, numbers of a key, of a value): a tile has 64 rows of
# float32 and 32 of float64, a depth of half as many; of heads of 32 and of 64 numbers and more.
SIZES = [(2, 2, 2, 3, 4, 1, 1), (1, 2, 1, 5, 67, 16, 20), (1, 1, 1, 65, 70, 33, 40)]
SMALL = [(1, 2, 1, 9, 6, 4, 3)]


def heads(size: tuple[int, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    batch, wide, own, queries, keys, width, value = size
    shapes = (batch, wide, queries, width), (batch, own, keys, width), (batch, own, keys, value)
    arrays = [sample(shape, "f8", seed, 1.0) for seed, shape in enumerate(shapes)]
    return arrays, sample((batch, wide, queries, value), "f8", 3, 1.0)


def masks(size: tuple[int, ...]) -> Iterator[np.ndarray | None]:
    batch, wide, _, queries, keys, *_ = size
    yield None
    sees = sample((queries, keys), "f8", 4) < 0.5
    sees[0] = False  # a query that sees no key
    yield sees
    yield sample((batch, 1, 1, keys), "f8", 5) < 0
    yield sample((1, wide, queries, keys), "f8", 6)
    yield sample((keys, queries), "f8", 7).T


def run(
    function: Any, arrays: Any, g: Any, mask: Any, causal: bool, place: Any
) -> list[np.ndarray]:
    """The output and the gradients."""
    leaves = [place(array).requires_grad_() for array in arrays]
    seen = None if mask is None else tg.tensor(mask)
    out = function(*leaves, seen, 0.3, causal, True)
    out.backward(place(g))
    return [part.detach().cpu().numpy() for part in (out, *(leaf.grad for leaf in leaves))]


def agree(
    size: tuple[int, ...], dtype: Any, mask: Any, causal: bool = False, place: Any = tg.tensor
) -> None:
    arrays, g = heads(size)
    op = OPS["attention"]
    mine = [array.astype(dtype) for array in (*arrays, g)]
    exact = [array.astype("f8") for array in mine]
    added = mask is not None and mask.dtype != bool
    rounded = mask.astype(dtype) if added else mask
    before = execution.launches.copy()
    found = run(op.call, mine[:3], mine[3], rounded, causal, place)
    names = "attention", "attention_query_vjp", "attention_key_vjp"
    assert execution.launches - before == dict.fromkeys(names, 1)
    with tg.use_backend("numpy"):
        again = rounded.astype("f8") if added else mask
        wanted = run(op.composition, exact[:3], exact[3], again, causal, tg.tensor)
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == dtype
        close(got, want, 60)


@check("attention.cu")
def attention_in_tiles(backend: Any, dtype: Any, small: bool) -> None:
    for size in SMALL if small else SIZES:
        # One dtype sees all kinds of masks.
        some = masks(size) if small or dtype == np.float32 else islice(masks(size), 2)
        for mask in some:
            agree(size, dtype, mask)
        agree(size, dtype, None, causal=True)


@check("attention.cu")
def causal_tiles_that_nothing_sees(backend: Any, dtype: Any, small: bool) -> None:
    for queries, keys in () if small else ((3, 70), (70, 3), (66, 66)):
        agree((1, 1, 1, queries, keys, 4, 4), dtype, None, causal=True)


@check("attention.cu")
def wide_heads_that_lie_apart(backend: Any, dtype: Any, small: bool) -> None:
    def apart(array: np.ndarray) -> Any:
        """Heads of a row side by side, beginning at no multiple of 16 bytes."""
        return wrap(shifted(backend, array.transpose(0, 2, 1, 3))).transpose(1, 2)

    for width, value in () if small else ((128, 100), (64, 3), (3, 64)):
        if dtype.itemsize < 8 or width < 128:
            agree((1, 2, 2, 3, 5, width, value), dtype, None)
            agree((1, 2, 2, 3, 5, width, value), dtype, None, place=apart)
