"""Every kernel compiles for every architecture, and holds in registers what it works on."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

from tests.cuda_ladder import resources
from tests.cuda_ladder.instances import kernels, texts


@pytest.fixture(scope="module", autouse=True)
def _nvrtc() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        resources.compiler().nvrtc.getVersion()
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"NVRTC: {error}".splitlines()[0])


def test_no_kernel_spills() -> None:
    """On seven architectures, each instance; the table is left in build/."""
    found = resources.write()
    assert len(found) >= 60
    for name, of in found.items():
        for architecture, use in of.items():
            assert use.registers, f"{name}: nothing is known of it on sm_{architecture}"
            assert (use.stack, use.spilled) == (0, 0), f"{name} on sm_{architecture}: {use}"
            # So that at least two blocks of 256 threads are on a multiprocessor.
            assert use.registers <= 128, f"{name} on sm_{architecture}: {use}"
    assert len(resources.TABLE.read_text().splitlines()) == len(found) + 1


SPILLING = """
template <typename F>
__global__ void __launch_bounds__(1024) many(F* x, int n) {
    F kept[128];
    for (int i = 0; i < 128; ++i) kept[i] = x[i * 1024 + threadIdx.x];
    for (int j = 0; j < n; ++j)
        for (int i = 0; i < 128; ++i) kept[i] = kept[i] * kept[(i + 1) % 128] + kept[(i * 7) % 128];
    for (int i = 0; i < 128; ++i) x[i * 1024 + threadIdx.x] = kept[i];
}
"""


def test_a_kernel_that_spills_is_seen() -> None:
    use = resources.uses(SPILLING, 90)["many<double>"]
    assert use.stack > 0
    assert use.spilled > 0


def wide_accesses(text: str) -> dict[str, tuple[int, int]]:
    """How many loads and stores of 16 bytes each kernel has."""
    names = kernels(text)
    words, mangled, _ = resources.compiled(text, names, "ptx", "-arch=compute_80")
    found = {}
    for name in names:
        body = words.split(f".entry {mangled[name]}(")[1].split(".entry ")[0]
        wide = r"(?:\.\w+)*\.v(?:4\.\w32|2\.\w64)"
        loads = re.findall(rf"\bld{wide}", body)
        found[name] = len(loads), len(re.findall(rf"\bst{wide}", body))
    return found


def test_memory_is_read_and_written_by_16_bytes() -> None:
    seen: dict[str, Any] = {}
    for source, text in texts():
        for name, counts in wide_accesses(text).items():
            seen[f"{source}: {name}"] = counts
    for name, (loads, stores) in seen.items():
        if name.startswith("steps.cu"):
            assert loads >= 2, name  # parameter and gradient
            assert stores >= 1, name
        if "squares" in name:
            assert loads >= 1, name
        if re.search(r"(_norm|softmax)\.cu: .*, (32|256)>", name):  # lines of neighbours
            assert loads >= 1, name
        if re.search(r"tables\.cu: (take|sum|add|join)", name):
            assert loads >= 1, name
            assert stores >= 1, name
