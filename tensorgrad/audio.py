"""Sound: mel spectrograms, and changes of recordings that leave the words in them alone. Knows
tensors, not files, which `datasets.read_wav` reads.

Names and formulas are those of torchaudio.functional where it has the same:
https://docs.pytorch.org/audio/stable/functional.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.ops.choice import clamp, masked_fill, minimum, where
from tensorgrad.ops.complex_parts import imag, real
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import arange, tensor
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.linear import linear
from tensorgrad.ops.pointwise import floor, log, sqrt, square
from tensorgrad.ops.reduction import sum
from tensorgrad.ops.sampling import rand
from tensorgrad.ops.shape import reshape, transpose, unsqueeze
from tensorgrad.ops.spectrogram import stft
from tensorgrad.ops.tapers import hann_window
from tensorgrad.public import functions

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "add_noise",
    "log_mel_spectrogram",
    "mask_along_axis_iid",
    "mel_frequencies",
    "mel_spectrogram",
    "melscale_fbanks",
    "warp",
]

# ---- spectra as the ear divides them


def mel_frequencies(n_mels: int, f_min: float, f_max: float) -> list[float]:
    """So many frequencies in Hz from `f_min` to `f_max`, evenly far apart as they are heard.

    They are even on the mel scale, mel(f) = 2595 log10(1 + f / 700): nearly straight up to 1 kHz
    and logarithmic above (O'Shaughnessy, Speech Communication, 1987; HTK's formula).
    """
    if n_mels < 2 or not 0 <= f_min < f_max:
        raise ValueError(
            "mel_frequencies: expected n_mels >= 2 and 0 <= f_min < f_max, got "
            f"{n_mels}, {f_min} and {f_max}"
        )
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (f_min, f_max))
    step = (high - low) / (n_mels - 1)
    return [700 * (10 ** ((low + place * step) / 2595) - 1) for place in range(n_mels)]


def melscale_fbanks(
    n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int
) -> Tensor:
    """Weights (n_freqs, n_mels), float64, that sum the frequencies of a spectrum in mel bands.

    Band m is a triangle over the frequencies: with the edges e = mel_frequencies(n_mels + 2, f_min,
    f_max) it rises from 0 at e[m] to 1 at e[m + 1], and falls to 0 at e[m + 2]. The frequencies go
    from 0 to sample_rate / 2, in Hz.

    Raises:
        ValueError: `f_max` above sample_rate / 2, or more bands than the frequencies can tell
            apart, so that one would have no weight.
    """
    if n_freqs < 2 or n_mels < 1 or f_max > sample_rate / 2:
        raise ValueError(
            "melscale_fbanks: expected n_freqs >= 2, n_mels >= 1 and f_max <= sample_rate / 2 = "
            f"{sample_rate / 2:g}, got {n_freqs}, {n_mels} and {f_max}"
        )
    edges = tensor(mel_frequencies(n_mels + 2, f_min, f_max), dtype=dtypes.float64)
    step = sample_rate / 2 / (n_freqs - 1)
    frequencies = unsqueeze(arange(n_freqs, dtype=dtypes.float64) * step, 1)
    left, top, right = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (frequencies - left) / (top - left), (right - frequencies) / (right - top)
    filters = clamp(minimum(rise, fall), 0)
    empty = int((sum(filters, 0) == 0).sum().item())
    if empty:
        raise ValueError(
            f"melscale_fbanks: expected fewer bands than {n_mels} for {n_freqs} frequencies "
            f"{step:g} Hz apart, got {empty} bands without one"
        )
    return filters


def mel_spectrogram(
    waveform: Tensor,
    sample_rate: int,
    n_fft: int = 400,
    win_length: int | None = None,
    hop_length: int | None = None,
    f_min: float = 0.0,
    f_max: float | None = None,
    n_mels: int = 40,
) -> Tensor:
    """The power |stft(waveform)|^2 of each frame summed in the bands of `melscale_fbanks`.

    waveform: (T,) or (N, T), float32 or float64, T > n_fft / 2. Frames are cut `hop_length` samples
    apart, win_length / 2 unless told, and seen through a Hann window of `win_length` samples, n_fft
    unless told; the first is centred on the first sample. f_max: sample_rate / 2 unless told.

    Returns:
        (n_mels, 1 + T // hop_length), or (N, n_mels, 1 + T // hop_length). It is differentiable in
        the waveform.
    """
    if waveform.ndim not in (1, 2) or waveform.dtype not in (dtypes.float32, dtypes.float64):
        raise ShapeError(
            "mel_spectrogram: expected a waveform (T,) or (N, T) of float32 or float64, got "
            f"{list(waveform.shape)} of {waveform.dtype}"
        )
    if 2 * waveform.shape[-1] <= n_fft:
        raise ShapeError(
            f"mel_spectrogram: expected more samples than n_fft / 2 = {n_fft / 2:g}, got "
            f"{waveform.shape[-1]}"
        )
    length = n_fft if win_length is None else win_length
    window = hann_window(length, dtype=waveform.dtype, device=waveform.device)
    hop = length // 2 if hop_length is None else hop_length
    spectra: Any = stft(waveform, n_fft, hop, length, window, return_complex=True)
    power = square(real(spectra)) + square(imag(spectra))
    top = sample_rate / 2 if f_max is None else f_max
    filters: Any = melscale_fbanks(n_fft // 2 + 1, f_min, top, n_mels, sample_rate)
    filters = cast(filters, waveform.dtype).to(waveform.device)
    return transpose(linear(transpose(power, -1, -2), transpose(filters, 0, 1)), -1, -2)


def log_mel_spectrogram(
    waveform: Tensor, sample_rate: int, floor: float = 1e-6, **settings: Any
) -> Tensor:
    """log(mel_spectrogram(waveform, sample_rate, **settings) + floor): loudness as it is heard.

    floor: the power that counts as silence; without it the logarithm of silence were -inf.
    """
    if not floor > 0:
        raise ValueError(f"log_mel_spectrogram: expected floor > 0, got {floor}")
    return log(mel_spectrogram(waveform, sample_rate, **settings) + floor)


# ---- other recordings of the same words


def warp(waveform: Tensor, speed: Tensor, shift: Tensor) -> Tensor:
    """y[t] = x[(t - shift) * speed]: later by `shift` samples, faster and higher by `speed`.

    waveform: (N, T); speed and shift: (N,), speed > 0. Between samples it is interpolated
    linearly, and outside it is 0: what is pushed over an end is lost.
    """
    count = tuple(waveform.shape[:1])
    if waveform.ndim != 2 or tuple(speed.shape) != count or tuple(shift.shape) != count:
        raise ShapeError(
            "warp: expected a waveform (N, T), and a speed and a shift (N,), got "
            f"{list(waveform.shape)}, {list(speed.shape)} and {list(shift.shape)}"
        )
    length = waveform.shape[1]
    if not length:
        return waveform
    times = arange(length, dtype=waveform.dtype, device=waveform.device)
    places: Any = (times - unsqueeze(shift, 1)) * unsqueeze(speed, 1)
    before = floor(places)
    share = places - before

    def sample(place: Any) -> Any:
        index = cast(clamp(place, 0, length - 1), dtypes.int64)
        return where((place >= 0) & (place < length), gather(waveform, 1, index), 0)

    between: Tensor = sample(before) * (1 - share) + sample(before + 1) * share
    return between


def add_noise(waveform: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
    """waveform + a noise, with a such that the waveform is `snr` decibels louder than a noise.

    a^2 = sum(waveform^2) / sum(noise^2) * 10^(-snr / 10), over the last dimension. waveform and
    noise: (..., T); snr: (...).
    """
    if waveform.shape != noise.shape or tuple(snr.shape) != tuple(waveform.shape[:-1]):
        raise ShapeError(
            "add_noise: expected a waveform and a noise (..., T) and ratios (...), got "
            f"{list(waveform.shape)}, {list(noise.shape)} and {list(snr.shape)}"
        )
    ratio = sum(waveform * waveform, -1) / sum(noise * noise, -1) * 10 ** (-snr / 10)
    return waveform + unsqueeze(sqrt(ratio), -1) * noise


def mask_along_axis_iid(specgrams: Tensor, mask_param: int, mask_value: float, axis: int) -> Tensor:
    """Spectrograms of which each has lost a random strip, so that none is known by one place.

    specgrams: (..., frequency, time); axis: -2 or -1, the one that the strip is cut from. Each
    strip is 0 to mask_param - 1 wide, begins anywhere where it fits, and is filled with
    `mask_value`. Park et al. 2019 (SpecAugment), https://arxiv.org/abs/1904.08779
    """
    place = axis if axis < 0 else axis - specgrams.ndim
    if specgrams.ndim < 2 or place not in (-2, -1):
        raise ShapeError(
            "mask_along_axis_iid: expected spectrograms (..., frequency, time) and one of their "
            f"two last axes, got {list(specgrams.shape)} and {axis}"
        )
    size = specgrams.shape[place]
    if not 0 <= mask_param <= size:
        raise ValueError(
            f"mask_along_axis_iid: expected 0 <= mask_param <= {size}, got {mask_param}"
        )
    shape = (*specgrams.shape[:-2], 1, 1)
    width = floor(rand(shape, device=specgrams.device) * mask_param)
    start = floor(rand(shape, device=specgrams.device) * (size + 1 - width))
    places = reshape(arange(size, device=specgrams.device), (size, 1) if place == -2 else (1, size))
    return masked_fill(specgrams, (places >= start) & (places < start + width), mask_value)


globals().update(functions(globals(), __all__))
