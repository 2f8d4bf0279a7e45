"""Sounds: the reader of WAV files, and data sets of them in folders."""

import io
import struct
import wave

import numpy as np
import pytest

from tensorgrad import datasets
from tensorgrad.data import DataLoader
from tests.data_files import first_word, write


def wav(frames, width, rate=8000):
    """`frames`, integers of shape (frames, channels), written by the standard library."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(frames.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        offset = 128 if width == 1 else 0
        data = b"".join(
            int(value + offset).to_bytes(width, "little", signed=width > 1)
            for value in frames.ravel()
        )
        file.writeframes(data)
    return out.getvalue()


def riff(*chunks, size=None):
    """A file of (name, data) chunks; `size` in place of the last one's."""
    body = b"WAVE"
    for number, (name, data) in enumerate(chunks):
        told = size if size is not None and number == len(chunks) - 1 else len(data)
        body += name + struct.pack("<I", told) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav_format(code, channels, bits, rate=8000, frame=None):
    frame = channels * bits // 8 if frame is None else frame
    return b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_read_wav_integers(tmp_path, width, channels):
    top = 2 ** (8 * width - 1)
    frames = np.random.default_rng(0).integers(-top, top, (37, channels))
    frames[:2] = [[-top] * channels, [top - 1] * channels]
    (tmp_path / "a.wav").write_bytes(wav(frames, width, 11025))
    waveform, rate = datasets.read_wav(tmp_path / "a.wav")
    assert rate == 11025
    assert waveform.dtype == np.float32
    assert waveform.flags.c_contiguous
    np.testing.assert_array_equal(waveform, (frames.T / top).astype(np.float32))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("extensible", [False, True])
def test_read_wav_floats(tmp_path, bits, extensible):
    values = np.random.default_rng(0).normal(size=(2, 9))
    form = wav_format(0xFFFE if extensible else 3, 2, bits)
    if extensible:
        form = form[0], form[1] + struct.pack("<HHIH", 22, bits, 3, 3) + bytes(14)
    data = values.T.astype(f"<f{bits // 8}").tobytes()
    (tmp_path / "a.wav").write_bytes(riff(form, (b"LIST", b"odd"), (b"data", data), (b"id3 ", b"")))
    waveform, rate = datasets.read_wav(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_array_equal(waveform, values.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with RIFF....WAVE, got b''"),
        (b"RIFX" + bytes(50), "begins with RIFF"),
        (riff(), "a format and samples, got the end of the file"),
        (riff(wav_format(1, 1, 16)), "a format and samples, got the end of the file"),
        (riff((b"data", b"xx")), "a format before the samples, got none"),
        (riff((b"fmt ", b"xx")), "a format of 16 bytes or more, got 2"),
        (riff(wav_format(1, 1, 16), (b"data", b"xx"), size=4), "4 bytes of chunk b'data', got 2"),
        (riff(wav_format(1, 1, 16), (b"data", b""), size=2**32 - 1), "4294967295 bytes of chunk"),
        (riff(wav_format(6, 1, 8), (b"data", b"")), "PCM of 8, .* got format 6 of 8 bits"),
        (riff(wav_format(1, 1, 12), (b"data", b"")), "got format 1 of 12 bits"),
        (riff(wav_format(1, 0, 16), (b"data", b"")), "channels, a sample rate .* got 0, 8000"),
        (riff(wav_format(1, 1, 16, 0), (b"data", b"")), "got 1, 0 and frames of 2 bytes"),
        (riff(wav_format(1, 1, 16, frame=3), (b"data", b"")), "got 1, 8000 and frames of 3 bytes"),
    ],
)
def test_read_wav_refuses_damaged_files(tmp_path, data, message):
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^read_wav: expected .*{message}.* in .*bad\.wav$"):
        datasets.read_wav(path)


def test_wav_folder(tmp_path):
    frames = np.arange(-6, 6).reshape(6, 2)
    write(tmp_path, {"yes/0.wav": wav(frames, 2), "no/1.WAV": wav(-frames, 2), "no/a.txt": b""})
    dataset = datasets.WavFolder(tmp_path)
    assert dataset.classes == ["no", "yes"]
    assert dataset.sample_rate == 8000
    waveform, target = dataset[1]
    assert (target, waveform.shape) == (1, (2, 6))
    np.testing.assert_array_equal(waveform.numpy(), frames.T / np.float32(2**15))
    whole, targets = next(iter(DataLoader(dataset, 2, num_workers=1)))
    assert whole.shape == (2, 2, 6)
    assert targets.tolist() == [0, 1]
    (tmp_path / "none").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"expected files that end in \.wav, got none below"
    ):
        datasets.WavFolder(tmp_path / "none")


def test_wav_labels_and_rates(tmp_path):
    frames = np.zeros((4, 1), int)
    write(tmp_path, {"yes_0.wav": wav(frames, 2), "no_0.wav": wav(frames, 2, 16000)})
    dataset = datasets.WavFolder(
        tmp_path, lambda waveform: waveform.shape, lambda target: target + 10, first_word, 8000
    )
    assert dataset.classes == ["no", "yes"]
    assert dataset[1] == ((1, 4), 11)
    with pytest.raises(ValueError, match=r"expected 8000 samples a second, got 16000 in .*no_0"):
        dataset[0]
