"""The program that reads strings of spoken digits."""

import argparse
import importlib
import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tests.test_examples import run
from tests.test_examples_speech import break_off, needs_espeak, write_voices


@needs_espeak
def test_strings_of_a_voice_never_heard(backend, tmp_path, capsys):
    found = run("dictation", "--quick", folder=tmp_path)
    assert found["best path"]["digit errors"] < 0.7  # of nothing but blanks 1
    assert found["beam search"]["digit errors"] < 0.7
    assert "90 recordings to learn from, 30 of m3" in capsys.readouterr().out


def test_strings_are_joined_recordings_of_one_speaker():
    recordings, dictation = map(importlib.import_module, ("recordings", "dictation"))
    names = list(itertools.product("ab", range(10)))
    # A speaker's sign, a digit's level: 30 samples of it.
    sounds = [np.full(30, (1 + digit) * (-1 if name == "a" else 1)) for name, digit in names]
    speakers, digits = (np.array(part) for part in zip(*names, strict=True))
    known = recordings.Recordings(sounds, digits, speakers, 100)
    options = argparse.Namespace(longest=4, batch=40, strings=80)
    strings = dictation.Strings(known, options)
    assert len(strings) == len(list(strings)) == 2
    joined, labels, counts = strings.draw(40)
    assert set(counts.tolist()) == {1, 2, 3, 4}
    signs = set()
    for sound, row, count in zip(joined.numpy(), labels.tolist(), counts.tolist(), strict=True):
        heard = sound[sound != 0]
        assert row[count:] == [0] * (4 - count)
        assert np.abs(heard).reshape(count, 30).tolist() == [[label] * 30 for label in row[:count]]
        signs |= {tuple(np.unique(np.sign(heard)))}
    assert signs == {(-1,), (1,)}
    tg.manual_seed(3)
    first = strings.draw(40)
    tg.manual_seed(3)
    assert all(map(tg.equal, first, strings.draw(40)))


def test_errors_are_counted_for_each_digit_said():
    dictation = importlib.import_module("dictation")
    found = dictation.errors([[1, 2], [3], [], [4, 4]], [[1, 2], [3, 3], [5], [4]])
    assert found == {"digit errors": 3 / 6, "strings right": 1 / 4}


def test_dictation_goes_on_where_it_was_broken_off(backend, tmp_path):
    voices = write_voices(tmp_path / "voices")
    options = ["--data", str(voices), "--strings", "8", "--batch", "4", "--epochs", "2"]
    options += ["--longest", "2", "--channels", "4"]
    whole = run("dictation", *options, folder=tmp_path)
    kept = [*options, "--checkpoint", str(tmp_path / "kept.st")]
    break_off("dictation", *kept, folder=tmp_path)
    assert run("dictation", *kept, folder=tmp_path) == whole


def test_a_speaker_who_is_not_there_is_refused(tmp_path):
    voices = write_voices(tmp_path / "voices")
    with pytest.raises(SystemExit, match=r"one of two or more speakers \['ann', 'bob', 'eve'\]"):
        run("dictation", "--data", str(voices), "--held-out", "me", folder=tmp_path)
