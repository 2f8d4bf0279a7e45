"""Transforms of images: one by one, and of whole batches."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import datasets
from tensorgrad.data import DataLoader, default_collate
from tensorgrad.datasets import transforms
from tensorgrad.errors import DTypeError, ShapeError
from tests.data_files import picture, write_mnist

Image = pytest.importorskip("PIL.Image")


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
