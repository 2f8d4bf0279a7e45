"""The programs that hear: spoken digits of voices that were held out."""

import importlib
import re
import shutil
import tarfile
import wave

import numpy as np
import pytest

import tensorgrad as tg
from tests.test_examples import run

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


def write_wav(path, sound, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.asarray(sound) * 2**14).astype("<i2").tobytes())


def write_voices(folder, rate=8000):
    """Of three voices each digit: two tones after each other, by which all digits differ."""
    times = np.arange(rate // 4) / rate
    folder.mkdir(exist_ok=True)
    for voice, name in enumerate(("ann", "bob", "eve")):
        for digit in range(10):
            pitches = 300 * (1 + digit % 5), (700, 2500)[digit // 5]
            tones = [np.sin(6.28 * (1 + voice / 30) * pitch * times) for pitch in pitches]
            write_wav(folder / f"{digit}_{name}_0.wav", np.concatenate(tones), rate)
    return folder


@needs_espeak
def test_digits_of_a_voice_never_heard(backend, tmp_path, capsys):
    shares = run("speech", "--quick", folder=tmp_path)
    assert list(shares) == ["m3"]
    assert shares["m3"] > 0.6  # by chance 0.1
    assert "120 recordings of 4 speakers, 22,050 Hz" in capsys.readouterr().out


def break_off(name, *options, folder):
    """Run the program until it has kept its first checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        save = tg.save

        def save_and_stop(state, path):
            save(state, path)
            raise KeyboardInterrupt

        patch.setattr(tg, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run(name, *options, folder=folder)


def test_speech_in_an_archive_goes_on_where_it_was_broken_off(backend, tmp_path, capsys):
    voices = write_voices(tmp_path / "voices")
    with tarfile.open(tmp_path / "voices.tar.gz", "w:gz") as archive:
        archive.add(voices, "recordings")
    shutil.rmtree(voices)
    options = ["--data", str(tmp_path), "--batch", "8", "--epochs", "2", "--held-out", "bob", "eve"]
    whole = run("speech", *options, folder=tmp_path)
    assert whole.keys() == {"bob", "eve"}
    epochs = re.findall(r"epoch \d: .*", capsys.readouterr().out)
    kept = [*options, "--checkpoint", str(tmp_path / "kept.st")]
    break_off("speech", *kept, folder=tmp_path)
    assert run("speech", *kept, folder=tmp_path) == whole
    out = capsys.readouterr().out
    assert "resumed behind epoch 1" in out
    assert re.findall(r"epoch \d: .*", out) == epochs != []


def bad_name(folder):
    (folder / "1_ann_0.wav").rename(folder / "one.wav")


def bad_rate(folder):
    write_wav(folder / "7_bob_0.wav", np.ones(900), 16000)


def bad_bytes(folder):
    (folder / "7_bob_0.wav").write_bytes(b"RIFF" + bytes(60))


def no_nine(folder):
    (folder / "9_ann_0.wav").unlink()
    (folder / "9_bob_0.wav").unlink()


def silence(folder):
    write_wav(folder / "7_bob_0.wav", np.zeros(900))


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def low(folder):
    empty(folder)
    write_voices(folder, 6000)


def damaged(folder):
    (folder / "all.tar.gz").write_bytes(b"no archive")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (bad_name, r"expected files named DIGIT_SPEAKER_INDEX.wav, got one.wav"),
        (bad_rate, r"expected 8000 samples a second, got 16000 in .*7_bob_0.wav"),
        (bad_bytes, r"read_wav: expected a file that begins with .* in .*7_bob_0.wav"),
        (no_nine, r"every digit by the speakers other than eve, got none of \[9\]"),
        (silence, "expected recordings of voices, got one that is silent"),
        (empty, r"expected files that end in .wav, got none below"),
        (shutil.rmtree, "expected a folder, got none at"),
        (low, "expected 8000 samples a second or more, got 6000"),
        (damaged, "unpack: expected an intact archive, got"),
    ],
)
def test_recordings_that_cannot_be_used_are_refused(tmp_path, change, words):
    folder = write_voices(tmp_path / "voices")
    change(folder)
    with pytest.raises(SystemExit, match=words):
        run("speech", "--data", str(folder), "--held-out", "eve", folder=tmp_path)


def test_speakers_that_are_not_there_are_refused(tmp_path):
    folder = write_voices(tmp_path / "voices")
    with pytest.raises(SystemExit, match=r"one of two or more speakers \['ann', 'bob', 'eve'\]"):
        run("speech", "--data", str(folder), "--held-out", "me", folder=tmp_path)


def test_without_espeak_a_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install espeak-ng"):
        run("speech", "--quick", folder=tmp_path)


def test_altered_recordings_keep_their_middle(backend):
    recordings = importlib.import_module("recordings")
    click = recordings.centred([np.ones(80, np.float32)] * 40, 8000)
    places = recordings.altered(click, 8000).abs().argmax(1).numpy()
    assert len(set(places.tolist())) > 20
    assert np.abs(places - 4000).max() <= 900
    spectra = recordings.spectrogram(tg.randn(3, 8000), 8000)
    assert spectra.shape == (3, 1, 32, 81)
    tg.testing.assert_close(spectra.var((1, 2, 3)), tg.ones(3))
