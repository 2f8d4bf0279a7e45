"""Numbers of 16 bits in CUDA C: each read as NumPy reads it, and rounded as NumPy rounds."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder import execution
from tests.cuda_ladder.execution import RawModule
from tests.cupy_stand_in import module as cupy

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

CONVERSIONS = """
template <typename T>
__global__ void read(const T* in, float* out, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = in[i];
}

template <typename T>
__global__ void rounded(const float* in, T* out, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = T(in[i]);
}
"""
DTYPES = {"Half": np.dtype("float16"), "BFloat16": np.dtype(ml_dtypes.bfloat16)}


def converted(name: str, kind: str, host: np.ndarray, dtype: Any) -> np.ndarray:
    source = loader.text_of("storage.cuh") + CONVERSIONS
    instance = f"{name}<{kind}>"
    function = RawModule(source, name_expressions=[instance]).get_function(instance)
    out = cupy.empty(host.shape, dtype)
    function((-(-host.size // 256),), (256,), (cupy.array(host), out, np.int32(host.size)))
    return out.get()


@pytest.mark.parametrize("kind", DTYPES)
def test_every_number_is_read_and_comes_back(kind: str) -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(DTYPES[kind])
    read = converted("read", kind, numbers, np.float32)
    np.testing.assert_array_equal(read, numbers.astype(np.float32))
    again = converted("rounded", kind, read, numbers.dtype)
    number = ~np.isnan(read)
    np.testing.assert_array_equal(again.view(np.uint16)[number], numbers.view(np.uint16)[number])
    assert np.isnan(again[~number].astype(np.float32)).all()


@pytest.mark.parametrize("kind", DTYPES)
def test_rounding_is_to_the_nearest_and_halfway_to_even(kind: str) -> None:
    """Of what lies halfway between two numbers, just beside it, and anywhere."""
    bits = np.arange((1 << 15) - 1, dtype=np.uint16)
    ends = [part.view(DTYPES[kind]).astype(np.float32) for part in (bits, bits + np.uint16(1))]
    with np.errstate(all="ignore"):
        halfway = (ends[0].astype("f8") + ends[1]).astype("f4") / 2
        anywhere = np.random.default_rng(0).integers(0, 1 << 32, 100000, np.uint32).view("f4")
        beside = np.nextafter(halfway, np.float32(0)), np.nextafter(halfway, np.float32(np.inf))
        host = np.concatenate([halfway, *beside, anywhere, [65519, 65520, 3.4e38, 1e-45]])
        host = np.concatenate([host, -host]).astype("f4")
        want = host.astype(DTYPES[kind])
    found = converted("rounded", kind, host, want.dtype)
    np.testing.assert_array_equal(found.astype("f4"), want.astype("f4"))
    number = ~np.isnan(host)
    np.testing.assert_array_equal(found.view("u2")[number], want.view("u2")[number])
