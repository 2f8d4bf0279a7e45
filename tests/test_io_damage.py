"""Damaged files and files that lie: each is refused, or gives what was saved, in little memory."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.errors import SerializationError
from tests.saving import damaged_structure, outcome, same, survive


def checkpoint():
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters())
    model(tg.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    file = io.BytesIO()
    tg.save(state, file)
    return state, file.getvalue()


def test_damaged_checkpoints():
    state, data = checkpoint()
    survive(data, 6000, 0, lambda found: same(found, state))


def test_damaged_numpy_files():
    arrays = {"a": np.arange(6.0), "b": np.ones((2, 3), "int8")}
    file = io.BytesIO()
    np.savez(file, **arrays)
    state = {name: tg.from_numpy(array) for name, array in arrays.items()}
    survive(file.getvalue(), 1500, 1, lambda found: same(found, state))


def lying_header(shape, offsets, dtype="F32"):
    header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\xff" * 64,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        lying_header([2**40], [0, 8]),
        lying_header([2**62, 4], [0, 0]),
        lying_header([2], [0, 2**50]),
        lying_header([-2], [0, 8]),
        lying_header([2], [0, 8], "Q9"),
        b"PK\x03\x04" + b"\0" * 100,
        b"\x80\x02}q\x00.",
        b"not a checkpoint at all" * 20,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_malformed_files(data):
    assert outcome(data) is None


def test_deep_structures_are_refused():
    file = io.BytesIO()
    tg.save({"x": tg.ones(1)}, file)
    bad = damaged_structure(file.getvalue(), '{"dict"', "[" * 100_000 + '{"dict"')
    with pytest.raises(SerializationError):
        tg.load(io.BytesIO(bad))


def test_zip_bombs_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 1000)
    data = file.getvalue().replace(struct.pack("<I", 1000), struct.pack("<I", 2**31))
    with pytest.raises(SerializationError):
        tg.load(io.BytesIO(data))
