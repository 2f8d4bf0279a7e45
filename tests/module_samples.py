"""Modules that the tests of Module register, walk, save and copy."""

import tensorgrad as tg
from tensorgrad import nn


class Scale(nn.Module):
    """input * factor, with a running count that is state and a scratch value that is not."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = nn.Parameter(tg.tensor(factor))
        self.register_buffer("count", tg.tensor(0))
        self.register_buffer("scratch", tg.zeros(2), persistent=False)

    def forward(self, input, power=1):
        return input * self.factor**power

    def extra_repr(self):
        return "scale"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = Scale()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.nothing = None
        self.tied = self.first

    def forward(self, input):
        return self.body(self.scale(self.first(input)))


NAMES = [
    "first.weight",
    "first.bias",
    "scale.factor",
    "body.0.weight",
    "body.0.bias",
]
