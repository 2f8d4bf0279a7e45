"""Each program in examples/ runs and learns."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_digits(backend, capsys):
    assert load("digits").main(["--epochs", "5"]) > 0.85
    assert "held-out digits read right" in capsys.readouterr().out
