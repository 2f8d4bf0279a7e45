"""Data sets of files in folders: images, sounds, texts, and the transforms of images."""

import hashlib
import io
import struct
import sys
import wave
import zlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import datasets
from tensorgrad.data import DataLoader, default_collate
from tensorgrad.datasets import transforms
from tensorgrad.errors import DTypeError, ShapeError
from tests.test_datasets import write_mnist
from tests.test_downloads import Server, server, tar_of, zip_of  # noqa: F401  (a fixture)

Image = pytest.importorskip("PIL.Image")


def picture(seed=0, height=6, width=8):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(array, kind="png"):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# ---- images

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
def test_a_folder_is_downloaded(server, tmp_path, ending, inside):  # noqa: F811
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


def test_a_folder_that_cannot_be_downloaded(server, tmp_path):  # noqa: F811
    with pytest.raises(ValueError, match="expected a url to download from, got None"):
        datasets.WavFolder(tmp_path, download=True)
    with pytest.raises(ValueError, match="expected the checksum of http"):
        datasets.TextFolder(tmp_path, download=True, url=server.url("good", "x.zip"))
    with pytest.raises(RuntimeError, match=r"ImageFolder: .*(?s:.*)404.*(?s:.*)x\.zip by hand"):
        datasets.ImageFolder(
            tmp_path, download=True, url=server.url("good", "x.zip"), checksum="0" * 32
        )
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_downloaded(server, tmp_path):  # noqa: F811
    data = b"To be,\nor not\n"
    server.files["hamlet.txt"] = data
    options = {"url": server.url("good", "hamlet.txt"), "checksum": hashlib.md5(data).hexdigest()}
    dataset = datasets.TextFolder(tmp_path, by="file", download=True, **options)
    assert list(dataset) == [("To be,\nor not\n", 0)]
    assert dataset.classes == ["hamlet"]
    datasets.TextFolder(tmp_path, download=True, **options)
    assert len(server.asked) == 1


# ---- sounds


def wav(frames, width, rate=8000):
    """`frames`, integers of shape (frames, channels), written by the standard library."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(frames.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        offset = 128 if width == 1 else 0
        data = b"".join(
            int(value + offset).to_bytes(width, "little", signed=width > 1)
            for value in frames.ravel()
        )
        file.writeframes(data)
    return out.getvalue()


def riff(*chunks, size=None):
    """A file of (name, data) chunks; `size` in place of the last one's."""
    body = b"WAVE"
    for number, (name, data) in enumerate(chunks):
        told = size if size is not None and number == len(chunks) - 1 else len(data)
        body += name + struct.pack("<I", told) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav_format(code, channels, bits, rate=8000, frame=None):
    frame = channels * bits // 8 if frame is None else frame
    return b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_read_wav_integers(tmp_path, width, channels):
    top = 2 ** (8 * width - 1)
    frames = np.random.default_rng(0).integers(-top, top, (37, channels))
    frames[:2] = [[-top] * channels, [top - 1] * channels]
    (tmp_path / "a.wav").write_bytes(wav(frames, width, 11025))
    waveform, rate = datasets.read_wav(tmp_path / "a.wav")
    assert rate == 11025
    assert waveform.dtype == np.float32
    assert waveform.flags.c_contiguous
    np.testing.assert_array_equal(waveform, (frames.T / top).astype(np.float32))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("extensible", [False, True])
def test_read_wav_floats(tmp_path, bits, extensible):
    values = np.random.default_rng(0).normal(size=(2, 9))
    form = wav_format(0xFFFE if extensible else 3, 2, bits)
    if extensible:
        form = form[0], form[1] + struct.pack("<HHIH", 22, bits, 3, 3) + bytes(14)
    data = values.T.astype(f"<f{bits // 8}").tobytes()
    (tmp_path / "a.wav").write_bytes(riff(form, (b"LIST", b"odd"), (b"data", data), (b"id3 ", b"")))
    waveform, rate = datasets.read_wav(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_array_equal(waveform, values.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with RIFF....WAVE, got b''"),
        (b"RIFX" + bytes(50), "begins with RIFF"),
        (riff(), "a format and samples, got the end of the file"),
        (riff(wav_format(1, 1, 16)), "a format and samples, got the end of the file"),
        (riff((b"data", b"xx")), "a format before the samples, got none"),
        (riff((b"fmt ", b"xx")), "a format of 16 bytes or more, got 2"),
        (riff(wav_format(1, 1, 16), (b"data", b"xx"), size=4), "4 bytes of chunk b'data', got 2"),
        (riff(wav_format(1, 1, 16), (b"data", b""), size=2**32 - 1), "4294967295 bytes of chunk"),
        (riff(wav_format(6, 1, 8), (b"data", b"")), "PCM of 8, .* got format 6 of 8 bits"),
        (riff(wav_format(1, 1, 12), (b"data", b"")), "got format 1 of 12 bits"),
        (riff(wav_format(1, 0, 16), (b"data", b"")), "channels, a sample rate .* got 0, 8000"),
        (riff(wav_format(1, 1, 16, 0), (b"data", b"")), "got 1, 0 and frames of 2 bytes"),
        (riff(wav_format(1, 1, 16, frame=3), (b"data", b"")), "got 1, 8000 and frames of 3 bytes"),
    ],
)
def test_read_wav_refuses_damaged_files(tmp_path, data, message):
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^read_wav: expected .*{message}.* in .*bad\.wav$"):
        datasets.read_wav(path)


