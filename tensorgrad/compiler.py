"""What PyTorch programs ask of a compiler of whole programs. There is none: answers are short.

https://docs.pytorch.org/docs/stable/torch.compiler_api.html
"""

from __future__ import annotations

from typing import Any

from tensorgrad.settings import compile

__all__ = ["allow_in_graph", "compile", "disable", "is_compiling", "is_dynamo_compiling", "reset"]


def is_compiling() -> bool:
    """False: programs run as they are written."""
    return False


is_dynamo_compiling = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself, or without one a decorator that returns it."""
    return compile(fn)


def allow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def reset() -> None:
    """Nothing: there is nothing compiled to forget."""
