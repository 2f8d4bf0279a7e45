"""Procrustes, retrieval by CSLS and pairs of translations, beside their formulas written out."""

import numpy as np
import pytest

from tensorgrad.errors import ShapeError
from tensorgrad.text import (
    Alignment,
    KeyedVectors,
    Vocabulary,
    alignment,
    procrustes,
    translation_pairs,
)


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def languages(count=60, size=8, noise=0.0, seed=0):
    """Words a0, a1, ... and their translations b0, b1, ..., turned and blurred."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, size))
    blurred = vectors @ rotation(size) + noise * random.standard_normal((count, size))
    return (
        KeyedVectors([f"a{n}" for n in range(count)], vectors),
        KeyedVectors([f"b{n}" for n in range(count)], blurred),
        [(f"a{n}", f"b{n}") for n in range(count)],
    )


def test_procrustes_finds_the_rotation_and_nothing_better_is_near():
    random = np.random.default_rng(1)
    source, turn = random.standard_normal((30, 5)), rotation(5)
    np.testing.assert_allclose(procrustes(source, source @ turn), turn, atol=1e-12)
    target = source @ turn + 0.3 * random.standard_normal((30, 5))
    found = procrustes(source, target)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-12)
    least = np.linalg.norm(source @ found - target)
    for seed in range(20):
        skew = 0.05 * np.random.default_rng(seed).standard_normal((5, 5))
        other = np.linalg.qr(found + skew)[0]
        other *= np.sign(np.sum(other * found, 0))
        assert np.linalg.norm(source @ other - target) > least


def test_a_rotation_is_undone():
    source, target, pairs = languages()
    found = Alignment(source, target, pairs[:20])
    assert found.precision(pairs[20:]) == {1: 1.0, 5: 1.0}
    assert found.translations(["a41", "a3"], topn=1) == [["b41"], ["b3"]]
    mapped, aims = found.vectors(["a41"], ["b41", "b2"])
    np.testing.assert_allclose(mapped[0], aims[0], atol=1e-6)


@pytest.mark.parametrize("at_once", [7, 512])
@pytest.mark.parametrize("csls", [False, True])
def test_retrieval_is_its_formula(monkeypatch, csls, at_once):
    monkeypatch.setattr(alignment, "AT_ONCE", at_once)
    source, target, pairs = languages(noise=0.5)
    found = Alignment(source, target, pairs[:30], neighbours=4)
    mapped, aims = found.vectors(source.index_to_key, target.index_to_key)
    cosines = mapped @ aims.T
    scores = 2 * cosines
    if csls:
        scores -= np.sort(cosines, 1)[:, -4:].mean(1)[:, None]
        scores -= np.sort(cosines, 0)[-4:].mean(0)
    wanted = np.argsort(-scores, 1)[:, :3]
    answers = found.translations(source.index_to_key, 3, csls)
    assert answers == [[f"b{place}" for place in row] for row in wanted.tolist()]
    ranks = [
        (f"b{n}" == np.array(row)).argmax() if f"b{n}" in row else 9
        for n, row in enumerate(answers)
    ]
    shares = {k: np.mean(np.array(ranks) < k) for k in (1, 3)}
    assert found.precision(pairs, at=(1, 3), csls=csls) == pytest.approx(shares)
    assert 0 < shares[1] < shares[3] < 1


def test_any_of_several_translations_is_right_and_unknown_words_are_passed_over():
    source, target, pairs = languages()
    found = Alignment(source, target, [*pairs, ("a0", "nobody"), ("nobody", "b0")])
    assert found.precision([("a0", "b9"), ("a0", "b0"), ("a1", "b9"), ("x", "b1")], at=[1]) == {
        1: 0.5
    }


def test_refinement_makes_more_of_a_small_dictionary():
    source, target, pairs = languages(count=400, size=20, noise=0.1)
    few = Alignment(source, target, pairs[:15]).precision(pairs[15:])[1]
    refined = Alignment(source, target, pairs[:15], refinements=4).precision(pairs[15:])[1]
    assert few < 0.9
    assert refined > 0.98


def test_bad_input():
    source, target, pairs = languages()
    with pytest.raises(ValueError, match=r"Alignment: expected pairs .*, got none in 1 pairs"):
        Alignment(source, target, [("x", "b1")])
    with pytest.raises(ValueError, match="none in 0 pairs"):
        Alignment(source, target, [])
    with pytest.raises(ShapeError, match="one size, got 8 and 5"):
        Alignment(source, languages(size=5)[1], pairs)
    with pytest.raises(ValueError, match="neighbours from 1 to 60, got 61"):
        Alignment(source, target, pairs, neighbours=61)
    found = Alignment(source, target, pairs)
    with pytest.raises(KeyError, match="a known word, got 'x'"):
        found.translations(["x"])
    with pytest.raises(TypeError, match="list of words, got 'a1'"):
        found.translations("a1")
    with pytest.raises(ValueError, match="topn from 1 to 60, got 0"):
        found.translations(["a1"], topn=0)
    with pytest.raises(ValueError, match="precision: expected pairs"):
        found.precision([("x", "y")])
    with pytest.raises(ShapeError, match=r"one shape with rows, got \[2, 3\] and \[3, 2\]"):
        procrustes(np.ones((2, 3)), np.ones((3, 2)))


SENTENCES = ["the red house", "the house", "red red wine", "the wine", "the pear"]
TRANSLATED = ["la maison rouge", "la maison", "du vin rouge rouge", "le vin", "la poire"]


def split(sentences):
    words = [sentence.split() for sentence in sentences]
    return words, Vocabulary((word for line in words for word in line), unknown=None)


def test_pairs_are_those_that_keep_company():
    pytest.importorskip("scipy")
    (first, known), (second, understood) = split(SENTENCES), split(TRANSLATED)
    found = translation_pairs(first, second, known, understood, least=0.9)
    assert set(found) >= {("house", "maison"), ("red", "rouge"), ("wine", "vin")}
    # "the" is in three sentences, "la" in two of them: 2 * 2 / (3 + 2).
    assert ("the", "la") not in found
    # "house" and "la" go together as well as "house" and "maison": the first of equals is taken.
    assert (
        len({source for source, _ in found}) == len({target for _, target in found}) == len(found)
    )
    with pytest.raises(ValueError, match="translation for each, got 5 and 4"):
        translation_pairs(first, second[1:], known, understood)
    with pytest.raises(ValueError, match="got 0 and 0"):
        translation_pairs([], [], known, understood)
