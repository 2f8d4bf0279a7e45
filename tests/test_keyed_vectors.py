"""`tensorgrad.text.KeyedVectors`: neighbours, gold sets and files, and gensim's beside it."""

import numpy as np
import pytest

from tensorgrad.errors import SerializationError, ShapeError
from tensorgrad.text import KeyedVectors, LineSentences


def vectors(count=40, size=7, seed=0):
    random = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(count - 2)] + ["Größe", "語"]
    return KeyedVectors(words, random.standard_normal((count, size)).astype(np.float32))


def test_words_are_found_by_name():
    some = vectors()
    assert len(some) == 40
    assert "w3" in some
    assert "nobody" not in some
    np.testing.assert_array_equal(some["w3"], some.vectors[3])
    np.testing.assert_array_equal(some[["w3", "語"]], some.vectors[[3, 39]])
    assert np.linalg.norm(some.get_vector("w1", norm=True)) == pytest.approx(1)
    with pytest.raises(KeyError, match="expected a known word, got 'nobody'"):
        some["nobody"]
    with pytest.raises(ShapeError, match="2 words"):
        KeyedVectors(["a", "b"], np.zeros((3, 2)))
    with pytest.raises(ValueError, match="there twice"):
        KeyedVectors(["a", "a"], np.zeros((2, 2)))


def test_neighbours_are_those_of_the_cosine():
    some = vectors()
    unit = some.vectors / np.linalg.norm(some.vectors, axis=1, keepdims=True)
    wanted = unit @ (unit[1] + unit[2] - unit[3])
    wanted /= np.linalg.norm(unit[1] + unit[2] - unit[3])
    order = [n for n in np.argsort(-wanted) if n not in (1, 2, 3)]
    found = some.most_similar(positive=["w1", "w2"], negative=["w3"], topn=5)
    assert [word for word, _ in found] == [some.index_to_key[n] for n in order[:5]]
    np.testing.assert_allclose([score for _, score in found], wanted[order[:5]], rtol=1e-5)
    assert len(some.most_similar("w0", topn=100)) == 39
    assert some.similar_by_vector(some["w5"], topn=1)[0][0] == "w5"
    assert some.most_similar([("w1", 2.0), "w2"]) != some.most_similar(["w1", "w2"])
    assert all(int(word[1:]) < 5 for word, _ in some.most_similar("w1", restrict_vocab=5))
    with pytest.raises(ValueError, match="at least one word, got none"):
        some.most_similar()
    with pytest.raises(ShapeError, match=r"vectors of shape \[7\], got \[3\]"):
        some.most_similar([np.zeros(3)])


def test_as_gensim_has_it(tmp_path):
    models = pytest.importorskip("gensim").models
    some = vectors()
    for binary in (False, True):
        path = tmp_path / "vectors"
        some.save_word2vec_format(path, binary)
        theirs = models.KeyedVectors.load_word2vec_format(path, binary=binary)
        np.testing.assert_array_equal(theirs.vectors, some.vectors)
        assert theirs.index_to_key == some.index_to_key
        theirs.save_word2vec_format(path, binary=binary)
        again = KeyedVectors.load_word2vec_format(path, binary)
        np.testing.assert_array_equal(again.vectors, some.vectors)
    for name, given in {
        "most_similar": (["w1", "w2"], ["w3"]),
        "n_similarity": (["w1", "w2"], ["w3", "w4", "w5"]),
        "doesnt_match": (["w1", "w2", "w3", "w4"],),
        "similarity": ("w1", "w7"),
        "distance": ("w1", "w7"),
    }.items():
        mine, wanted = getattr(some, name)(*given), getattr(theirs, name)(*given)
        if name == "most_similar":
            assert [word for word, _ in mine] == [word for word, _ in wanted]
            mine, wanted = ([score for _, score in found] for found in (mine, wanted))
        assert mine == (wanted if isinstance(wanted, str) else pytest.approx(wanted, abs=1e-6))


def pairs_file(path):
    path.write_text(
        "# a comment\nfirst\tsecond\tmean\nW1\tw2\t3\nw1\tw3\t1.5\nw4\tw5\t9\nw1\tno\t2\n"
    )
    return path


