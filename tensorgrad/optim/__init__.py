"""Optimizers, under PyTorch's names.

https://docs.pytorch.org/docs/stable/optim.html
"""

from tensorgrad.optim.adam import Adam, AdamW
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.rmsprop import RMSprop
from tensorgrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]
