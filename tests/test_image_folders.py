"""Data sets of images in folders, also from an archive that is downloaded."""

import hashlib
import io
import struct
import sys
import zlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import datasets
from tensorgrad.data import DataLoader
from tensorgrad.datasets import transforms
from tests.data_files import picture, tar_of, write, zip_of

Image = pytest.importorskip("PIL.Image")


def encoded(array, kind="png"):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


PETS = {
    "cat/b.png": encoded(picture(1)),
    "cat/a.PNG": encoded(picture(0)),
    "cat/notes.txt": b"not an image",
    "cat/.hidden.png": b"not an image",
    "dog/deep/c.bmp": encoded(picture(2), "bmp"),
}


def test_image_folder(tmp_path):
    write(tmp_path, PETS)
    dataset = datasets.ImageFolder(tmp_path)
    assert dataset.classes == ["cat", "dog"]
    assert dataset.class_to_idx == {"cat": 0, "dog": 1}
    names = ["cat/a.PNG", "cat/b.png", "dog/deep/c.bmp"]
    assert dataset.samples == [
        (str(tmp_path / name), target) for name, target in zip(names, dataset.targets)
    ]
    assert dataset.imgs == dataset.samples
    assert dataset.targets == [0, 0, 1]
    for seed, (image, _) in enumerate(dataset[i] for i in range(3)):
        assert image.dtype == tg.float32
        expected = picture(seed).transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(image.numpy(), expected)
    with pytest.raises(IndexError):
        dataset[3]
    images, targets = next(iter(DataLoader(dataset, 3)))
    assert images.shape == (3, 3, 6, 8)
    assert targets.tolist() == [0, 0, 1]


def test_image_folder_in_other_ways(tmp_path):
    write(tmp_path, PETS)
    dataset = datasets.ImageFolder(
        tmp_path, transform=lambda image: image.shape, target_transform=lambda target: -target
    )
    assert dataset[2] == ((6, 8, 3), -1)
    sizes = datasets.ImageFolder(
        tmp_path, len, loader=lambda path: path, is_valid_file=lambda path: path.endswith("bmp"),
        allow_empty=True,
    )  # fmt: skip
    assert sizes.classes == ["cat", "dog"]
    assert [sizes[0]] == [(len(sizes.samples[0][0]), 1)]
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "png"), ("RGBA", "png"), ("P", "gif"), ("1", "png"), ("CMYK", "jpeg")]
)
def test_images_of_any_kind_are_in_colour(tmp_path, mode, kind):
    out = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(out, kind)
    (tmp_path / "image").write_bytes(out.getvalue())
    array = datasets.read_image(tmp_path / "image")
    assert array.dtype == np.uint8
    assert array.shape == (6, 8, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        encoded(picture())[:-30],
        encoded(picture())[:20],
        encoded(picture(), "bmp")[:99],
    ],
)
def test_an_unreadable_image_is_named(tmp_path, data):
    write(tmp_path, {"cat/bad.png": data})
    dataset = datasets.ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="read_image: expected an image that Pillow reads, got"):
        dataset[0]
    with pytest.raises(ValueError, match=r"cat.bad\.png"):
        dataset[0]


def test_an_image_that_says_it_is_huge(tmp_path):
    head = b"\x89PNG\r\n\x1a\n"
    body = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "huge.png").write_bytes(head + chunk + struct.pack(">I", 2**30) + b"IDAT")
    with pytest.raises(ValueError, match="exceeds limit"):
        datasets.read_image(tmp_path / "huge.png")


def test_folders_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="ImageFolder: expected a folder, got none at"):
        datasets.ImageFolder(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="expected a sub-folder for each class, got none"):
        datasets.ImageFolder(tmp_path)
    write(tmp_path, {**PETS, "eel/notes.txt": b"", "ant/.x.png": b""})
    with pytest.raises(FileNotFoundError, match=r"\.jpg.* for each class .*got none for ant, eel"):
        datasets.ImageFolder(tmp_path)
    dataset = datasets.ImageFolder(tmp_path, allow_empty=True)
    assert dataset.classes == ["ant", "cat", "dog", "eel"]
    assert dataset.targets == [1, 1, 2]


def test_without_pillow(tmp_path, monkeypatch):
    write(tmp_path, PETS)
    dataset = datasets.ImageFolder(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'expected Pillow, .*pip install "tensorgrad\[images\]"'):
        dataset[0]
    with pytest.raises(ImportError, match="expected Pillow"):
        transforms.Resize(4)(picture())


def test_a_folder_of_two_parts(tmp_path):
    write(tmp_path / "train", PETS)
    write(tmp_path / "val", {"cat/d.png": PETS["cat/b.png"], "dog/e.bmp": PETS["dog/deep/c.bmp"]})
    assert len(datasets.ImageFolder(tmp_path, train=True)) == 3
    assert len(datasets.ImageFolder(tmp_path, train=False)) == 2
    with pytest.raises(FileNotFoundError, match="expected a folder train for train=True"):
        datasets.ImageFolder(tmp_path / "val", train=True)


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
@pytest.mark.parametrize("inside", ["", "pets/", "data/pets/"])
def test_a_folder_is_downloaded(server, tmp_path, ending, inside):
    files = {inside + name: data for name, data in PETS.items()}
    files["__MACOSX/._a.png"] = b"x"
    data = zip_of(files) if ending == "zip" else tar_of(files)
    name = f"pets.{ending}"
    server.files[name] = data
    options = {
        "url": server.url("good", name),
        "checksum": hashlib.sha256(data).hexdigest().upper(),
    }
    with pytest.raises(FileNotFoundError, match="download=True fetches http"):
        datasets.ImageFolder(tmp_path, **options)
    dataset = datasets.ImageFolder(tmp_path, download=True, **options)
    assert dataset.classes == ["cat", "dog"]
    assert dataset[2][0].shape == (3, 6, 8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets", name]
    server.files.clear()
    assert len(datasets.ImageFolder(tmp_path, download=True, **options)) == 3
    assert len(datasets.ImageFolder(tmp_path, **options)) == 3
    assert len(server.asked) == 1


def test_a_folder_that_cannot_be_downloaded(server, tmp_path):
    with pytest.raises(ValueError, match="expected a url to download from, got None"):
        datasets.WavFolder(tmp_path, download=True)
    with pytest.raises(ValueError, match="expected the checksum of http"):
        datasets.TextFolder(tmp_path, download=True, url=server.url("good", "x.zip"))
    with pytest.raises(RuntimeError, match=r"ImageFolder: .*(?s:.*)404.*(?s:.*)x\.zip by hand"):
        datasets.ImageFolder(
            tmp_path, download=True, url=server.url("good", "x.zip"), checksum="0" * 32
        )
    assert list(tmp_path.iterdir()) == []
