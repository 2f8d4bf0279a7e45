"""`python -m tensorgrad.warmup`: what it leaves on disk is what training needs."""

import os
import subprocess
import sys

import pytest

from tensorgrad import warmup

TRAIN = """
import tensorgrad as tg
from tensorgrad import nn

tg.set_backend("numba")
net = nn.Sequential(nn.Linear(600, 200), nn.ReLU(), nn.Dropout(), nn.Linear(200, 10))
optimizer = tg.optim.Adam(net.parameters())
x, y = tg.randn(64, 600), tg.randint(0, 10, (64,))
tg.nn.functional.cross_entropy(net(x), y).backward()
optimizer.step()
"""


def run(*command, folder):
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": paths}
    subprocess.run([sys.executable, *command], env=environment, check=True, timeout=300)


def test_a_program_compiles_nothing_afterwards(tmp_path):
    code = "from tensorgrad import warmup; warmup.run('perceptrons', 'float32')"
    run("-c", code, folder=tmp_path)
    compiled = set(tmp_path.rglob("*.nbc"))
    assert compiled
    run("-c", TRAIN, folder=tmp_path)
    assert set(tmp_path.rglob("*.nbc")) == compiled


@pytest.mark.parametrize("family", warmup.FAMILIES, ids=lambda family: family.__name__)
def test_every_family_trains(family):
    family()