def first_word(path):
    return path.stem.split("_")[0]


def test_wav_folder(tmp_path):
    frames = np.arange(-6, 6).reshape(6, 2)
    write(tmp_path, {"yes/0.wav": wav(frames, 2), "no/1.WAV": wav(-frames, 2), "no/a.txt": b""})
    dataset = datasets.WavFolder(tmp_path)
    assert dataset.classes == ["no", "yes"]
    assert dataset.sample_rate == 8000
    waveform, target = dataset[1]
    assert (target, waveform.shape) == (1, (2, 6))
    np.testing.assert_array_equal(waveform.numpy(), frames.T / np.float32(2**15))
    whole, targets = next(iter(DataLoader(dataset, 2, num_workers=1)))
    assert whole.shape == (2, 2, 6)
    assert targets.tolist() == [0, 1]
    (tmp_path / "none").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"expected files that end in \.wav, got none below"
    ):
        datasets.WavFolder(tmp_path / "none")


def test_wav_labels_and_rates(tmp_path):
    frames = np.zeros((4, 1), int)
    write(tmp_path, {"yes_0.wav": wav(frames, 2), "no_0.wav": wav(frames, 2, 16000)})
    dataset = datasets.WavFolder(
        tmp_path, lambda waveform: waveform.shape, lambda target: target + 10, first_word, 8000
    )
    assert dataset.classes == ["no", "yes"]
    assert dataset[1] == ((1, 4), 11)
    with pytest.raises(ValueError, match=r"expected 8000 samples a second, got 16000 in .*no_0"):
        dataset[0]


# ---- texts


def test_texts_by_line(tmp_path):
    write(tmp_path, {"French.txt": "Béranger\r\n\nDupont\n".encode(), "Czech.txt": b"Kafka"})
    dataset = datasets.TextFolder(tmp_path)
    assert dataset.classes == ["Czech", "French"]
    assert list(dataset) == [("Kafka", 0), ("Béranger", 1), ("Dupont", 1)]
    assert dataset.targets == [0, 1, 1]
    changed = datasets.TextFolder(tmp_path, str.upper, lambda target: bool(target))
    assert changed[1] == ("BÉRANGER", True)
    with pytest.raises(ValueError, match=r"expected text in ascii, got .* in .*French\.txt"):
        datasets.TextFolder(tmp_path, encoding="ascii")


def test_texts_by_file(tmp_path):
    write(
        tmp_path, {"train/pos/0.txt": b"good\nfilm", "train/neg/0.txt": b"bad", "test/x.md": b"?"}
    )
    dataset = datasets.TextFolder(tmp_path, by="file", train=True)
    assert list(dataset) == [("bad", 0), ("good\nfilm", 1)]
    assert dataset.classes == ["neg", "pos"]
    named = datasets.TextFolder(tmp_path, by="file", label=first_word, ending=".md")
    assert named.classes == ["x"]
    with pytest.raises(FileNotFoundError, match=r"expected files that end in \.txt, got none"):
        datasets.TextFolder(tmp_path, train=False)
    with pytest.raises(ValueError, match="expected by 'line' or 'file', got 'word'"):
        datasets.TextFolder(tmp_path, by="word")


# ---- transforms


def test_to_tensor():
    image = picture()
    np.testing.assert_array_equal(
        transforms.ToTensor()(image).numpy(), image.transpose(2, 0, 1) / np.float32(255)
    )
    gray = transforms.to_tensor(Image.fromarray(image[..., 0]))
    np.testing.assert_array_equal(gray.numpy(), image[None, ..., 0] / np.float32(255))
    floats = np.ones((2, 2), np.float32) * 7
    assert transforms.to_tensor(floats).tolist() == [[[7.0, 7.0], [7.0, 7.0]]]
    assert transforms.to_tensor(floats > 0).dtype == tg.float32
    with pytest.raises(ShapeError, match=r"ToTensor: expected an image .*, got \(4,\)"):
        transforms.to_tensor(np.zeros(4, np.uint8))
    with pytest.raises(DTypeError, match=r"ToTensor: expected uint8, .* got int64"):
        transforms.to_tensor(np.zeros((4, 4), np.int64))


