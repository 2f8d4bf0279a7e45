"""Sequences that a model finds likely: beam search a token at a time; of connectionist temporal
classification (CTC) the best path, and beam search over prefixes. Knows log probabilities, not the
model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ShapeError
from tensorgrad.modes import no_grad
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.indexing import index_select

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

# (the last tokens (N,), the state of N sequences) -> (log probabilities (N, V), the state after)
Step = Callable[["Tensor", Any], tuple["Tensor", Any]]


def chosen(state: Any, places: Tensor) -> Any:
    """The state of the sequences at these places: of each tensor in it, in tuples, lists and dicts,
    the rows; None stays.
    """
    if state is None:
        return None
    if isinstance(state, dict):
        return {name: chosen(part, places) for name, part in state.items()}
    if isinstance(state, tuple | list):
        return type(state)([chosen(part, places) for part in state])
    return index_select(state, 0, places)


def beam_search(
    step: Step,
    state: Any,
    start: int,
    end: int,
    beams: int = 5,
    longest: int = 50,
    length_power: float = 0.7,
) -> list[tuple[list[int], float]]:
    """The best continuations of one sequence, the best first: their tokens, without `start` and
    `end`, and their log probabilities.

    step: see `Step`; state: of one sequence, tensors with a first dimension of 1. Of `beams`
    sequences at a time all continuations are scored, and the best kept; one that reaches `end`, or
    `longest` tokens, is finished. They are ranked by log probability / length^length_power, since
    each token makes a sequence less likely (Wu et al. 2016, https://arxiv.org/abs/1609.08144);
    length_power 0 ranks by probability. beams=1 is greedy.
    """
    if beams < 1 or longest < 1:
        raise ValueError(
            f"beam_search: expected beams and longest of at least 1, got {beams} and {longest}"
        )
    alive: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[float, list[int], float]] = []

    def finish(tokens: list[int], score: float, length: int) -> None:
        finished.append((score / max(1, length) ** length_power, tokens, score))

    with no_grad():
        for length in range(1, longest + 1):
            last = tensor([tokens[-1] if tokens else start for tokens, _ in alive])
            found, state = step(last, state)
            if found.ndim != 2 or found.shape[0] != len(alive):
                raise ShapeError(
                    f"beam_search: expected log probabilities ({len(alive)}, V), got "
                    f"{list(found.shape)}"
                )
            scores = found + tensor([score for _, score in alive], dtype=found.dtype)[:, None]
            words = scores.shape[1]
            # More than the beams, for some may end here.
            best = scores.reshape(-1).topk(min(2 * beams, scores.numel()))
            places: list[int] = []
            kept: list[tuple[list[int], float]] = []
            for score, flat in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                row, token = divmod(flat, words)
                if score == -float("inf"):
                    break
                if token == end:
                    finish(alive[row][0], score, length)
                elif len(kept) < beams:
                    kept.append(([*alive[row][0], token], score))
                    places.append(row)
            alive = kept
            # Scores only fall, and none is divided by more than the longest one's.
            hope = alive[0][1] / longest**length_power if alive else -float("inf")
            if sum(score >= hope for score, _, _ in finished) >= beams or not alive:
                break
            state = chosen(state, tensor(places))
        else:
            for tokens, score in alive:
                finish(tokens, score, longest)
    finished.sort(key=lambda one: -one[0])
    return [(tokens, score) for _, tokens, score in finished[:beams]]


def _steps(name: str, log_probs: Tensor, shape: str, blank: int) -> np.ndarray[Any, Any]:
    """The array of what CTC decodes: steps, classes, and what `shape` has between them."""
    if log_probs.ndim != shape.count(",") + 1 or not 0 <= blank < log_probs.shape[-1]:
        raise ShapeError(
            f"{name}: expected log probabilities {shape} and a blank in [0, C), got "
            f"{list(log_probs.shape)} and {blank}"
        )
    return log_probs.detach().cpu().numpy()


def ctc_best_path(
    log_probs: Tensor, input_lengths: Tensor | Sequence[int] | None = None, blank: int = 0
) -> list[list[int]]:
    """What each sample's likeliest class at each step spells: equal neighbours merged, then blanks
    left out. A letter is doubled only where a blank parts the two.

    log_probs: (T, N, C), or any scores that rise with them. input_lengths: steps of each sample, T
    unless given. Its spelling need not be the likeliest one, whose probability is a sum over paths;
    see `ctc_beam_search`. Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    Raises:
        ShapeError: log_probs have no such shape, or there are not N lengths of 0 to T.
    """
    path = _steps("ctc_best_path", log_probs, "(T, N, C)", blank).argmax(-1)
    steps, count = path.shape
    lengths = np.full(count, steps) if input_lengths is None else np.asarray(input_lengths)
    if lengths.shape != (count,) or (lengths < 0).any() or (lengths > steps).any():
        raise ShapeError(
            f"ctc_best_path: expected {count} lengths from 0 to {steps}, got {lengths.tolist()}"
        )
    kept = (path != blank) & (np.arange(steps)[:, None] < lengths)
    kept[1:] &= path[1:] != path[:-1]
    return [path[kept[:, sample], sample].tolist() for sample in range(count)]


def ctc_beam_search(
    log_probs: Tensor, beams: int = 10, blank: int = 0
) -> list[tuple[list[int], float]]:
    """The likeliest spellings of one sample, the best first: their classes, and the logarithms of
    their probabilities, each the sum over all paths that spell it and never left the beam.

    log_probs: (T, C). After each step the `beams` likeliest beginnings are kept; with as many as
    there can be, the sums are exact. Graves and Jaitly 2014,
    https://proceedings.mlr.press/v32/graves14.html

    Raises:
        ShapeError: log_probs have no such shape.
        ValueError: fewer than one beam.
    """
    array = _steps("ctc_beam_search", log_probs, "(T, C)", blank).astype(np.float64)
    if beams < 1:
        raise ValueError(f"ctc_beam_search: expected beams of at least 1, got {beams}")
    never = -float("inf")
    # Of each beginning: log P of the paths that end in a blank, and of those that end in its last
    # class, after which the same class says nothing new.
    alive: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, never)}
    for row in array.tolist():
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [never, never])
        for prefix, (paused, spoken) in alive.items():
            either = float(np.logaddexp(paused, spoken))
            for token, score in enumerate(row):
                if token == blank:
                    ways = [(prefix, 0, either)]
                elif prefix and token == prefix[-1]:
                    ways = [(prefix, 1, spoken), ((*prefix, token), 1, paused)]
                else:
                    ways = [((*prefix, token), 1, either)]
                for beginning, way, before in ways:
                    scores = after[beginning]
                    scores[way] = float(np.logaddexp(scores[way], before + score))
        ranked = sorted(after.items(), key=lambda one: -float(np.logaddexp(one[1][0], one[1][1])))
        alive = {prefix: (paused, spoken) for prefix, (paused, spoken) in ranked[:beams]}
    return [(list(prefix), float(np.logaddexp(*scores))) for prefix, scores in alive.items()]
