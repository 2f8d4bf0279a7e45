"""`tensorgrad.text`: windows of words, and phrases."""

import itertools

import numpy as np
import pytest

from tensorgrad.text import Phrases, pairs, windows


def test_windows_end_where_sentences_end():
    found = windows([5, 6, 7, 8, 9], [0, 3, 3, 5], 2)
    assert found.tolist() == [
        [-1, -1, 6, 7],
        [-1, 5, 7, -1],
        [5, 6, -1, -1],
        [-1, -1, 9, -1],
        [-1, 8, -1, -1],
    ]
    assert windows([], [0], 3).shape == (0, 6)
    assert (windows([4], [0, 1], 1, fill=9) == 9).all()


def test_pairs_are_all_of_a_window():
    tokens = np.arange(20) % 7
    bounds = [0, 8, 9, 20]
    centres, others = pairs(tokens, bounds, 3)
    wanted = sorted(
        (tokens[i], tokens[j])
        for begin, end in itertools.pairwise(bounds)
        for i in range(begin, end)
        for j in range(max(begin, i - 3), min(end, i + 4))
        if i != j
    )
    assert sorted(zip(centres.tolist(), others.tolist(), strict=True)) == wanted


@pytest.mark.parametrize("bounds", [[0, 2], [1, 3], [0, 4, 2, 3], []])
def test_bounds_that_do_not_fit_are_refused(bounds):
    with pytest.raises(ValueError, match="bounds that rise from 0 to 3"):
        windows([1, 2, 3], bounds, 1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        windows([1, 2, 3], [0, 3], 0)


def test_pairs_that_stand_together_become_phrases():
    sentences = [["new", "york", "is", "a", "city"], ["a", "new", "day", "is", "here"]] * 10
    sentences += [["new", "york", "new", "york"]] * 10
    found = Phrases(sentences, min_count=2, threshold=0.15)
    assert ("new", "york") in found.scores
    assert found.scores["new", "york"] == pytest.approx((30 - 2) * 7 / (40 * 30))
    assert found[["in", "new", "york", "york"]] == ["in", "new_york", "york"]
    joined = found.joined(sentences)
    assert list(joined) == list(joined)
    assert ["new_york", "new_york"] in list(joined)
    three = Phrases(joined, min_count=2, threshold=0.05, delimiter="-")
    assert "new_york-new_york" in three[["new_york", "new_york"]]
    assert len(Phrases([], min_count=1)) == 0
    with pytest.raises(TypeError, match="lists of words"):
        Phrases(["a text"])
    with pytest.raises(ValueError, match="threshold > 0"):
        Phrases([], threshold=0)
