"""Values of every op of the table, over backends, dtypes and memory layouts."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cases import BOOL, CASES, F32, F64, INT, arrays, draw, map_arrays
from tests.conftest import CPU_BACKENDS

LAYOUTS = ("contiguous", "transposed", "sliced")
TINY_LAYOUTS = ("empty", "0-d")


def plan():
    """Every (case, dtype, layout) that the table promises."""
    for case in CASES:
        for dtype in (F64, F32):
            for layout in LAYOUTS:
                yield case, dtype, layout
        for dtype in case.dtypes:
            yield case, dtype, "contiguous"
        if case.elementwise:
            for layout in TINY_LAYOUTS:
                yield case, F32, layout


PLAN = list(plan())


def to_dtype(array, dtype):
    """A sample in the dtype under test; index and mask samples stay as they are."""
    if array.dtype.kind != "f":
        return array
    if dtype == BOOL:
        return array > 0
    if dtype == INT:
        return np.rint(array * 4).astype(INT)
    return array.astype(np.dtype(tg.bfloat16) if dtype == "bfloat16" else dtype)


def in_layout(array, layout):
    """The same values (or the first few of them) at another place in memory."""
    if layout == "transposed":
        return np.array(array.T, order="C").T
    if layout == "sliced":
        wide = np.zeros([2 * n + 1 for n in array.shape], array.dtype)
        view = wide[(..., *(slice(1, None, 2) for _ in array.shape))]
        view[...] = array
        return view
    if layout == "empty":
        return array[:0]
    if layout == "0-d":
        return array.reshape(-1)[0, ...]
    return array


def tensors_of(case, dtype, layout):
    inputs = map_arrays(lambda array: in_layout(to_dtype(array, dtype), layout), draw(case))
    return map_arrays(tg.from_numpy, inputs)


def exact(array):
    """In float64, so that the reference makes no rounding errors of its own."""
    return array.astype(F64) if array.dtype.kind in "fV" else array


def magnitude(inputs):
    """The largest finite number among the inputs and 1: what roundings are measured by."""
    return max([1.0, *(float(np.abs(x[np.isfinite(x)]).max(initial=0)) for x in arrays(inputs))])


def assert_close(actual, expected, dtype):
    """Equal up to a few roundings of the dtype, measured by the largest value."""
    actual, expected = arrays(actual), arrays(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        value, wanted = exact(one.numpy()), np.asarray(exact(np.asarray(other)))
        assert one.shape == wanted.shape
        finite = np.abs(wanted[np.isfinite(wanted)]) if wanted.dtype.kind == "f" else wanted
        size = max(1.0, float(finite.max(initial=0)))
        eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(dtype) or float(np.finfo(dtype).eps)
        np.testing.assert_allclose(value, wanted, rtol=0, atol=8 * eps * size)


def rounding_of(dtype):
    return F32 if dtype in (INT, BOOL) else dtype


@pytest.mark.parametrize(
    ("case", "dtype", "layout"), PLAN, ids=["-".join((c.id, *rest)) for c, *rest in PLAN]
)
def test_value(case, dtype, layout, backend):
    tensors = tensors_of(case, dtype, layout)
    before = [tensor.numpy().tobytes() for tensor in arrays(tensors)]
    result = case.function(*tensors, **case.kwargs)
    assert [tensor.numpy().tobytes() for tensor in arrays(tensors)] == before
    inputs = map_arrays(lambda tensor: exact(tensor.numpy()), tensors)
    if case.ref is not None:
        expected = case.ref(*inputs, **case.kwargs)
        expected = (expected,) if not isinstance(expected, tuple) else expected
        expected = tuple(np.asarray(part) for part in expected)
    else:
        with tg.use_backend("numpy"):
            exact_tensors = map_arrays(lambda x: tg.from_numpy(np.asarray(x)), inputs)
            expected = map_arrays(
                lambda tensor: tensor.numpy(), case.function(*exact_tensors, **case.kwargs)
            )
    assert_close(result, expected, rounding_of(dtype))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_dtype_is_kept(case, backend):
    """A float32 input gives float32 results, a float16 one float16: nothing is widened unasked."""
    for dtype in (F32, *[d for d in case.dtypes if "float" in d]):
        single = case.function(*tensors_of(case, dtype, "contiguous"), **case.kwargs)
        double = case.function(*tensors_of(case, F64, "contiguous"), **case.kwargs)
        if "dtype" in case.kwargs or case.op in ("cast", "float_power"):
            continue
        for narrow, wide in zip(arrays(single), arrays(double), strict=True):
            assert str(narrow.dtype) == (dtype if wide.dtype == tg.float64 else str(wide.dtype))


CALLS = {op.call for op in OPS.values()}
ON_ARRAYS = [
    case
    for case in CASES
    if case.function in CALLS or getattr(case.function, "__wrapped__", None) in CALLS
]


@pytest.mark.parametrize("case", ON_ARRAYS, ids=lambda case: case.id)
def test_op_takes_plain_arrays(case, backend):
    """Gradient rules and compositions call ops on arrays: the same numbers, no tensor between."""
    tensors = tensors_of(case, F32, "contiguous")
    plain = case.function(*map_arrays(lambda x: x.numpy(), tensors), **case.kwargs)
    result = case.function(*tensors, **case.kwargs)
    assert len(arrays(plain)) == len(arrays(result)) > 0
    for one, other in zip(arrays(plain), arrays(result), strict=True):
        assert not isinstance(one, tg.Tensor)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other.numpy())


def test_the_plan_covers_what_it_says():
    """The table can only grow: a loop that ran empty would pass every test."""
    assert len(CASES) >= 980
    assert len(PLAN) * len(CPU_BACKENDS) >= 13_500
    assert {layout for _, _, layout in PLAN} == {*LAYOUTS, *TINY_LAYOUTS}
    assert len(ON_ARRAYS) >= 180
    assert sum(case.grad for case in CASES) >= 850
    assert math.isfinite(sum(len(arrays(draw(case))) for case in CASES))


# ---- NumPy's whole numbers in place of Python's


def in_numpy_numbers(value):
    if isinstance(value, int) and not isinstance(value, bool):
        return np.int64(value)
    if type(value) in (list, tuple):
        return type(value)([in_numpy_numbers(part) for part in value])
    return value


def has_whole_numbers(case):
    given = [*case.inputs, *case.kwargs.values()]
    return any(repr(in_numpy_numbers(value)) != repr(value) for value in given)


COUNTED = list(filter(has_whole_numbers, CASES))


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: case.id)
def test_numpys_whole_numbers_are_taken(case):
    with tg.use_backend("numpy"):
        tg.manual_seed(0)
        expected = case.function(*tensors_of(case, F32, "contiguous"), **case.kwargs)
        inputs = map(in_numpy_numbers, tensors_of(case, F32, "contiguous"))
        tg.manual_seed(0)
        kwargs = {name: in_numpy_numbers(value) for name, value in case.kwargs.items()}
        actual = case.function(*inputs, **kwargs)
    for mine, wanted in zip(arrays(actual), arrays(expected), strict=True):
        assert (mine.dtype, mine.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(mine, wanted)
