"""Saving and loading: values, sharing, modules, other programs' files, damage, and bad files."""

import io
import itertools
import json
import math
import os
import pickle
import pickletools
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
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


VALUES = {
    "numbers": [1, -(10**30), 0.1, math.inf, -math.inf, math.nan, -0.0, True, None, 3 - 2j],
    "text": {"a": 'ü\n"\\', "": "", "b.c": [b"\x00\xff", ""]},
    "containers": ((), [], {}, {1: "one", None: 2, (1, "a"): {3}}, {frozenset({1}), 2}),
    "ordered": OrderedDict(b=1, a=2),
    "counter": Counter("abracadabra"),
    "dtypes": [np.dtype("float32"), tg.device("cpu")],
    "arrays": [np.arange(6).reshape(2, 3)[:, ::2], np.float32(1.5), np.array("x" == "x")],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back(name):
    same(through(VALUES[name]), VALUES[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_tensors_come_back(dtype, shape):
    tensor = tg.ones(shape).to(getattr(tg, dtype))
    back = through({"x": tensor, "y": [tensor * 0]})
    same(back, {"x": tensor, "y": [tensor * 0]})
    back["x"].zero_()  # its own memory, and writable


def test_layouts_come_back_as_values():
    base = tg.arange(24.0).reshape(4, 6)
    for view in (base.t(), base[:, 1::2], base[1].expand(3, 6)):
        same(through(view), view.contiguous())


def test_a_tensor_twice_stays_one():
    weight = tg.randn(3, requires_grad=True)
    back = through({"encoder": weight, "decoder": [weight, weight.detach().clone()]})
    assert back["encoder"] is back["decoder"][0]
    assert back["encoder"] is not back["decoder"][1]
    assert back["encoder"].requires_grad


def test_a_result_is_saved_as_its_values():
    x = tg.ones(2, requires_grad=True)
    back = through(x * 3)
    assert back.tolist() == [3.0, 3.0]


def test_a_state_dict_is_a_plain_safetensors_file(tmp_path):
    from safetensors.numpy import load_file

    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    path = tmp_path / "model.safetensors"
    tg.save(model.state_dict(), path)
    found = load_file(path)
    assert set(found) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
    back = tg.load(path)
    assert list(back) == list(model.state_dict())
    assert str(model.load_state_dict(back)) == "<All keys matched successfully>"


def test_any_safetensors_file_loads(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.arange(3), "b": np.ones((2, 1), "float16")}, tmp_path / "x", {"made": "by"})
    same(
        tg.load(tmp_path / "x"),
        {"a": tg.arange(3), "b": tg.ones(2, 1, dtype=tg.float16)},
    )


def test_numpy_files_load(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.eye(3)),
        "z": np.array(1),
    }
    arrays["big"] = np.arange(3, dtype=">i4")
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = tg.load(tmp_path / "x.npz")
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name].numpy(), array)


# ---- modules


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, hidden), nn.LSTM(hidden, 3)])
        self.head = nn.Linear(3, 1, bias=False)
        self.register_buffer("mask", tg.ones(3), persistent=False)
        self.sizes = (2, hidden)
        self.tied = self.head.weight

    def forward(self, x):
        return self.head(self.layers[1](self.layers[0](x))[0] * self.mask)


def test_whole_modules_come_back():
    model = Net(4).eval()
    back = through(model, weights_only=False)
    x = tg.randn(5, 1, 2)
    assert bool((back(x) == model(x)).all())
    assert repr(back) == repr(model)
    assert back.sizes == (2, 4)
    assert not back.training
    assert back.tied is back.head.weight
    assert [n for n, _ in back.named_parameters()] == [n for n, _ in model.named_parameters()]
    assert list(back.state_dict()) == list(model.state_dict())
    assert all(p.requires_grad for p in back.parameters())


def test_a_module_is_refused_unless_asked_for():
    with pytest.raises(SerializationError, match="weights_only=False"):
        through(nn.Linear(1, 1))


def test_only_modules_that_are_imported_are_made():
    file = io.BytesIO()
    tg.save(nn.Linear(1, 1), file)
    for wanted in ("os:system", "tensorgrad.nn.linear:Missing", "subprocess:Popen"):
        bad = damaged_structure(file.getvalue(), "tensorgrad.nn.linear:Linear", wanted)
        with pytest.raises(SerializationError, match="expected the class of a module"):
            tg.load(io.BytesIO(bad), weights_only=False)


def damaged_structure(data, old, new):
    """A file with another structure and the digest that belongs to it."""
    from safetensors.numpy import load
    from safetensors.numpy import save as write

    from tensorgrad.io import DIGEST, STRUCTURE, digest

    length = struct.unpack("<Q", data[:8])[0]
    structure = json.loads(data[8 : 8 + length])["__metadata__"][STRUCTURE].replace(old, new)
    arrays = load(data)
    return write(arrays, {STRUCTURE: structure, DIGEST: digest(structure, arrays)})


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


@pytest.mark.parametrize(
    "value",
    [object(), through, {"a": [through]}, np.array([None]), nn.Module, range(3)],
    ids=["object", "function", "nested", "objects", "class", "range"],
)
def test_what_has_no_place_in_a_file(value):
    with pytest.raises(SerializationError, match="save: expected"):
        tg.save(value, io.BytesIO())


def test_cycles_are_refused():
    value = []
    value.append({"again": value})
    with pytest.raises(SerializationError, match="without cycles"):
        tg.save(value, io.BytesIO())


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


# ---- damage


