"""From a source to a kernel: headers, instances, and what is said of one that does not compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of the test's own."""
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    loader.kernel.cache_clear()
    return tmp_path


KERNEL = """#include "value.cuh"
#include "generated"  // SHIFT

template <typename T>
__global__ void fill(T* out) {
    out[threadIdx.x] = T(VALUE) + SHIFT;
}
"""


def test_headers_and_generated_text_are_put_in_place(folder: Path, cuda: Any) -> None:
    (folder / "fill.cu").write_text(KERNEL)
    (folder / "value.cuh").write_text('#include "more.cuh"\nconstexpr int VALUE = MORE + 1;\n')
    (folder / "more.cuh").write_text("constexpr int MORE = 40;\n")
    for shift in (1, 0.5):
        for char in "fd":
            out = cuda.xp.zeros(3, char)
            generated = f"constexpr double SHIFT = {shift};"
            fill = loader.kernel("fill.cu", "fill", char, generated=generated)
            fill((1,), (3,), (out,))
            assert out.tolist() == [41 + shift] * 3
            assert loader.kernel("fill.cu", "fill", char, generated=generated) is fill


def test_a_header_is_there_once_and_lines_keep_their_numbers(folder: Path) -> None:
    (folder / "a.cu").write_text('#include "b.cuh"\n#include "c.cuh"\nint a;\n')
    (folder / "b.cuh").write_text('#include "c.cuh"\nint b;\n')
    (folder / "c.cuh").write_text("int c;\n")
    text = loader.text_of("a.cu")
    assert text.count("int c;") == 1
    # What follows a header is where the file has it.
    assert '#line 2 "b.cuh"\nint b;' in text
    assert '#line 2 "a.cu"\n\nint a;' in text


def test_a_kernel_that_does_not_compile_is_one_sentence(folder: Path, cuda: Any) -> None:
    (folder / "wrong.cu").write_text(
        "template <typename T>\n__global__ void fill(T* out) {\n    out[0] = nothing;\n}\n"
    )
    with pytest.raises(
        tg.BackendError,
        match=r"^wrong.cu: expected fill<float> to compile for this GPU, got wrong.cu:3:\d+: error",
    ) as caught:
        loader.kernel("wrong.cu", "fill", "f")
    assert "\n" not in str(caught.value)


def test_ops_of_cupys_own_launch_no_kernel_of_ours(cuda: Any) -> None:
    before = execution.launches.total()
    assert (tg.ones(3) + 1).tolist() == [2, 2, 2]
    assert execution.launches.total() == before
