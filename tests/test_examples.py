"""Each program in examples/ runs and learns; what they share resumes."""

import importlib
import re

import pytest

import tensorgrad as tg


def run(name, *arguments, folder):
    """What the program's `main` returns. Its picture must have been drawn."""
    picture = folder / "picture.png"
    result = importlib.import_module(name).main([*arguments, "--picture", str(picture)])
    assert picture.read_bytes()[1:4] == b"PNG"
    return result


def test_digits(backend, capsys, tmp_path):
    assert run("digits", "--quick", folder=tmp_path) > 0.85
    assert "held-out digits read right" in capsys.readouterr().out


def test_a_program_that_was_broken_off_goes_on(backend, tmp_path, capsys):
    kept = str(tmp_path / "kept.st")
    run("digits", "--epochs", "1", "--checkpoint", kept, folder=tmp_path)
    resumed = run("digits", "--epochs", "3", "--checkpoint", kept, folder=tmp_path)
    out = capsys.readouterr().out
    assert "resumed behind epoch 1" in out
    assert run("digits", "--epochs", "3", folder=tmp_path) == resumed
    third = re.findall(r"epoch 3: .*", out)
    assert re.findall(r"epoch 3: .*", capsys.readouterr().out) == third != []


def test_data_that_are_missing_say_whence_they_come(tmp_path):
    program = importlib.import_module("program")
    options = program.options_of("doc", 1).parse_args([])
    with pytest.raises(SystemExit, match="name its folder by --data"):
        program.data_file(options, "words.txt", "Look there.")
    options = program.options_of("doc", 1).parse_args(["--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="has no words"):
        program.data_file(options, "words.txt", "Look there.")
    (tmp_path / "words.txt").touch()
    assert program.data_file(options, "words.txt", "").exists()


def test_unknown_backends_are_refused():
    with pytest.raises(tg.errors.BackendError, match="nobody"):
        importlib.import_module("digits").main(["--backend", "nobody"])
