"""What a page draws of a session at this moment, as JSON: numbers with four digits, maps as bytes.

A map is base64 of signed bytes: -127 to 127 stand for minus to plus the largest absolute value of
that map, where it is of answers for -1 to 1.
"""

from __future__ import annotations

import base64
import functools
import math
from typing import Any

import numpy as np

import tensorgrad as tg
from examples.playground.session import Pass, Session

SIDE = 40  # of the surface, in cells; the maps of hidden neurons have half as many
REACH = 1.2  # the surface goes from -REACH to REACH in both directions
SHOWN_DIGITS = 36  # of the test set


def numbers(tensor: tg.Tensor | None) -> Any:
    """Nested lists of numbers with four digits; what is not finite is None, as in JSON."""
    if tensor is None:
        return None
    values = tensor.detach().numpy(force=True)
    short = [_short(value) for value in values.ravel().tolist()]
    return np.array(short, object).reshape(values.shape).tolist()


def _short(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.4g}")


def as_bytes(values: Any, largest: float) -> str:
    """base64 of one signed byte a number."""
    scaled = np.clip(np.nan_to_num(values) / max(largest, 1e-9), -1, 1) * 127
    return base64.b64encode(np.rint(scaled).astype(np.int8).tobytes()).decode()


def _own_scale(values: Any) -> str:
    return as_bytes(values, float(np.abs(np.nan_to_num(values)).max(initial=0)))


@functools.cache
def _grid() -> Any:
    """The middles of the cells, from the upper left: (SIDE * SIDE, 2)."""
    middles = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 * REACH - REACH
    x, y = np.meshgrid(middles, -middles)
    return np.stack([x.ravel(), y.ravel()], 1)


def frame_of(session: Session, known: int | None) -> dict[str, Any]:
    """All that a page shows. The data are told where `known` is not their version."""
    with session.engine():
        settings, quality = session.settings, session.quality()
        frame: dict[str, Any] = {
            "version": session.version,
            "phase": session.phase,
            "playing": session.playing,
            "diverged": session.diverged,
            "steps": session.steps,
            "epoch": session.epoch,
            "part": _short(session.place % len(session.order) / len(session.order)),
            "settings": {**vars(settings), "hidden": list(settings.hidden)},
            "kind": session.problem.kind,
            "quality": {name: _short(value) for name, value in quality.items()},
            "curve": [[_short(value) for value in point] for point in session.curve],
            "layers": [_layer(session, number) for number in range(len(session.net.layers))],
            "moment": _moment(session),
        }
        with tg.no_grad():
            frame |= _digit_maps(session) if frame["kind"] == "classes" else _plane_maps(session)
        if known != session.version:
            frame["data"] = _data(session)
    return frame


def _layer(session: Session, number: int) -> dict[str, Any]:
    """Weights (outputs, inputs) and biases; their gradients once they are computed, and what the
    optimizer made of them.
    """
    layer = session.net.layers[number]
    has_gradient = session.phase in ("backward", "update")
    found = {
        "weight": numbers(layer.weight),
        "bias": numbers(layer.bias),
        "gradient": numbers(layer.weight.grad) if has_gradient else None,
        "bias_gradient": numbers(layer.bias.grad) if has_gradient else None,
    }
    if session.phase == "update":
        found["before"], found["bias_before"] = map(numbers, session.before[number])
        if not session.playing:
            state = session.optimizer.state[layer.weight]
            found["state"] = {
                name: numbers(value)
                for name, value in state.items()
                if isinstance(value, tg.Tensor) and value.shape == layer.weight.shape
            }
    return found


def _moment(session: Session) -> dict[str, Any] | None:
    """One example of the batch on its way through the net and back."""
    if not session.passes:
        return None
    example = session.example % len(session.rows)

    def row(tensor: tg.Tensor | None) -> Any:
        return None if tensor is None else numbers(tensor[example])

    def of(one: Pass) -> dict[str, Any]:
        return {
            "x": row(one.x),
            "z": row(one.z),
            "a": row(one.a),
            "z_gradient": row(one.z.grad),
            "a_gradient": row(one.a.grad),
        }

    return {
        "example": example,
        "rows": session.rows.tolist(),
        "target": _short(session.targets[example].item()),
        "output": numbers(_answer(session, session.passes[-1].z)[example]),
        "loss": _short(session.loss.item()),
        "steps_of_optimizer": session.steps_of_optimizer,
        "passes": [of(one) for one in session.passes],
    }


def _answer(session: Session, output: tg.Tensor) -> tg.Tensor:
    """What the output means: a probability of each class, or the value itself."""
    kind = session.problem.kind
    output = output.detach()
    if kind == "regression":
        return output
    return output.softmax(1) if kind == "classes" else output.sigmoid()


def _plane_maps(session: Session) -> dict[str, Any]:
    """The output over the plane, and each neuron's activation over it."""
    passes = session.net.passes(tg.tensor(_grid()))
    surface = _answer(session, passes[-1].z).numpy(force=True)
    if session.problem.kind == "binary":
        surface = 2 * surface - 1
    maps = []
    for one in passes[:-1]:
        values = one.a.numpy(force=True).reshape(SIDE, SIDE, -1)[::2, ::2]
        maps.append([_own_scale(values[..., unit]) for unit in range(values.shape[-1])])
    return {"surface": as_bytes(surface, 1), "maps": maps}


def _digit_maps(session: Session) -> dict[str, Any]:
    """Each neuron's mean activation for each digit, and what the net reads of some test images."""
    inputs, targets = session.problem.test
    passes = session.net.passes(inputs)
    answer = _answer(session, passes[-1].z).numpy(force=True)
    of_digit = np.eye(10, dtype=np.float32)[targets.numpy(force=True)].T
    of_digit = of_digit / of_digit.sum(1, keepdims=True)
    means = [of_digit @ one.a.numpy(force=True) for one in passes[:-1]]
    maps = [[_own_scale(unit) for unit in layer.T] for layer in means]
    shown = answer[:SHOWN_DIGITS]
    return {
        "maps": [*maps, [as_bytes(unit, 1) for unit in (of_digit @ answer).T]],
        "read": shown.argmax(1).tolist(),
        "sure": [_short(value) for value in shown.max(1).tolist()],
    }


def _data(session: Session) -> dict[str, Any]:
    """What the net sees: points with their targets, or images of which some are shown."""
    if session.problem.kind == "classes":
        images, labels = (part[:SHOWN_DIGITS] for part in session.problem.test)
        return {
            "images": [as_bytes(image, 1) for image in images.numpy(force=True)],
            "labels": labels.tolist(),
        }
    return {
        name: {"points": numbers(points), "targets": numbers(targets)}
        for name, (points, targets) in [
            ("train", session.problem.train),
            ("test", session.problem.test),
        ]
    }
