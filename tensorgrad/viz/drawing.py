"""A graph as dot's text, and what dot makes of it: a picture in a notebook or in a file.

https://graphviz.org/doc/info/lang.html. Knows no tensors.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

FORMATS = ("svg", "png", "pdf")


class Drawing:
    """A picture that dot draws; `source` is its text."""

    def __init__(self, source: str) -> None:
        self.source = source

    def render(self, path: Any) -> Path:
        """Write the picture into a file whose name ends in .svg, .png or .pdf; or, without needing
        Graphviz, its text into one that ends in .dot.
        """
        target = Path(path)
        kind = target.suffix.removeprefix(".").lower()
        if kind == "dot":
            target.write_text(self.source, encoding="utf-8")
        elif kind in FORMATS:
            target.write_bytes(drawn(self.source, kind))
        else:
            known = ", ".join([f".{name}" for name in (*FORMATS, "dot")])
            raise ValueError(
                f"render: expected a name that ends in one of {known}, got {target.name!r}"
            )
        return target

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows."""
        try:
            return {"image/svg+xml": drawn(self.source, "svg").decode()}
        except FileNotFoundError as error:
            return {"text/plain": f"{error}\n\n{self.source}"}


def drawn(source: str, kind: str) -> bytes:
    """The picture in this format."""
    try:
        done = subprocess.run(["dot", f"-T{kind}"], input=source.encode(), capture_output=True)
    except FileNotFoundError:
        raise FileNotFoundError(
            "viz: expected Graphviz's program dot, got none; install Graphviz from the system's "
            "packages (graphviz) or https://graphviz.org/download"
        ) from None
    if done.returncode:
        raise RuntimeError(f"viz: expected dot to draw the graph, got: {done.stderr.decode()}")
    return done.stdout
