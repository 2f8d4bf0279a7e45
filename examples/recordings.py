"""Spoken digits: read from files or said by espeak-ng, changed for training, and as spectrograms.
Knows no model.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tensorgrad as tg
from tensorgrad.datasets import WavFolder
from tensorgrad.datasets.archives import unpack

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
BANDS = 32
LOWEST, HIGHEST = 60, 4000  # Hz
FLOOR = 0.1  # the power of silence: about 40 dB below a voice
# Of espeak-ng: how throats and regions sound; pitches of 0 to 99, and words a minute.
VOICES = ["m1", "f2", "m3", "f4", "f1", "m4", "f3", "m2", "f5", "m7", "m5", "m6"]
TAKES = [
    ("en-us", 50, 150), ("en-gb", 35, 175), ("en-gb-scotland", 60, 135), ("en-us", 30, 190),
    ("en-gb-x-rp", 70, 160), ("en-029", 45, 145),
]  # fmt: skip
NEEDED = (
    "the digits are spoken by espeak-ng, which is not installed (apt-get install espeak-ng, or "
    "https://github.com/espeak-ng/espeak-ng); else name a folder of recordings by --data"
)


class Recordings(NamedTuple):
    """Sounds of digits: waveforms of a mean square of 1, each of its own length."""

    waveforms: list[np.ndarray[Any, Any]]
    digits: np.ndarray[Any, Any]
    speakers: np.ndarray[Any, Any]
    rate: int  # samples a second

    def of(self, which: np.ndarray[Any, Any]) -> Recordings:
        """Those for which a mask is true."""
        chosen = [self.waveforms[place] for place in np.flatnonzero(which)]
        return Recordings(chosen, self.digits[which], self.speakers[which], self.rate)


def spoken_digits(options: argparse.Namespace) -> Recordings:
    """The recordings in the folder of `--data`, as files or in one .tar.gz; else synthetic ones."""
    with tempfile.TemporaryDirectory() as made:
        folder = options.data
        try:
            if folder is None:
                folder = Path(made)
                synthesise(folder, *((4, 3) if options.quick else (12, 6)))
            elif archives := sorted(folder.glob("*.tar.gz")):
                folder = Path(made) / "unpacked"
                unpack(archives[0], folder)
            return read(folder)
        except (FileNotFoundError, ValueError) as error:
            raise SystemExit(str(error)) from None


def synthesise(folder: Path, voices: int, takes: int) -> None:
    """Let so many voices of espeak-ng say each digit so many times, into files in the folder."""
    if shutil.which("espeak-ng") is None:
        raise SystemExit(NEEDED)
    for voice in VOICES[:voices]:
        for take, (region, pitch, speed) in enumerate(TAKES[:takes]):
            for digit, word in enumerate(DIGITS):
                path = folder / f"{digit}_{voice}_{take}.wav"
                settings = ["-v", f"{region}+{voice}", "-p", str(pitch), "-s", str(speed)]
                subprocess.run(["espeak-ng", *settings, "-w", str(path), word], check=True)


def read(folder: Path) -> Recordings:
    """The files DIGIT_SPEAKER_INDEX.wav below the folder, of one sample rate."""
    dataset = WavFolder(folder, label=lambda path: named(path)[0])
    if dataset.sample_rate < 2 * HIGHEST:
        raise ValueError(
            f"expected {2 * HIGHEST} samples a second or more, got {dataset.sample_rate} in "
            f"{dataset.samples[0][0]}"
        )
    waveforms = []
    for waveform, _ in dataset:  # type: ignore[attr-defined]
        waveforms.append(levelled(waveform.numpy().mean(0)))
    names = [named(Path(path)) for path, _ in dataset.samples]
    digits, speakers = (np.array(part) for part in zip(*names, strict=True))
    return Recordings(waveforms, digits, speakers, dataset.sample_rate)


def levelled(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The sound without the silence around it, as loud as all others."""
    level = np.abs(sound)
    heard = np.flatnonzero(level > 0.02 * level.max(initial=0))
    if not len(heard):
        raise ValueError("expected recordings of voices, got one that is silent")
    sound = sound[heard[0] : heard[-1] + 1]
    return np.asarray(sound / np.sqrt(np.mean(sound * sound)))


