"""Checks of word vectors: one warp does what the steps do a word at a time."""

from __future__ import annotations

from itertools import chain, product
from typing import Any

import numpy as np

from tensorgrad.text import word_steps
from tensorgrad.text.noise import DRAWN, alias_table, word_paths
from tests.cuda_ladder.checking import FULL, check

WORDS = 23
LENGTHS = [9, 0, 1, 40, 2]
# (window, words of noise, numbers of a vector)
SIZES = [(3, 4, 5), (1, 1, 70), (7, 20, 33)]


def text(seed: int = 1, lengths: list[int] = LENGTHS) -> tuple[Any, ...]:
    """Tokens, bounds, shares kept, and weights of words."""
    rng = np.random.default_rng(seed)
    sentences = [rng.integers(0, WORDS, length).tolist() for length in lengths]
    tokens = np.array(list(chain(*sentences)), np.int64)
    keep = rng.integers(DRAWN // 2, DRAWN + 1, WORDS)
    return tokens, np.cumsum([0, *lengths]), keep, rng.integers(1, 9, WORDS)


def agree(backend: Any, dtype: Any, size: Any, cbow: bool, by_path: bool, bagged: bool) -> None:
    window, negatives, numbers = size
    tokens, bounds, keep, counts = text()
    rng = np.random.default_rng(2)
    start = rng.uniform(-0.5, 0.5, (2, WORDS, numbers))
    noise = None if by_path else alias_table(counts**0.75)
    paths = word_paths(counts) if by_path else None
    ends = np.cumsum([0, *rng.integers(1, 7, WORDS)])
    bags = (ends, rng.integers(0, WORDS, ends[-1])) if bagged else None
    options = keep, noise, paths, window, negatives, cbow, (0.1, 0.02), 7, 1, bags
    found, want = start.astype(dtype), start.copy()
    assert backend.word_steps(tokens, bounds, *found, *options) is None
    word_steps.train(tokens, bounds, *want, *options)
    assert np.abs(want - start).max() > 0.02
    np.testing.assert_allclose(found, want, rtol=0, atol=200 * np.finfo(dtype).eps)


@check("words.cu", FULL)
def steps_of_one_warp(backend: Any, dtype: Any, small: bool) -> None:
    for size in SIZES[:1] if small else SIZES:
        for cbow, by_path, bagged in product((False, True), repeat=3):
            if not bagged or size == SIZES[0]:
                agree(backend, dtype, size, cbow, by_path, bagged)


@check("words.cu", FULL)
def sentences_are_shared_out(backend: Any, dtype: Any, small: bool) -> None:
    """Warps that meet nowhere do what one does: a word of each sentence is its alone."""
    if small:
        return
    lengths = [5] * 4
    tokens = np.arange(20).reshape(4, 5).repeat(1).astype(np.int64)
    paths = np.full((WORDS, 1, 2), -1, np.int64)
    paths[:, 0] = [[word // 5, word % 2] for word in range(WORDS)]
    start = np.random.default_rng(3).uniform(-0.5, 0.5, (2, WORDS, 8))
    options = np.full(WORDS, DRAWN), None, paths, 1, 0, False, (0.1, 0.1), 7
    want = start.copy()
    word_steps.train(tokens, np.cumsum([0, *lengths]), *want, *options, 1, None)
    for workers in (1, 3, 9):
        found = start.astype(dtype)
        backend.word_steps(tokens, np.cumsum([0, *lengths]), *found, *options, workers, None)
        np.testing.assert_allclose(found, want, rtol=0, atol=100 * np.finfo(dtype).eps)
