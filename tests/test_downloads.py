"""Data sets from the network, from a server on this machine that can misbehave; and archives."""

import gzip
import hashlib
import http.server
import io
import os
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest

from tensorgrad import datasets
from tensorgrad.data import DataLoader, default_collate
from tensorgrad.datasets import download
from tensorgrad.datasets.archives import unpack
from tensorgrad.datasets.download import Remote, fetch
from tests.test_datasets import idx_bytes

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the server's `files`; the first folder of a path says how."""

    def do_GET(self):
        how, _, name = self.path.lstrip("/").partition("/")
        self.server.asked.append(self.path)
        data = self.server.files.get(name)
        if how == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.end_headers()
            return
        if data is None or how == "missing":
            self.send_error(404)
            return
        if how == "silent":
            self.server.stop.wait(20)
            return
        self.send_response(200)
        length = {"short": len(data) + 10, "small": len(data) - 10, "huge": 10**18}
        if how != "unstated":
            self.send_header("Content-Length", str(length.get(how, len(data))))
        self.end_headers()
        if how == "bad":
            data = b"x" + data[1:]
        if how == "hangs":
            self.wfile.write(data[:100])
            self.server.stop.wait(20)
        elif how == "drips":
            for byte in data:
                if self.server.stop.wait(0.05):
                    return
                self.wfile.write(bytes([byte]))
        else:
            self.wfile.write(data)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"data.bin": CONTENT}
        self.asked = []
        self.stop = threading.Event()

    def url(self, how, name="data.bin"):
        return f"http://127.0.0.1:{self.server_port}/{how}/{name}"

    def handle_error(self, request, client_address):
        pass  # the client has hung up


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Server()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.stop.set()
    found.shutdown()
    found.server_close()
    thread.join()


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


# ---- data sets


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


def cifar_files(count=4):
    random = np.random.default_rng(1)
    names = [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]
    images = random.integers(0, 256, (6, count, 3, 32, 32), dtype=np.uint8)
    labels = random.integers(0, 10, (6, count), dtype=np.uint8)
    files = {
        name: b"".join(bytes([label]) + image.tobytes() for label, image in zip(*part))
        for name, part in zip(names, zip(labels, images))
    }
    return files, images, labels


def tar_of(files, folder="", mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(folder + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_cifar10(server, tmp_path, monkeypatch):
    files, images, labels = cifar_files()
    archive = tar_of(files, "cifar-10-batches-bin/")
    server.files["cifar-10-binary.tar.gz"] = archive
    real = datasets.CIFAR10._archive
    assert real.name == "cifar-10-binary.tar.gz"
    remote = Remote(
        real.name,
        [server.url("good", real.name)],
        hashlib.md5(archive).hexdigest(),
        len(archive),
    )
    monkeypatch.setattr(datasets.CIFAR10, "_archive", remote)
    with pytest.raises(FileNotFoundError, match=r"data_batch_1\.bin, .*download=True fetches"):
        datasets.CIFAR10(tmp_path)
    train = datasets.CIFAR10(tmp_path, download=True)
    test = datasets.CIFAR10(tmp_path, train=False, download=True)
    assert len(server.asked) == 1
    assert (len(train), len(test)) == (20, 4)
    np.testing.assert_array_equal(
        train.data, images[:5].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    )
    assert train.targets == labels[:5].ravel().tolist()
    image, label = test[2]
    np.testing.assert_array_equal(image.numpy(), images[5, 2] / np.float32(255))
    assert label == labels[5, 2]
    assert test.classes[test.class_to_idx["frog"]] == "frog"
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    (by_hand / "test_batch.bin").write_bytes(files["test_batch.bin"])
    np.testing.assert_array_equal(datasets.CIFAR10(by_hand, False).data, test.data)


def write_cifar(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_cifar10_in_batches(tmp_path):
    files, _, _ = cifar_files()
    write_cifar(tmp_path / "cifar-10-batches-bin", files)
    dataset = datasets.CIFAR10(tmp_path)
    order = [3, 17, 0, 5, 11]
    fast = next(iter(DataLoader(dataset, 5, sampler=order)))
    slow = default_collate([dataset[i] for i in order])
    for part, expected in zip(fast, slow, strict=True):
        assert part.dtype == expected.dtype
        np.testing.assert_array_equal(part.numpy(), expected.numpy())
    changed = datasets.CIFAR10(
        tmp_path, transform=lambda image: image[0].astype(np.int64), target_transform=str
    )
    images, labels = next(iter(DataLoader(changed, 5, sampler=order)))
    np.testing.assert_array_equal(images.numpy(), dataset.data[order][:, 0])
    assert list(labels) == [str(dataset.targets[i]) for i in order]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "expected records of 3073 bytes, got a file of 12291 bytes"),
        (lambda data: b"", "expected records .* got a file of 0 bytes"),
        (lambda data: b"\x0a" + data[1:], r"expected labels in \[0, 10\), got 10"),
    ],
)
def test_cifar10_refuses_damaged_files(tmp_path, change, message):
    files, _, _ = cifar_files()
    files["data_batch_3.bin"] = change(files["data_batch_3.bin"])
    write_cifar(tmp_path / "bin", files)
    with pytest.raises(ValueError, match=f"CIFAR10: {message}.*data_batch_3.bin"):
        datasets.CIFAR10(tmp_path / "bin")


