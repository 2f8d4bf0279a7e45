"""Translate short sentences: an LSTM that reads and one that writes, with and without attention, or
a small Transformer.

With sentences and translations in a file of two columns (fra-eng.zip of manythings.org/anki, from
Tatoeba, or any other):

    python examples/translation.py --data FOLDER --pairs fra-eng.zip --model attention

Without, and with --quick, it learns the sentences of a small grammar, in which adjectives change
places. Prints the BLEU of sentences that were held out (pip install sacrebleu) and translations by
beam search with their log probabilities, and draws what the model looked at for each word it wrote.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import program
import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.text import Vocabulary, beam_search, pieces_of, sentence_pairs, text_of

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
LONGEST = 12  # pieces of a sentence that is written
HELD_OUT = 0.05

Pair = tuple[list[str], list[str]]
Ids = list[int]


# ---- sentences


def grammar(count: int, seed: int) -> list[tuple[str, str]]:
    """Sentences of a small English and their French."""
    nouns = {"cat": "chat", "dog": "chien", "horse": "cheval", "boy": "garçon", "king": "roi"}
    adjectives = {"black": "noir", "white": "blanc", "green": "vert", "tired": "fatigué"}
    verbs = {"sees": "voit", "follows": "suit", "hears": "entend", "loves": "aime"}
    articles = {"the": "le", "a": "un", "this": "ce"}
    choose = random.Random(seed).choice

    def phrase() -> tuple[str, str]:
        article, noun = choose([*articles.items()]), choose([*nouns.items()])
        adjective = choose([("", ""), *adjectives.items()])
        english = [article[0], adjective[0], noun[0]]
        return " ".join(filter(None, english)), f"{article[1]} {noun[1]} {adjective[1]}".strip()

    pairs = []
    for _ in range(count):
        first, verb, second = phrase(), choose([*verbs.items()]), phrase()
        pairs.append((f"{first[0]} {verb[0]} {second[0]}.", f"{first[1]} {verb[1]} {second[1]}."))
    return pairs


class Corpus:
    """Pairs of sentences as numbers. What is held out shares no source sentence with the rest."""

    def __init__(self, pairs: list[tuple[str, str]], words: int, least: int, seed: int) -> None:
        split = [(pieces_of(source), pieces_of(target)) for source, target in pairs]
        split = [
            (a, b) for a, b in split if 0 < len(a) <= words and 0 < len(b) < LONGEST + words // 5
        ]
        if len(split) < 20:
            raise SystemExit(f"expected at least 20 pairs of up to {words} words, got {len(split)}")
        sources = sorted({" ".join(source) for source, _ in split})
        random.Random(seed).shuffle(sources)
        held = set(sources[: max(1, round(len(sources) * HELD_OUT))])
        self.train = [pair for pair in split if " ".join(pair[0]) not in held]
        self.held: dict[str, list[str]] = {source: [] for source in sources if source in held}
        for source, target in split:
            if " ".join(source) in held:
                self.held[" ".join(source)].append(text_of(target))
        self.vocabularies = [
            Vocabulary(itertools.chain.from_iterable(side), min_freq=least, unknown=None)
            for side in zip(*self.train, strict=True)
        ]

    def ids(self, pieces: list[str], side: int) -> Ids:
        known = self.vocabularies[side].ids
        return [known.get(piece, UNKNOWN - 4) + 4 for piece in pieces]

    def pieces(self, ids: Ids) -> list[str]:
        return [SPECIAL[n] if n < 4 else self.vocabularies[1].tokens[n - 4] for n in ids]

    @property
    def sizes(self) -> tuple[int, int]:
        first, second = self.vocabularies
        return len(first) + 4, len(second) + 4


class Batches:
    """Batches of sentences of like length, in another order each epoch."""

    def __init__(self, corpus: Corpus, size: int) -> None:
        self.rows = [(corpus.ids(a, 0), [START, *corpus.ids(b, 1), END]) for a, b in corpus.train]
        self.size = size

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def __iter__(self) -> Any:
        noise = tg.rand(len(self.rows)).tolist()
        order = sorted(
            range(len(self.rows)), key=lambda n: (len(self.rows[n][1]) + 2 * noise[n], n)
        )
        starts = tg.randperm(len(self)).tolist()
        for start in starts:
            some = [self.rows[n] for n in order[start * self.size : (start + 1) * self.size]]
            sources, targets = zip(*some, strict=True)
            yield padded(sources), tg.tensor([len(s) for s in sources]), padded(targets)


def padded(rows: Any) -> Any:
    longest = max(map(len, rows))
    return tg.tensor([row + [PAD] * (longest - len(row)) for row in rows])


# ---- models: forward gives the scores of all words at all places of the targets


class Recurrent(nn.Module):
    """An LSTM reads in both directions, its last states begin another that writes. With attention
    each written word also gets a mean of what was read, weighted by how well it fits: softmax of
    s_t W h_i (Luong et al. 2015).
    """

    def __init__(self, sizes: tuple[int, int], width: int, attends: bool) -> None:
        super().__init__()
        self.attends = attends
        self.read = nn.Embedding(sizes[0], width, padding_idx=PAD)
        self.write = nn.Embedding(sizes[1], width, padding_idx=PAD)
        self.dropout = nn.Dropout(0.2)
        self.reader = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * width, 2 * width)
        self.writer = nn.LSTM(width, width, batch_first=True)
        if attends:
            self.keys = nn.Linear(2 * width, width, bias=False)
            self.mixed = nn.Linear(3 * width, width)
        self.output = nn.Linear(width, sizes[1])

    def begin(self, sources: Any, lengths: Any) -> Any:
        """What the writer starts from: its two states, and what there is to attend to."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.read(sources)), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, (hidden, _) = self.reader(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        state = self.bridge(tg.cat([hidden[0], hidden[1]], 1)).tanh()
        hidden, cell = state.chunk(2, 1)
        keys = self.keys(memory) if self.attends else memory
        return hidden.contiguous(), cell.contiguous(), memory, keys, sources != PAD

    def written(self, tokens: Any, state: Any) -> tuple[Any, Any, Any]:
        """The scores after each of the tokens, the state after the last, and the weights."""
        hidden, cell, memory, keys, there = state
        given = self.dropout(self.write(tokens))
        out, (hidden, cell) = self.writer(given, (hidden[None], cell[None]))
        weights = None
        if self.attends:
            scores = (out @ keys.transpose(1, 2)).masked_fill(~there[:, None], -float("inf"))
            weights = scores.softmax(2)
            out = self.mixed(tg.cat([out, weights @ memory], 2)).tanh()
        state = hidden[0], cell[0], memory, keys, there
        return self.output(self.dropout(out)), state, weights

    def forward(self, sources: Any, lengths: Any, targets: Any) -> Any:
        return self.written(targets, self.begin(sources, lengths))[0]

    def step(self, last: Any, state: Any) -> tuple[Any, Any]:
        scores, state, _ = self.written(last[:, None], state)
        return scores[:, -1].log_softmax(1), state

    def looked_at(self, sources: Any, lengths: Any, targets: Any) -> Any:
        return self.written(targets, self.begin(sources, lengths))[2]