def test_compose_and_normalize():
    image = picture()
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    whole = transforms.Compose(
        [transforms.ToTensor(), transforms.Lambda(lambda x: x + 1), transforms.Normalize(mean, std)]
    )
    expected = (image.transpose(2, 0, 1) / 255 + 1 - np.reshape(mean, (3, 1, 1))) / np.reshape(
        std, (3, 1, 1)
    )
    np.testing.assert_allclose(whole(image).numpy(), expected, rtol=1e-5)
    x = transforms.to_tensor(image)
    assert transforms.Normalize(mean, std, inplace=True)(x) is x
    np.testing.assert_allclose(x.numpy(), expected - 1 / np.reshape(std, (3, 1, 1)), atol=1e-5)
    with pytest.raises(ShapeError, match=r"Normalize: expected 1 channels, got shape \(3, 6, 8\)"):
        transforms.Normalize([0.5], [0.5])(x)
    with pytest.raises(TypeError, match="Normalize: expected a tensor"):
        transforms.Normalize([0.5], [0.5])(image)
    with pytest.raises(ValueError, match="expected standard deviations above 0"):
        transforms.Normalize([0.5], [0.0])


def test_resize():
    image = np.full((20, 30, 3), 77, np.uint8)
    assert transforms.Resize(10)(image).shape == (10, 15, 3)
    assert transforms.Resize(10)(image.transpose(1, 0, 2)).shape == (15, 10, 3)
    small = transforms.Resize((5, 6))(image)
    assert small.shape == (5, 6, 3)
    assert (small == 77).all()
    with pytest.raises(TypeError, match="Resize: expected an array"):
        transforms.Resize(4)(tg.zeros(3, 8, 8))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_crops_and_flips(as_tensor):
    image = picture()

    def done(transform):
        given = tg.from_numpy(image.transpose(2, 0, 1)) if as_tensor else image
        out = transform(given)
        return out.numpy().transpose(1, 2, 0) if as_tensor else out

    np.testing.assert_array_equal(done(transforms.CenterCrop((2, 4))), image[2:4, 2:6])
    np.testing.assert_array_equal(done(transforms.RandomHorizontalFlip(1.0)), image[:, ::-1])
    np.testing.assert_array_equal(done(transforms.RandomHorizontalFlip(0.0)), image)
    flips = [np.array_equal(done(transforms.RandomHorizontalFlip()), image) for _ in range(100)]
    assert 25 < sum(flips) < 75
    wide = np.pad(image, [(1, 1), (2, 2), (0, 0)])
    seen = set()
    for _ in range(200):
        crop = done(transforms.RandomCrop((6, 8), padding=(2, 1)))
        places = [
            (top, left)
            for top in range(3)
            for left in range(5)
            if np.array_equal(wide[top : top + 6, left : left + 8], crop)
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 15
    tg.manual_seed(3)
    first = done(transforms.RandomCrop(3))
    tg.manual_seed(3)
    np.testing.assert_array_equal(done(transforms.RandomCrop(3)), first)
    for kind in (transforms.CenterCrop, transforms.RandomCrop):
        with pytest.raises(ShapeError, match=r"expected an image of at least 9 x 9, got 6 x 8"):
            done(kind(9))


def test_a_grey_image_is_padded():
    crop = transforms.RandomCrop(8, padding=1)(np.ones((6, 6), np.uint8))
    assert crop.shape == (8, 8)
    assert crop.sum() == 36


class Doubled(transforms.ToTensor):
    def __call__(self, pic):
        return super().__call__(pic) * 2


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("make", "together"),
    [
        (lambda end: transforms.ToTensor(), True),
        (lambda end: transforms.Compose([transforms.ToTensor(), end]), True),
        (lambda end: transforms.Compose([transforms.ToTensor(), transforms.Compose([end])]), True),
        (lambda end: transforms.Compose([transforms.CenterCrop(20), transforms.ToTensor()]), False),
        (lambda end: transforms.Compose([Doubled(), end]), False),
        (lambda end: Doubled(), False),
    ],
)
def test_transforms_of_whole_batches(tmp_path, make, together, colour):
    random = np.random.default_rng(0)
    if colour:
        records = random.integers(0, 256, (9, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
        transform = make(transforms.Normalize([0.1, 0.2, 0.3], [0.7, 0.8, 0.9]))
    else:
        images = random.integers(0, 256, (9, 28, 28), dtype=np.uint8)
        write_mnist(tmp_path, images, np.arange(9, dtype=np.uint8))
        transform = make(transforms.Normalize([0.3], [0.7]))
    dataset = (datasets.CIFAR10 if colour else datasets.MNIST)(tmp_path, False, transform)
    assert (dataset._batch([1, 2]) is not NotImplemented) == together
    order = [4, 2, 7, 2]
    fast = next(iter(DataLoader(dataset, 4, sampler=order)))
    slow = default_collate([dataset[index] for index in order])
    for part, expected in zip(fast, slow, strict=True):
        assert part.dtype == expected.dtype
        np.testing.assert_array_equal(part.numpy(), expected.numpy())
