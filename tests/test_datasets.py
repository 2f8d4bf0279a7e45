"""The bundled data, the readers of data files, and words to ids."""

import gzip
import hashlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import datasets
from tensorgrad.data import DataLoader, default_collate
from tests.data_files import idx_bytes, write_mnist


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)


@pytest.fixture
def labels():
    return np.array([3, 1, 4, 1, 5, 9, 2], dtype=np.uint8)


def test_digits_are_complete_and_in_range():
    images, labels = datasets.digits()
    test_images, test_labels = datasets.digits(train=False)
    assert images.shape == (1437, 1, 8, 8)
    assert test_images.shape == (360, 1, 8, 8)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert images.min() == 0.0
    assert images.max() == 1.0
    counts = np.bincount(np.concatenate([labels, test_labels]))
    # The class counts that UCI states for the test part.
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_look_like_their_labels():
    """The class means of the training part recognise most of the test part."""
    images, labels = datasets.digits()
    means = np.stack([images[labels == digit].mean(0).ravel() for digit in range(10)])
    test_images, test_labels = datasets.digits(train=False)
    distances = ((test_images.reshape(360, 1, 64) - means) ** 2).sum(-1)
    assert (distances.argmin(1) == test_labels).mean() > 0.8


def test_digits_are_the_published_ones():
    digest = hashlib.sha256()
    for train in (True, False):
        images, labels = datasets.digits(train)
        digest.update((images * 16).astype(np.uint8).tobytes())
        digest.update(labels.astype(np.uint8).tobytes())
    # Computed from scikit-learn's load_digits().
    published = "adbedc90ca53bba766d95f51152881946c85767fcaa14d6722d36d9dd86d8e3d"
    assert digest.hexdigest() == published


def test_each_call_gives_arrays_of_its_own():
    images, labels = datasets.digits()
    images[:] = 0.5
    labels[:] = 0
    again, labels_again = datasets.digits()
    assert again.max() == 1.0
    assert labels_again.max() == 9


def test_shakespeare():
    text = datasets.shakespeare()
    assert len(text) == 277_373
    assert text.startswith("HAMLET, PRINCE OF DENMARK\n")
    assert "\n\n\nMACBETH\n" in text
    assert "To be, or not to be,--that is the question:--" in text
    assert "gutenberg" not in text.lower()
    assert "\r" not in text
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "fcd476b50fb039f65018392798b0398f0c5e6e4e8812727870800a9df94c42bf"


def test_notice_names_every_bundled_file():
    folder = datasets.bundled._FOLDER
    notice = (folder / "NOTICE").read_text()
    bundled = [path.name for path in folder.iterdir() if path.suffix == ".gz"]
    assert len(bundled) == 3
    for name in bundled:
        assert name in notice


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
def test_read_idx_types(tmp_path, code, dtype, compress):
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(dtype)
    data = idx_bytes(array, code)
    path = tmp_path / "values"
    path.write_bytes(gzip.compress(data) if compress else data)
    read = datasets.read_idx(path)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_read_idx_small_shapes(tmp_path, shape):
    path = tmp_path / "values"
    path.write_bytes(idx_bytes(np.ones(shape, np.uint8)))
    np.testing.assert_array_equal(datasets.read_idx(path), np.ones(shape))


