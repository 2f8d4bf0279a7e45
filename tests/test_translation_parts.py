"""`tensorgrad.text`: beam search against all sequences, and files of sentence pairs."""

import itertools
import math
import zipfile

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ShapeError
from tensorgrad.text import beam_search, pieces_of, sentence_pairs, text_of

START, END = 0, 1
WORDS = 5


def chain(seed=0):
    """A chain whose step depends on the last two tokens: the log probabilities, and the step."""
    scores = np.random.default_rng(seed).standard_normal((WORDS, WORDS, WORDS))
    scores[..., START] = -np.inf
    table = scores - np.log(np.exp(scores).sum(-1, keepdims=True))

    def step(last, state):
        before = state["before"][0]
        rows = table[before.numpy(), last.numpy()]
        return tg.tensor(rows), {"before": [last], "nothing": None}

    return table, step


BEGUN = {"before": [tg.tensor([START])], "nothing": None}


def every(table, longest):
    """All sequences and their log probabilities; the longest may be unfinished."""
    for length in range(longest + 1):
        for tokens in itertools.product(range(2, WORDS), repeat=length):
            whole = [START, START, *tokens, *([END] if length < longest else [])]
            score = sum(table[a, b, c] for a, b, c in zip(whole, whole[1:], whole[2:]))
            yield list(tokens), float(score), len(whole) - 2


@pytest.mark.parametrize("power", [0.0, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all(seed, power):
    table, step = chain(seed)
    found = beam_search(step, BEGUN, START, END, beams=100, longest=4, length_power=power)
    wanted = sorted(every(table, 4), key=lambda one: -one[1] / max(1, one[2]) ** power)
    for (tokens, score), (best, known, _) in zip(found[:5], wanted[:5], strict=True):
        assert tokens == best
        assert score == pytest.approx(known, abs=1e-5)


def test_one_beam_is_greedy():
    table, step = chain()
    (tokens, score), *_ = beam_search(step, BEGUN, START, END, beams=1, longest=6, length_power=0)
    before, last, wanted, total = START, START, [], 0.0
    for _ in range(6):
        word = int(table[before, last].argmax())
        total += table[before, last, word]
        if word == END:
            break
        wanted.append(word)
        before, last = last, word
    if tokens == wanted:  # or what ended before was likelier than its way on
        assert score == pytest.approx(total, abs=1e-5)
    else:
        assert score >= total


def test_what_makes_no_sense_is_refused():
    _, step = chain()
    with pytest.raises(ValueError, match="of at least 1, got 0 and 5"):
        beam_search(step, BEGUN, START, END, beams=0, longest=5)
    with pytest.raises(ShapeError, match=r"\(1, V\), got \[5\]"):
        beam_search(lambda last, state: (tg.zeros(5), state), None, START, END)
    dead = beam_search(lambda last, state: (tg.full((1, 3), -math.inf), None), None, START, END)
    assert dead == []


def test_pieces_become_the_text_again():
    text = "j'ai dit: «n'oublie pas», mais tu n'as rien fait (ou peu)!"
    pieces = pieces_of(text.upper().replace("'", "\u2019"))
    assert pieces[:4] == ["j'", "ai", "dit", ":"]
    assert text_of(pieces) == text


def test_pairs_are_read_from_texts_and_archives(tmp_path):
    text = "Go.\tVa !\tnote\r\n\nRun!\tCours !\n"
    path = tmp_path / "pairs.txt"
    path.write_text(text, encoding="utf-8", newline="")
    wanted = [("Go.", "Va !"), ("Run!", "Cours !")]
    assert sentence_pairs(path) == wanted
    packed = tmp_path / "pairs.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr("fra.txt", text)
    assert sentence_pairs(packed) == wanted
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", text)
        archive.writestr("b.txt", text)
    with pytest.raises(ValueError, match="expected one text"):
        sentence_pairs(packed)
    packed.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"expected a \.zip"):
        sentence_pairs(packed)
    path.write_text("one\ttwo\nonly one\n")
    with pytest.raises(ValueError, match="got 'only one' in line 2"):
        sentence_pairs(path)
    path.write_bytes(b"\xff\tx\n")
    with pytest.raises(ValueError, match="expected UTF-8"):
        sentence_pairs(path)
    path.write_text("\n")
    with pytest.raises(ValueError, match="got none"):
        sentence_pairs(path)
