"""A model as a table: what each layer puts out, holds and computes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.autograd import no_grad
from tensorgrad.graph import TensorCore
from tensorgrad.nn.attention import MultiheadAttention
from tensorgrad.nn.conv import _ConvNd
from tensorgrad.nn.linear import Bilinear, Linear
from tensorgrad.nn.module import Module
from tensorgrad.nn.recurrence import RNNBase
from tensorgrad.nn.recurrent import RNNCellBase
from tensorgrad.ops.creation import zeros


class Layer(NamedTuple):
    """One call of a module, as a row of the table."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    neurons: int
    weights: int
    biases: int
    multiply_adds: int
    output_bytes: int


class Summary:
    """The layers in the order of their calls, and what they make together. `str` is the table."""

    def __init__(self, model: Module, layers: list[Layer], input_bytes: int) -> None:
        self.layers = layers
        self.input_bytes = input_bytes
        self.neurons = sum(layer.neurons for layer in layers)
        self.multiply_adds = sum(layer.multiply_adds for layer in layers)
        self.output_bytes = sum(layer.output_bytes for layer in layers)
        self.weights, self.biases = _sizes(model.named_parameters())
        self.parameters = self.weights + self.biases
        self.trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        held = [*model.parameters(), *model.buffers()]
        self.parameter_bytes = sum(tensor.nbytes for tensor in held)

    def __repr__(self) -> str:
        head = ("layer", "output shape", "neurons", "weights", "biases", "multiply-adds")
        rows = [
            (
                f"{layer.name} ({layer.kind})" if layer.name else layer.kind,
                str(list(layer.output_shape)),
                *[f"{number:,}" for number in layer[3:7]],
            )
            for layer in self.layers
        ]
        numbers = (self.neurons, self.weights, self.biases, self.multiply_adds)
        total = ("total", "", *[f"{number:,}" for number in numbers])
        table = [head, *rows, total]
        widths = [max(len(row[i]) for row in table) for i in range(len(head))]
        lines = [
            "  ".join(
                text.ljust(width) if i < 2 else text.rjust(width)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        rule = "-" * max(map(len, lines))
        memory = self.input_bytes + self.output_bytes + self.parameter_bytes
        return "\n".join(
            [
                lines[0],
                rule,
                *lines[1:-1],
                rule,
                lines[-1],
                rule,
                f"{self.parameters:,} parameters, {self.trainable:,} of them trainable",
                f"memory: input {_size(self.input_bytes)}, outputs {_size(self.output_bytes)}, "
                f"parameters and buffers {_size(self.parameter_bytes)}, together {_size(memory)}",
            ]
        )


def summary(
    model: Module, input_size: Sequence[Any], dtype: Any = None, device: Any = None
) -> Summary:
    """Call the model once, in evaluation mode and without gradients, on zeros of `input_size`, and
    tell of every layer: its output's shape, neurons, weights, biases and multiply-adds.

    input_size: the shape of the input with its batch, or a list of the shapes of several. dtype,
    device: of the input; those of the model's first parameter unless told. Neurons are the outputs
    of linear, convolution and recurrent layers for one sample; multiply-adds are theirs and
    attention's, for the whole input. Memory counts every output once.
    """
    first = next((p for p in model.parameters() if p.numel() and p.is_floating_point()), None)
    if dtype is None:
        dtype = dtypes.get_default_dtype() if first is None else first.dtype
    if device is None and first is not None:
        device = first.device
    several = len(input_size) > 0 and not isinstance(input_size[0], int)
    shapes = input_size if several else [input_size]
    inputs = [zeros(*shape, dtype=dtype, device=device) for shape in shapes]
    names = {module: name for name, module in model.named_modules()}
    training = {module: module.training for module in names}
    calls: list[tuple[Module, Layer]] = []

    def note(module: Module, args: Any, kwargs: Any, output: Any) -> None:
        out = _first_tensor(output)
        row = Layer(
            name=names[module],
            kind=type(module).__name__,
            output_shape=() if out is None else tuple(out.shape),
            neurons=_neurons(module, out),
            weights=0,
            biases=0,
            multiply_adds=_multiply_adds(module, args, kwargs, out),
            output_bytes=0 if out is None else out.nbytes,
        )
        calls.append((module, row))

    handles = [module.register_forward_hook(note, with_kwargs=True) for module in training]
    try:
        model.eval()
        with no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    return Summary(model, _rows(calls), sum(tensor.nbytes for tensor in inputs))


def _rows(calls: list[tuple[Module, Layer]]) -> list[Layer]:
    """The calls of modules that called no others or have parameters of their own, each with the
    parameters that no row before has, those of submodules that were not called included.
    """
    called = {module for module, _ in calls}
    counted: set[int] = set()
    rows = []
    for module, row in calls:
        below = set(module.modules()) - {module}
        own = list(module.named_parameters(recurse=False))
        if called & below and not own:
            continue
        for part in below - called:
            own += part.named_parameters(recurse=False)
        fresh = [(name, parameter) for name, parameter in own if id(parameter) not in counted]
        counted.update(id(parameter) for _, parameter in fresh)
        weights, biases = _sizes(fresh)
        rows.append(row._replace(weights=weights, biases=biases))
    return rows


def _sizes(named: Iterable[tuple[str, Any]]) -> tuple[int, int]:
    """(weights, biases): how many numbers each are."""
    weights = biases = 0
    for name, parameter in named:
        if "bias" in name.rpartition(".")[2]:
            biases += parameter.numel()
        else:
            weights += parameter.numel()
    return weights, biases


def _first_tensor(output: Any) -> Any:
    if isinstance(output, TensorCore):
        return output
    several = output.values() if isinstance(output, dict) else output
    if isinstance(output, dict | tuple | list):
        return next((found for part in several if (found := _first_tensor(part)) is not None), None)
    return None


def _neurons(module: Any, output: Any) -> int:
    if isinstance(module, Linear | Bilinear):
        return int(module.out_features)
    if isinstance(module, _ConvNd):
        return math.prod(output.shape[-module._spatial - 1 :])
    if isinstance(module, RNNBase):
        return int(module.hidden_size * module.num_layers * (1 + module.bidirectional))
    return int(module.hidden_size) if isinstance(module, RNNCellBase) else 0


def _multiply_adds(module: Any, args: Any, kwargs: Any, output: Any) -> int:
    if isinstance(module, Linear | Bilinear):
        return int(module.weight.numel() * output.numel() // max(module.out_features, 1))
    if isinstance(module, _ConvNd):
        # Each output element of a convolution, each input element of a transposed one, meets the
        # weights of one of its channels.
        places = args[0] if module.transposed else output
        return int(places.numel() * math.prod(module.weight.shape[1:]))
    if isinstance(module, RNNBase | RNNCellBase):
        matrices = sum(p.numel() for p in module.parameters() if p.ndim == 2)
        steps = args[0].numel() // max(module.input_size, 1)
        return int(matrices * steps)
    if isinstance(module, MultiheadAttention):
        given = dict(zip(("query", "key", "value"), args)) | kwargs
        query, key = given["query"], given["key"]
        size, batched = module.embed_dim, query.ndim == 3
        batch = query.shape[0 if module.batch_first else 1] if batched else 1
        queries = query.numel() // size
        keys = key.numel() // module.kdim
        projections = 2 * size * queries + (module.kdim + module.vdim) * keys
        return int(size * (projections + 2 * queries * keys // max(batch, 1)))
    return 0


def _size(count: int) -> str:
    """Bytes for people: 1.5 KB, 1 KB being 1024."""
    number, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.4g} {unit}"
