"""`tensorgrad.text.read_trees`, and `LengthSampler`, which makes batches of what it reads."""

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.text import LengthSampler, parse_tree, read_trees

LOVELY = "(3 (2 a) (4 (3 lovely) (2 film)))"


def test_a_tree_is_its_words_and_labelled_phrases():
    tree = parse_tree(LOVELY)
    assert tree.words == ("a", "lovely", "film")
    assert tree.label == 3
    assert list(tree.labelled()) == [
        (("a",), 2),
        (("lovely",), 3),
        (("film",), 2),
        (("lovely", "film"), 4),
        (("a", "lovely", "film"), 3),
    ]


def test_words_are_read_as_people_write_them():
    tree = parse_tree(r"(1 (1 -LRB-) (1 (12 and\/or) (1 -RRB-)))")
    assert tree.words == ("(", "and/or", ")")
    assert tree.phrases[1].label == 12
    assert parse_tree("(0   no  )").words == ("no",)
    assert parse_tree("(2 8\xa01)").words == ("8\xa01",)


def test_no_depth_is_too_deep():
    deep = 20_000
    tree = parse_tree("(1 " * deep + "word" + ")" * deep)
    assert tree.words == ("word",)
    assert len(tree.phrases) == deep


MALFORMED = {
    "no tree": ("", "got 0 open brackets"),
    "a word alone": ("film", "one word in a bracket, got 'film'"),
    "open": ("(3 (2 a)", "got 1 open brackets"),
    "closed twice": ("(2 a))", r"nothing behind the tree, got '\)'"),
    "two trees": ("(2 a) (2 b)", r"nothing behind the tree, got '\('"),
    "no word": ("(2 )", r"a bracket with words in it, got '\)'"),
    "no word within": ("(2 (2 a) (2 ))", r"a bracket with words in it, got '\)'"),
    "no label": ("(2 (a))", "a whole number behind '(', got 'a'"),
    "no whole number": ("(2.5 a)", "a whole number behind '(', got '2.5'"),
    "below 0": ("(-1 a)", "a whole number behind '(', got '-1'"),
    "an end behind a bracket": ("(2 (2 a) (", "a whole number behind '(', got 'the end'"),
    "two words": ("(2 a b)", "one word in a bracket, got 'a'"),
    "a word and a bracket": ("(2 a (2 b))", "one word in a bracket, got 'a'"),
    "a bracket and a word": ("(2 (2 a) b)", "one word in a bracket, got 'b'"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_trees_are_refused(name):
    text, said = MALFORMED[name]
    with pytest.raises(ValueError, match="parse_tree: expected .*" + said.replace("'('", r"'\('")):
        parse_tree(text)


def test_files_have_a_tree_a_line(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(f"{LOVELY}\n\n(0 Größe)\n", encoding="utf-8")
    first, second = read_trees(path)
    assert first == parse_tree(LOVELY)
    assert second.words == ("Größe",)


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(f"{LOVELY}\n\na lovely film\n")
    where = f"got 'a' in line 3 of {re.escape(str(path))}"
    with pytest.raises(ValueError, match=f"parse_tree: expected one word in a bracket, {where}"):
        read_trees(path)
    path.write_bytes(b"(2 Gr\xf6\xdfe)")
    with pytest.raises(ValueError, match="read_trees: expected text in UTF-8, got"):
        read_trees(path)
    path.write_text("\n\n")
    with pytest.raises(ValueError, match="read_trees: expected trees, one a line, got none"):
        read_trees(path)
    with pytest.raises(FileNotFoundError):
        read_trees(tmp_path / "none.txt")


# ---- batches


def test_batches_are_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 60, 1000)
    batches = list(LengthSampler(lengths, 16, pool=10))
    assert sorted(item for batch in batches for item in batch) == list(range(1000))
    assert len(batches) == len(LengthSampler(lengths, 16)) == 63
    assert {len(batch) for batch in batches} <= {16, 1000 % 160 % 16}
    padding = sum(lengths[batch].max() * len(batch) for batch in batches) / lengths.sum()
    assert padding < 1.1  # at random it is 1.8
    for batch in batches:
        assert (np.diff(lengths[batch]) <= 0).all()
    first = [lengths[batch].max() for batch in batches[:20]]
    assert first != sorted(first)


def test_orders_follow_from_the_seed_and_change():
    lengths = list(range(1, 100))
    tg.manual_seed(3)
    sampler = LengthSampler(lengths, 8, pool=3)
    first, second = list(sampler), list(sampler)
    assert first != second
    tg.manual_seed(3)
    assert list(LengthSampler(lengths, 8, pool=3)) == first
    own = [list(LengthSampler(lengths, 8, generator=tg.Generator().manual_seed(5))) for _ in "12"]
    assert own[0] == own[1] != first


def test_without_shuffle_the_short_come_first():
    assert list(LengthSampler([3, 1, 2, 1, 9], 2, shuffle=False)) == [[3, 1], [0, 2], [4]]


def test_a_loader_takes_it():
    items = ["a" * length for length in (5, 1, 4, 2)]
    sampler = LengthSampler([len(item) for item in items], 2, shuffle=False)
    loader = tg.data.DataLoader(items, batch_sampler=sampler, collate_fn=list)
    assert list(loader) == [["aa", "a"], ["aaaaa", "aaaa"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([], 2), "lengths of some items, got shape [0]"),
        (([[1]], 2), "lengths of some items, got shape [1, 1]"),
        (([1], 0), "batch_size of at least 1, got 0"),
        (([1], 2, True, 0), "pool of at least 1, got 0"),
    ],
)
def test_bad_batches_are_refused(given, said):
    with pytest.raises(ValueError, match="LengthSampler: expected .*" + re.escape(said)):
        LengthSampler(*given)
