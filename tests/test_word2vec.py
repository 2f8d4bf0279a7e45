"""Word vectors from running text: the kernel beside the same steps in plain words, and learning."""

import itertools

import numpy as np
import pytest

from tensorgrad.kernels.numba import word2vec
from tensorgrad.nn.word_losses import huffman_paths

MASK = 2**64 - 1


def tree(counts):
    """Paths (V, longest, 2) of a Huffman tree."""
    found = huffman_paths(list(counts))
    paths = np.full((len(found), max(map(len, found)), 2), -1, np.int64)
    for word, path in enumerate(found):
        for place, (node, sign) in enumerate(path):
            paths[word, place] = node, sign > 0
    return paths


class Draws:
    """The generator, of one worker."""

    def __init__(self, seed):
        self.state = seed
        self.draw()
        self.draw()

    def draw(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return self.state >> 32

    def below(self, count):
        return self.draw() * count >> 32

    def noise(self, table):
        product = self.draw() * len(table)
        entry = int(table.view(np.uint64)[product >> 32])
        return product >> 32 if product % 2**32 < entry >> 32 else entry % 2**32


def plainly(sentences, inputs, outputs, keep, noise, paths, window, negatives, cbow, rates, seed):
    """The same steps, one word after another, in place."""
    draws = Draws(seed)
    whole, done = sum(map(len, sentences)), 0
    for sentence in sentences:
        rate = rates[0] + (rates[1] - rates[0]) * done / whole
        done += len(sentence)
        words = [word for word in sentence if draws.draw() < keep[word]]
        for place, word in enumerate(words):
            reach = 1 + draws.below(window)
            if paths is None:
                drawn = [draws.noise(noise) for _ in range(negatives)]
                rows = [word, *(other for other in drawn if other != word)]
                labels = [1] + [0] * (len(rows) - 1)
            else:
                rows, labels = zip(*[step for step in paths[word] if step[0] >= 0], strict=True)
            around = words[max(0, place - reach) : place] + words[place + 1 : place + reach + 1]
            if not around:
                continue
            rows, labels = np.array(rows), np.array(labels)
            a, b = inputs[around], outputs[rows]
            if cbow:
                a = a.mean(0, keepdims=True)
            step = rate * (labels - 1 / (1 + np.exp(-a @ b.T)))
            np.add.at(inputs, around, step @ b)
            np.add.at(outputs, rows, step.T @ a)


def tables(words, size, dtype):
    rng = np.random.default_rng(0)
    pitch = word2vec.pitch(size, dtype)
    both = np.zeros((2, words, pitch), dtype)
    both[..., :size] = rng.uniform(-0.5, 0.5, (2, words, size))
    return both


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize(("window", "negatives", "size"), [(3, 4, 5), (1, 1, 100), (7, 20, 40)])
def test_one_worker_does_what_the_plain_steps_do(dtype, cbow, by_path, window, negatives, size):
    rng = np.random.default_rng(1)
    words = 23
    lengths = [9, 0, 1, 40, 2]
    sentences = [rng.integers(0, words, length).tolist() for length in lengths]
    counts = rng.integers(1, 9, words)
    keep = rng.integers(word2vec.DRAWN // 2, word2vec.DRAWN + 1, words)
    noise = None if by_path else word2vec.alias_table(counts**0.75)
    paths = tree(counts) if by_path else None
    tokens = np.array(list(itertools.chain(*sentences)), np.int64)
    bounds = np.cumsum([0, *lengths])
    mine, start = tables(words, size, dtype), tables(words, size, dtype).astype("f8")
    wanted = start.copy()
    options = {"window": window, "negatives": negatives, "cbow": cbow, "rates": (0.1, 0.02)}
    word2vec.train(
        tokens, bounds, *mine, keep, noise=noise, paths=paths, seed=7, workers=1, **options
    )
    plainly(sentences, *wanted, keep, noise, paths, seed=7, **options)
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
    how = {"paths": tree(counts)} if by_path else {"noise": word2vec.alias_table(counts)}
    keep = np.full(20, word2vec.DRAWN)
    answers = []
    for _ in range(2):
        vectors, outputs = tables(20, 16, np.float32) * np.float32(0.06)
        outputs[:] = 0
        for epoch in range(3):
            word2vec.train(
                tokens, bounds, vectors, outputs, keep, cbow=cbow, workers=workers, seed=epoch,
                rates=(0.1, 0.02), **how,
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
    table = word2vec.alias_table(weights)
    shares = np.zeros(len(weights))
    for word, entry in enumerate(table.view(np.uint64).tolist()):
        own = (entry >> 32) / word2vec.DRAWN
        shares[word] += own
        shares[entry % word2vec.DRAWN] += 1 - own
    np.testing.assert_allclose(shares / len(weights), weights / weights.sum(), atol=1e-8)


def test_what_does_not_fit_is_refused():
    tokens, bounds = corpus()
    table, keep = np.zeros((20, word2vec.pitch(16, "f4")), "f4"), np.zeros(20, np.int64)
    noise = word2vec.alias_table(np.ones(20))
    with pytest.raises(ValueError, match="noise or paths, got none"):
        word2vec.train(tokens, bounds, table, table.copy(), keep)
    with pytest.raises(ValueError, match="negatives > 0, got 0"):
        word2vec.train(tokens, bounds, table, table.copy(), keep, noise=noise, negatives=0)
    with pytest.raises(ValueError, match="tables of one dtype"):
        word2vec.train(tokens, bounds, table[:, :5].copy(), table, keep, noise=noise)
    with pytest.raises(ValueError, match="words in"):
        word2vec.train(tokens + 1, bounds, table, table.copy(), keep, noise=noise)
