"""How tests run a program of examples/."""

import importlib


def run(name, *arguments, folder):
    """What the program's `main` returns. Its picture must have been drawn."""
    picture = folder / "picture.png"
    result = importlib.import_module(name).main([*arguments, "--picture", str(picture)])
    assert picture.read_bytes()[1:4] == b"PNG"
    return result
