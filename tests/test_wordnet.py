"""WordNet's files: meanings, forms, what is above what and how near, on a small lexicon; and the
figures that are known of the real one, where it is installed.
"""

import importlib
from pathlib import Path

import pytest

from tensorgrad.errors import SerializationError
from tensorgrad.text import WordNet

REAL = Path("/usr/share/wordnet")
MEANINGS = [
    ("n", "entity", ""),
    ("n", "animal beast", "entity"),
    ("n", "bird", "animal"),
    ("n", "dog hound", "animal"),
    ("n", "poodle poodle_dog", "dog"),
    ("n", "frump dog", "entity"),
    ("n", "box", "entity"),
    ("n", "church", "entity"),
    ("n", "island", ""),
    ("v", "move", ""),
    ("v", "run", "move"),
    ("v", "think", ""),
    ("v", "be", ""),
    ("a", "big(p) large", ""),
    ("s", "huge", ""),
]


@pytest.fixture
def folder(tmp_path):
    importlib.import_module("wordnet").write_lexicon(tmp_path, MEANINGS)
    (tmp_path / "verb.exc").write_text("ran run\nwas be\n")
    return tmp_path


@pytest.fixture
def lexicon(folder):
    return WordNet(folder)


def names(synsets):
    return [synset.name for synset in synsets]


def test_meanings_of_words(lexicon):
    assert names(lexicon.synsets("dog")) == ["dog.n.01", "frump.n.01"]
    assert names(lexicon.synsets("Dog", "n")) == ["dog.n.01", "frump.n.01"]
    assert lexicon.synsets("dog", "v") == lexicon.synsets("nothing") == []
    dog = lexicon.synset("dog.n.01")
    assert dog.words == ("dog", "hound")
    assert dog.gloss == "dog is what it is"
    assert names(lexicon.hypernyms(dog)) == ["animal.n.01"]
    assert names(lexicon.hyponyms(dog)) == ["poodle.n.01"]
    assert lexicon.synset("dog.n.02").name == "frump.n.01"
    assert lexicon.synonyms("dog") == ["hound", "frump"]
    assert lexicon.synonyms("nothing") == []
    assert lexicon.synset("big.a.01").words == ("big", "large")
    assert names(lexicon.synsets("huge", "a")) == ["huge.s.01"]
    assert lexicon.synset("huge.s.01").pos == "s"


@pytest.mark.parametrize(
    ("form", "pos", "base"),
    [
        ("dogs", "n", ["dog"]), ("boxes", "n", ["box"]), ("churches", "n", ["church"]),
        ("Poodle dog", "n", ["poodle_dog"]), ("ran", "v", ["run"]), ("moving", "v", ["move"]),
        ("moved", "v", ["move"]), ("was", "v", ["be"]), ("bigs", "a", []),
        ("larger", "a", ["large"]),
        ("s", "n", []), ("", "n", []),
    ],
)  # fmt: skip
def test_base_forms(lexicon, form, pos, base):
    assert lexicon.base_forms(form, pos) == base


def test_similarities_are_their_formulas(lexicon):
    dog, bird, poodle, box = map(lexicon.synset, ("dog.n.1", "bird.n.1", "poodle.n.1", "box.n.1"))
    assert lexicon.path_similarity(dog, dog) == lexicon.wup_similarity(dog, dog) == 1
    assert lexicon.path_similarity(dog, bird) == lexicon.path_similarity(bird, dog) == 1 / 3
    assert lexicon.path_similarity(poodle, box) == 1 / 5
    # animal has depth 2: poodle is 2 steps below it, bird 1.
    assert lexicon.wup_similarity(poodle, bird) == pytest.approx(4 / (4 + 3))
    assert lexicon.wup_similarity(poodle, dog) == pytest.approx(6 / (6 + 1))
    assert lexicon.wup_similarity(poodle, box) == pytest.approx(2 / (2 + 4))
    assert lexicon.path_similarity(dog, lexicon.synset("island.n.01")) is None
    assert lexicon.wup_similarity(dog, lexicon.synset("run.v.01")) is None
    run, think = lexicon.synset("run.v.01"), lexicon.synset("think.v.01")
    assert lexicon.path_similarity(run, think) == 1 / 4  # by the top above move and think
    assert lexicon.wup_similarity(run, think) == 2 / (2 + 3)


def test_words_are_as_near_as_their_nearest_meanings(lexicon):
    assert lexicon.similarity("dogs", "frump") == lexicon.similarity("dog", "hound", "path") == 1
    assert lexicon.similarity("poodle", "bird", "path") == 1 / 4
    assert lexicon.similarity("dog", "nothing") is None
    assert lexicon.similarity("dog", "think") is None
    with pytest.raises(ValueError, match="measure of path, wup, got 'lin'"):
        lexicon.similarity("dog", "bird", "lin")


def test_bad_input(lexicon, folder):
    for name in ("cat.n.01", "dog.n.03", "dog.n.00", "dog.n", "dog", "dog.x.01", "dog.n.one"):
        with pytest.raises(KeyError, match=r"expected a known meaning as 'dog.n.01'"):
            lexicon.synset(name)
    with pytest.raises(ValueError, match="part of speech of n, v, a, got 'r'"):
        lexicon.synsets("dog", "r")
    with pytest.raises(FileNotFoundError, match=r"index.noun, data.noun and the like"):
        WordNet(folder / "nowhere")
    index, data = folder / "index.noun", folder / "data.noun"
    written = index.read_text()
    data.write_bytes(data.read_bytes()[3:])
    with pytest.raises(SerializationError, match=r"a meaning at byte \d+ of data.noun, got"):
        WordNet(folder).synsets("dog")
    for damaged in ("dog n\n", "dog n 9 1 @ 9 0 00000000\n", "a file of something else\n"):
        index.write_text(written + damaged)
        with pytest.raises(SerializationError, match=r"a word and its meanings, got .* index.noun"):
            WordNet(folder)
    index.write_bytes(b"\xff\xfe\n")
    with pytest.raises(SerializationError, match="expected text in UTF-8"):
        WordNet(folder)


@pytest.mark.skipif(not (REAL / "data.noun").is_file(), reason="wordnet-base is not installed")
def test_the_real_one_has_the_figures_of_nltks_page():
    lexicon = WordNet(REAL)
    dog, cat, hit, slap = map(lexicon.synset, ("dog.n.01", "cat.n.01", "hit.v.01", "slap.v.01"))
    assert lexicon.path_similarity(dog, cat) == pytest.approx(0.2)
    assert lexicon.wup_similarity(dog, cat) == pytest.approx(0.857, abs=5e-4)
    assert lexicon.path_similarity(hit, slap) == pytest.approx(1 / 7)
    assert lexicon.wup_similarity(hit, slap) == pytest.approx(0.25)
    assert names(lexicon.hypernyms(dog)) == ["canine.n.02", "domestic_animal.n.01"]
    assert lexicon.base_forms("abaci", "n") == ["abacus"]
