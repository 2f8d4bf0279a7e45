"""How fast a machine is, and which of its limits each layer of a net meets: the roofline.

    python examples/hardware.py [--batch 64] [--backend numba]

A layer that computes F operations (additions and multiplications) and has to move B bytes has the
arithmetic intensity F / B. A machine that computes at most P operations a second and moves at most
W bytes a second cannot be faster than

    roof(F / B) = min(P, W * F / B)

(Williams et al. 2009, https://doi.org/10.1145/1498765.1498785). P is measured here by products of
matrices, W by additions of arrays, small ones that stay in the caches and large ones that do not;
then each layer of a conv net, a step of its training, and a linear layer for ever more rows at
once. Where there is a CUDA device and CuPy it is measured too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import program
import tensorgrad as tg
from tensorgrad import nn

SIDE = 28  # of an image, in pixels


class Work(NamedTuple):
    """What was done: floating-point operations, bytes that have to be moved, seconds it took."""

    name: str
    flops: float
    bytes: float
    seconds: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.flops / self.bytes

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.flops / self.seconds


class Machine(NamedTuple):
    """Rates of products of n x n matrices by n, of additions by the bytes of their three arrays."""

    products: dict[int, float]
    additions: dict[int, float]

    @property
    def peak(self) -> float:
        """P, in operations a second."""
        return max(self.products.values())

    def bandwidth(self, moved: float) -> float:
        """W where so many bytes are in use: of the arrays that are nearest in size."""
        nearest = min(self.additions, key=lambda size: max(size / moved, moved / size))
        return self.additions[nearest]

    def roof(self, work: Work) -> float:
        """The most operations a second that the work can reach: min(P, W * F / B)."""
        return min(self.peak, self.bandwidth(work.bytes) * work.intensity)


def timed(call: Callable[[], Any], patience: float) -> float:
    """The least seconds of a call, of the calls that fit into so many seconds, three at least."""
    wait = tg.get_backend().synchronize
    call()  # what is compiled at first is not counted
    least, end = float("inf"), time.perf_counter() + patience
    count = 0
    while count < 3 or time.perf_counter() < end:
        wait()
        start = time.perf_counter()
        call()
        wait()
        least, count = min(least, time.perf_counter() - start), count + 1
    return least


def machine(quick: bool, patience: float) -> Machine:
    """Measure products and additions, of float32."""
    products, additions = {}, {}
    for size in (32, 64, 128, 256, 512) if quick else (32, 64, 128, 256, 512, 1024, 2048):
        a, b = tg.randn(size, size), tg.randn(size, size)
        # Each of n * n numbers is a sum of n products.
        products[size] = 2 * size**3 / timed(lambda a=a, b=b: a @ b, patience)
    for power in range(12, 23 if quick else 26, 2):
        a, b = tg.ones(2**power), tg.ones(2**power)
        moved = 3 * a.nbytes
        additions[moved] = moved / timed(lambda a=a, b=b: a + b, patience)
    return Machine(products, additions)


def conv_net() -> nn.Sequential:
    """Digits (N, 1, 28, 28) to scores (N, 10)."""
    net = nn.Sequential()
    for name, layer in {
        "conv1": nn.Conv2d(1, 32, 3, padding=1), "norm": nn.BatchNorm2d(32), "relu": nn.ReLU(),
        "pool1": nn.MaxPool2d(2), "conv2": nn.Conv2d(32, 64, 3, padding=1), "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2), "flatten": nn.Flatten(),
        "linear1": nn.Linear(64 * (SIDE // 4) ** 2, 256), "relu3": nn.ReLU(),
        "linear2": nn.Linear(256, 10),
    }.items():  # fmt: skip
        net.add_module(name, layer)
    return net


def layers(net: nn.Sequential, x: Any, patience: float) -> list[Work]:
    """The work of each layer in turn, in evaluation mode, without those that give a view.

    A layer of products has two operations for each multiply-add, another one for each number that
    it reads. Its inputs, outputs and parameters are moved once each.
    """
    net.eval()
    found = []
    with tg.no_grad():
        for row in nn.utils.summary(net, tuple(x.shape)).layers:
            layer, given = net.get_submodule(row.name), x
            x = layer(given)
            if x.data_ptr() == given.data_ptr():
                continue
            flops = 2 * row.multiply_adds or given.numel()
            moved = given.nbytes + row.output_bytes + sum(p.nbytes for p in layer.parameters())
            seconds = timed(lambda layer=layer, given=given: layer(given), patience)
            found.append(Work(row.name, flops, moved, seconds))
    return found


def rows_at_once(counts: tuple[int, ...], patience: float) -> list[Work]:
    """A linear layer of 1024 to 1024 numbers: for one row each weight that is moved serves one
    multiply-add, for many rows many.
    """
    layer = nn.Linear(1024, 1024, bias=False)
    found = []
    with tg.no_grad():
        for count in counts:
            x = tg.randn(count, 1024)
            moved = 2 * x.nbytes + layer.weight.nbytes
            seconds = timed(lambda x=x: layer(x), patience)
            found.append(Work(f"{count} rows", 2 * count * 1024**2, moved, seconds))
    return found


def step(net: nn.Module, x: Any, forward: list[Work], patience: float) -> Work:
    """A step of training: about the work of the forward pass, and as much again for the gradients
    of inputs and for those of weights.
    """
    net.train()
    optimizer = tg.optim.Adam(net.parameters())
    labels = tg.randint(10, (len(x),))

    def train() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    flops, moved = (3 * sum(getattr(w, what) for w in forward) for what in ("flops", "bytes"))
    return Work("step", flops, moved, timed(train, patience))


def measured(options: Any) -> tuple[Machine, dict[str, list[Work]]]:
    """Measure the machine that the backend in use computes on, and its works; print them."""
    patience = 0.02 if options.quick else 0.3
    found = machine(options.quick, patience)
    fastest, largest = max(found.additions.values()), found.additions[max(found.additions)]
    print(
        f"{found.peak / 1e9:,.0f} GFLOP/s in products, {largest / 1e9:,.1f} GB/s from memory, "
        f"{fastest / 1e9:,.1f} GB/s from caches"
    )
    net, x = conv_net(), tg.randn(options.batch, 1, SIDE, SIDE)
    works = {"layers": layers(net, x, patience)}
    works["a step of training"] = [step(net, x, works["layers"], patience)]
    works["linear layer"] = rows_at_once((1, 4, 16, 64, 256), patience)
    rows = []
    for work in (work for group in works.values() for work in group):
        roof = found.roof(work)
        numbers = (work.flops / 1e6, work.bytes / 1e6, work.intensity, work.seconds * 1e6)
        rates = (f"{rate / 1e9:,.1f}" for rate in (work.rate, roof))
        bound = "products" if roof == found.peak else "moving"
        row = (work.name, *(f"{number:,.2f}" for number in numbers), *rates)
        rows.append((*row, f"{work.rate / roof:.0%}", bound))
    head = ("", "MFLOP", "MB", "FLOP/byte", "us", "GFLOP/s", "roof", "reached", "bound by")
    print(program.table(rows, head))
    return found, works


def main(
    arguments: list[str] | None = None,
) -> dict[str, tuple[Machine, dict[str, list[Work]]]]:
    """Measure, print and draw; return by backend its machine and its works."""
    options = program.options_of(
        __doc__, epochs=None, batch={"type": int, "default": 64, "help": "images at once"}
    ).parse_args(arguments)
    if options.batch < 1:
        raise SystemExit(f"hardware: expected a --batch of at least 1, got {options.batch}")
    program.begin(options)
    names = [tg.get_backend().name]
    if tg.cuda.is_available() and "cupy" not in names:
        names.append("cupy")
    found = {}
    for name in names:
        print(f"---- {name}, {options.batch} images at once")
        with tg.use_backend(name):
            found[name] = measured(options)

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
        axes, (rates, bandwidths) = left.subplots(), right.subplots(2, 1)
        for number, (name, (limits, works)) in enumerate(found.items()):
            colors = [f"C{3 * number + place}" for place in range(3)]
            intensities = [work.intensity for group in works.values() for work in group]
            ends = min(intensities) / 2, max(intensities) * 2
            sizes = list(limits.additions)
            tops = limits.additions[max(sizes)], max(limits.additions.values())
            for top, what, line in zip(tops, ("memory", "caches"), ("-", ":"), strict=True):
                places = sorted([*ends, limits.peak / top])
                heights = [min(limits.peak, top * place) / 1e9 for place in places]
                axes.plot(places, heights, line, color=colors[0], label=f"{name}: roof of {what}")
            marks = zip(("o", "*", "s--"), (colors[1], colors[1], colors[2]), works.items())
            for mark, color, (what, group) in marks:
                places = [work.intensity for work in group]
                heights = [work.rate / 1e9 for work in group]
                axes.plot(places, heights, mark, color=color, label=f"{name}: {what}")
                for count, (work, *place) in enumerate(zip(group, places, heights)):
                    move = {"xytext": (4, -10 if count % 2 else 4), "textcoords": "offset points"}
                    axes.annotate(work.name, place, fontsize=7, **move)
            products = [rate / 1e9 for rate in limits.products.values()]
            rates.semilogx(list(limits.products), products, "o-", base=2, label=name)
            speeds = [speed / 1e9 for speed in limits.additions.values()]
            bandwidths.semilogx([size / 1e6 for size in sizes], speeds, "o-", label=name)
        axes.set(xlabel="operations a byte", ylabel="GFLOP/s", xscale="log", yscale="log")
        rates.set(xlabel="n, of n x n matrices", ylabel="product, GFLOP/s", ylim=(0, None))
        bandwidths.set(xlabel="MB of three arrays", ylabel="addition, GB/s", ylim=(0, None))
        for some in (axes, rates):
            some.legend(fontsize=7)

    program.picture(options, "hardware", draw)
    return found


if __name__ == "__main__":
    main()
