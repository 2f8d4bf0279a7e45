"""`tensorgrad.text.GloVe`: products that become logarithms of counts."""

import numpy as np
import pytest

from tensorgrad.text import GloVe, Vocabulary


def topics(count=200):
    """Sentences of the words a0 to a5 or of b0 to b5, never of both."""
    random = np.random.default_rng(0)
    return [[f"{'ab'[n % 2]}{k}" for k in random.integers(0, 6, 8)] for n in range(count)]


def test_words_that_meet_come_near(backend):
    model = GloVe(topics(), vector_size=6, window=4, min_count=1, epochs=20, batch_size=32)
    assert model.losses[-1] < 0.2 * model.losses[0]
    assert {word[0] for word, _ in model.wv.most_similar("b3", topn=4)} == {"b"}
    again = GloVe(topics(), vector_size=6, window=4, min_count=1, epochs=20, batch_size=32)
    np.testing.assert_array_equal(again.wv.vectors, model.wv.vectors)


def test_counts_of_one_rank_are_met_exactly(backend):
    sparse = pytest.importorskip("scipy.sparse")
    scales = np.array([1.0, 2.0, 5.0, 20.0])
    model = GloVe(vector_size=2, x_max=10, epochs=300, batch_size=16, learning_rate=0.5)
    vocabulary = Vocabulary("abcd", unknown=None)
    losses = model.fit(sparse.csr_array(np.outer(scales, scales)), vocabulary)
    assert losses[-1] < 1e-4  # biases alone can do it
    assert losses[0] > 1


def test_counts_that_are_none_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    vocabulary = Vocabulary("abcd", unknown=None)
    with pytest.raises(ValueError, match=r"shape \(4, 4\), got \(3, 4\)"):
        GloVe().fit(sparse.csr_array(np.ones((3, 4))), vocabulary)
    with pytest.raises(ValueError, match="counts > 0"):
        GloVe().fit(sparse.csr_array(-np.ones((4, 4))), vocabulary)
    with pytest.raises(ValueError, match="epochs of at least 1, got 0"):
        GloVe(epochs=0)
    with pytest.raises(ValueError, match="two words of the vocabulary, got none"):
        GloVe([[]])
    with pytest.raises(TypeError, match="lists of words"):
        GloVe(["a text"])
