"""What CTC's scores spell: against all paths, and against the loss."""

import itertools
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ShapeError
from tensorgrad.text import ctc_beam_search, ctc_best_path


def scores(steps, classes, seed):
    values = np.random.default_rng(seed).standard_normal((steps, classes)) * 2
    return tg.tensor(values).log_softmax(-1)


def spelled(path, blank):
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


def every(log_probs, blank):
    """The probability of each spelling, summed over its paths."""
    steps, classes = log_probs.shape
    found: dict = {}
    for path in itertools.product(range(classes), repeat=steps):
        score = sum(log_probs[step, token].item() for step, token in enumerate(path))
        spelling = spelled(path, blank)
        found[spelling] = found.get(spelling, 0.0) + math.exp(score)
    return found


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_sums_all_paths(seed, blank):
    log_probs = scores(5, 3, seed)
    found = ctc_beam_search(log_probs, 1000, blank)
    known = every(log_probs, blank)
    possible = {spelling for spelling, share in known.items() if share}
    assert {tuple(tokens) for tokens, score in found if score > -math.inf} == possible
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    for tokens, score in found:
        if score > -math.inf:
            assert score == pytest.approx(math.log(known[tuple(tokens)]), abs=1e-9)


def test_a_beams_score_is_the_loss_of_what_it_spells():
    log_probs = scores(6, 4, 1)
    tokens, score = ctc_beam_search(log_probs, 1000)[0]
    loss = tg.nn.functional.ctc_loss(
        log_probs, tg.tensor(tokens), tg.tensor([6]), tg.tensor([len(tokens)]), reduction="sum"
    )
    assert loss.item() == pytest.approx(-score, abs=1e-9)


def test_the_best_path_merges_repeats_and_leaves_out_blanks():
    path = [[0, 1, 1, 0, 1, 2, 2], [3, 3, 3, 3, 0, 0, 3], [0] * 7, [1, 2, 1, 2, 2, 2, 2]]
    one_hot = tg.nn.functional.one_hot(tg.tensor(path).T, 4).to(tg.float32)
    assert ctc_best_path(one_hot) == [[1, 1, 2], [3, 3], [], [1, 2, 1, 2]]
    assert ctc_best_path(one_hot, tg.tensor([4, 5, 7, 0])) == [[1], [3], [], []]
    assert ctc_best_path(one_hot, blank=3) == [[0, 1, 0, 1, 2], [0], [0], [1, 2, 1, 2]]
    assert ctc_best_path(tg.zeros(0, 2, 4)) == [[], []]


def test_the_likeliest_spelling_is_not_always_the_best_paths():
    """Blank is the likeliest class at both steps, and "a" the likeliest spelling."""
    log_probs = tg.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert ctc_best_path(log_probs[:, None]) == [[]]
    (tokens, score), (other, less) = ctc_beam_search(log_probs, 2)
    assert (tokens, other) == ([1], [])
    assert math.exp(score) == pytest.approx(0.64)
    assert math.exp(less) == pytest.approx(0.36)


def test_what_no_net_gives_is_refused():
    with pytest.raises(ShapeError, match=r"ctc_best_path: expected .*\(T, N, C\).*got \[5, 3\]"):
        ctc_best_path(tg.zeros(5, 3))
    with pytest.raises(ShapeError, match=r"expected 2 lengths from 0 to 5, got \[5, 6\]"):
        ctc_best_path(tg.zeros(5, 2, 3), [5, 6])
    with pytest.raises(ShapeError, match=r"ctc_beam_search: expected .*got \[5, 1, 3\] and 0"):
        ctc_beam_search(tg.zeros(5, 1, 3))
    with pytest.raises(ShapeError, match=r"blank in \[0, C\), got \[5, 3\] and 3"):
        ctc_beam_search(tg.zeros(5, 3), blank=3)
    with pytest.raises(ValueError, match="beams of at least 1, got 0"):
        ctc_beam_search(tg.zeros(5, 3), beams=0)