class Translator(nn.Module):
    """A Transformer of two layers a side (Vaswani et al. 2017), with learned places."""

    def __init__(self, sizes: tuple[int, int], width: int) -> None:
        super().__init__()
        self.read = nn.Embedding(sizes[0], width, padding_idx=PAD)
        self.write = nn.Embedding(sizes[1], width, padding_idx=PAD)
        self.places = nn.Embedding(64, width)
        for table in (self.read, self.write, self.places):
            nn.init.normal_(table.weight, std=width**-0.5)
        self.transformer = nn.Transformer(
            width, 4, 2, 2, 4 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.output = nn.Linear(width, sizes[1])

    def placed(self, table: Any, tokens: Any) -> Any:
        return table(tokens) + self.places.weight[: tokens.shape[1]]

    def begin(self, sources: Any, lengths: Any) -> Any:
        hidden = sources == PAD
        memory = self.transformer.encoder(
            self.placed(self.read, sources), src_key_padding_mask=hidden
        )
        return memory, hidden, sources[:, :0]

    def written(self, tokens: Any, memory: Any, hidden: Any) -> Any:
        later = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        out = self.transformer.decoder(
            self.placed(self.write, tokens), memory, tgt_mask=later, tgt_is_causal=True,
            memory_key_padding_mask=hidden,
        )  # fmt: skip
        return self.output(out)

    def forward(self, sources: Any, lengths: Any, targets: Any) -> Any:
        memory, hidden, _ = self.begin(sources, lengths)
        return self.written(targets, memory, hidden)

    def step(self, last: Any, state: Any) -> tuple[Any, Any]:
        memory, hidden, before = state
        tokens = tg.cat([before, last[:, None]], 1)
        scores = self.written(tokens, memory, hidden)[:, -1]
        return scores.log_softmax(1), (memory, hidden, tokens)

    def looked_at(self, sources: Any, lengths: Any, targets: Any) -> Any:
        attention = self.transformer.decoder.layers[-1].multihead_attn
        seen: dict[str, Any] = {}

        def keep(module: Any, given: Any, named: Any) -> None:
            seen.update(given=given, named=named)

        handle = attention.register_forward_pre_hook(keep, with_kwargs=True)
        self(sources, lengths, targets)
        handle.remove()
        return attention(*seen["given"], **{**seen["named"], "need_weights": True})[1]


# ---- training, translating, judging


def loss_of(model: Any, batch: Any) -> Any:
    sources, lengths, targets = batch
    scores = model(sources, lengths, targets[:, :-1])
    return nn.functional.cross_entropy(
        scores.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.05
    )


def translated(model: Any, corpus: Corpus, source: list[str], beams: int) -> list[Any]:
    """The best translations of a sentence, as pieces, with their log probabilities."""
    ids = corpus.ids(source, 0)
    with tg.no_grad():
        state = model.begin(tg.tensor([ids]), tg.tensor([len(ids)]))
        found = beam_search(model.step, state, START, END, beams, longest=LONGEST + 8)
    return [(corpus.pieces(tokens), score) for tokens, score in found]


def log_probability(model: Any, corpus: Corpus, source: list[str], target: list[str]) -> float:
    """log P(target | source)."""
    ids = tg.tensor([[START, *corpus.ids(target, 1), END]])
    given = corpus.ids(source, 0)
    with tg.no_grad():
        scores = model(tg.tensor([given]), tg.tensor([len(given)]), ids[:, :-1]).log_softmax(2)
    return scores.gather(2, ids[:, 1:, None]).sum().item()


def bleu(model: Any, corpus: Corpus, sentences: int, beams: int) -> float:
    """BLEU of the sentences held out, each against all translations of it that are known."""
    try:
        import sacrebleu
    except ImportError:
        raise SystemExit("BLEU needs sacrebleu: pip install sacrebleu") from None
    some = list(corpus.held.items())[:sentences]
    found = [text_of(translated(model, corpus, s.split(), beams)[0][0]) for s, _ in some]
    streams = [list(stream) for stream in itertools.zip_longest(*[known for _, known in some])]
    return float(sacrebleu.corpus_bleu(found, streams).score)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, judge, show; BLEU of what was held out, and the last loss."""
    parser = program.options_of(
        __doc__, 6,
        pairs={"help": "a file in the folder of --data: two columns, or a .zip of one"},
        model={"choices": ["lstm", "attention", "transformer"], "default": "attention"},
        width={"type": int, "default": 256, "help": "of layers and embeddings"},
        words={"type": int, "default": 10, "help": "of the longest sentence"},
        least={"type": int, "default": 3, "help": "occurrences of a word that is known"},
        beams={"type": int, "default": 5, "help": "1 is greedy"},
        judged={"type": int, "default": 2000, "help": "sentences held out that are judged"},
    )  # fmt: skip
    options = parser.parse_args(arguments)
    program.begin(options)
    if options.quick:
        options.epochs, options.width, options.least, options.judged = 6, 48, 1, 40
    if options.pairs is None or options.quick:
        pairs = grammar(1500 if options.quick else 6000, options.seed)
    else:
        whence = "Get it from https://www.manythings.org/anki."
        pairs = sentence_pairs(program.data_file(options, options.pairs, whence))
    corpus = Corpus(pairs, options.words, options.least, options.seed)
    print(f"{len(corpus.train):,} pairs, {len(corpus.held):,} sentences held out; ", end="")
    print("words: {:,} and {:,}".format(*corpus.sizes))
    model: Any
    if options.model == "transformer":
        model = Translator(corpus.sizes, options.width)
    else:
        model = Recurrent(corpus.sizes, options.width, options.model == "attention")
    rate = 5e-3 if options.quick else 1e-3
    optimizer = tg.optim.Adam(model.parameters(), lr=rate)
    schedule = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs, rate / 20)
    history = program.fit(
        options, model, optimizer, Batches(corpus, 64), lambda batch: loss_of(model, batch),
        size_of=lambda batch: int((batch[2] != PAD).sum().item()), unit="words", clip=1.0,
        schedule=schedule,
    )  # fmt: skip
    model.eval()
    figures = {"bleu": bleu(model, corpus, options.judged, options.beams)}
    figures["loss"] = history[-1]["loss"]
    print(program.table([[name, f"{value:.3f}"] for name, value in figures.items()], ["", "is"]))
    for source, known in list(corpus.held.items())[:6]:
        read = source.split()
        score = log_probability(model, corpus, read, pieces_of(known[0]))
        print(f"{text_of(read)}  ({score:.2f} {known[0]})")
        for pieces, score in translated(model, corpus, read, options.beams)[:2]:
            print(f"    {score:7.2f} {text_of(pieces)}")

    def draw(figure: Any) -> None:
        plot = figure.subplots()
        if options.model == "lstm":
            plot.plot(range(1, len(history) + 1), [row["loss"] for row in history])
            plot.set(xlabel="epoch", ylabel="loss, nats a word")
            return
        source = max(corpus.held, key=len).split()
        pieces, _ = translated(model, corpus, source, options.beams)[0]
        ids = corpus.ids(source, 0)
        targets = tg.tensor([[START, *corpus.ids(pieces, 1)]])
        with tg.no_grad():
            weights = model.looked_at(tg.tensor([ids]), tg.tensor([len(ids)]), targets)[0]
        plot.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=1)
        plot.set_xticks(range(len(source)), source, rotation=45)
        plot.set_yticks(range(len(pieces) + 1), [*pieces, SPECIAL[END]])
        plot.set(xlabel="read", ylabel="written")

    program.picture(options, "translation", draw)
    return figures


if __name__ == "__main__":
    main()
