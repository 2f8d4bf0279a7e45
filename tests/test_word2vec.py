"""Steps of word vectors: the kernel beside the same steps a word at a time, and learning."""

import itertools

import numpy as np
import pytest

from tensorgrad.kernels.numba import word2vec
from tensorgrad.text import word_steps
from tensorgrad.text.noise import DRAWN, alias_table, seen_shares, word_paths


def tables(words, size, dtype):
    rng = np.random.default_rng(0)
    pitch = -(-size // 16) * 16
    both = np.zeros((2, words, pitch), dtype)
    both[..., :size] = rng.uniform(-0.5, 0.5, (2, words, size))
    return both


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("bagged", [False, True])
@pytest.mark.parametrize(("window", "negatives", "size"), [(3, 4, 5), (1, 1, 100), (7, 20, 40)])
def test_one_worker_does_what_the_plain_steps_do(
    dtype, cbow, by_path, bagged, window, negatives, size
):
    rng = np.random.default_rng(1)
    words = 23
    lengths = [9, 0, 1, 40, 2]
    sentences = [rng.integers(0, words, length).tolist() for length in lengths]
    counts = rng.integers(1, 9, words)
    keep = rng.integers(DRAWN // 2, DRAWN + 1, words)
    noise = None if by_path else alias_table(counts**0.75)
    paths = word_paths(counts) if by_path else None
    tokens = np.array(list(itertools.chain(*sentences)), np.int64)
    bounds = np.cumsum([0, *lengths])
    mine, start = tables(words, size, dtype), tables(words, size, dtype).astype("f8")
    wanted = start.copy()
    ends = np.cumsum([0, *rng.integers(1, 7, words)])
    bags = (ends, rng.integers(0, words, ends[-1])) if bagged else None
    options = noise, paths, window, negatives, cbow, (0.1, 0.02), 7, 1, bags
    word2vec.train(tokens, bounds, *mine, keep, *options)
    word_steps.train(tokens, bounds, *wanted, keep, *options)
    assert np.abs(wanted - start).max() > 0.02
    np.testing.assert_allclose(mine, wanted, rtol=0, atol=200 * np.finfo(dtype).eps)
    assert (mine[..., size:] == 0).all()


def corpus():
    """Sentences of words 0 to 9 or of words 10 to 19, never of both."""
    rng = np.random.default_rng(0)
    topics = rng.integers(0, 2, 2000)[:, None] * 10
    sentences = topics + rng.integers(0, 10, (2000, 10))
    return sentences.reshape(-1), np.arange(2001) * 10


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_words_of_a_topic_come_near_each_other(cbow, by_path, workers):
    tokens, bounds = corpus()
    counts = np.bincount(tokens)
    noise, paths = (None, word_paths(counts)) if by_path else (alias_table(counts), None)
    keep = np.full(20, DRAWN)
    answers = []
    for _ in range(2):
        vectors, outputs = tables(20, 16, np.float32) * np.float32(0.06)
        outputs[:] = 0
        for epoch in range(3):
            word2vec.train(
                tokens, bounds, vectors, outputs, keep, noise, paths, 5, 5, cbow, (0.1, 0.02),
                epoch, workers, None,
            )  # fmt: skip
        answers.append(vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit @ unit.T
    within = np.r_[alike[:10, :10].ravel(), alike[10:, 10:].ravel()].mean()
    assert within > alike[:10, 10:].mean() + 0.5
    if workers == 1:
        np.testing.assert_array_equal(*answers)


def test_an_alias_table_has_the_weights():
    weights = np.array([5.0, 0.0, 1.0, 1.0, 30.0, 2.0, 0.5])
    table = alias_table(weights)
    shares = np.zeros(len(weights))
    for word, entry in enumerate(table.view(np.uint64).tolist()):
        own = (entry >> 32) / DRAWN
        shares[word] += own
        shares[entry % DRAWN] += 1 - own
    np.testing.assert_allclose(shares / len(weights), weights / weights.sum(), atol=1e-8)


def test_frequent_words_are_seen_less():
    shares = seen_shares(np.array([989, 10, 1]), 0.01) / DRAWN
    np.testing.assert_allclose(shares[:2], [np.sqrt(0.01 / 0.989) + 0.01 / 0.989, 1], atol=1e-6)
    assert seen_shares(np.array([3, 1]), 0).tolist() == [DRAWN, DRAWN]


def test_the_loss_is_that_of_the_right_and_the_wrong_words():
    inputs, outputs = tables(3, 4, np.float64)
    tokens, bounds = np.array([0, 1]), np.array([0, 2])
    paths = word_paths([1, 2, 3])
    score = {
        (word, node): float(outputs[node] @ inputs[word]) for word in range(3) for node in range(2)
    }
    wanted = []
    for word, other in ((0, 1), (1, 0)):
        steps = [step for step in paths[word].tolist() if step[0] >= 0]
        signed = [(2 * right - 1) * score[other, node] for node, right in steps]
        wanted.append(-sum(np.log(1 / (1 + np.exp(-value))) for value in signed))
    found = word_steps.loss(tokens, bounds, inputs, outputs, None, paths, 1, 0, False, None)
    assert found == pytest.approx(np.mean(wanted), rel=1e-12)
