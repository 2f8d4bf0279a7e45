"""Compiles the common CPU kernels ahead of their first use: `python -m tensorgrad.warmup`.

A kernel is compiled at its first use, in one to several seconds, and kept on disk. This runs a
training step of each kind of network, several processes at a time, so that later programs only
load. After an installation or an upgrade, once; into an image of a container too (NUMBA_CACHE_DIR
says where kernels are kept).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from typing import Any

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad._tensor import Tensor
from tensorgrad.nn import functional as F


def step(model: nn.Module, loss: Callable[[], Tensor], kind: str = "Adam") -> None:
    """Two training steps; the second one has the optimizer's state."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = getattr(tg.optim, kind)(parameters, lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()


def classified(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(model(inputs), labels)


def size(model: nn.Module, *inputs: Tensor, **options: Any) -> Tensor:
    result: Tensor = model(*inputs, **options)
    return result.square().mean()


def size_of_first(model: nn.Module, inputs: Tensor) -> Tensor:
    result: Tensor = model(inputs)[0]
    return result.square().mean()


def perceptrons() -> None:
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10))
    for batch in 64, 2048:
        images, labels = tg.randn(batch, 784), tg.randint(0, 10, (batch,))
        step(model, partial(classified, model, images, labels))
    for activation in nn.GELU(), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.LeakyReLU():
        for rows in 8, 2048:
            x = tg.randn(rows, 256, requires_grad=True)
            activation(x).sum().backward()


def convolutions() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
    deep = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
    model = nn.Sequential(plain, deep, nn.Flatten(), nn.Linear(32 * 16 * 16, 10))
    images, labels = tg.randn(16, 3, 32, 32), tg.randint(0, 10, (16,))
    step(model, partial(classified, model, images, labels))
    up = nn.ConvTranspose2d(32, 3, 4, 2, 1)
    step(up, partial(size, up, tg.randn(16, 32, 16, 16)))


def recurrent_networks() -> None:
    for kind in nn.LSTM, nn.GRU, nn.RNN:
        layer = kind(64, 64, batch_first=True)
        step(layer, partial(size_of_first, layer, tg.randn(32, 20, 64)))


def maps() -> None:
    """What runs over maps of features, along other dimensions than the last, and out of order."""
    x = tg.randn(16, 32, 32, 32, requires_grad=True)
    pooled = F.avg_pool2d(x, 2).mean((2, 3)) + F.adaptive_avg_pool2d(x, 4).sum((2, 3))
    turned = x.permute(0, 2, 3, 1).contiguous().logsumexp(1).softmax(1).cumsum(1)
    (pooled.square().sum() + turned.square().sum()).backward()
    F.cross_entropy(x, tg.randint(0, 32, (16, 32, 32)), label_smoothing=0.1).backward()


def attention() -> None:
    layer = nn.TransformerEncoderLayer(128, 4, 512, activation="gelu", batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(64)
    x = tg.randn(16, 64, 128)
    step(layer, partial(size, layer, x), "AdamW")
    step(layer, partial(size, layer, x, mask, is_causal=True), "AdamW")


def words() -> None:
    table = nn.Embedding(10_000, 100)
    step(table, partial(size, table, tg.randint(0, 10_000, (64, 50))))
    bags = nn.EmbeddingBag(10_000, 100, mode="mean", sparse=True)
    texts = tg.randint(0, 10_000, (64, 50))
    optimizer = tg.optim.SGD(bags.parameters(), lr=0.1)
    bags(texts).square().mean().backward()
    optimizer.step()
    logits = tg.randn(512, 10_000, requires_grad=True)
    F.cross_entropy(logits, tg.randint(0, 10_000, (512,))).backward()


def optimizers() -> None:
    for kind in "SGD", "Adam", "AdamW", "RMSprop", "Adagrad":
        model = nn.Linear(300, 300)
        step(model, partial(size, model, tg.randn(8, 300)), kind)
    model = nn.Linear(300, 300)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        model(tg.randn(8, 300)).square().mean().backward()
        optimizer.step()


FAMILIES = (
    perceptrons, convolutions, maps, recurrent_networks, attention, words, optimizers,
)  # fmt: skip


def run(family: str, dtype: str) -> float:
    """One family in this process; the seconds that it took."""
    start = time.perf_counter()
    tg.set_backend("numba")
    tg.set_default_dtype(getattr(tg, dtype))
    next(function for function in FAMILIES if function.__name__ == family)()
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tensorgrad.warmup", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options = parser.parse_args(arguments)
    # Fresh processes: threads may have started in this one.
    context = multiprocessing.get_context("spawn")
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        jobs = {pool.submit(run, f.__name__, options.dtype): f.__name__ for f in FAMILIES}
        for job in as_completed(jobs):
            say(jobs[job].replace("_", " "), job.result())
    say("all", time.perf_counter() - start)
    return 0


def say(what: str, seconds: float) -> None:
    sys.stdout.write(f"{what:20}{seconds:6.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