def test_pairs_are_ranked_as_people_ranked_them(tmp_path):
    some = vectors()
    path = pairs_file(tmp_path / "pairs.tsv")
    (pearson, _), (spearman, _), left_out = some.evaluate_word_pairs(path)
    found = [some.similarity(*pair) for pair in (("w1", "w2"), ("w1", "w3"), ("w4", "w5"))]
    assert pearson == pytest.approx(np.corrcoef(found, [3, 1.5, 9])[0, 1], abs=1e-6)
    ranks = [np.argsort(np.argsort(values)) for values in (found, [3, 1.5, 9])]
    assert spearman == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)
    assert left_out == 25
    with pytest.raises(ValueError, match="got 0 of 4"):
        KeyedVectors(["x", "y"], np.eye(2)).evaluate_word_pairs(path)
    path.write_text("a\tb\t1\nc\td\n")
    with pytest.raises(ValueError, match=r"got 'c\\td' in line 2"):
        some.evaluate_word_pairs(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="expected text in UTF-8"):
        some.evaluate_word_pairs(path)
    path.write_text("")
    with pytest.raises(ValueError, match="got none"):
        some.evaluate_word_pairs(path)


def test_analogies_are_the_nearest_to_b_less_a_and_c(tmp_path):
    base = np.random.default_rng(0).standard_normal((6, 8))
    step = np.random.default_rng(1).standard_normal(8)
    words = [f"{kind}{n}" for n in range(6) for kind in ("man", "woman")]
    some = KeyedVectors(words, np.stack([base, base + 2 * step], 1).reshape(12, 8))
    path = tmp_path / "analogies.txt"
    path.write_text(
        ": family\nMAN0 woman0 man1 woman1\nman2 woman2 man3 woman3\nman0 woman0 man1 man4\n"
        ": none\nnobody woman0 man1 woman1\n"
    )
    share, sections = some.evaluate_word_analogies(path)
    assert [section["section"] for section in sections] == ["family", "none", "Total accuracy"]
    wanted = {("MAN0", "WOMAN0", "MAN1", "WOMAN1"), ("MAN2", "WOMAN2", "MAN3", "WOMAN3")}
    assert set(sections[0]["correct"]) == wanted
    assert share == pytest.approx(2 / 3)
    assert some.evaluate_word_analogies(path, dummy4unknown=True)[0] == pytest.approx(2 / 4)
    path.write_text("three words only\n")
    with pytest.raises(ValueError, match="expected four words"):
        some.evaluate_word_analogies(path)


@pytest.mark.parametrize("binary", [False, True])
def test_files_hold_what_was_written(binary, tmp_path):
    some, path = vectors(), tmp_path / "vectors"
    some.save_word2vec_format(path, binary)
    read = KeyedVectors.load_word2vec_format(path, binary)
    np.testing.assert_array_equal(read.vectors, some.vectors)
    assert read.index_to_key == some.index_to_key
    few = KeyedVectors.load_word2vec_format(path, binary, limit=3)
    assert few.index_to_key == ["w0", "w1", "w2"]
    whole = path.read_bytes()
    for cut in (1, 4, 30, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(SerializationError, match="load_word2vec_format: expected"):
            KeyedVectors.load_word2vec_format(path, binary)
    for start in (b"words", b"2\n", b"-1 4\n", b"2 0\n", b"99999999999 100\n"):
        path.write_bytes(start + whole[5:200])
        with pytest.raises(SerializationError, match="load_word2vec_format: expected"):
            KeyedVectors.load_word2vec_format(path, binary)
    path.write_bytes(whole.replace("Größe".encode(), "Größe".encode("latin-1")))
    with pytest.raises(SerializationError, match="expected a word 38 in utf8"):
        KeyedVectors.load_word2vec_format(path, binary)
    read = KeyedVectors.load_word2vec_format(path, binary, unicode_errors="replace")
    assert "Gr��e" in read
    with pytest.raises(SerializationError, match="words without spaces"):
        KeyedVectors(["two words"], np.zeros((1, 2))).save_word2vec_format(path)
    assert path.exists(), "what was there is still there"


def test_lines_are_read_in_pieces_of_a_bounded_size(tmp_path):
    path = tmp_path / "text.txt"
    words = [f"word{n % 97}" for n in range(50_000)]
    path.write_text("One, two!\n\n" + " ".join(words) + "\nthe end")
    found = list(LineSentences(path))
    assert found[0] == ["one", "two"]
    assert found[-1] == ["the", "end"]
    assert max(map(len, found)) < 20_000
    path.write_text("One line\n" + " ".join(words))
    assert [w for s in LineSentences(path, str.split) for w in s] == ["One", "line", *words]
    path.write_text("x" * 200_000)
    assert sum(len(word) for s in LineSentences(path) for word in s) == 200_000
    path.write_bytes(b"fine\n\xff\n")
    with pytest.raises(ValueError, match="expected text in utf-8"):
        list(LineSentences(path))
    assert len(list(LineSentences(path, str.split, errors="replace"))) == 2
    with pytest.raises(FileNotFoundError, match="expected a text file"):
        LineSentences(tmp_path / "none.txt")
