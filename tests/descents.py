"""What the tests of optimizers share: options of each, a loss to go down, given gradients."""

import numpy as np

import tensorgrad as tg

OPTIONS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd, decay": ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    "sgd, maximize": ("SGD", {"lr": 0.001, "weight_decay": 0.1, "maximize": True}),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "momentum, dampening": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
    ),
    "nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "momentum, maximize": ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True}),
    "adam": ("Adam", {"lr": 0.05}),
    "adam, decay": ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    "adam, amsgrad": ("Adam", {"lr": 0.05, "amsgrad": True}),
    "adam, maximize": ("Adam", {"lr": 0.01, "maximize": True}),
    "adamw": ("AdamW", {"lr": 0.05}),
    "adamw, amsgrad": ("AdamW", {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True}),
    "rmsprop": ("RMSprop", {"lr": 0.02}),
    "rmsprop, all": (
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.5, "centered": True},
    ),
    "rmsprop, maximize": ("RMSprop", {"lr": 0.001, "maximize": True}),
    "adamax": ("Adamax", {"lr": 0.05}),
    "adamax, decay": ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.8, 0.95)}),
    "nadam": ("NAdam", {"lr": 0.02}),
    "nadam, decay": (
        "NAdam",
        {"weight_decay": 0.1, "momentum_decay": 6e-3, "decoupled_weight_decay": True},
    ),
    "radam": ("RAdam", {"lr": 0.02}),
    "radam, decay": ("RAdam", {"lr": 0.02, "weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "adagrad": ("Adagrad", {"lr": 0.1}),
    "adagrad, all": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1, "initial_accumulator_value": 0.1},
    ),
    "adadelta": ("Adadelta", {}),
    "adadelta, decay": ("Adadelta", {"rho": 0.95, "weight_decay": 0.9, "lr": 0.5}),
    "adafactor": ("Adafactor", {}),
    "adafactor, all": ("Adafactor", {"beta2_decay": -1.0, "d": 1.5, "weight_decay": 0.1}),
    "rprop": ("Rprop", {}),
    "rprop, etas": ("Rprop", {"etas": (0.4, 1.5), "step_sizes": (1e-4, 0.1)}),
    "asgd": ("ASGD", {}),
    "asgd, average": ("ASGD", {"t0": 20, "lambd": 0.1, "weight_decay": 0.1, "alpha": 0.5}),
}
START = [np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(0.5, -0.5, 3), np.array(0.7)]


def quadratic(library, dtype="float64"):
    """Parameters of 0, 1 and 2 dimensions, and a loss over them that is no sum over elements."""
    parameters = [library.tensor(a.astype(dtype), requires_grad=True) for a in START]
    x = library.tensor(np.random.default_rng(1).normal(size=(5, 4)).astype(dtype))

    def loss():
        weight, bias, scale = parameters
        return ((x @ weight.T * scale + bias) ** 2).mean() + (scale - 2) ** 2

    return parameters, loss


def descend(optimizer, loss, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def host(tensors):
    return [tensor.detach().numpy().copy() for tensor in tensors]


def close(actual, expected, tolerance=1e-6):
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * 1e-3)


def steps_on(optimizer, parameter, gradients):
    for gradient in gradients:
        parameter.grad = tg.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy()
