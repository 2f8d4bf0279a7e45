"""The workloads of `python -m bench --peer jax`: a step is one `jax.jit`, with the update in it.

A model is a pure function of `w`, its weights under their names in our `state_dict`; batch norm's
running statistics go in and come back beside the loss. Donated weights are updated in place. Images
stay in the order (batch, channels, rows, columns): with the channels last two convolutions of 64
channels, forward and backward, took 159 ms, not 157, the MNIST network 144, not 154. Pooling is a
maximum over a reshaped array: by `lax.reduce_window` that network took 155 to 173 ms. Knows neither
processes nor clocks.
"""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from bench.measure import LeftOut
from bench.models import Task
from bench.single_ops import Nothing

Arrays = dict[str, jax.Array]
Loss = tuple[jax.Array, Arrays]  # and the new running statistics


# ---- layers


def linear(w: Arrays, layer: str, x: jax.Array) -> jax.Array:
    return x @ w[f"{layer}.weight"].T + w[f"{layer}.bias"]


def conv(w: Arrays, layer: str, x: jax.Array, padding: int = 0) -> jax.Array:
    """Without a bias."""
    order = "NCHW", "OIHW", "NCHW"
    return lax.conv_general_dilated(
        x, w[f"{layer}.weight"], (1, 1), 2 * [(padding, padding)], dimension_numbers=order
    )


def conv_relu(w: Arrays, layer: str, x: jax.Array, padding: int = 0) -> jax.Array:
    return jax.nn.relu(conv(w, layer, x, padding) + w[f"{layer}.bias"][:, None, None])


def max_pool(x: jax.Array) -> jax.Array:
    """Of windows of 2 x 2."""
    batch, channels, rows, columns = x.shape
    return x.reshape(batch, channels, rows // 2, 2, columns // 2, 2).max((3, 5))


def layer_norm(x: jax.Array) -> jax.Array:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5)


def norm(w: Arrays, layer: str, x: jax.Array) -> jax.Array:
    return layer_norm(x) * w[f"{layer}.weight"] + w[f"{layer}.bias"]


def batch_norm(w: Arrays, layer: str, x: jax.Array, training: bool) -> tuple[jax.Array, Arrays]:
    """Normalised over the batch, and the new running statistics."""
    old = w[f"{layer}.running_mean"], w[f"{layer}.running_var"]
    found = (x.mean((0, 2, 3)), x.var((0, 2, 3))) if training else old
    mean, variance = (part[:, None, None] for part in found)
    out = (x - mean) * lax.rsqrt(variance + 1e-5)
    out = out * w[f"{layer}.weight"][:, None, None] + w[f"{layer}.bias"][:, None, None]
    count = x.size // x.shape[1]
    return out, {
        f"{layer}.running_mean": 0.9 * old[0] + 0.1 * found[0],
        f"{layer}.running_var": 0.9 * old[1] + 0.1 * found[1] * (count / (count - 1)),
    }


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """By `log_softmax` the 4 million logits took 14.6 ms, not 3.0."""
    chosen = jnp.take_along_axis(logits, labels[..., None], -1)[..., 0]
    return (jax.nn.logsumexp(logits, -1) - chosen).mean()


# ---- models: the loss of a batch, from all weights


def perceptron(task: Any, w: Arrays, training: bool, inputs: Any, labels: Any) -> Loss:
    hidden = jax.nn.relu(linear(w, "2", jax.nn.relu(linear(w, "0", inputs))))
    return cross_entropy(linear(w, "4", hidden), labels), {}


def tiny_perceptron(task: Any, w: Arrays, training: bool, inputs: Any, targets: Any) -> Loss:
    outputs = linear(w, "2", jnp.tanh(linear(w, "0", inputs)))
    return ((outputs - targets) ** 2).mean(), {}


def mnist(task: Any, w: Arrays, training: bool, images: Any, labels: Any) -> Loss:
    features = max_pool(conv_relu(w, "2", conv_relu(w, "0", images)))
    hidden = jax.nn.relu(linear(w, "6", features.reshape(len(images), -1)))
    return cross_entropy(linear(w, "8", hidden), labels), {}


def wide_windows(task: Any, w: Arrays, training: bool, images: Any, labels: Any) -> Loss:
    features = max_pool(conv_relu(w, "0", images, padding=2))
    features = max_pool(conv_relu(w, "3", features, padding=2))
    return cross_entropy(linear(w, "7", features.reshape(len(images), -1)), labels), {}


