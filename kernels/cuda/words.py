"""Word vectors trained on running text: what `words.cu` is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel, structure

Array = Any

WARP, LONGEST = 32, 10_000  # as in words.cu
SHARED = 48 << 10  # bytes that a block may have
WORKERS = 2048  # warps, unless another number is asked for: a few for each multiprocessor


def train(
    tokens: Array,
    bounds: Array,
    inputs: Array,
    outputs: Array,
    keep: Array,
    noise: Array | None,
    paths: Array | None,
    window: int,
    negatives: int,
    cbow: bool,
    rates: tuple[float, float],
    seed: int,
    workers: int | None,
    bags: tuple[Array, Array] | None,
) -> Any:
    """`tensorgrad.text.word_steps.train` of arrays of the host, of which inputs and outputs are
    copied there and back. NotImplemented where a place has more than a block can hold.
    """
    import cupy

    depth = 0 if paths is None else 2 * paths.shape[1]
    negatives = 0 if noise is None else negatives
    size, dtype = inputs.shape[1], inputs.dtype
    together = 1 if cbow else 2 * window
    rows = max(1 + negatives, depth // 2)
    shared = (together * rows + size + rows * WARP) * dtype.itemsize + (2 * rows + 2 * window) * 4
    if dtype.char not in "fd" or shared > SHARED:
        return NotImplemented
    sentences = len(bounds) - 1
    workers = min(WORKERS if workers is None else workers, sentences)
    if workers < 1:
        return None
    given = [tokens, bounds, keep, noise, paths, *(bags or (None, None))]
    there = [None if array is None else cupy.asarray(array.astype(np.int64)) for array in given]
    places = [0 if array is None else array.data.ptr for array in there]
    text = structure([*places, sentences, 0 if noise is None else len(noise), depth], "i8")
    how = structure([size, window, negatives, cbow, together, rows], "i8")
    tables = cupy.asarray(inputs), cupy.asarray(outputs)
    seen = cupy.empty(workers * LONGEST, np.int64)
    steps = kernel("words.cu", "word_steps", dtype.char)
    arguments = *tables, seen, text, how, structure(rates, "f8"), np.uint64(seed)
    steps((workers,), (WARP,), arguments, shared_mem=shared)
    for host, array in zip((inputs, outputs), tables, strict=True):
        host[...] = cupy.asnumpy(array)
    return None
