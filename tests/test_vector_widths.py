"""Kernels written in vectors on processors with narrower ones than this: their code is compiled for
such a processor by Numba's settings, and run here, as x86 runs what its ancestors ran.
"""

import os
import platform
import subprocess
import sys

import pytest

pytest.importorskip("numba")

# Bytes of a vector, and what the processor has. Without SSE2 in the list the kernels believe in 32
# registers of 16 bytes, as ARM's processors have: the compiler spills what x86 lacks.
PROCESSORS = {
    "haswell": (32, "+sse2,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+f16c"),
    "nehalem": (16, "+sse4.2,+popcnt"),
}

PROGRAM = """
import numpy as np
import tensorgrad as tg
from tensorgrad.kernels.numba import microkernel
from tensorgrad.nn import functional as F

print(microkernel.BYTES)


def check(run, *shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    results = []
    for backend, dtype in ("numpy", tg.float64), ("numba", tg.float32):
        with tg.use_backend(backend):
            tg.manual_seed(0)
            inputs = [tg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
            out = run(*inputs)
            (out * out).sum().backward()
            results.append([out.detach(), *(x.grad for x in inputs)])
    for exact, value in zip(*results, strict=True):
        error = (value.double() - exact).abs().max().item()
        assert error <= 1e-4 * exact.abs().max().item(), (value.shape, error)


check(lambda x, w, b: F.linear(x, w, b), (67, 130), (93, 130), (93,))
check(lambda x, w, b: F.conv2d(x, w, b, padding=1), (2, 17, 13, 14), (18, 17, 3, 3), (18,))
check(lambda x, w: F.conv2d(x, w, stride=2, padding=2), (2, 3, 19, 18), (20, 3, 5, 5))
check(lambda x, w: F.conv2d(x, w, stride=2, padding=1, groups=7), (3, 7, 19, 18), (14, 1, 3, 3))
check(lambda x, w: F.conv2d(x, w, padding=2, dilation=2), (1, 16, 19, 18), (16, 16, 3, 3))
check(lambda x, w: F.conv2d(x, w, stride=2), (2, 9, 15, 38), (17, 9, 1, 2))
for how in ((3, 1, 1), (3, 3, 1), (5, 2, 2), ((4, 20), 3, 0)):
    check(lambda x: F.max_pool2d(x, *how), (2, 3, 19, 22))
check(
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    *[(2, 3, 37, 20)] * 3,
)
check(lambda x: tg.nn.LSTM(12, 21, dtype=tg.float64).to(x.dtype)(x)[0], (9, 5, 12))
print("equal")
"""


def run(program, processor):
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": PROCESSORS[processor][1]}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86's narrower vectors")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_kernels_on_narrower_vectors(processor):
    done = run(PROGRAM, processor)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(PROCESSORS[processor][0]), "equal"]


# The inner loop of products as a C function, its code translated for 64-bit ARM and read.
ON_ARM = r"""
import re

import llvmlite.binding as llvm
from numba import carray, cfunc, types
from tensorgrad.kernels.numba.microkernel import ROWS, VECTORS, tile

floats, places = types.CPointer(types.float32), types.CPointer(types.int64)


@cfunc(types.void(floats, places, floats, types.int64, floats))
def product(a, rows, b, terms, c):
    a, b, c = carray(a, (10000,)), carray(b, (10000,)), carray(c, (1000,))
    rows = carray(rows, (8,))
    tile(a, 0, rows, 0, 1, b, 0, terms, c, 0, 1, c, 0, rows, 0, ROWS, 8)


code = re.sub(r"^target .*$", "", product.inspect_llvm(), flags=re.M)
code = re.sub(r'"target-(cpu|features)"="[^"]*"', "", code)
# Counting references is x86's own, and not done here.
code = re.sub(r"^define[^\n]*@NRT_.*?^}$", "", code, flags=re.M | re.S)
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
arm = llvm.Target.from_triple("aarch64-linux-gnu").create_target_machine("neoverse-n1", opt=3)
assembly = arm.emit_assembly(llvm.parse_assembly(code))
print(ROWS * VECTORS, len(re.findall(r"\tfmla\tv\d+\.4s", assembly)))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="translates x86's code")
def test_the_inner_loop_of_products_is_fused_vectors_on_arm():
    done = run(ON_ARM, "nehalem")
    assert done.returncode == 0, done.stderr
    wanted, found = map(int, done.stdout.split())
    assert found >= wanted == 16
