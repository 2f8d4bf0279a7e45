"""Sequences that a model finds likely, a token at a time: greedy and beam search. Knows a step's
log probabilities, not the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