# ---- archives

FILES = {"a.txt": b"one\ntwo\n", "deep/er/b.txt": b"three\n" * 1000}


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"])
def test_an_archive_is_unpacked(tmp_path, ending):
    if ending == "zip":
        data = zip_of(FILES)
    else:
        kind = {"tar": "", "tgz": "gz"}.get(ending, ending.partition(".")[2])
        data = tar_of(FILES, mode=f"w:{kind}")
    (tmp_path / f"x.{ending}").write_bytes(data)
    unpack(tmp_path / f"x.{ending}", tmp_path / "x")
    for name, content in FILES.items():
        assert (tmp_path / "x" / name).read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", f"x.{ending}"]
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode
    unpack(tmp_path / f"x.{ending}", tmp_path / "x")  # as another process might, meanwhile


def special(kind, name="link", target="/etc/passwd"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = target
        tar.addfile(info)
    return out.getvalue()


def zip_link():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def claims(size):
    """A tar whose one member says that it is so large."""
    info = tarfile.TarInfo("a")
    info.size = size
    return gzip.compress(info.tobuf() + b"x" * 512)


HOSTILE = {
    "above.tar": (tar_of({"../../out.txt": b"x"}, mode="w"), "a place outside"),
    "above.zip": (zip_of({"a/../../out.txt": b"x"}), "a place outside"),
    "absolute.tar.gz": (tar_of({"/tmp/out.txt": b"x"}), "a place outside"),
    "drive.zip": (zip_of({"C:out.txt": b"x"}), "a place outside"),
    "windows.tar.gz": (tar_of({"..\\out.txt": b"x"}), "a place outside"),
    "symlink.tar.gz": (special(tarfile.SYMTYPE), "a link or device at 'link'"),
    "hardlink.tar.gz": (special(tarfile.LNKTYPE), "a link or device"),
    "device.tar.gz": (special(tarfile.CHRTYPE), "a link or device"),
    "fifo.tar.gz": (special(tarfile.FIFOTYPE), "a link or device"),
    "symlink.zip": (zip_link(), "a link or device"),
    "bomb.zip": (zip_of({"a": bytes(4 << 20)}), "more than 1048576 bytes"),
    "bomb.tar.gz": (tar_of({"a": bytes(4 << 20)}), "more than 1048576 bytes"),
    "claim.tar.gz": (claims(1 << 40), "more than 1048576 bytes"),
    "cut.tar.gz": (tar_of(FILES)[:-40], "an intact archive"),
    "cut.zip": (zip_of(FILES)[:-40], "an intact archive"),
    "short.tar": (tar_of(FILES, mode="w")[:1800], "an intact archive"),
    "text.zip": (b"no archive", "an intact archive"),
    "text.tar.gz": (b"no archive", "an intact archive"),
    "twice.tar": (tar_of({"a": b"x", "./a": b"y"}, mode="w"), "an intact archive"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing(tmp_path, name):
    data, message = HOSTILE[name]
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"^unpack: (?s:.*){message}(?s:.*) in .*{name}"):
        unpack(folder / name, folder / "x")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]
    assert not (folder / "x").exists()
