"""The program that asks how long a net remembers."""

import importlib

import numpy as np
import pytest

from tests.test_examples import run
from tests.test_examples_speech import break_off


def test_gates_and_attention_remember_longer(backend, tmp_path, capsys):
    losses = run("memory", "--quick", folder=tmp_path)
    # By chance 1 / 6 and log 8 = 2.08, by lags of 5 and 20.
    assert max(losses["adding"]["attention"]) < 0.02
    assert max(losses["copy"]["attention"]) < 0.1
    assert losses["adding"]["gru"][1] < 0.14 < losses["adding"]["rnn"][1]
    assert losses["copy"]["rnn"][0] < 1 < 1.8 < losses["copy"]["rnn"][1]
    assert losses["copy"]["lstm"][1] < 1.7
    assert "copy: cross-entropy, nats a symbol, by chance 2.079" in capsys.readouterr().out


def test_what_is_asked_is_in_the_rows(backend):
    memory = importlib.import_module("memory")
    rows, sums = memory.Adding.draw(50, 9)
    assert rows.shape == (50, 9, 2)
    values, marks = rows.numpy().transpose(2, 0, 1)
    assert (marks[:, :4].sum(1) == 1).all()
    assert (marks[:, 4:].sum(1) == 1).all()
    np.testing.assert_allclose(sums.numpy()[:, 0], (values * marks).sum(1), rtol=1e-6)
    rows, symbols = memory.Copy.draw(50, 9)
    assert rows.shape == (50, 14, 10)
    assert rows.argmax(2)[:, :5].equal(symbols)
    assert rows.argmax(2)[:, 5:].tolist() == [[8] * 4 + [9] * 5] * 50


def test_memory_goes_on_where_it_was_broken_off(backend, tmp_path):
    options = ["--lags", "6", "--model", "lstm", "--steps", "3", "--epochs", "2"]
    whole = run("memory", *options, folder=tmp_path)
    kept = [*options, "--checkpoint", str(tmp_path / "kept.st")]
    break_off("memory", *kept, folder=tmp_path)
    assert run("memory", *kept, folder=tmp_path) == whole
    assert {path.name for path in tmp_path.glob("*.st")} == {
        "kept-adding-lstm-6.st",
        "kept-copy-lstm-6.st",
    }


def test_lags_shorter_than_what_is_told_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="--lags: expected lags of at least 5, got 4"):
        run("memory", "--lags", "10", "4", folder=tmp_path)
