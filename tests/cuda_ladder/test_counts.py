"""What kernels move and compute, by the counts of their execution on the CPU."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import roofline
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

KERNELS = """
struct alignas(16) Four { float of[4]; };
extern "C" __global__ void strided(const float* x, float* out, int step) {
    out[threadIdx.x] = 2.0f * x[threadIdx.x * step] + 1.0f;
}
extern "C" __global__ void by_fours(const float* x, float* out) {
    const Four four = reinterpret_cast<const Four*>(x)[threadIdx.x];
    __shared__ float sums[64];
    sums[threadIdx.x] = four.of[0] + four.of[1] + four.of[2] + four.of[3];
    __syncthreads();
    if (threadIdx.x < 8) out[threadIdx.x] = expf(sums[63 - threadIdx.x]);
}
extern "C" __global__ void added(float* out) { atomicAdd(out + threadIdx.x / 8, 1.0f); }
"""
PROGRAM = f"""
import dataclasses, json, sys
import numpy as np
from tests import cupy_stand_in
from tests.cuda_ladder import execution
names = ["strided", "by_fours", "added"]
module = execution.RawModule({KERNELS!r}, name_expressions=names)
strided, by_fours, added = map(module.get_function, names)
memory = np.zeros(4096, np.float32)
start = -memory.ctypes.data // 4 % 256  # CuPy's memory begins at multiples of 512 bytes
x, out = (cupy_stand_in.MODULES["cupy"].asarray(memory[i:j]) for i, j in ((0, 3000), (0, 256)))
for array, at in (x, start), (out, start + 3072 - 256):
    array._host = memory[at : at + array.size]
strided((1,), (64,), (x, out, np.int32(1)))
strided((1,), (64,), (x, out, np.int32(8)))
by_fours((1,), (64,), (x, out))
added((1,), (32,), (out,))
sys.stdout.write(json.dumps([dataclasses.asdict(found) for _, found in execution.counts]))
"""


def test_bytes_and_operations_are_counted() -> None:
    done = execution.sanitized("counts", ["-c", PROGRAM])
    assert done.returncode == 0, done.stderr[-2000:]
    plain, apart, fours, added = json.loads(done.stdout)
    assert plain["read"] == {"asked": 256, "by_16": 0, "moved": 256, "once": 256}
    assert plain["written"] == {"asked": 256, "by_16": 0, "moved": 256, "once": 256}
    assert apart["read"] == {"asked": 256, "by_16": 0, "moved": 64 * 32, "once": 64 * 32}
    assert plain["flops"] == apart["flops"] == 2 * 64
    assert fours["read"] == {"asked": 1024, "by_16": 1024, "moved": 1024, "once": 1024}
    assert fours["written"]["asked"] == 32
    assert fours["flops"] == 3 * 64 + 8
    # Four places of one sector, each by eight threads.
    assert added["read"] == added["written"]
    assert added["read"] == {"asked": 128, "by_16": 0, "moved": 32, "once": 32}
    assert added["flops"] == 32


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    return {row["name"]: row for row in roofline.counted(32)}


@pytest.mark.parametrize("case", roofline.CASES, ids=lambda case: case.name)
def test_kernels_move_what_they_must(case: Any, rows: dict[str, Any]) -> None:
    row = rows[case.name]
    assert row["kernels"]
    # A sector more for each array: memory of the CPU begins at any multiple of 16.
    slack = 32 * len(row["kernels"]) * 8
    assert row["must"] <= row["moves"] + slack
    assert row["moves"] <= case.moves * row["must"] + slack
    assert row["moves"] <= row["asks"] <= case.asks * row["must"] + slack
    assert row["does"] >= row["flops"]
    if case.asks <= 1.1:
        assert row["by_16"] > 0.65


def test_the_least_time_is_that_of_the_slower_side() -> None:
    assert roofline.least_time(2.039e12, 1, "A100") == pytest.approx(1)
    assert roofline.least_time(1, 2 * 66.9e12, "H100") == pytest.approx(2)


def test_a_call_is_timed_by_events(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "CALLS", 2)
    assert roofline.measured(roofline.CASES[0], 4) > 0


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "name": "relu",
        "must": 2e6,
        "moves": 2.1e6,
        "asks": 4e6,
        "by_16": 1.0,
        "flops": 0,
        "does": 0,
    }
    monkeypatch.setattr(roofline, "counted", lambda count: [row])
    roofline.main(["--lines", "8"])
    out = capsys.readouterr().out
    assert "relu      2.00 MB   1.05      2.00   100%" in out
    assert out.splitlines()[0].split()[-3:] == ["H100", "RTX", "4090"]
    with pytest.raises(SystemExit):
        roofline.main(["--lines", "0"])
