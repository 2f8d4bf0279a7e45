"""What a page may ask for: the choices, and the sentence for whoever asks for something else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorgrad as tg
from examples.playground.problems import PROBLEMS
from tensorgrad import nn

ACTIVATIONS: dict[str, Callable[[tg.Tensor], tg.Tensor]] = {
    "tanh": tg.tanh,
    "relu": tg.relu,
    "sigmoid": tg.sigmoid,
    "leaky relu": nn.functional.leaky_relu,  # the slope below 0 is 0.01
    "linear": lambda z: z * 1,  # a tensor of its own, with a gradient of its own
}
OPTIMIZERS: dict[str, Callable[[Any, float], Any]] = {
    "sgd": tg.optim.SGD,
    "momentum": lambda parameters, rate: tg.optim.SGD(parameters, rate, momentum=0.9),
    "rmsprop": tg.optim.RMSprop,
    "adam": tg.optim.Adam,
}
MOST_LAYERS, MOST_NEURONS = 5, 8


class Refused(Exception):
    """What cannot be done for a page: an HTTP status, and one sentence."""

    def __init__(self, status: int, expected: str, got: object) -> None:
        super().__init__(f"playground: expected {expected}, got {got}")
        self.status = status


def _number(name: str, value: object, least: float, most: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and least <= value <= most:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise Refused(400, f"{name} to be a number from {least} to {most}", repr(value)[:60])


def _whole(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Refused(400, f"{name} to be a whole number from {least} to {most}", repr(value)[:60])
    return value


def _one_of(name: str, value: object, choices: Mapping[str, object]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise Refused(400, f"{name} to be one of {', '.join(choices)}", repr(value)[:60])
    return value


def _hidden(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_LAYERS:
        raise Refused(400, f"{name} to be a list of at most {MOST_LAYERS}", repr(value)[:60])
    return tuple(_whole(f"the neurons in {name}", n, 1, MOST_NEURONS) for n in value)


@dataclasses.dataclass(frozen=True)
class Settings:
    """One page's choices. A change of `RESTARTING` begins anew; the others act on the next step."""

    data: str = "spirals"
    noise: float = 0.02
    hidden: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    seed: int = 0
    batch: int = 20
    optimizer: str = "adam"
    rate: float = 0.01
    l2: float = 0.0
    dropout: float = 0.0
    speed: int = 200

    def changed(self, wanted: object) -> Settings:
        """These settings with those of a JSON object in their places; Refused if one is not what
        it should be.
        """
        if not isinstance(wanted, dict):
            raise Refused(400, "settings to be an object", type(wanted).__name__)
        for name in wanted:
            if name not in CHECKS:
                raise Refused(400, f"settings among {', '.join(CHECKS)}", repr(name)[:60])
        checked = {name: CHECKS[name](name, value) for name, value in wanted.items()}
        return dataclasses.replace(self, **checked)


RESTARTING = ("data", "noise", "hidden", "seed")
CHECKS: dict[str, Callable[[str, object], Any]] = {
    "data": lambda name, value: _one_of(name, value, PROBLEMS),
    "noise": lambda name, value: _number(name, value, 0, 0.5),
    "hidden": _hidden,
    "activation": lambda name, value: _one_of(name, value, ACTIVATIONS),
    "seed": lambda name, value: _whole(name, value, 0, 2**31 - 1),
    "batch": lambda name, value: _whole(name, value, 1, 100),
    "optimizer": lambda name, value: _one_of(name, value, OPTIMIZERS),
    "rate": lambda name, value: _number(name, value, 1e-6, 10),
    "l2": lambda name, value: _number(name, value, 0, 1),
    "dropout": lambda name, value: _number(name, value, 0, 0.9),
    "speed": lambda name, value: _whole(name, value, 1, 5000),
}
