"""Checks of the steps of optimizers and of norms: equal to the rules, to the bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tests.cuda_ladder import execution
from tests.cuda_ladder.checking import FULL, check, reading, shifted
from tests.kernel_samples import sample
from tests.optimizer_samples import same, strange, trained

CHUNK = 4096
SIZES = (0, 1, 3, 4, 255, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5)
SMALL = (0, 5, 37)


def by_rule(name: str, dtype: Any, shapes: Any, steps: int, spoil: Any = None) -> list[np.ndarray]:
    """What the rule makes of them; of numbers of 16 bits in float32, each step rounded once."""
    if dtype.itemsize > 2:
        return trained(name, dtype, False, shapes, steps, spoil, "numpy")
    return trained(name, np.dtype("f4"), False, shapes, steps, spoil, "numpy", kept_in=dtype)


@check("steps.cu")
def steps_of_optimizers(backend: Any, dtype: Any, small: bool) -> None:
    shapes = [(size,) for size in (SMALL if small else SIZES)] + [(), (3, 5, 7)]
    names = ("adam",) if small else ("sgd", "adam", "lion")
    if dtype.itemsize > 2 and not small:  # rounding what rprop starts from is no step
        names += ("rprop",)
    for name in names:
        before = execution.launches["step_elements"]
        got = trained(name, dtype, True, shapes, steps=3, backend="cupy")
        assert execution.launches["step_elements"] == before + 3  # all arrays in one launch
        same(got, by_rule(name, dtype, shapes, 3))


@check("steps.cu")
def steps_of_strange_numbers(backend: Any, dtype: Any, small: bool) -> None:
    for name in () if small else ("adam", "lion"):
        with np.errstate(all="ignore"):
            same(
                trained(name, dtype, True, [(37,), (5, 7)], 2, strange, "cupy"),
                by_rule(name, dtype, [(37,), (5, 7)], 2, strange),
            )


@check("counters.cu", FULL)
def counted_steps(backend: Any, dtype: Any, small: bool) -> None:
    """Numbers as Python has them; a step that is left out is not counted, and has none."""
    sources = ["(k[0] / (k[1] - power(k[2], step)))", "k[1]", "(step - k[1])"]
    constants = [0.1, 1.0, 0.9]
    for count in (1, 5) if small else (1, 3, 255, 256, 257):
        hosts = [np.array(number, dtype) for number in range(count)]
        counters = [backend.xp.asarray(host) for host in hosts]
        for skip, by in ((None, 1), (1.0, 0), (0.0, 1)):
            flag = None if skip is None else backend.xp.asarray(np.array(skip, "f4"))
            numbers = backend.count_steps(counters, sources, constants, flag)
            steps = [int(host) + by for host in hosts]
            hosts = [np.array(step, dtype) for step in steps]
            same(reading(backend, counters), hosts)
            if by:
                want = [[0.1 / (1.0 - 0.9**step), 1.0, step - 1.0] for step in steps]
                same([backend.to_numpy(numbers)], [np.array(want)])
    assert backend.count_steps(counters, None, [], None).shape == (count, 1)
    same(reading(backend, counters), [host + dtype.type(1) for host in hosts])


@check("scaling.cu")
def gradients_divided_by_a_scale(backend: Any, dtype: Any, small: bool) -> None:
    scale = backend.xp.asarray(np.array(1024.0, "f4"))
    sizes = SMALL if small else SIZES
    for spoilt in (None, *range(len(sizes))):
        hosts = [sample(size, dtype, seed) for seed, size in enumerate(sizes)]
        if spoilt is not None and sizes[spoilt]:
            hosts[spoilt][-1] = (np.inf, -np.inf, np.nan)[spoilt % 3]
        bad = any(not np.isfinite(host.astype("f8")).all() for host in hosts)
        for place in (backend.xp.asarray, lambda host: shifted(backend, host)):
            arrays = [place(host) for host in hosts]
            assert backend.to_numpy(backend.unscale(arrays, scale)) == bad
            wide = [widened([host])[0] / 1024 for host in hosts]
            same(reading(backend, arrays), [array.astype(dtype) for array in wide])
    assert backend.to_numpy(backend.unscale([backend.xp.asarray(hosts[0])], scale)) == 0
    # A number that is finite until it is divided.
    small_scale = backend.xp.asarray(np.array(2.0**-60, "f4"))
    large = backend.xp.asarray(np.full(3, float(ml_dtypes.finfo(dtype).max) / 2).astype(dtype))
    assert backend.to_numpy(backend.unscale([large], small_scale)) == 1


@check("steps.cu")
def steps_that_are_left_out(backend: Any, dtype: Any, small: bool) -> None:
    hosts = [sample(37, dtype, seed) for seed in range(3)]
    for skip in (1.0, 0.0):
        flag = backend.xp.asarray(np.array(skip, "f4"))
        lists = [[backend.xp.asarray(host)] for host in hosts]
        assert backend.step_elements(TRACE, lists, [0.1], flag) is None
        found = reading(backend, [array for (array,) in lists])
        same(found, hosts if skip else traced(hosts, 0.1))
        tables = [sample((3, 4), dtype, seed) for seed in range(3)]
        lists = [[backend.xp.asarray(table)] for table in tables]
        rows = backend.xp.asarray(np.arange(3))
        assert backend.step_rows(rows, TRACE, lists, [0.1], flag) is None
        found = reading(backend, [array for (array,) in lists])
        same(found, tables if skip else traced(tables, 0.1))


TRACE = "t0 = c0 * x1\nt1 = x0 - t0\nt2 = x2 + x1\ny0 = t1\ny2 = t2"


def traced(x: list[np.ndarray], rate: float) -> list[np.ndarray]:
    """What TRACE makes of its arrays."""
    x, dtype = widened(x), x[0].dtype
    return [a.astype(dtype) for a in (x[0] - rate * x[1], x[1], x[2] + x[1])]


def widened(x: list[np.ndarray]) -> list[np.ndarray]:
    """Numbers of 16 bits in float32."""
    return [array.astype("f4") if array.dtype.itemsize == 2 else array for array in x]


@check("steps.cu")
def steps_of_arrays_out_of_line(backend: Any, dtype: Any, small: bool) -> None:
    """One array or all begin where no access of 16 bytes may."""
    for size in SMALL if small else SIZES:
        hosts = [sample(size, dtype, seed) for seed in range(3)]
        for aligned in ((0, 1, 2), (1, 2), ()):
            x = [
                backend.xp.asarray(host) if k in aligned else shifted(backend, host)
                for k, host in enumerate(hosts)
            ]
            assert backend.step_elements(TRACE, [[array] for array in x], [0.1]) is None
            same(reading(backend, x), traced(hosts, 0.1))


FUNCTIONS = """t0 = clamp_to(x1, c0, c1)
t1 = maximum(x0, x1)
t2 = x0 < x1
t3 = where(t2, x2, t0)
t4 = sign(x1)
t5 = abs(x1)
t6 = sqrt(t5)
t7 = -(x2)
y0 = t0
y1 = t1
y2 = t3
y3 = t4
y4 = t6
y5 = t7"""


@check("steps.cu")
def functions_of_traces(backend: Any, dtype: Any, small: bool) -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0], dtype)
    x = [a.reshape(-1) for a in np.meshgrid(special, special)] + [sample(81, dtype)]
    x += [np.empty_like(x[0]) for _ in range(3)]
    on_device = [backend.xp.asarray(array) for array in x]
    assert backend.step_elements(FUNCTIONS, [[a] for a in on_device], [-1.0, 1.0]) is None
    x = widened(x)
    clamped = np.minimum(np.maximum(x[1], -1), 1)
    with np.errstate(invalid="ignore"):
        want = [
            *(clamped, np.maximum(x[0], x[1]), np.where(x[0] < x[1], x[2], clamped)),
            *(np.sign(x[1]), np.sqrt(np.abs(x[1])), -x[2]),
        ]
    same(reading(backend, on_device), [array.astype(dtype) for array in want])


@check("steps.cu")
def steps_of_rows(backend: Any, dtype: Any, small: bool) -> None:
    for width in (3, 4) if small else (1, 3, 4, 5, 8, 100):
        tables = [sample((11, width), dtype, seed) for seed in range(3)]
        for named in ([4, 0, 10, 7],) if small else ([4, 0, 10, 7], [3], list(range(11)), []):
            rows = np.array(named, np.int64)
            tables[1] = sample((len(named), width), dtype, 5)
            for place in (backend.xp.asarray, lambda host: shifted(backend, host)):
                x = [place(table) for table in tables]
                lists = [[array] for array in x]
                assert backend.step_rows(backend.xp.asarray(rows), TRACE, lists, [0.1]) is None
                want = [table.copy() for table in tables]
                parts = [want[0][rows], want[1], want[2][rows]]
                want[0][rows], want[1], want[2][rows] = traced(parts, 0.1)
                same(reading(backend, x), want)


@check("norms.cu")
def norms_of_all_elements(backend: Any, dtype: Any, small: bool) -> None:
    hosts = [sample(size, dtype, seed) for seed, size in enumerate(SMALL if small else SIZES)]
    want = np.sqrt(sum(np.sum(host.astype("f8") ** 2) for host in hosts))
    results = []
    for place in (backend.xp.asarray, lambda host: shifted(backend, host)):
        norm = backend.total_norm([place(host) for host in hosts])
        assert (norm.dtype, norm.shape) == (dtype, ())
        results.append(backend.to_numpy(norm))
    eps = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(results[0].astype("f8"), want, rtol=2 * eps)
    assert results[0] == results[1]  # wherever the arrays lie
    if not small:  # more chunks than a block has threads
        several = backend.total_norm([backend.xp.asarray(np.full(3, 2, dtype))] * 600)
        assert backend.to_numpy(several) == np.sqrt(7200).astype(dtype)
    assert backend.to_numpy(backend.total_norm([backend.xp.asarray(hosts[0])])) == 0
    large = min(1e30, float(ml_dtypes.finfo(dtype).max) / 4)
    for numbers, norm in (([large] * 3, large * np.sqrt(3)), ([1.0, np.nan], np.nan)):
        found = backend.total_norm([backend.xp.asarray(np.array(numbers, dtype))])
        np.testing.assert_allclose(backend.to_numpy(found).astype("f8"), norm, rtol=2 * eps)
