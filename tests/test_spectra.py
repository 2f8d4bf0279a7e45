"""Windows, frequencies and short-time spectra, against PyTorch where it is installed."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import DTypeError
from tests.oracle import needs_torch, torch


@needs_torch
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows_are_those_of_torch(name):
    for length in (0, 1, 2, 7, 400):
        for periodic in (True, False):
            theirs = getattr(torch, f"{name}_window")(length, periodic, dtype=torch.float64)
            for dtype, atol in (("float32", 3e-8), ("float64", 1e-13)):
                ours = getattr(tg, f"{name}_window")(length, periodic, dtype=np.dtype(dtype))
                assert ours.dtype == np.dtype(dtype)
                np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=atol)
    assert tg.hann_window(4, requires_grad=True).requires_grad


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("frequencies", ["fftfreq", "rfftfreq"])
def test_frequencies(frequencies):
    for n in (0, 1, 4, 5):
        ours = getattr(tg.fft, frequencies)(n, 0.5)
        theirs = getattr(torch.fft, frequencies)(n, 0.5)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    with pytest.raises(DTypeError):
        getattr(tg.fft, frequencies)(4, dtype=tg.int64)


SPECTRA = [
    {"n_fft": 16},
    {"n_fft": 16, "hop_length": 5, "win_length": 10},
    {"n_fft": 15, "hop_length": 3, "normalized": True, "pad_mode": "constant"},
    {"n_fft": 16, "onesided": False, "pad_mode": "circular"},
    {"n_fft": 16, "center": False, "win_length": 8},
    {"n_fft": 16, "center": False, "win_length": 8, "align_to_window": True},
    {"n_fft": 16, "return_complex": False, "pad_mode": "replicate"},
]


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", SPECTRA)
@pytest.mark.parametrize("shape", [(70,), (2, 70)])
def test_spectra(options, shape):
    """Every argument of stft and istft, against PyTorch."""
    signal = np.random.default_rng(0).standard_normal(shape)
    length = options.get("win_length", options["n_fft"])
    results = []
    for library in (tg, torch):
        x = library.tensor(signal)
        window = library.hann_window(length, dtype=library.float64) + 0.1
        given = {"return_complex": True, **options}
        spectrum = library.stft(x, window=window, **given)
        results.append([spectrum])
        if given["return_complex"]:
            back = {k: v for k, v in options.items() if k not in ("pad_mode", "align_to_window")}
            total = 90 if length == options["n_fft"] else 75  # no window reaches past 75
            if options.get("center", True):
                restored = library.istft(spectrum, window=window, **back)
                longer = library.istft(spectrum, window=window, length=total, **back)
                results[-1] += [restored, longer]
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=0, atol=1e-12)
    if len(results[0]) > 1:
        count = results[0][1].shape[-1]
        np.testing.assert_allclose(results[0][1].numpy(), signal[..., :count], atol=1e-12)


def test_narrow_floats_are_transformed_as_float32():
    x = tg.tensor([1.0, 2.0, 3.0], dtype=tg.float16, requires_grad=True)
    y = tg.fft.rfft(x)
    assert y.dtype == tg.complex64
    y.abs().sum().backward()
    assert x.grad.dtype == tg.float16
