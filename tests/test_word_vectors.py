"""`tensorgrad.text`: Word2Vec from sentences to vectors, resumed and saved, on each CPU backend."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import SerializationError
from tensorgrad.text import FastText, LineSentences, Word2Vec, word2vec
from tensorgrad.text.subwords import bucket_of, ngrams


def topics(count=300, seed=0):
    """Sentences of the words a0 to a7 or of b0 to b7, never of both."""
    random = np.random.default_rng(seed)
    return [[f"{'ab'[n % 2]}{k}" for k in random.integers(0, 8, 8)] for n in range(count)]


SMALL = {"vector_size": 8, "window": 3, "min_count": 1, "sample": 0, "workers": 1, "alpha": 0.1}


@pytest.fixture(params=["numpy", "numba"], autouse=True)
def backend(request):
    with tg.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize(("sg", "hs"), list(itertools.product([0, 1], repeat=2)))
def test_words_that_occur_together_come_near(sg, hs):
    sentences = topics()
    model = Word2Vec(sentences, sg=sg, hs=hs, negative=4, **SMALL)
    begun = Word2Vec(sg=sg, hs=hs, negative=4, **SMALL)
    begun.build_vocab(sentences)
    assert model.loss(sentences[:50]) < 0.97 * begun.loss(sentences[:50])
    within, between = model.wv.similarity("a0", "a1"), model.wv.similarity("a0", "b1")
    assert within > between + 0.5
    assert {word[0] for word, _ in model.wv.most_similar("b3", topn=5)} == {"b"}


def test_one_worker_is_the_seeds(backend):
    one, same = (Word2Vec(topics(), **SMALL, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.wv.vectors, same.wv.vectors)
    other = Word2Vec(topics(), **SMALL, seed=4)
    assert np.abs(one.wv.vectors - other.wv.vectors).max() > 0.1


def test_backends_agree():
    models = []
    for name in ("numpy", "numba"):
        with tg.use_backend(name):
            models.append(Word2Vec(topics(100), **SMALL, sg=1, epochs=1).wv.vectors)
    np.testing.assert_allclose(*models, rtol=0, atol=1e-5)


class Broken(Exception):
    pass


@pytest.mark.parametrize("saved", [False, True])
def test_training_that_was_broken_off_goes_on_where_it_was(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(word2vec, "encoded_chunks", small_chunks)
    sentences = topics(120)
    straight = Word2Vec(sentences, **SMALL, epochs=3)
    model = Word2Vec(**SMALL, epochs=3)
    model.build_vocab(sentences)
    left = 7  # chunks of 200 words, of which an epoch has five

    def stop(words):
        nonlocal left
        left -= 1
        if not left:
            raise Broken

    with pytest.raises(Broken):
        model.train(sentences, progress=stop)
    if saved:
        model.save(tmp_path / "model.st")
        model = Word2Vec.load(tmp_path / "model.st")
    known, read = model.train(sentences, resume=True)
    assert known == read == 3 * 960 - 5 * 200 - 160 - 200
    np.testing.assert_array_equal(model.wv.vectors, straight.wv.vectors)


def small_chunks(caller, sentences, vocabulary):
    from tensorgrad.text.sentences import encoded_chunks

    return encoded_chunks(caller, sentences, vocabulary, 200)


def test_a_stream_gives_what_a_list_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(word2vec, "encoded_chunks", small_chunks)
    sentences = topics(120)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(sentence) for sentence in sentences))
    lines = LineSentences(path, split=str.split)
    assert list(lines) == sentences == list(lines)
    np.testing.assert_array_equal(
        Word2Vec(lines, **SMALL).wv.vectors, Word2Vec(sentences, **SMALL).wv.vectors
    )


def test_words_are_counted_and_the_rare_left_out():
    model = Word2Vec(min_count=2, vector_size=4)
    model.build_vocab([["b", "a", "b"], ["a", "c", "b"], []])
    assert model.wv.index_to_key == ["b", "a"]
    assert model.wv.counts.tolist() == [3, 2]
    assert (model.corpus_count, model.corpus_total_words) == (3, 6)
    assert model.train([["a", "b", "unknown"]], total_examples=1, epochs=2) == (4, 6)
    assert repr(model) == "Word2Vec(2 words, vector_size=4, alpha=0.025)"
    most = Word2Vec(min_count=1, max_final_vocab=2)
    most.build_vocab([["x", "y", "z", "x", "y"]])
    assert most.wv.index_to_key == ["x", "y"]


def test_a_sentence_may_be_longer_than_what_is_seen_together():
    words = [f"w{n % 11}" for n in range(25_000)]
    model = Word2Vec([words], **SMALL, epochs=1)
    assert np.isfinite(model.wv.vectors).all()
    assert model.wv.similarity("w0", "w1") != model.wv.similarity("w0", "w5")


@pytest.mark.parametrize(
    ("sentences", "error", "words"),
    [
        ([], ValueError, "two words that occur 1 times, got 0 in 0 sentences"),
        ([["only", "only"]], ValueError, "two words that occur 1 times, got 1 in 1 sentences"),
        (["a text is no sentence"], TypeError, "lists of words, got 'a text is no sentence'"),
        ([3], TypeError, "lists of words, got 3"),
        ("a text", TypeError, "an iterable of lists of words, got str"),
        (iter([["a", "b"]]), TypeError, "read only once"),
    ],
    ids=["empty", "one word", "a text", "a number", "a text alone", "an iterator"],
)
def test_what_is_no_text_is_refused(sentences, error, words):
    with pytest.raises(error, match=words):
        Word2Vec(sentences, min_count=1)


@pytest.mark.parametrize(
    "options",
    [{"vector_size": 0}, {"window": 0}, {"epochs": 0}, {"workers": 0}, {"alpha": -1},
     {"negative": 0}, {"sample": float("nan")}, {"min_count": 1.5}],
    ids=str,
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=f"expected {next(iter(options))}"):
        Word2Vec(**options)


def test_calls_out_of_order_are_refused(tmp_path):
    model = Word2Vec()
    for call in (model.train, model.loss):
        with pytest.raises(RuntimeError, match="call build_vocab first"):
            call([["a"]])
    model = Word2Vec(min_count=1)
    model.build_vocab([["a", "b"]])
    with pytest.raises(RuntimeError, match="expected a call to resume"):
        model.train([["a", "b"]], resume=True)
    tg.save({"no": "model"}, tmp_path / "other.st")
    with pytest.raises(SerializationError, match="expected a file that Word2Vec"):
        Word2Vec.load(tmp_path / "other.st")


def morphology(count=600):
    """Sentences of the forms of one verb, beside words that only one of them has."""
    random = np.random.default_rng(0)
    stems = ["walk", "jump", "look", "call"]
    sentences = []
    for _ in range(count):
        stem = random.integers(0, 4)
        forms = [stems[stem] + end for end in ("", "s", "ed")]
        sentences.append([*random.permutation(forms), f"near{stem}", f"far{stem}"])
    return [[str(word) for word in sentence] for sentence in sentences]


@pytest.mark.parametrize("sg", [0, 1])
def test_words_never_seen_are_near_those_that_share_their_parts(sg, tmp_path):
    options = {**SMALL, "vector_size": 16, "alpha": 0.05}
    model = FastText(morphology(), sg=sg, min_n=3, max_n=5, **options)
    assert "walking" in model.wv
    assert "walking" not in model.wv.index_to_key
    assert model.wv.most_similar("walking", topn=1)[0][0].startswith("walk")
    assert model.wv.similarity("walking", "walked") > model.wv.similarity("walking", "jumped")
    with pytest.raises(KeyError, match="known n-grams, got 'qqq'"):
        model.wv["qqq"]
    rows = [model.wv.get_index("walk"), *model.wv.subwords.rows("walk")]
    np.testing.assert_allclose(model.wv["walk"], model.wv.table[rows].mean(0), atol=1e-6)
    model.save(tmp_path / "model.st")
    again = FastText.load(tmp_path / "model.st")
    np.testing.assert_array_equal(again.wv["walking"], model.wv["walking"])
    np.testing.assert_array_equal(again.wv.vectors, model.wv.vectors)
    with pytest.raises(SerializationError, match="that Word2Vec"):
        Word2Vec.load(tmp_path / "model.st")


def test_ngrams_and_their_buckets_are_fasttexts():
    assert ngrams("ab", 2, 3) == ["<a", "<ab", "ab", "ab>", "b>"]
    assert ngrams("a", 1, 2) == ["<a", "a", "a>"]
    assert ngrams("", 3, 6) == []
    # 32-bit FNV-1a of "a" and "foobar", from the tables of its authors.
    assert bucket_of("a", 1 << 32) == 0xE40C292C
    assert bucket_of("foobar", 1 << 32) == 0xBF9CF968
    with pytest.raises(ValueError, match="min_n <= max_n, got 4 and 3"):
        FastText(min_n=4, max_n=3)
    with pytest.raises(ValueError, match="bucket of at least 1, got 0"):
        FastText(bucket=0)


def test_buckets_are_gensims():
    fasttext = pytest.importorskip("gensim.models.fasttext")
    for word in ("walking", "Größe", "日本語"):
        mine = [bucket_of(ngram, 1000) for ngram in ngrams(word, 3, 6)]
        assert sorted(mine) == sorted(fasttext.ft_ngram_hashes(word, 3, 6, 1000))