GOOD = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))
HUGE = bytes([0, 0, 0x0E, 4]) + b"\xff" * 16 + bytes(100)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected 0x0000, a type code, .* got first bytes 0x in"),
        (b"P5 28 28", "got first bytes 0x50352032"),
        (b"\0\0\x0a\1" + GOOD[4:], "got first bytes 0x00000a01"),
        (b"\0\0\x08\xff", "at most 8 dimensions"),
        (GOOD[:9], "expected 2 dimensions, got a header of 5 bytes"),
        (GOOD[:-1], r"expected 6 bytes for shape \(2, 3\), got 5 bytes"),
        (GOOD + b"\0", r"expected 6 bytes for shape \(2, 3\), got more than 6 bytes"),
        (HUGE, r"for shape \(4294967295, .* got a file of at most 120 bytes"),
        (gzip.compress(HUGE, mtime=0), "for shape .* got a file of at most"),
        (gzip.compress(GOOD[:-1], mtime=0), "expected 6 bytes .* got 5 bytes"),
        (gzip.compress(GOOD, mtime=0)[:-9], "expected an intact gzip file"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "expected an intact gzip file"),
    ],
)
def test_read_idx_refuses_damaged_files(tmp_path, data, message):
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^read_idx: (?s:.*){message}") as raised:
        datasets.read_idx(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("folder", [".", "MNIST/raw"])
def test_mnist_reads_both_layouts(tmp_path, images, labels, folder, compress):
    write_mnist(tmp_path / folder, images, labels, compress=compress)
    dataset = datasets.MNIST(tmp_path, train=False)
    assert len(dataset) == 7
    assert dataset.data.dtype == tg.uint8
    assert dataset.targets.dtype == tg.int64
    np.testing.assert_array_equal(dataset.data.numpy(), images)
    np.testing.assert_array_equal(dataset.targets.numpy(), labels)
    image, label = dataset[2]
    assert label == 4
    assert type(label) is int
    assert image.dtype == tg.float32
    np.testing.assert_array_equal(image.numpy(), images[2][None] / np.float32(255))


def test_mnist_takes_the_part_asked_for(tmp_path, images, labels):
    write_mnist(tmp_path, images, labels, part="t10k")
    write_mnist(tmp_path, images[:3], labels[:3], part="train")
    assert len(datasets.MNIST(str(tmp_path))) == 3
    assert len(datasets.MNIST(tmp_path, train=False)) == 7


def test_mnist_loads_in_batches_as_item_by_item(tmp_path, images, labels):
    write_mnist(tmp_path, images, labels)
    dataset = datasets.MNIST(tmp_path, train=False)
    loader = DataLoader(dataset, batch_size=3)
    one_by_one = DataLoader(dataset, batch_size=3, collate_fn=lambda items: default_collate(items))
    for batch, expected in zip(loader, one_by_one, strict=True):
        assert [part.dtype for part in batch] == [part.dtype for part in expected]
        for part, expected_part in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(part.numpy(), expected_part.numpy())


def test_mnist_transforms_reach_the_batches(tmp_path, images, labels):
    write_mnist(tmp_path, images, labels)
    dataset = datasets.MNIST(
        tmp_path,
        train=False,
        transform=lambda image: image.astype(np.float64) + 1,
        target_transform=lambda label: label % 2,
    )
    (batch, targets), *_ = DataLoader(dataset, batch_size=7)
    np.testing.assert_array_equal(batch.numpy(), images + 1.0)
    np.testing.assert_array_equal(targets.numpy(), labels % 2)


def test_mnist_can_be_cut_as_in_pytorch(tmp_path, images, labels):
    write_mnist(tmp_path, images, labels)
    dataset = datasets.MNIST(tmp_path, train=False)
    dataset.data = dataset.data[:2]
    dataset.targets = dataset.targets[:2]
    assert len(dataset) == 2
    with pytest.raises(IndexError):
        dataset[2]


@pytest.mark.parametrize(
    ("dataset", "who_has_it"),
    [(datasets.MNIST, "ossci-datasets"), (datasets.FashionMNIST, "zalandoresearch")],
)
def test_a_missing_file_is_named(tmp_path, dataset, who_has_it):
    with pytest.raises(FileNotFoundError) as raised:
        dataset(tmp_path)
    message = str(raised.value)
    assert "train-images-idx3-ubyte.gz" in message
    assert str(tmp_path / dataset.__name__ / "raw") in message
    assert who_has_it in message


def test_mnist_refuses_files_that_do_not_fit_together(tmp_path, images, labels):
    write_mnist(tmp_path, images, labels[:-1])
    with pytest.raises(ValueError, match=r"MNIST: expected uint8 labels of shape \(7,\)"):
        datasets.MNIST(tmp_path, train=False)
    write_mnist(tmp_path, images[:, 1:], labels)
    with pytest.raises(ValueError, match=r"MNIST: expected uint8 images of shape \(N, 28, 28\)"):
        datasets.MNIST(tmp_path, train=False)
    write_mnist(tmp_path, images, labels + 1)
    with pytest.raises(ValueError, match=r"FashionMNIST: expected labels in \[0, 10\), got 10"):
        datasets.FashionMNIST(tmp_path, train=False)


def test_tokenize():
    text = "Who's there?--'Tis I, o'er 2 walls; [Exit.]"
    assert datasets.tokenize(text, punctuation=False) == [
        "who's", "there", "tis", "i", "o'er", "2", "walls", "exit",
    ]  # fmt: skip
    assert datasets.tokenize("Ay, été!") == ["ay", ",", "été", "!"]


def test_vocabulary_orders_by_frequency_then_token():
    vocabulary = datasets.Vocabulary("bbbaaaccd")
    assert vocabulary.tokens == ["<unk>", "a", "b", "c", "d"]
    assert vocabulary.counts.tolist() == [0, 3, 3, 2, 1]
    assert vocabulary.counts.dtype == np.int64
    assert "c" in vocabulary
    assert "e" not in vocabulary


@pytest.mark.parametrize("limit", [{"max_size": 3}, {"min_freq": 3}])
def test_vocabulary_counts_what_it_leaves_out(limit):
    corpus = "bbbaaaccd"
    vocabulary = datasets.Vocabulary(corpus, **limit)
    assert vocabulary.tokens == ["<unk>", "a", "b"]
    assert vocabulary.counts.tolist() == [3, 3, 3]
    ids = vocabulary.encode(corpus)
    assert ids.dtype == np.int64
    assert np.bincount(ids).tolist() == vocabulary.counts.tolist()
    assert "".join(vocabulary.decode(ids)) == "bbbaaa" + "<unk>" * 3


def test_vocabulary_keeps_an_unknown_token_that_the_corpus_writes():
    vocabulary = datasets.Vocabulary(["a", "<unk>", "a", "<unk>", "b"], max_size=2)
    assert vocabulary.tokens == ["<unk>", "a"]
    assert vocabulary.counts.tolist() == [3, 2]


def test_vocabulary_without_unknown():
    vocabulary = datasets.Vocabulary("abba", unknown=None, max_size=1)
    assert vocabulary.tokens == ["a"]
    assert vocabulary.decode(vocabulary.encode("aa")) == ["a", "a"]
    with pytest.raises(ValueError, match="encode: expected tokens of the vocabulary, got 'b'"):
        vocabulary.encode("ab")


@pytest.mark.parametrize("index", [-1, 3])
def test_vocabulary_decode_refuses_ids_outside(index):
    with pytest.raises(IndexError, match=rf"decode: expected ids in \[0, 3\), got {index}"):
        datasets.Vocabulary("ab").decode(np.array([0, index]))


@pytest.mark.parametrize("limit", [{"max_size": 0}, {"min_freq": 0}])
def test_vocabulary_refuses_empty_limits(limit):
    (name,) = limit
    with pytest.raises(ValueError, match=f"Vocabulary: expected {name} of at least 1, got 0"):
        datasets.Vocabulary("ab", **limit)


def test_a_text_model_can_use_the_bundled_text():
    words = datasets.tokenize(datasets.shakespeare())
    vocabulary = datasets.Vocabulary(words, max_size=2000)
    ids = vocabulary.encode(words)
    assert len(vocabulary) == 2000
    assert ids.max() == 1999
    assert (ids == 0).mean() < 0.12
    characters = datasets.Vocabulary(datasets.shakespeare(), unknown=None)
    assert 60 < len(characters) < 80
