"""A process that compiles a kernel computes the bits of one that finds it on disk.

Where a kernel's part that sums is called and not inlined, two processes may run two copies of it,
compiled in two places, with sums in two orders. Training that goes on in a new process would then
not be the training that was never stopped.
"""

import os
import subprocess
import sys

import pytest

LOSSES = """
x, y = np.random.default_rng(0).standard_normal((2, 65, 31))
print(tg.nn.functional.smooth_l1_loss(tg.tensor(x), tg.tensor(y), reduction="sum").item().hex())
"""
BLOCK = """
tg.manual_seed(0)
x = tg.randn(4, 96, 64, requires_grad=True)
norm, attention = tg.nn.LayerNorm(64), tg.nn.MultiheadAttention(64, 4, batch_first=True)
y = norm(x)
y = attention(y, y, y, need_weights=False)[0]
y.square().sum().backward()
print(hashlib.sha256(b"".join(t.numpy().tobytes() for t in [
    y.detach(), x.grad, *[p.grad for p in [*norm.parameters(), *attention.parameters()]]
])).hexdigest())
"""


@pytest.mark.parametrize("program", [LOSSES, BLOCK], ids=["losses", "block"])
def test_a_process_that_compiles_computes_as_one_that_finds_the_kernel(program, tmp_path):
    imports = "import hashlib, numpy as np, tensorgrad as tg\n"
    found = [
        subprocess.run(
            [sys.executable, "-c", imports + program],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "TENSORGRAD_BACKEND": "numba"},
            capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert found[0] == found[1] != ""