def named(path: Path) -> tuple[int, str]:
    """The digit and the speaker that a file's name tells."""
    found = re.fullmatch(r"(\d)_([^_]+)_\w+", path.stem)
    if found is None:
        raise ValueError(f"expected files named DIGIT_SPEAKER_INDEX.wav, got {path.name}")
    return int(found[1]), found[2]


def held_out(recordings: Recordings, speaker: str) -> tuple[Recordings, Recordings]:
    """The recordings of all but one speaker, in which each digit must be, and those of that one."""
    apart = recordings.speakers == speaker
    known = sorted(set(recordings.speakers.tolist()))
    if not apart.any() or apart.all():
        raise SystemExit(f"--held-out: expected one of two or more speakers {known}, got {speaker}")
    missing = sorted(set(range(10)) - set(recordings.digits[~apart].tolist()))
    if missing:
        raise SystemExit(
            f"expected recordings of every digit by the speakers other than {speaker}, got none "
            f"of {missing}"
        )
    return recordings.of(~apart), recordings.of(apart)


def centred(waveforms: list[np.ndarray[Any, Any]], length: int) -> Any:
    """(N, length): each in the middle of silence, or its middle where it is longer."""
    batch = np.zeros((len(waveforms), length), np.float32)
    for row, sound in zip(batch, waveforms, strict=True):
        cut = max(0, len(sound) - length) // 2
        sound = sound[cut : cut + length]
        start = (length - len(sound)) // 2
        row[start : start + len(sound)] = sound
    return tg.tensor(batch)


def altered(waveforms: Any, rate: int) -> Any:
    """The same words, (N, T), as others might have said them elsewhere: faster and higher, or
    slower and lower, by up to a fifth; up to a tenth of a second sooner or later; and with noise
    that is 5 to 35 decibels below the voice.
    """
    count, length = waveforms.shape
    speed = 0.8 + 0.4 * tg.rand(count)
    # The middle stays where it is: (T / 2 - shift) * speed = T / 2.
    shift = (1 - 1 / speed) * length / 2 + (tg.rand(count) - 0.5) * 0.2 * rate
    waveforms = tg.audio.warp(waveforms, speed, shift)
    return tg.audio.add_noise(waveforms, tg.randn(waveforms.shape), 5 + 30 * tg.rand(count))


def spectrogram(waveforms: Any, rate: int) -> Any:
    """(N, 1, bands, frames): logarithms of the power in mel bands up to 4 kHz, in frames of 20 ms
    that begin 12.5 ms apart, of each recording with mean 0 and variance 1.
    """
    width = rate // 50
    power = tg.audio.log_mel_spectrogram(
        waveforms, rate, FLOOR, n_fft=1 << (width - 1).bit_length(), win_length=width,
        hop_length=rate // 80, f_min=LOWEST, f_max=HIGHEST, n_mels=BANDS,
    )  # fmt: skip
    mean = power.mean((1, 2), keepdim=True)
    return ((power - mean) / power.std((1, 2), keepdim=True)).unsqueeze(1)


def masked(spectra: Any) -> Any:
    """The spectrograms without a strip of bands and one of up to 11 frames, too short to hide a
    digit (SpecAugment).
    """
    spectra = tg.audio.mask_along_axis_iid(spectra, BANDS // 4, 0.0, -2)
    return tg.audio.mask_along_axis_iid(spectra, 12, 0.0, -1)


def show(axes: Any, spectrum: Any, title: str) -> None:
    """Draw a spectrogram (bands, frames): seconds to the right, frequencies upwards."""
    seconds = spectrum.shape[1] / 80
    axes.imshow(
        spectrum.numpy(), origin="lower", aspect="auto", cmap="magma",
        extent=(0, seconds, -0.5, BANDS - 0.5),
    )  # fmt: skip
    tops = np.array(tg.audio.mel_frequencies(BANDS + 2, LOWEST, HIGHEST)[1:-1])
    marks = (250, 1000, 3000)
    axes.set_yticks([np.abs(tops - mark).argmin() for mark in marks], marks)
    axes.set_title(title, fontsize=9)
