"""Where do gradients go on their way back, through many layers or many steps of time?

dC/da^l, the slope of the cost by what layer l says, is dC/da^L times L - l factors, each of the
weights and slopes of one layer. Below 1 they leave nothing for the first layers, above 1 they make
them leap. Shown for nets of 2 to 50
layers by activation and by the size of their first weights, with batch and layer norm and with
residual connections: how large the gradient of each layer is before learning, and which nets learn
to read digits. The same for the state h_t of a recurrent net and the loss at the end of its text.

    python examples/vanishing.py
    python examples/vanishing.py --data mnist --epochs 2

--data is a folder with the four files of MNIST (https://ossci-datasets.s3.amazonaws.com/mnist);
without it the bundled digits of 8x8 are read.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, NamedTuple

import program
import tensorgrad as tg
from tensorgrad import nn


class Kind(NamedTuple):
    """What a layer is: act(norm(W x + b)), or x + that. W is drawn from N(0, gain^2 / inputs)."""

    activation: Any
    gain: float
    norm: Any = None
    residual: bool = False


HE = math.sqrt(2)  # half of what enters a ReLU is lost: He et al. 2015
KINDS = {
    "sigmoid": Kind(nn.Sigmoid, 1.0),
    "tanh, half of Xavier's weights": Kind(nn.Tanh, 0.5),
    "tanh, Xavier's weights": Kind(nn.Tanh, 1.0),
    "ReLU, Xavier's weights": Kind(nn.ReLU, 1.0),
    "ReLU, He's weights": Kind(nn.ReLU, HE),
    "ReLU, twice He's weights": Kind(nn.ReLU, 2 * HE),
    "sigmoid, batch norm": Kind(nn.Sigmoid, 1.0, nn.BatchNorm1d),
    "sigmoid, layer norm": Kind(nn.Sigmoid, 1.0, nn.LayerNorm),
    "ReLU, batch norm": Kind(nn.ReLU, HE, nn.BatchNorm1d),
    "ReLU, layer norm": Kind(nn.ReLU, HE, nn.LayerNorm),
    "sigmoid, residual": Kind(nn.Sigmoid, 1.0, None, True),
    "ReLU, layer norm, residual": Kind(nn.ReLU, HE, nn.LayerNorm, True),
}


class Layer(nn.Module):
    def __init__(self, kind: Kind, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        nn.init.normal_(self.linear.weight, std=kind.gain / math.sqrt(inputs))
        nn.init.zeros_(self.linear.bias)
        self.norm = nn.Identity() if kind.norm is None else kind.norm(outputs)
        self.activation = kind.activation()
        self.residual = kind.residual and inputs == outputs

    def forward(self, x: Any) -> Any:
        y = self.activation(self.norm(self.linear(x)))
        return x + y if self.residual else y


def deep_net(kind: Kind, depth: int, inputs: int, width: int) -> Any:
    """`depth` layers of `width` neurons, and the scores of ten digits behind them."""
    model = nn.Sequential(nn.Flatten())
    model.extend(Layer(kind, width if layer else inputs, width) for layer in range(depth))
    return model.append(nn.Linear(width, 10))


def layer_norms(model: Any, images: Any, labels: Any) -> list[float]:
    """|dC/da^l| of each layer's output a^l, C the cross-entropy of one batch."""
    a, outputs = images, []
    for part in model:
        a = part(a)
        if isinstance(part, Layer):
            outputs.append(a)
    gradients = tg.autograd.grad(nn.functional.cross_entropy(a, labels), outputs)
    return [gradient.double().norm().item() for gradient in gradients]  # their squares are tiny


# ---- through time