def residual(task: Any, w: Arrays, training: bool, images: Any, labels: Any) -> Loss:
    x, statistics = images, {}
    for block in "0", "1":
        out = conv(w, f"{block}.conv1", x, padding=1)
        out, first = batch_norm(w, f"{block}.norm1", out, training)
        out = conv(w, f"{block}.conv2", jax.nn.relu(out), padding=1)
        out, second = batch_norm(w, f"{block}.norm2", out, training)
        x = jax.nn.relu(out + x)
        statistics |= first | second
    return cross_entropy(linear(w, "4", x.mean((2, 3))), labels), statistics


def projected(w: Arrays, inputs: jax.Array) -> jax.Array:
    """All steps' inputs to the gates in one product, the steps first."""
    return (inputs @ w["weight_ih_l0"].T + w["bias_ih_l0"]).swapaxes(0, 1)


def lstm(task: Any, w: Arrays, training: bool, inputs: Any) -> Loss:
    def step(state: Any, gates: Any) -> Any:
        hidden, cell = state
        gates = gates + hidden @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        i, f, g, o = jnp.split(gates, 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    zeros = jnp.zeros((len(inputs), task.hidden))
    _, outputs = lax.scan(step, (zeros, zeros), projected(w, inputs))
    return (outputs**2).mean(), {}


def gru(task: Any, w: Arrays, training: bool, inputs: Any) -> Loss:
    def step(hidden: Any, gates: Any) -> Any:
        theirs = jnp.split(hidden @ w["weight_hh_l0"].T + w["bias_hh_l0"], 3, axis=1)
        ours = jnp.split(gates, 3, axis=1)
        r, z = (jax.nn.sigmoid(a + b) for a, b in zip(ours[:2], theirs[:2], strict=True))
        n = jnp.tanh(ours[2] + r * theirs[2])
        hidden = (1 - z) * n + z * hidden
        return hidden, hidden

    zeros = jnp.zeros((len(inputs), task.hidden))
    _, outputs = lax.scan(step, zeros, projected(w, inputs))
    return (outputs**2).mean(), {}


def gpt(task: Any, w: Arrays, training: bool, tokens: Any, following: Any) -> Loss:
    batch, length = tokens.shape
    x = w["tokens.weight"][tokens] + w["places.weight"]
    for i in range(task.blocks):
        block = f"blocks.{i}"
        qkv = linear(w, f"{block}.qkv", norm(w, f"{block}.norm1", x))
        q, k, v = (p.reshape(batch, length, task.heads, -1) for p in jnp.split(qkv, 3, axis=2))
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(w, f"{block}.out", mixed.reshape(x.shape))
        hidden = linear(w, f"{block}.mlp.0", norm(w, f"{block}.norm2", x))
        x = x + linear(w, f"{block}.mlp.2", jax.nn.gelu(hidden, approximate=False))
    return cross_entropy(linear(w, "head", norm(w, "norm", x)), following), {}


def bag_classifier(task: Any, w: Arrays, training: bool, texts: Any, labels: Any) -> Loss:
    return cross_entropy(linear(w, "1", w["0.weight"][texts].mean(1)), labels), {}


# ---- one op of a parameter


def of_op(apply: Callable[[jax.Array], jax.Array]) -> Callable[..., Loss]:
    return lambda task, w, training, one: (apply(w["x"]).sum() / 1024, {})


def token_loss(x: jax.Array) -> jax.Array:
    return cross_entropy(x, jnp.arange(len(x)) % x.shape[1])


def first_weight(task: Any, w: Arrays, training: bool, one: Any) -> Loss:
    return w["x"][:1].sum(), {}


LOSSES: dict[str, Callable[..., Loss]] = {
    "mlp-2-16-1": tiny_perceptron,
    "mlp-784-512-256-10": perceptron,
    "mnist-convnet": mnist,
    "residual-64x32x32": residual,
    "residual-128x16x16": residual,
    "conv-5x5": wide_windows,
    "lstm-64": lstm,
    "lstm-256": lstm,
    "gru-256": gru,
    "gpt-4x128": gpt,
    "embedding-bag": bag_classifier,
    "gelu-4m": of_op(partial(jax.nn.gelu, approximate=False)),
    "layer-norm-4m": of_op(lambda x: layer_norm(x) + 1),
    "softmax-loss-4m": of_op(token_loss),
    "adam-5m": first_weight,
}


# ---- optimizers: `start` makes the state, `update` gives new weights and a new state


class SGD:
    def __init__(self, names: list[str], lr: float) -> None:
        self.lr = lr

    def start(self, weights: Arrays) -> Any:
        return {}

    def update(self, weights: Arrays, gradients: Arrays, state: Any) -> tuple[Arrays, Any]:
        return jax.tree.map(lambda w, g: w - self.lr * g, weights, gradients), state


class Adam:
    decay = 0.0

    def __init__(self, names: list[str], lr: float, fused: bool | None = None) -> None:
        self.lr = lr

    def start(self, weights: Arrays) -> Any:
        def zeros() -> Arrays:
            return jax.tree.map(jnp.zeros_like, weights)

        return {"mean": zeros(), "square": zeros(), "steps": jnp.zeros((), jnp.int32)}

    def update(self, weights: Arrays, gradients: Arrays, state: Any) -> tuple[Arrays, Any]:
        steps = state["steps"] + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["mean"], gradients)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, state["square"], gradients)
        rate, scale = self.lr / (1 - 0.9**steps), 1 / (1 - 0.999**steps)

        def moved(w: jax.Array, m: jax.Array, s: jax.Array) -> jax.Array:
            return w * (1 - self.lr * self.decay) - rate * m / (jnp.sqrt(s * scale) + 1e-8)

        state = {"mean": mean, "square": square, "steps": steps}
        return jax.tree.map(moved, weights, mean, square), state


