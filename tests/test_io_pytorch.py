"""PyTorch's files: what they hold comes, and nothing that a pickle asks for is done."""

import io
import os
import pickle
import pickletools
import zipfile

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import SerializationError
from tests.saving import DTYPES, outcome, survive


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
