"""Programs that attack and make images: what they share, and that each learns."""

import gzip
import importlib

import numpy as np
import pytest

import tensorgrad as tg


def write_mnist(folder, count):
    """The first digits of the bundled set as if they were MNIST's, in the middle of 28x28."""
    images, labels = tg.datasets.digits()
    large = np.zeros((count, 28, 28), np.uint8)
    large[:, 6:22, 6:22] = (255 * images[:count, 0]).astype(np.uint8).repeat(2, 1).repeat(2, 2)
    for part in ("train", "t10k"):
        for name, array in (("images", large), ("labels", labels[:count].astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            path = folder / f"{part}-{name}-idx{array.ndim}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))


def test_digits_are_the_bundled_ones_or_mnist(tmp_path):
    program = importlib.import_module("program")
    parser = program.options_of("doc", 1)
    images, labels, held_out, wanted = program.digit_images(parser.parse_args([]))
    assert images.shape == (1437, 1, 8, 8)
    assert len(labels) == 1437
    assert len(held_out) == len(wanted) == 360
    options = parser.parse_args(["--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="MNIST: expected the file train-images-idx3-ubyte"):
        program.digit_images(options)
    write_mnist(tmp_path, 5)
    large, numbers, *_ = program.digit_images(options)
    assert large.dtype == images.dtype
    tg.testing.assert_close(large[:, :, 6:22:2, 6:22:2], images[:5], atol=1 / 255, rtol=0)
    assert numbers.tolist() == labels[:5].tolist()


def test_images_are_laid_side_by_side():
    program = importlib.import_module("program")
    images = tg.arange(12).reshape(3, 1, 2, 2)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 0, 0], [10, 11, 0, 0]]
    assert program.tiled(images, 2).tolist() == expected
    assert program.tiled(tg.ones(2, 3, 4, 5), 2).shape == (4, 10, 3)
