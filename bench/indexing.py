"""Cases of `bench.kernels` that move numbers: what integers name is picked and added, arrays are
put in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend

Array = Any

numpy_backend = NumpyBackend()


def cases(rng: Any, dtype: Any, ours: NumbaBackend) -> Iterator[Any]:
    """(kernel, size, the kernel's call, the composition's call)."""

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    def both(name: str, size: str, *arguments: Any) -> Any:
        calls = [partial(getattr(backend, name), *arguments) for backend in (ours, numpy_backend)]
        return name, size, *calls

    sizes = (16, 100, 16), (700, 10000, 200), (4096, 50000, 100), (20000, 20000, 300)
    for count, rows, width in sizes:
        size = f"{count} of {rows} x {width}"
        index = rng.integers(0, rows, count)
        table, values = normal(rows, width), normal(count, width)
        yield both("embedding", size, index, table, None)
        yield both("embedding_add", size, values, index, None, rows)
        yield both("index", size, table, (index,))
        yield both("embed", size, values, (index,), table.shape)
    for shape, dim in ((64, 256), 1), ((1024, 1000), 1), ((64, 256), 0), ((16384, 64), 0):
        size = f"{'x'.join(map(str, shape))} along {dim}"
        x, index = normal(*shape), rng.integers(0, shape[dim], shape)
        yield both("gather", size, x, index, dim)
        yield both("scatter_add", size, x, index, x, dim)
    turns = ((256, 512), (1, 0)), ((2048, 2048), (1, 0)), ((64, 64, 32, 32), (0, 2, 3, 1))
    for shape, dims in turns:
        yield both("copy", f"{'x'.join(map(str, shape))} to {dims}", normal(*shape).transpose(dims))
