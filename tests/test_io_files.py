"""Files are replaced whole, also by a process that dies; and training goes on from one."""

import itertools
import os
import stat
import subprocess
import sys

import pytest

import tensorgrad as tg
from tensorgrad.errors import SerializationError
from tests.saving import same, through

# ---- files are replaced whole


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    tg.save({"a": tg.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(SerializationError, match="got function at 'b'"):
        tg.save({"a": tg.ones(2), "b": through}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


KILLED = """
import os, sys
import tensorgrad as tg
from tensorgrad.io import files

steps = iter(range(100))
def dying(function):
    def call(*args, **kwargs):
        if next(steps) == int(sys.argv[2]):
            os._exit(9)
        return function(*args, **kwargs)
    return call

for name in ("mkstemp",):
    setattr(files.tempfile, name, dying(getattr(files.tempfile, name)))
for name in ("chmod", "open", "fsync", "replace"):
    setattr(os, name, dying(getattr(os, name)))
tg.save({"step": 2, "x": tg.full((1000,), 2.0)}, sys.argv[1])
"""


def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "model"
    seen = set()
    for step in itertools.count():
        tg.save({"step": 1, "x": tg.full((1000,), 1.0)}, path)
        code = subprocess.run([sys.executable, "-c", KILLED, str(path), str(step)]).returncode
        found = tg.load(path)
        assert found["x"].tolist() == [float(found["step"])] * 1000
        seen.add((code, found["step"]))
        if code == 0:
            break
    assert seen == {(9, 1), (9, 2), (0, 2)}
    assert step > 4


def test_links_and_permissions_are_kept(tmp_path):
    path, link = tmp_path / "model", tmp_path / "latest"
    tg.save(1, path)
    path.chmod(0o640)
    link.symlink_to(path)
    tg.save(2, link)
    assert link.is_symlink()
    assert tg.load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_where_there_is_no_place_for_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="save: expected a folder that exists"):
        tg.save(1, tmp_path / "none" / "x")
    with pytest.raises(IsADirectoryError, match="save: expected the path of a file"):
        tg.save(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "none")


# ---- training goes on where it was


TRAINING = """
import sys
import tensorgrad as tg
from tensorgrad import nn, optim

tg.manual_seed(3)
inputs = tg.randn(100, 4, generator=tg.Generator().manual_seed(5))
loader = tg.data.DataLoader(tg.data.TensorDataset(inputs), 16, shuffle=True)
layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2)
model = nn.Sequential(*layers)
optimizer = optim.Adam(model.parameters(), lr=0.01)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
first, last, load, save = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
if load != "-":
    saved = tg.load(load)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    loader.load_state_dict(saved["loader"])
    tg.set_rng_state(saved["random"])


def batches():
    while True:
        for (batch,) in loader:
            yield batch


for step, x in zip(range(first, last), batches()):
    x = x + 0.1 * tg.randn_like(x)
    loss = ((model(x) - x[:, :2].sin()) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
tg.save(
    {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "loader": loader.state_dict(),
        "random": tg.get_rng_state(),
        "loss": loss.item(),
    },
    save,
)
"""


def test_training_resumed_is_training_that_never_stopped(tmp_path, backend):
    """200 steps equal 100, a new process, and 100, bit for bit."""

    def train(first, last, load, save):
        subprocess.run(
            [sys.executable, "-c", TRAINING, str(first), str(last), load, str(tmp_path / save)],
            check=True,
            env={**os.environ, "TENSORGRAD_BACKEND": backend},
        )

    train(0, 200, "-", "whole")
    train(0, 100, "-", "half")
    train(100, 200, str(tmp_path / "half"), "resumed")
    whole, resumed = tg.load(tmp_path / "whole"), tg.load(tmp_path / "resumed")
    same(resumed, whole)
    assert whole["loss"] < 0.5
