"""Co-occurrence counts, PPMI, truncated SVD and PCA, beside their formulas written out."""

import numpy as np
import pytest

from tensorgrad.errors import ShapeError
from tensorgrad.text import Vocabulary, cooccurrences, counts, pca, ppmi, truncated_svd

sparse = pytest.importorskip("scipy.sparse")

WEIGHTS = {
    "flat": lambda distance: 1,
    "linear": lambda distance: (5 - distance) / 4,  # for a window of 4
    "harmonic": lambda distance: 1 / distance,
}


def text(count=60, seed=0):
    """Sentences of nought to eleven of the words w0 to w8; w8 is not in the vocabulary."""
    random = np.random.default_rng(seed)
    sentences = [
        [f"w{n}" for n in random.integers(0, 9, random.integers(0, 12))] for _ in range(count)
    ]
    known = [word for words in sentences for word in words if word != "w8"]
    return sentences, Vocabulary(known, unknown=None)


def plain_counts(sentences, vocabulary, window, weight):
    found = np.zeros((len(vocabulary), len(vocabulary)))
    for words in sentences:
        ids = [vocabulary.ids[word] for word in words if word in vocabulary]
        for place, word in enumerate(ids):
            for other in range(max(0, place - window), min(len(ids), place + window + 1)):
                if other != place:
                    found[word, ids[other]] += weight(abs(place - other))
    return found


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("at_once", [1, 100, 1 << 22])
def test_counts_are_those_of_a_loop_over_windows(monkeypatch, weighting, at_once):
    monkeypatch.setattr(counts, "PAIRS", at_once)  # so many parts are joined
    sentences, vocabulary = text()
    found = cooccurrences(sentences, vocabulary, 4, weighting)
    wanted = plain_counts(sentences, vocabulary, 4, WEIGHTS[weighting])
    np.testing.assert_allclose(found.toarray(), wanted, rtol=1e-12)
    assert found.nnz == np.count_nonzero(wanted)
    assert found.has_canonical_format
    assert (found != found.T).nnz == 0


def test_windows_wider_than_sentences_and_one_word():
    found = cooccurrences([["a", "b"], ["a"]], Vocabulary("ab", unknown=None), window=50)
    np.testing.assert_array_equal(found.toarray(), [[0, 1], [1, 0]])
    found = cooccurrences([["a", "a", "a"]], Vocabulary("a", unknown=None), window=1)
    np.testing.assert_array_equal(found.toarray(), [[4]])


@pytest.mark.parametrize("sentences", [[], [[]], [["a"], ["b"]], [["x", "y"]]])
def test_a_text_without_neighbours_is_refused(sentences):
    with pytest.raises(ValueError, match="cooccurrences: expected sentences with two words"):
        cooccurrences(sentences, Vocabulary("ab", unknown=None))


def test_a_vocabulary_without_words_and_a_line_of_a_million():
    with pytest.raises(ValueError, match="cooccurrences: expected sentences with two words"):
        cooccurrences([["a", "b"]], Vocabulary([], unknown=None))
    line = [*"abc"] * 333_334
    found = cooccurrences([line], Vocabulary("abc", unknown=None), window=2)
    assert found.sum() == 4 * len(line) - 6  # the ends have fewer neighbours
    assert (found.diagonal() == 0).all()


def test_bad_arguments():
    vocabulary = Vocabulary("ab", unknown=None)
    with pytest.raises(ValueError, match="window of at least 1, got 0"):
        cooccurrences([["a", "b"]], vocabulary, window=0)
    with pytest.raises(ValueError, match="weighting of flat, linear, harmonic, got 'steep'"):
        cooccurrences([["a", "b"]], vocabulary, weighting="steep")
    with pytest.raises(TypeError, match="lists of words, got 'ab'"):
        cooccurrences(["ab"], vocabulary)
    with pytest.raises(ValueError, match="shift above 0, got 0"):
        ppmi(sparse.csr_array((2, 2)), shift=0)
    with pytest.raises(ValueError, match="counts of at least 0, got -1"):
        ppmi(np.array([[1.0, -1.0]]))
    for reduce in (truncated_svd, pca):
        with pytest.raises(ValueError, match=r"below 3 for shape \[3, 4\], got 3"):
            reduce(np.eye(3, 4), 3)
        with pytest.raises(ShapeError, match=r"got shape \[3\]"):
            reduce(np.ones(3), 1)


@pytest.mark.parametrize("shift", [1, 1.5])
@pytest.mark.parametrize("smoothing", [1, 0.75])
def test_ppmi_is_its_formula(shift, smoothing):
    random = np.random.default_rng(0)
    table = random.poisson(random.gamma(0.3, 20, (7, 5))).astype(float)
    table[2] = table[:, 3] = 0
    of_words = table.sum(1) / table.sum()
    of_contexts = table.sum(0) ** smoothing / (table.sum(0) ** smoothing).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(table / table.sum() / np.outer(of_words, of_contexts) / shift)
    wanted = np.where(information > 0, information, 0)
    found = ppmi(sparse.csr_array(table), shift, smoothing)
    np.testing.assert_allclose(found.toarray(), wanted, atol=1e-12)
    assert found.nnz == np.count_nonzero(wanted) > 3


def test_ppmi_of_nothing_is_nothing():
    assert ppmi(sparse.csr_array((3, 4))).nnz == 0


@pytest.mark.parametrize("made", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(12, 9), (9, 12)])
def test_reductions_are_those_of_the_whole_decomposition(made, shape):
    table = np.random.default_rng(0).poisson(1.0, shape).astype(float)
    for centred, found in (
        (table, truncated_svd(made(table), 3, power=1)),
        (table - table.mean(0), pca(made(table), 3)),
    ):
        left, values, _ = np.linalg.svd(centred)
        wanted = left[:, :3] * values[:3]
        np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-10)
        assert (found.max(0) == np.abs(found).max(0)).all()
    even = truncated_svd(made(table), 3, power=0)
    np.testing.assert_allclose(even.T @ even, np.eye(3), atol=1e-10)


def test_reductions_keep_float32_and_the_seed():
    table = sparse.csr_array(np.random.default_rng(0).random((20, 20)), dtype=np.float32)
    for reduce in (truncated_svd, pca):
        found = reduce(table, 4, seed=3)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, reduce(table, 4, seed=3))
