"""Downloads of files and data sets, from a server on this machine that can misbehave."""

import gzip
import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tensorgrad import datasets
from tensorgrad.datasets import download
from tensorgrad.datasets.download import Remote, fetch
from tests.data_files import idx_bytes
from tests.file_server import CONTENT, Server

MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def offline(server):
    """An address where nobody listens."""
    gone = Server()
    gone.server_close()
    return gone.url


def get(folder, *urls, checksum=MD5, size=None):
    return fetch(Remote("data.bin", urls, checksum, size), folder, "Asker")


@pytest.mark.parametrize("how", ["good", "unstated", "moved"])
@pytest.mark.parametrize("checksum", [MD5, hashlib.sha256(CONTENT).hexdigest()])
@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_download(server, tmp_path, how, checksum, size):
    folder = tmp_path / "new" / "folder"
    path = get(folder, server.url(how), checksum=checksum, size=size)
    assert path == folder / "data.bin"
    assert path.read_bytes() == CONTENT
    assert os.listdir(folder) == ["data.bin"]
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    asked = len(server.asked)
    assert get(folder, server.url("good"), checksum=checksum) == path
    assert len(server.asked) == asked  # what is there is not asked for


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("bad", "/bad/data.bin: md5 [0-9a-f]{32}"),
        ("missing", "HTTP Error 404: Not Found"),
        ("short", f"{len(CONTENT)} bytes, cut short of {len(CONTENT) + 10}"),
        ("small", "/small/data.bin: md5 [0-9a-f]{32}"),
        ("huge", "a file of 10{18} bytes for a disk with"),
        ("silent", "timed out"),
        ("hangs", "timed out"),
        ("drips", r"\d+ bytes in \d s"),
    ],
)
def test_a_download_that_fails_leaves_nothing(server, tmp_path, monkeypatch, how, message):
    monkeypatch.setattr(download, "TIMEOUT", 0.6)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=message) as raised:
        get(tmp_path, server.url(how))
    assert time.monotonic() - start < 5
    assert os.listdir(tmp_path) == []
    text = str(raised.value)
    assert text.startswith(f"Asker: expected to download data.bin (md5 {MD5}), got")
    assert server.url(how) in text
    assert f"put the file at {tmp_path / 'data.bin'} by hand" in text


@pytest.mark.parametrize(
    ("how", "message"),
    [("good", f"a file of {len(CONTENT)} bytes in place of 99"), ("unstated", "more than the 99")],
)
def test_a_download_of_another_size_is_stopped(server, tmp_path, how, message):
    with pytest.raises(RuntimeError, match=message):
        get(tmp_path, server.url(how), size=99)
    assert os.listdir(tmp_path) == []


def test_mirrors_are_tried_in_turn(server, offline, tmp_path):
    urls = [offline("good"), server.url("missing"), server.url("bad"), server.url("good")]
    assert get(tmp_path, *urls).read_bytes() == CONTENT
    assert [path.split("/")[1] for path in server.asked] == ["missing", "bad", "good"]
    assert os.listdir(tmp_path) == ["data.bin"]
    with pytest.raises(RuntimeError) as raised:
        get(tmp_path / "other", *urls[:3])
    for url in urls[:3]:
        assert url in str(raised.value)


def test_a_file_that_is_not_the_published_one_is_replaced(server, offline, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(RuntimeError, match=r"data.bin: md5 .*\n.*refused"):
        get(tmp_path, offline("good"))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[:-1]
    assert get(tmp_path, server.url("good")).read_bytes() == CONTENT


def test_a_download_that_is_killed_is_not_seen_as_complete(server, tmp_path):
    code = (
        "import sys; from pathlib import Path; from tensorgrad.datasets.download import *;"
        f"fetch(Remote('data.bin', [{server.url('hangs')!r}], {MD5!r}), Path(sys.argv[1]), 'A')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".data.bin.*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    assert get(tmp_path, server.url("good")).read_bytes() == CONTENT


def test_what_cannot_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match="expected an address of http or https, got 'file:///x'"):
        get(tmp_path, "file:///x")
    with pytest.raises(ValueError, match="expected a checksum of 32"):
        get(tmp_path, "http://127.0.0.1/x", checksum="abc")


def publish(monkeypatch, server, kind, files):
    """Let `kind` have its files on the server."""
    for name, data in files.items():
        server.files[name + ".gz"] = gzip.compress(data)
    published = {
        name: (hashlib.md5(server.files[name + ".gz"]).hexdigest(), len(server.files[name + ".gz"]))
        for name in files
    }
    monkeypatch.setattr(kind, "_published", published)
    monkeypatch.setattr(kind, "_mirrors", (server.url("missing", ""), server.url("good", "")))


@pytest.mark.parametrize("kind", [datasets.MNIST, datasets.FashionMNIST])
def test_mnist_downloads(server, tmp_path, monkeypatch, kind):
    assert set(kind._published) == set(datasets.MNIST._published)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    files = {
        "t10k-images-idx3-ubyte": idx_bytes(images),
        "t10k-labels-idx1-ubyte": idx_bytes(labels),
    }
    publish(monkeypatch, server, kind, files)
    with pytest.raises(FileNotFoundError, match="download=True fetches it"):
        kind(tmp_path, train=False)
    dataset = kind(tmp_path, train=False, download=True)
    np.testing.assert_array_equal(dataset.data.numpy(), images)
    assert dataset.class_to_idx[dataset.classes[3]] == 3
    raw = tmp_path / kind.__name__ / "raw"
    assert sorted(path.name for path in raw.iterdir()) == [f"{name}.gz" for name in sorted(files)]
    asked = len(server.asked)
    kind(tmp_path, train=False, download=True)
    kind(tmp_path, train=False)
    assert len(server.asked) == asked
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(b"cut")
    assert len(kind(tmp_path, train=False, download=True)) == 5
    (raw / "t10k-images-idx3-ubyte").write_bytes(files["t10k-images-idx3-ubyte"])
    server.files.clear()
    assert len(kind(tmp_path, train=False, download=True)) == 5
