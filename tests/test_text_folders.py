"""Data sets of texts in folders: by line, by file, and downloaded."""

import hashlib

import pytest

from tensorgrad import datasets
from tests.data_files import first_word, write


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


def test_a_text_is_downloaded(server, tmp_path):
    data = b"To be,\nor not\n"
    server.files["hamlet.txt"] = data
    options = {"url": server.url("good", "hamlet.txt"), "checksum": hashlib.md5(data).hexdigest()}
    dataset = datasets.TextFolder(tmp_path, by="file", download=True, **options)
    assert list(dataset) == [("To be,\nor not\n", 0)]
    assert dataset.classes == ["hamlet"]
    datasets.TextFolder(tmp_path, download=True, **options)
    assert len(server.asked) == 1
