"""Pictures: of what autograd has recorded, and of how training went.

    model = tg.nn.Linear(3, 1)
    loss = model(x).square().mean()
    tg.viz.graph(loss, params=dict(model.named_parameters()))  # shows itself in a notebook
    tg.viz.history({"Adam": [{"loss": 0.7, "accuracy": 0.5}, {"loss": 0.4, "accuracy": 0.8}]})

Graphs are drawn by Graphviz's program `dot`, curves by the package matplotlib; the text of a graph
needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorgrad.viz.drawing import Drawing
from tensorgrad.viz.nodes import dot_source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad._tensor import Tensor

__all__ = ["Drawing", "graph", "history"]


def graph(
    tensors: Tensor | Any,
    params: Mapping[str, Tensor] | None = None,
    show_saved: bool = False,
    max_nodes: int = 1000,
) -> Drawing:
    """The recorded graph that leads to a tensor, or to several in a sequence or a dict.

    Each op is a box with its shape and, where it is known, its dtype; data flows downwards, and
    gradients back up. params: names for tensors, such as `dict(model.named_parameters())`.
    show_saved: also what each op keeps for its gradient. A graph of more than `max_nodes` raises
    GraphError: dot would need minutes, and nobody could read it.
    """
    return Drawing(dot_source(tensors, dict(params or {}), show_saved, max_nodes))


def history(runs: Any, names: list[str] | None = None, smoothing: float = 0.0) -> Figure:
    """Learning curves: a matplotlib figure with one panel a figure of the training.

    runs: one run, or several in a dict by their names. A run is a list with a dict of numbers for
    each epoch, or a dict with a list of numbers for each figure. "loss" and "val_loss" share a
    panel; so do all that differ by a first word among train, training, val, valid, validation,
    test and dev.
    names: the figures to show, all unless told. smoothing: from 0 to below 1, the weight of what
    was before in a running mean; the numbers themselves are then drawn faintly.
    """
    try:
        from tensorgrad.viz import curves
    except ImportError as error:
        raise ImportError(
            "history: expected the package matplotlib, got none; install it with "
            "pip install matplotlib"
        ) from error

    return curves.figure(curves.runs_of(runs), names, smoothing)
