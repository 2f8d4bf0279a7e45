"""Programs of the kinds that people write for PyTorch, each written once, against `torch`.

`load` gives a program as a module: with PyTorch as it stands, with tensorgrad after the change of
its import lines that a user would make. A program has `main(prepare)`: `prepare` is given each
model when it is made and returns it, and what `main` returns is the curve of its cost.
"""

import re
import types
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")

# The user's change: `import torch` and the first word of all paths.
CHANGES = (
    (r"^(\s*)import torch$", r"\1import tensorgrad as torch"),
    (r"^(\s*)(import|from) torch\b", r"\1\2 tensorgrad"),
)


def load(name: str, library: str) -> types.ModuleType:
    """The program `name`, written against "torch" or run with "tensorgrad" in its place."""
    path = FOLDER / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    if library == "tensorgrad":
        for pattern, replacement in CHANGES:
            source = re.sub(pattern, replacement, source, flags=re.MULTILINE)
    module = types.ModuleType(f"{name}_with_{library}")
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module
