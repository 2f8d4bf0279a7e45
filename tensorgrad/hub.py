"""The names of `torch.hub`, which fetch models and weights from the network; here they refuse.

A program that imports them, and trains from the start, runs. Weights that are on the disk are
read by `tensorgrad.load`.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["download_url_to_file", "load", "load_state_dict_from_url"]


def load(repo_or_dir: str, model: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: code of others is not fetched and run."""
    raise NotImplementedError(
        f"hub.load: expected a model of this program, got {model!r} of {repo_or_dir!r} "
        "(tensorgrad fetches no code; build the model and give its load_state_dict what "
        "tensorgrad.load reads from a file)"
    )


def load_state_dict_from_url(url: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: weights are not fetched."""
    raise NotImplementedError(
        f"hub.load_state_dict_from_url: expected a file, got {url!r} (tensorgrad fetches no "
        "weights; download the file and read it with tensorgrad.load)"
    )


def download_url_to_file(url: str, dst: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: nothing is fetched."""
    raise NotImplementedError(
        f"hub.download_url_to_file: expected {dst!r} to be on the disk, got {url!r} "
        "(tensorgrad fetches no files of others)"
    )
