"""Sound: mel bands and spectrograms, and recordings changed."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import audio
from tensorgrad.errors import ShapeError
from tests.oracle import needs_torch, torch


def tone(hertz, rate=8000, seconds=0.5):
    return tg.tensor(np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def test_mel_frequencies():
    found = audio.mel_frequencies(5, 0, 4000)
    # 2595 log10(1 + 4000 / 700) is 2146 mel, four steps of 536.5.
    np.testing.assert_allclose(found, [0, 426.8, 1113.84, 2219.77, 4000], atol=0.01)
    assert audio.mel_frequencies(2, 300, 1000) == pytest.approx([300, 1000])


def test_bands_are_triangles_between_neighbours():
    filters = audio.melscale_fbanks(401, 0, 4000, 6, 8000).numpy()  # frequencies 10 Hz apart
    assert filters.shape == (401, 6)
    edges = audio.mel_frequencies(8, 0, 4000)
    for band in range(6):
        places = np.interp(np.arange(401) * 10, edges[band : band + 3], [0, 1, 0])
        np.testing.assert_allclose(filters[:, band], places, atol=1e-12)
    # Between the first top and the last, the bands share out each frequency.
    inner = (np.arange(401) * 10 > edges[1]) & (np.arange(401) * 10 < edges[-2])
    np.testing.assert_allclose(filters.sum(1)[inner], 1)


@needs_torch
@pytest.mark.parametrize("shape", [(700,), (3, 700)])
def test_mel_spectrogram_is_that_of_torch(backend, shape):
    given = np.random.default_rng(0).standard_normal(shape)
    settings = {"n_fft": 256, "win_length": 200, "hop_length": 80, "f_min": 60, "n_mels": 20}
    found = audio.mel_spectrogram(tg.tensor(given), 8000, **settings)
    window = torch.hann_window(200, dtype=torch.float64)
    spectra = torch.stft(
        torch.tensor(given), 256, 80, 200, window, return_complex=True, pad_mode="reflect"
    )
    filters = audio.melscale_fbanks(129, 60, 4000, 20, 8000).numpy()
    wanted = np.swapaxes(np.swapaxes(spectra.abs().numpy() ** 2, -1, -2) @ filters, -1, -2)
    assert found.shape == (*shape[:-1], 20, 9)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)
    single = audio.log_mel_spectrogram(tg.tensor(given, dtype=tg.float32), 8000, **settings)
    assert single.dtype == tg.float32
    np.testing.assert_allclose(single.numpy(), np.log(wanted + 1e-6), atol=1e-4)


def test_a_tone_is_loudest_in_its_own_band(backend):
    for hertz in (200, 1000, 3000):
        bands = audio.mel_spectrogram(tone(hertz), 8000, n_fft=512, n_mels=30).mean(1)
        tops = np.array(audio.mel_frequencies(32, 0, 4000)[1:-1])
        assert bands.argmax().item() == np.abs(tops - hertz).argmin()


def test_spectrograms_have_gradients(backend):
    def spectrum(waveform):
        return audio.log_mel_spectrogram(waveform, 8000, n_fft=16, hop_length=6, n_mels=3)

    waveform = tg.randn(2, 30, dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradcheck(spectrum, (waveform,))
    silence = tg.zeros(1, 30, requires_grad=True)
    spectrum(silence).sum().backward()
    assert not silence.grad.any()


def test_warp(backend):
    x = tg.tensor([[1.0, 2, 3, 4, 5, 6]] * 4)
    found = audio.warp(x, tg.tensor([1.0, 1, 2, 0.5]), tg.tensor([0.0, 2, 0, -2]))
    assert found.tolist() == [
        [1, 2, 3, 4, 5, 6],
        [0, 0, 1, 2, 3, 4],
        [1, 3, 5, 0, 0, 0],
        [2, 2.5, 3, 3.5, 4, 4.5],
    ]
    assert audio.warp(x[:, :0], tg.ones(4), tg.zeros(4)).shape == (4, 0)
    y = tg.randn(2, 9, dtype=tg.float64, requires_grad=True)
    speed = tg.tensor([0.83, 1.21], dtype=tg.float64, requires_grad=True)
    shift = tg.tensor([1.37, -0.71], dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradcheck(audio.warp, (y, speed, shift))


def test_a_faster_tone_is_a_higher_one():
    faster = audio.warp(tone(500)[None], tg.tensor([1.5]), tg.tensor([0.0]))[0, :2000]
    assert tg.fft.rfft(faster).abs().argmax().item() == 750 * 2000 // 8000


def test_add_noise(backend):
    sound = tone(400).float().repeat(3, 1)
    ratios = tg.tensor([-5.0, 0.0, 20.0])
    noise = audio.add_noise(sound, 3 * tg.randn(sound.shape), ratios) - sound
    found = 10 * ((sound**2).sum(1) / (noise**2).sum(1)).log10()
    tg.testing.assert_close(found, ratios, atol=1e-3, rtol=0)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_masks_are_strips_of_one_axis(backend, axis):
    spectra = tg.rand(500, 12, 20) + 1
    lost = (audio.mask_along_axis_iid(spectra, 7, 0.0, axis) == 0).numpy()
    along = lost.swapaxes(axis, -1)
    assert (along == along[:, :1]).all()  # through the whole of the other axis
    strips = along[:, 0].astype(int)
    assert (np.abs(np.diff(strips, axis=1)).sum(1) <= 2).all()
    assert set(strips.sum(1)) == set(range(7))
    assert strips.any(0).all()
    assert audio.mask_along_axis_iid(spectra, 0, 0.0, axis).equal(spectra)


X = tg.ones(2, 50)
BAD = {
    "frequencies": (
        lambda: audio.mel_frequencies(5, 300, 300),
        ValueError, "0 <= f_min < f_max, got 5, 300 and 300",
    ),
    "too high": (
        lambda: audio.melscale_fbanks(9, 0, 5000, 2, 8000),
        ValueError, "f_max <= sample_rate / 2 = 4000, got 9, 2 and 5000",
    ),
    "too many": (
        lambda: audio.mel_spectrogram(X, 8000, 32, n_mels=40),
        ValueError, "melscale_fbanks: expected fewer bands than 40 for 17 frequencies 250 Hz",
    ),
    "short": (
        lambda: audio.mel_spectrogram(X, 8000),
        ShapeError, "expected more samples than n_fft / 2 = 200, got 50",
    ),
    "integers": (
        lambda: audio.mel_spectrogram(X.int(), 8000),
        ShapeError, r"float32 or float64, got \[2, 50\] of int32",
    ),
    "three": (lambda: audio.mel_spectrogram(X[None], 8000), ShapeError, r"got \[1, 2, 50\]"),
    "floor": (
        lambda: audio.log_mel_spectrogram(X, 8000, 0.0),
        ValueError, "log_mel_spectrogram: expected floor > 0, got 0",
    ),
    "warp": (
        lambda: audio.warp(X, tg.ones(3), tg.zeros(2)),
        ShapeError, r"warp: expected .* got \[2, 50\], \[3\] and \[2\]",
    ),
    "noise": (
        lambda: audio.add_noise(X, X[:, 1:], tg.zeros(2)),
        ShapeError, r"add_noise: expected .* got \[2, 50\], \[2, 49\] and \[2\]",
    ),
    "mask axis": (
        lambda: audio.mask_along_axis_iid(X[None], 3, 0.0, 0),
        ShapeError, r"two last axes, got \[1, 2, 50\] and 0",
    ),
    "mask width": (
        lambda: audio.mask_along_axis_iid(X, 51, 0.0, -1),
        ValueError, "mask_param <= 50, got 51",
    ),
    "no tensor": (lambda: audio.mel_spectrogram([1.0], 8000), TypeError, "expected .*tensor"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_sounds_are_refused(what):
    call, kind, words = BAD[what]
    with pytest.raises(kind, match=words):
        call()


def test_the_loudness_of_silence_is_the_floor():
    found = audio.log_mel_spectrogram(tg.zeros(900), 8000, 1e-3)
    tg.testing.assert_close(found, tg.full((40, 5), math.log(1e-3)))
