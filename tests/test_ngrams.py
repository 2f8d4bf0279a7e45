"""`tensorgrad.text.KneserNey` against its definition, and `sample_token`."""

import re
from collections import Counter

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ShapeError
from tensorgrad.text import KneserNey, sample_token, sampling_shares, tokenize

WORDS = tokenize("the cat sat on the mat and the dog sat on the cat and a dog ate the mat")


def some_sentences(count=60, seed=0):
    random = np.random.default_rng(seed)
    return [list(random.choice(WORDS, random.integers(0, 9))) for _ in range(count)]


def by_definition(sentences, order, tokens, token, context):
    """P(token | context), by counting everything anew."""
    streams = [["<s>", *sentence, "</s>"] for sentence in sentences]

    def ngrams(n):
        return [
            tuple(stream[place : place + n])
            for stream in streams
            for place in range(len(stream) - n + 1)
            if stream[place + n - 1] != "<s>"
        ]

    def counts(n):
        raw = Counter(ngrams(n))
        if n == order:
            return raw
        company = Counter(ngram[1:] for ngram in set(ngrams(n + 1)))
        return {ngram: company[ngram] if ngram[0] != "<s>" else raw[ngram] for ngram in raw}

    def share(n, context):
        if n == 0:
            return 1 / len(tokens)
        shorter = share(n - 1, context[1:])
        found = counts(n)
        mine = {ngram[-1]: c for ngram, c in found.items() if ngram[:-1] == context}
        if not mine:
            return shorter
        n1, n2, n3, n4 = (list(found.values()).count(k) for k in (1, 2, 3, 4))
        discounts = [0, 0.5, 1.0, 1.5]
        if n1 and n2 and n3 and n4:
            y = n1 / (n1 + 2 * n2)
            exact = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
            if all(0 < d < k for k, d in enumerate(exact) if k):
                discounts = exact
        taken = sum(discounts[min(c, 3)] for c in mine.values())
        c = mine.get(token, 0)
        return (c - discounts[min(c, 3)] + taken * shorter) / sum(mine.values())

    context = ("<s>", *context)[-(order - 1) :] if order > 1 else ()
    return share(len(context) + 1, context)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_definition(order):
    sentences = some_sentences()
    model = KneserNey(sentences, order)
    tokens = model.vocabulary.tokens
    for context in ([], ["the"], ["sat", "on", "the"], ["dog", "dog", "mat", "a"], ["nobody"]):
        found = model.probabilities(context)
        wanted = [by_definition(sentences, order, tokens, token, context) for token in tokens]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_1_and_agree_with_sentences(order):
    model = KneserNey(["abracadabra", "a cab", "", "bar"], order)
    ids = model.vocabulary.ids
    for text in ("", "a", "abr", "zz", "ra", "acadab", "bar bar?"):
        for beginning in (True, False):
            shares = model.probabilities(text, beginning)
            assert shares.sum() == pytest.approx(1, abs=1e-12)
            assert (shares > 0).all()
        wanted = [
            np.log(model.probabilities(text[:place])[ids.get(token, 0)])
            for place, token in enumerate([*text, model.end])
        ]
        np.testing.assert_allclose(model.token_log_probs(text), wanted, rtol=1e-12)
        assert model.log_prob(text) == pytest.approx(sum(wanted))


def test_more_context_foretells_better():
    text = tg.datasets.shakespeare()
    losses = [KneserNey([text[:60_000]], n).loss([text[60_000:70_000]]) for n in (1, 2, 3, 5)]
    assert losses[0] > 3 > losses[1] > 2.3 > losses[2] > losses[3]
    assert losses[3] < 1.95
    model = KneserNey([text[:60_000]], 3)
    assert model.perplexity([text[:900]]) == pytest.approx(np.exp(model.loss([text[:900]])))


def test_rare_tokens_are_one_unknown_token():
    sentences = [["a", "b"], ["a", "c"], ["a", "b"]]
    model = KneserNey(sentences, 2, min_freq=2)
    assert model.vocabulary.tokens == ["<unk>", "</s>", "a", "b"]
    assert model.vocabulary.counts.tolist() == [1, 3, 3, 2]
    assert model.log_prob(["a", "c"]) == model.log_prob(["a", "never"])
    assert model.log_prob(["a", "c"]) > model.log_prob(["c", "a"])
    # <s>, </s>, <unk>, a, b; <s> a, a b, a <unk>, b </s>, <unk> </s>.
    assert len(model) == 10
    assert repr(model) == "KneserNey(order=2, 4 tokens, 10 n-grams)"


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (([],), ValueError, "sentences with tokens, got none"),
        (([[], []],), ValueError, "sentences with tokens, got none"),
        (([["a"]], 0), ValueError, "an order of at least 1, got 0"),
        (([["a", "</s>"]],), ValueError, "without <unk> and </s>, got one"),
        (([1, 2],), TypeError, "sentences that are lists of words, got 1"),
    ],
)
def test_bad_texts_are_refused(given, kind, said):
    with pytest.raises(kind, match="KneserNey: expected .*" + re.escape(said)):
        KneserNey(*given)


def test_no_sentences_have_no_loss():
    with pytest.raises(ValueError, match="loss: expected sentences, got none"):
        KneserNey([["a"]]).loss([])


# ---- sampling

SHARES = [0.1, 0.4, 0.2, 0.3]


def shares_of(**options):
    return sampling_shares(tg.tensor(SHARES).double().log(), **options).tolist()


def test_tokens_are_kept_by_number_and_by_probability(backend):
    assert shares_of() == pytest.approx(SHARES)
    assert shares_of(top_k=2) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert shares_of(top_k=9) == pytest.approx(SHARES)
    assert shares_of(top_p=0.65) == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert shares_of(top_p=0.75) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9])
    assert shares_of(top_p=0.01) == pytest.approx([0, 1, 0, 0])
    assert shares_of(top_p=1.0) == pytest.approx(SHARES)
    # The share of the two that were kept first is 0.57 and 0.43.
    assert shares_of(top_k=2, top_p=0.5) == pytest.approx([0, 1, 0, 0])
    squares = np.square(SHARES)
    assert shares_of(temperature=0.5) == pytest.approx(squares / squares.sum())


def test_tokens_are_drawn_as_often_as_they_are_likely(backend):
    logits = tg.tensor(SHARES).log().expand(20, 500, 4)
    drawn = sample_token(logits, top_k=3)
    assert drawn.shape == (20, 500)
    counts = np.bincount(drawn.numpy().ravel(), minlength=4) / 10_000
    np.testing.assert_allclose(counts, [0, 4 / 9, 2 / 9, 3 / 9], atol=0.02)
    again = [
        sample_token(logits, generator=tg.Generator().manual_seed(1)).tolist() for _ in range(2)
    ]
    assert again[0] == again[1]
    assert sample_token(logits[0, 0]).shape == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": 0.0}, "a temperature above 0, got 0.0"),
        ({"temperature": float("nan")}, "a temperature above 0, got nan"),
        ({"top_k": 0}, "top_k of at least 1, got 0"),
        ({"top_p": 0.0}, "top_p in (0, 1], got 0.0"),
        ({"top_p": 1.5}, "top_p in (0, 1], got 1.5"),
    ],
)
def test_bad_options_of_sampling_are_refused(options, said):
    with pytest.raises(ValueError, match="sampling_shares: expected " + re.escape(said)):
        sample_token(tg.zeros(3), **options)


def test_there_must_be_tokens():
    for logits in (tg.tensor(1.0), tg.zeros(2, 0)):
        with pytest.raises(ShapeError, match=r"logits of shape \(..., V\), got"):
            sample_token(logits)
