"""The workloads of `python -m bench --peer tinygrad`: its layers, its optimizers, its `TinyJit`.

Layers and attributes are named so that our `state_dict` loads by name. tinygrad runs on the CPU,
for which it compiles with clang; its heuristics choose the kernels. The GPT takes two minutes to
its first figures. Left out: bags of 50,000 words, for there an embedding is a product with one-hot
rows, and recurrent layers, for it has no loop over time: the first training step of an LSTM over 8
steps, each written out, had not ended after a minute. Knows neither processes nor clocks.
"""

import os
import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["DEV"] = "CPU"  # read when tinygrad is imported

from tinygrad import Context, Device, Tensor, TinyJit, nn

from bench.measure import LeftOut, Unavailable
from bench.models import Task
from bench.single_ops import Nothing

# ---- models: called with a batch, they give its loss


class Classifier:
    """Layers, one after another, and cross-entropy."""

    def __init__(self, layers: list[Callable[[Tensor], Tensor]]) -> None:
        self.layers = layers

    def __call__(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return inputs.sequential(self.layers).sparse_categorical_crossentropy(labels)


class TinyPerceptron:
    def __init__(self, task: Any) -> None:
        self.layers = [nn.Linear(2, 16), Tensor.tanh, nn.Linear(16, 1)]

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return (inputs.sequential(self.layers) - targets).square().mean()


def perceptron(task: Any) -> Classifier:
    layers = nn.Linear(784, 512), Tensor.relu, nn.Linear(512, 256), Tensor.relu
    return Classifier([*layers, nn.Linear(256, 10)])


def mnist(task: Any) -> Classifier:
    first = nn.Conv2d(1, 32, 3), Tensor.relu, nn.Conv2d(32, 64, 3), Tensor.relu, Tensor.max_pool2d
    second = flattened, nn.Linear(9216, 128), Tensor.relu, nn.Linear(128, 10)
    return Classifier([*first, *second])


def wide_windows(task: Any) -> Classifier:
    first = nn.Conv2d(3, 32, 5, padding=2), Tensor.relu, Tensor.max_pool2d
    second = nn.Conv2d(32, 64, 5, padding=2), Tensor.relu, Tensor.max_pool2d
    return Classifier([*first, *second, flattened, nn.Linear(4096, 10)])


def flattened(x: Tensor) -> Tensor:
    return x.flatten(1)


class ResidualBlock:
    def __init__(self, channels: int) -> None:
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm(channels)

    def __call__(self, x: Tensor) -> Tensor:
        out = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(out)) + x).relu()


def residual(task: Any) -> Classifier:
    blocks = ResidualBlock(task.channels), ResidualBlock(task.channels)
    return Classifier([*blocks, over_images, flattened, nn.Linear(task.channels, 10)])


def over_images(x: Tensor) -> Tensor:
    return x.mean((2, 3))


class Block:
    def __init__(self, width: int, heads: int) -> None:
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = [nn.Linear(width, 4 * width), gelu, nn.Linear(4 * width, width)]

    def __call__(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.qkv(self.norm1(x)).chunk(3, dim=2)
        q, k, v = (p.reshape(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        mixed = q.scaled_dot_product_attention(k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.norm2(x).sequential(self.mlp)


def gelu(x: Tensor) -> Tensor:
    return x.gelu(approximate="none")


class GPT:
    def __init__(self, task: Any) -> None:
        self.tokens = nn.Embedding(task.words, task.width)
        self.places = nn.Embedding(task.length, task.width)
        self.blocks = [Block(task.width, task.heads) for _ in range(task.blocks)]
        self.norm, self.head = nn.LayerNorm(task.width), nn.Linear(task.width, task.words)

    def __call__(self, tokens: Tensor, following: Tensor) -> Tensor:
        x = (self.tokens(tokens) + self.places.weight).sequential(self.blocks)
        logits = self.head(self.norm(x)).flatten(0, 1)
        return logits.sparse_categorical_crossentropy(following.flatten())


class OneOp:
    """An op of the parameter `x`."""

    def __init__(self, task: Any, apply: Callable[[Tensor], Tensor]) -> None:
        self.x = Tensor.zeros(*task.shape)
        self.apply = apply

    def __call__(self, one: Tensor) -> Tensor:
        return self.apply(self.x).sum() / 1024


class Adam5M:
    """A given gradient; of the loss only that it is the first weight's."""

    def __init__(self, task: Any) -> None:
        self.x = Tensor.zeros(*task.shape)

    def __call__(self, one: Tensor) -> Tensor:
        return self.x[:1].detach().clone().sum()


def of_op(apply: Callable[[Tensor], Tensor]) -> Callable[[Any], OneOp]:
    return lambda task: OneOp(task, apply)


def token_loss(x: Tensor) -> Tensor:
    return x.sparse_categorical_crossentropy(Tensor.arange(len(x)) % x.shape[1])


MODELS: dict[str, Callable[[Any], Any]] = {
    "mlp-2-16-1": TinyPerceptron,
    "mlp-784-512-256-10": perceptron,
    "mnist-convnet": mnist,
    "residual-64x32x32": residual,
    "residual-128x16x16": residual,
    "conv-5x5": wide_windows,
    "gpt-4x128": GPT,
    "gelu-4m": of_op(gelu),
    "layer-norm-4m": of_op(lambda x: x.layernorm() + 1),
    "softmax-loss-4m": of_op(token_loss),
    "adam-5m": Adam5M,
}


# ---- training


class Learner:
    def __init__(self, task: Task, model: Any) -> None:
        if task.name not in MODELS:
            raise LeftOut(f"bench/tinygrad_peer.py has no {task.name}")
        if shutil.which(os.environ.get("CC", "clang")) is None:
            raise Unavailable("tinygrad compiles for the CPU with clang, and there is none")
        self.model = MODELS[task.name](task)
        inside = getattr(self.model, "layers", self.model)
        weights = {name: Tensor(t.numpy()) for name, t in model.state_dict().items()}
        nn.state.load_state_dict(inside, weights, verbose=False)
        parameters = nn.state.get_parameters(inside)
        lib = SimpleNamespace(
            optim=SimpleNamespace(SGD=nn.optim.SGD, Adam=adam, AdamW=nn.optim.AdamW)
        )
        self.optimizer = task.optimizer(lib, parameters)
        if isinstance(self.model, Adam5M):
            self.model.x.grad = Tensor.ones(*self.model.x.shape).contiguous().realize()
        self.compiled = TinyJit(self.forward_backward_update)

    def forward_backward_update(self, *batch: Tensor) -> Tensor:
        with Context(TRAINING=1):
            self.optimizer.zero_grad()
            loss = self.model(*batch)
            if isinstance(self.model, Adam5M):
                loss = loss.realize()  # before the update
            else:
                loss.backward()
            if isinstance(self.optimizer, Nothing):
                return loss.realize(*[p.grad for p in self.optimizer.parameters])
            return loss.realize(*self.optimizer.schedule_step())

    def convert(self, tensor: Any) -> Tensor:
        return Tensor(tensor.numpy()).is_param_(False).realize()

    def step(self, *batch: Tensor) -> Tensor:
        loss = self.compiled(*batch)
        Device[Device.DEFAULT].synchronize()
        return loss

    def evaluate(self, *batch: Tensor) -> float:
        figure: float = self.model(*batch).item()
        return figure


def adam(parameters: list[Tensor], lr: float, fused: bool | None = None) -> Any:
    return nn.optim.Adam(parameters, lr)
