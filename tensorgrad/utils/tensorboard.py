"""`SummaryWriter`, whose files TensorBoard shows, by the package tensorboardX.

https://docs.pytorch.org/docs/stable/tensorboard.html. That package knows no tensors of this
library: it is given their arrays.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

from tensorgrad._tensor import Tensor

try:
    import tensorboardX
except ImportError as error:
    raise ImportError(
        "utils.tensorboard: expected the package tensorboardX, got none; install it with "
        "pip install tensorboardX"
    ) from error

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

    def add_graph(self, model: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotImplementedError: a model's graph is not drawn."""
        raise NotImplementedError(
            "add_graph: expected something other than a graph, got "
            f"{type(model).__name__} (nn.utils.summary(model, input_size) tells its layers)"
        )

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