class AdamW(Adam):
    decay = 0.01


class Kept:
    """The gradients are the state: what is not returned is not computed."""

    def start(self, weights: Arrays) -> Any:
        return jax.tree.map(jnp.zeros_like, weights)

    def update(self, weights: Arrays, gradients: Arrays, state: Any) -> tuple[Arrays, Any]:
        return weights, gradients


class Given(Adam):
    """Gradients of ones from the memory, as the models of torch and ours have them."""

    def start(self, weights: Arrays) -> Any:
        return super().start(weights) | {"gradients": jax.tree.map(jnp.ones_like, weights)}

    def update(self, weights: Arrays, gradients: Arrays, state: Any) -> tuple[Arrays, Any]:
        weights, new = super().update(weights, state["gradients"], state)
        return weights, new | {"gradients": state["gradients"]}


# ---- training


class Learner:
    def __init__(self, task: Task, model: Any) -> None:
        if task.name not in LOSSES:
            raise LeftOut(f"bench/jax_peer.py has no {task.name}")
        weights = {name: jnp.array(t.numpy()) for name, t in model.state_dict().items()}
        names = [name for name, _ in model.named_parameters()]
        self.parameters = {name: weights.pop(name) for name in names}
        self.statistics = weights
        adam = Given if task.name == "adam-5m" else Adam
        lib = SimpleNamespace(optim=SimpleNamespace(SGD=SGD, Adam=adam, AdamW=AdamW))
        rule = task.optimizer(lib, names)
        rule = Kept() if isinstance(rule, Nothing) else rule
        self.state = rule.start(self.parameters)

        def loss(parameters: Arrays, statistics: Arrays, training: bool, *batch: Any) -> Loss:
            value, new = LOSSES[task.name](task, parameters | statistics, training, *batch)
            return value, statistics | new

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(parameters: Arrays, statistics: Arrays, state: Any, *batch: Any) -> Any:
            found = jax.value_and_grad(loss, has_aux=True)(parameters, statistics, True, *batch)
            (value, statistics), gradients = found
            return *rule.update(parameters, gradients, state), statistics, value

        self.compiled = step
        self.figure = jax.jit(lambda *arguments: loss(*arguments[:2], False, *arguments[2:])[0])

    def convert(self, tensor: Any) -> jax.Array:
        return jnp.array(tensor.numpy())

    def step(self, *batch: Any) -> jax.Array:
        found = self.compiled(self.parameters, self.statistics, self.state, *batch)
        self.parameters, self.state, self.statistics, loss = jax.block_until_ready(found)
        return loss

    def evaluate(self, *batch: Any) -> float:
        return float(self.figure(self.parameters, self.statistics, *batch))
