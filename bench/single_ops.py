"""Workloads of one op, forward and backward, and of one optimizer's step, on large tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.models import Array, Synthetic, Task


class OneOp(Synthetic):
    """An op of a parameter, weighted and averaged; nothing is updated."""

    unit = "steps"
    batch_size = 1
    shape: tuple[int, ...]

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        return (np.ones((count, 1), np.float32),)

    def apply(self, lib: Any, x: Any) -> Any:
        raise NotImplementedError

    def model(self, lib: Any) -> Any:
        shape, apply = self.shape, self.apply

        class Network(lib.nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.x = lib.nn.Parameter(lib.randn(*shape))

            def forward(self) -> Any:
                return apply(lib, self.x)

        return Network()

    def loss(self, lib: Any, model: Any, one: Any) -> Any:
        return model().sum() * (1 / 1024)

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return Nothing(parameters)


class Nothing:
    """An optimizer that only drops the gradients."""

    def __init__(self, parameters: Any) -> None:
        self.parameters = list(parameters)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        pass


def one_op(name: str, shape: tuple[int, ...], apply: Callable[[Any, Any], Any]) -> Task:
    task = type(name, (OneOp,), {"name": name, "shape": shape})()
    task.apply = apply
    return task


def pointwise(lib: Any, x: Any) -> Any:
    return lib.sigmoid(x * 0.5 + 1) * lib.tanh(x) + (x - 0.1) ** 2


def layer_norm(lib: Any, x: Any) -> Any:
    """With a bias, for without one the sum is that of rounding errors."""
    return lib.nn.functional.layer_norm(x, (1024,), bias=lib.ones(1024))


def token_loss(lib: Any, x: Any) -> Any:
    return lib.nn.functional.cross_entropy(x, lib.arange(len(x)) % x.shape[1])


class Adam5M(OneOp):
    name = "adam-5m"
    shape = (5_000_000,)

    def apply(self, lib: Any, x: Any) -> Any:
        return x[:1]

    def loss(self, lib: Any, model: Any, one: Any) -> Any:
        if model.x.grad is None:
            model.x.grad = lib.ones_like(model.x)
        return model.x[:1].detach().requires_grad_().sum()

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        optimizer = lib.optim.Adam(parameters, lr=1e-3, fused=True)
        optimizer.zero_grad = lambda: None
        return optimizer


MILLIONS_4 = (4096, 1024)
ONE_OPS = [
    one_op("gelu-4m", MILLIONS_4, lambda lib, x: lib.nn.functional.gelu(x)),
    one_op("pointwise-4m", MILLIONS_4, pointwise),
    one_op("layer-norm-4m", MILLIONS_4, layer_norm),
    one_op("softmax-loss-4m", MILLIONS_4, token_loss),
    one_op("max-pool", (32, 64, 32, 32), lambda lib, x: lib.nn.functional.max_pool2d(x, 2)),
]
