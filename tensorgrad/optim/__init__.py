"""Optimizers, under PyTorch's names.

https://docs.pytorch.org/docs/stable/optim.html
"""

from tensorgrad.optim import lr_scheduler, swa_utils
from tensorgrad.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from tensorgrad.optim.adaptive import Adadelta, Adafactor, Adagrad
from tensorgrad.optim.asgd import ASGD
from tensorgrad.optim.lbfgs import LBFGS
from tensorgrad.optim.muon import Muon
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.rmsprop import RMSprop
from tensorgrad.optim.sgd import SGD
from tensorgrad.optim.signs import Lion, Rprop
from tensorgrad.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
