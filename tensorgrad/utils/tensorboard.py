"""`SummaryWriter`, whose files TensorBoard shows, by the package tensorboardX.

https://docs.pytorch.org/docs/stable/tensorboard.html. That package knows no tensors of this
library: it is given their arrays.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from tensorgrad._tensor import Tensor

try:
    import tensorboardX
    from tensorboardX.proto.event_pb2 import Event
except ImportError as error:
    raise ImportError(
        "utils.tensorboard: expected the package tensorboardX, got none; install it with "
        "pip install tensorboardX"
    ) from error

from tensorgrad.utils.model_graph import model_graph

__all__ = ["SummaryWriter"]


class SummaryWriter:
    """Writes scalars, histograms, images, texts and so on as events into the folder `log_dir`
    ("runs/" and the time and the machine's name, unless told).

    The methods are tensorboardX's, of which most have PyTorch's names and arguments; what is a
    tensor among their arguments is taken to the host.
    """

    def __init__(
        self,
        log_dir: str | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        self._writer = tensorboardX.SummaryWriter(
            logdir=None if log_dir is None else str(log_dir),
            comment=comment,
            purge_step=purge_step,
            max_queue=max_queue,
            flush_secs=flush_secs,
            filename_suffix=filename_suffix,
        )
        self.log_dir: str = self._writer.logdir

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Draw the ops of a call of the model, which is in eval mode then, within its modules.

        input_to_model: a tensor, or a tuple of all arguments. verbose: print the graph as well.
        use_strict_trace is PyTorch's; any output is taken.
        """
        graph = model_graph(model, input_to_model)
        if verbose:
            sys.stdout.write(str(graph))
        self._writer._get_file_writer().add_event(Event(graph_def=graph.SerializeToString()))

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Note settings and what was reached with them, as a run of its own in a folder inside.

        run_name: that folder, called by the time unless told. hparam_domain_discrete is PyTorch's;
        TensorBoard shows the values that there are.
        """
        settings, reached = _on_host(hparam_dict), _on_host(metric_dict)
        self._writer.add_hparams(settings, reached, name=run_name, global_step=global_step)

    def get_logdir(self) -> str:
        return self.log_dir

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._writer, name)

        @functools.wraps(method)
        def write(*args: Any, **kwargs: Any) -> Any:
            return method(*_on_host(args), **_on_host(kwargs))

        return write

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.close()


def _on_host(value: Any) -> Any:
    """The value with arrays in place of tensors, at any depth."""
    if isinstance(value, Tensor):
        return value.numpy(force=True)
    if isinstance(value, dict):
        return {key: _on_host(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_on_host(part) for part in value]
    return value