class LSTMCell(nn.LSTMCell):
    """c_t = f * c_(t-1) + i * g, h_t = o * tanh(c_t), one op after the other, so that c_t stands in
    the graph between them: the library's cell is one op.
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        h, c = hx or 2 * [input.new_zeros(len(input), self.hidden_size)]
        linear = nn.functional.linear
        z = linear(input, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = z.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


def orthogonal(cell: Any, steps: int) -> None:
    """W W^T = 1: a step that turns the state, and makes it no longer and no shorter."""
    nn.init.orthogonal_(cell.weight_hh)


def identity(cell: Any, steps: int) -> None:
    """Le, Jaitly and Hinton 2015: with ReLU the state at first only adds up what comes in."""
    nn.init.eye_(cell.weight_hh)
    nn.init.zeros_(cell.bias_ih)
    nn.init.zeros_(cell.bias_hh)


def open_gates(cell: Any, steps: int) -> None:
    """Forget gates of sigmoid(log T) = T / (T + 1), which keep the state for about T steps.

    After Tallec and Ollivier 2018, who draw T anew for each number of the state.
    """
    forget = slice(cell.hidden_size, 2 * cell.hidden_size)  # behind the input gate
    nn.init.constant_(cell.bias_ih[forget], math.log(steps))


# The cell, and how its weights are changed behind PyTorch's initialisation.
CELLS: dict[str, tuple[Any, Any]] = {
    "RNN": (nn.RNNCell, None),
    "RNN, orthogonal weights": (nn.RNNCell, orthogonal),
    "RNN of ReLU, identity": (lambda *sizes: nn.RNNCell(*sizes, nonlinearity="relu"), identity),
    "LSTM": (LSTMCell, None),
    "LSTM, open gates": (LSTMCell, open_gates),
}


def lag_norms(name: str, steps: int, size: int = 64, batch: int = 32) -> dict[str, list[float]]:
    """|dC_T/dh_t| for t = T, T - 1, ..., over |dC_T/dh_T|: C_T is the cross-entropy of a class that
    is foretold from h_T. Of an LSTM also |dC_T/dc_t| of the cell, over the same.
    """
    make, change = CELLS[name]
    cell, scores = make(size, size).double(), nn.Linear(size, 10).double()
    if change is not None:
        with tg.no_grad():
            change(cell, steps)
    state, states = None, []
    for x in tg.randn(steps, batch, size, dtype=tg.float64):
        state = cell(x, state)
        states.append(state if isinstance(state, tuple) else (state,))
    parts = [list(part) for part in zip(*states)]
    cost = nn.functional.cross_entropy(scores(parts[0][-1]), tg.randint(0, 10, (batch,)))
    found = {}
    for part, letter in zip(parts, "hc"):
        gradients = tg.autograd.grad(cost, part, retain_graph=True)
        label = f"{name}: {letter}" if len(parts) > 1 else name
        found[label] = [gradient.norm().item() for gradient in reversed(gradients)]
    last = next(iter(found.values()))[0]
    return {label: [norm / last for norm in norms] for label, norms in found.items()}


# ---- the program


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Print how the gradients of first and last layer compare and which nets learn, draw both, and
    return by kind of net and depth "ratio" and "accuracy", and by kind of cell "lags".
    """
    options = program.options_of(
        __doc__,
        epochs=10,
        depths={
            "type": program.whole_number,
            "nargs": "+",
            "default": [2, 10, 20, 50],
            "help": "in layers",
        },
        width={"type": program.whole_number, "default": 64, "help": "neurons of a layer"},
        rate={"type": float, "default": 2e-3, "help": "of learning"},
        lags={"type": program.whole_number, "default": 100, "help": "steps of time"},
    ).parse_args(arguments)
    if options.quick:
        options.depths, options.width, options.lags = [2, 16], 32, 60
        options.epochs, options.rate = 3, 3e-3
    program.begin(options)
    images, labels, held_out, wanted = program.digit_images(options)

    found: dict[str, Any] = {"ratio": {}, "accuracy": {}, "norms": {}, "lags": {}}
    for name, kind in KINDS.items():
        ratios, shares = found["ratio"].setdefault(name, {}), found["accuracy"].setdefault(name, {})
        for depth in options.depths:
            tg.manual_seed(options.seed)
            model = deep_net(kind, depth, images[0].numel(), options.width)
            norms = layer_norms(model, images[:256], labels[:256])
            ratios[depth], found["norms"][name] = norms[0] / max(norms[-1], 1e-300), norms
            shares[depth] = learnt(
                options, f"{name}, {depth} layers", model, (images, labels), (held_out, wanted)
            )
    for what, style in (("ratio", ".1e"), ("accuracy", ".1%")):
        rows = [(name, *(f"{v:{style}}" for v in by.values())) for name, by in found[what].items()]
        print({"ratio": "|dC/da| of the first layer / of the last", "accuracy": what}[what])
        print(program.table(rows, ("layers", *options.depths)))

    for name in CELLS:
        tg.manual_seed(options.seed)
        found["lags"] |= lag_norms(name, options.lags + 1)
    lags = sorted({0, 1, options.lags // 10, options.lags // 2, options.lags})
    rows = [(name, *(f"{by[lag]:.1e}" for lag in lags)) for name, by in found["lags"].items()]
    print("|dC_T/dh_(T - lag)| / |dC_T/dh_T|")
    print(program.table(rows, ("lag", *lags)))
    program.picture(options, "vanishing", lambda figure: draw(figure, options, found))
    return found


def learnt(options: argparse.Namespace, name: str, model: Any, data: Any, held_out: Any) -> float:
    """The share of held-out digits that the net reads right after it has learnt for `--epochs`."""
    program.fit(
        program.of_part(options, name), model,
        tg.optim.Adam(model.parameters(), options.rate),
        tg.data.DataLoader(tg.data.TensorDataset(*data), 64, shuffle=True),
        lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="digits", title=name,
    )  # fmt: skip
    return program.accuracy(model, *held_out)


def draw(figure: Any, options: argparse.Namespace, found: dict[str, Any]) -> None:
    figure.set_size_inches(15, 6)
    layers, shares, lags = figure.subplots(1, 3)
    marks = "osv^<>DPX*pd"
    for (name, norms), mark in zip(found["norms"].items(), marks):
        line = ":" if KINDS[name].residual else "--" if KINDS[name].norm else "-"
        style = {"marker": mark, "markersize": 4, "linestyle": line, "label": name}
        layers.semilogy(range(1, len(norms) + 1), norms, **style)
        by_depth = found["accuracy"][name]
        shares.plot(list(by_depth), [100 * share for share in by_depth.values()], **style)
    layers.set(xlabel="layer", ylabel="|dC/da| before learning")
    layers.set_title(f"Nets of {options.depths[-1]} layers")
    layers.set_ylim(1e-20, 1e15)
    shares.set(xlabel="layers", ylabel=f"digits read right after {options.epochs} epochs, %")
    shares.set_title("What they learn")
    figure.legend(
        *layers.get_legend_handles_labels(), loc="outside lower left", ncols=4, fontsize=8
    )
    for name, norms in found["lags"].items():
        lags.semilogy(norms, label=name)
    lags.set(xlabel="lag, steps of time", ylabel="|dC_T/dh_(T-lag)| / |dC_T/dh_T|")
    lags.set_title("Through time")
    lags.set_ylim(1e-16, 1e2)
    lags.legend(fontsize=8)


if __name__ == "__main__":
    main()
