"""CIFAR-10: downloaded, read, in batches, and refused where it is damaged."""

import hashlib

import numpy as np
import pytest

from tensorgrad import datasets
from tensorgrad.data import DataLoader, default_collate
from tensorgrad.datasets.download import Remote
from tests.data_files import tar_of, write


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


def test_cifar10_in_batches(tmp_path):
    files, _, _ = cifar_files()
    write(tmp_path / "cifar-10-batches-bin", files)
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
    write(tmp_path / "bin", files)
    with pytest.raises(ValueError, match=f"CIFAR10: {message}.*data_batch_3.bin"):
        datasets.CIFAR10(tmp_path / "bin")