def checkpoint():
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters())
    model(tg.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    file = io.BytesIO()
    tg.save(state, file)
    return state, file.getvalue()


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


def test_a_file_of_text_is_refused():
    with pytest.raises(SerializationError, match="binary"):
        tg.load(io.StringIO("x"))
    with pytest.raises(TypeError, match="load: expected a path or a file"):
        tg.load(3)


# ---- PyTorch's files


def torch_state(torch):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    base = torch.arange(12.0).reshape(3, 4)
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "views": [base, base.t(), base[1:, ::2]],
        "kinds": [torch.ones(2, dtype=getattr(torch, dtype)) for dtype in DTYPES],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": {"epoch": 3, "name": "x", "list": [1.5, None, True, b"ab", (1, 2), {3}]},
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "empty": torch.empty(0, 3),
    }


def torch_file(torch, value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def as_numpy(value):
    """Nested values with PyTorch's tensors and ours alike as arrays."""
    if hasattr(value, "detach"):
        value = value.detach()
        if str(value.dtype).endswith("bfloat16"):
            value = value.float()
        return value.numpy()
    if isinstance(value, dict):
        return {key: as_numpy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_numpy(item) for item in value]
    return str(value).removeprefix("torch.") if "float16" in str(value) else value


def equal(one, other):
    if isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(other, dict):
        return list(one) == list(other) and all(equal(one[k], other[k]) for k in other)
    if isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def test_pytorch_files_load(tmp_path):
    torch = pytest.importorskip("torch")
    state = torch_state(torch)
    torch.save(state, tmp_path / "x.pt")
    found = tg.load(tmp_path / "x.pt")
    assert equal(as_numpy(found), as_numpy(state))
    assert isinstance(found["parameter"], nn.Parameter)
    assert found["parameter"].requires_grad
    base, turned, _ = found["views"]
    base[0, 1] = 100.0
    assert turned[1, 0].item() == 100.0  # tensors of one storage share it here, too
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model.load_state_dict(found["model"])


def test_damaged_pytorch_files():
    torch = pytest.importorskip("torch")
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": [torch.ones(2, dtype=torch.int8), "x", 3]}
    data = torch_file(torch, state)
    wanted = as_numpy(state)

    def check(found):
        assert equal(as_numpy(found), wanted)

    survive(data, 2500, 2, check)


class Run:
    """Pickled, it is a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def hostile(pickled):
    """A zip file like PyTorch's with this pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/data/0", b"\0" * 16)
    return file.getvalue()


STORAGE = b"ctorch\nFloatStorage\n"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor_pickle(count=4, offset=0, size=(4,), stride=(1,)):
    """The pickle of one tensor, with any numbers."""

    def number(value):
        return b"L%dL\n" % value

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(Vstorage\n" + STORAGE + b"V0\nVcpu\n" + number(count) + b"tQ"
    return TENSOR + b"(" + storage + number(offset) + numbers(size) + numbers(stride) + b"I00\nNtR."


PICKLES = {
    "system": pickle.dumps(Run(os.system, "echo pwned"), 2),
    "eval": pickle.dumps(Run(eval, "1 + 1"), 2),
    "getattr": b"c__builtin__\ngetattr\n(NV__class__\ntR.",
    "open": pickle.dumps(Run(open, "/etc/passwd"), 2),
    "import": b"cos\nlistdir\n(V/\ntR.",
    "bytearray": b"c__builtin__\nbytearray\n(I1000000000000\ntR.",
    "long": b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
    "build": TENSOR[:-1] + b"\n(NI0\n(t(ttR}V_array\nI3\nsb.",
    "instance": b"(ios\nsystem\n.",
    "far": tensor_pickle(offset=10**9),
    "negative": tensor_pickle(offset=-4),
    "wide": tensor_pickle(size=(4,), stride=(10**15,)),
    "huge": tensor_pickle(size=(10**9, 10**9), stride=(0, 0)),
    "count": tensor_pickle(count=10**12),
    "rank": tensor_pickle(size=(2, 2), stride=(1,)),
    "empty": b"",
    "stop": b".",
    "text": b"hello",
}


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles(name, capfd):
    with pytest.raises(SerializationError, match="expected"):
        tg.load(io.BytesIO(hostile(PICKLES[name])))
    assert "pwned" not in capfd.readouterr().out


def test_the_hostile_tensor_differs_by_its_numbers_only():
    """The pickles above fail for what they say, not for how they are made."""
    assert list(pickletools.genops(tensor_pickle()))
    assert tg.load(io.BytesIO(hostile(tensor_pickle()))).tolist() == [0.0] * 4


def test_a_number_in_the_memo_takes_no_memory():
    """Its place in a table of that size would be gigabytes."""
    assert outcome(hostile(b"\x80\x02I7\nr\xff\xff\xff\x7f.")) == 7


def test_zip_bombs_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 1000)
    data = file.getvalue().replace(struct.pack("<I", 1000), struct.pack("<I", 2**31))
    with pytest.raises(SerializationError):
        tg.load(io.BytesIO(data))


def test_map_location():
    tensor = tg.ones(2)
    keep = [lambda storage, location: storage, lambda storage, location: None]
    for place in ("cpu", tg.device("cpu"), {"cpu": "cpu"}, *keep):
        same(through(tensor, map_location=place), tensor)
    file = io.BytesIO()
    tg.save({"x": tensor}, file)
    data = damaged_structure(
        file.getvalue(), '{"tensor":"x"}', '{"tensor":["x",{"device":"cuda:0"}]}'
    )
    same(tg.load(io.BytesIO(data)), {"x": tensor})  # no GPU here: the CPU takes its place
    same(tg.load(io.BytesIO(data), map_location={"cuda:0": "cpu"}), {"x": tensor})
