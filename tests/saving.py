"""What the tests of saving share: a file and back, what counts as the same, and damage."""

import io
import json
import struct
import tracemalloc

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import SerializationError

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int8", "uint8", "bool")


def through(value, **options):
    file = io.BytesIO()
    tg.save(value, file)
    return tg.load(io.BytesIO(file.getvalue()), **options)


def same(one, other):
    """Equal in values, kinds and order, NaN included."""
    assert type(one) is type(other)
    if isinstance(one, tg.Tensor):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.requires_grad == other.requires_grad
        assert one.detach().numpy().tobytes() == other.detach().numpy().tobytes()
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            same(left, right)
    else:
        assert one == other or (one != one and other != other)


def damaged_structure(data, old, new):
    """A file with another structure and the digest that belongs to it."""
    from safetensors.numpy import load
    from safetensors.numpy import save as write

    from tensorgrad.io import DIGEST, STRUCTURE, digest

    length = struct.unpack("<Q", data[:8])[0]
    structure = json.loads(data[8 : 8 + length])["__metadata__"][STRUCTURE].replace(old, new)
    arrays = load(data)
    return write(arrays, {STRUCTURE: structure, DIGEST: digest(structure, arrays)})


def mutated(data, rng):
    """Some bytes flipped, cut, inserted or written over."""
    data = bytearray(data)
    kind = rng.integers(5)
    place = int(rng.integers(len(data)))
    if kind == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data[place:place] = rng.bytes(int(rng.integers(1, 9)))
    elif kind == 3:
        for spot in rng.integers(len(data), size=4):
            data[spot] = int(rng.integers(256))
    else:
        del data[place : place + int(rng.integers(1, 9))]
    return bytes(data)


def outcome(data):
    """What loading gives, or None where the file is refused; in little memory."""
    found = None
    tracemalloc.start()
    try:
        found = tg.load(io.BytesIO(data))
    except SerializationError as error:
        words = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data) + 400_000
    assert found is not None or "expected" in words
    return found


def survive(data, count, seed, check):
    """Of so many damaged copies each is refused or gives what `check` knows."""
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(count):
        found = outcome(mutated(data, rng))
        if found is None:
            refused += 1
        else:
            check(found)
    assert refused > count / 2
