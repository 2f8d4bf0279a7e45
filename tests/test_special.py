"""Special functions to the last digits of float64, at their ends, and for large arrays.

The numbers were computed with 50 digits; those at the right are them rounded.
"""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tests.conftest import CPU_BACKENDS

INF, NAN = math.inf, math.nan
KNOWN = {
    "erf": [
        (1e-200, 1.1283791670955125e-200),
        (0.1, 0.1124629160182849),
        (0.9999, 0.8426592780487595),
        (1.0, 0.8427007929497149),
        (2.5, 0.999593047982555),
        (-5.5, -0.9999999999999927),
    ],
    "erfc": [
        (-3.0, 1.9999779095030015),
        (0.3, 0.6713732405408726),
        (0.5, 0.4795001221869535),
        (1.7, 0.01620954140922544),
        (9.0, 4.13703174651381e-37),
        (26.0, 5.663192408856143e-296),
    ],
    "erfcx": [
        (-5.0, 144009798674.66104),
        (0.0, 1.0),
        (0.4, 0.6707877852947615),
        (3.0, 0.17900115118138996),
        (50.0, 0.011281536265323773),
        (1000000.0, 5.641895835474742e-07),
    ],
    "erfinv": [
        (1e-200, 8.86226925452758e-201),
        (0.3, 0.2724627147267543),
        (0.5, 0.4769362762044699),
        (-0.875, -1.0847870400692832),
        (0.999999, 3.458910737275499),
        (0.9999999999999991, 5.686128441310391),
    ],
    "ndtri": [
        (1e-300, -37.0470962993612),
        (1e-05, -4.264890793922825),
        (0.3, -0.5244005127080408),
        (0.5, 0.0),
        (0.75, 0.6744897501960817),
        (0.999, 3.090232306167813),
    ],
    "log_ndtr": [
        (-200.0, -20006.21728089819),
        (-20.0, -203.91715537109727),
        (-1.5, -2.7059444008238898),
        (0.0, -0.6931471805599453),
        (3.0, -0.0013508099647481938),
    ],
    "gammaln": [
        (1e-300, 690.7755278982137),
        (0.3, 1.0957979948180756),
        (1.001, -0.0005763935982833062),
        (1.999, -0.0004224618006921073),
        (2.5, 0.2846828704729192),
        (5.5, 3.9578139676187165),
        (30.0, 71.25703896716801),
        (10000000000.0, 220258509288.81058),
        (-0.7, 1.4524729387568078),
        (-5.25, -3.7283005108608567),
    ],
    "digamma": [
        (1e-10, -10000000000.577215),
        (0.3, -3.502524222200133),
        (1.5, 0.03648997397857652),
        (4.0, 1.2561176684318005),
        (9.99, 2.250700372831201),
        (1000000.0, 13.815510057964191),
        (-0.7, -2.073952793628704),
        (-5.25, 4.892046180473529),
    ],
    "i0": [
        (0.0, 1.0),
        (1.5, 1.646723189772891),
        (7.9, 389.406283282158),
        (8.1, 469.5006067101215),
        (-30.0, 781672297823.9775),
        (300.0, 4.475847367935052e128),
    ],
    "i0e": [
        (1.5, 0.36743360905415834),
        (8.0, 0.14343178185685032),
        (-30.0, 0.0731459464822373),
        (10000.0, 0.003989472674604732),
    ],
    "i1": [
        (1e-10, 5e-11),
        (1.5, 0.9816664285779075),
        (7.9, 363.8539440845084),
        (8.1, 439.48430891035844),
        (-30.0, -768532038938.957),
        (300.0, 4.468381385036955e128),
    ],
    "i1e": [
        (1.5, 0.21903938742092569),
        (8.0, 0.13414249329269817),
        (-30.0, -0.07191633059864755),
        (10000.0, 0.003989273195983662),
    ],
}
POLYGAMMA = [
    (1, 0.3, 12.245364546107732),
    (1, 10.0, 0.10516633568168575),
    (1, -2.3, 14.725912160961292),
    (2, 1.5, -0.82879664423432),
    (3, 0.01, 600000006.2510618),
    (4, -0.3, 9731.83495623352),
    (6, 25.0, -5.532496491858543e-07),
    (20, 3.0, -233141556.11225682),
]
INCOMPLETE = [  # a, x, igamma, igammac
    (0.5, 0.25, 0.5204998778130465, 0.4795001221869535),
    (1.5, 9.0, 0.9995601503471612, 0.000439849652838829),
    (9.0, 2.0, 0.00023744732826116177, 0.9997625526717389),
    (30.0, 30.0, 0.52428301389368, 0.4757169861063199),
    (100.0, 150.0, 0.9999940754596646, 5.924540335483916e-06),
    (1e-08, 2.0, 0.9999999995109948, 4.89005114719234e-10),
]
ENDS = {
    "erf": [(INF, 1.0), (-INF, -1.0), (NAN, NAN), (0.0, 0.0)],
    "erfc": [(INF, 0.0), (-INF, 2.0), (NAN, NAN), (30.0, 0.0)],
    "erfcx": [(INF, 0.0), (-INF, INF), (NAN, NAN), (-30.0, INF)],
    "erfinv": [(1.0, INF), (-1.0, -INF), (1.5, NAN), (NAN, NAN), (0.0, 0.0)],
    "ndtri": [(1.0, INF), (0.0, -INF), (-0.1, NAN), (1.1, NAN), (NAN, NAN)],
    "log_ndtr": [(INF, 0.0), (-INF, -INF), (NAN, NAN)],
    "gammaln": [(0.0, INF), (-3.0, INF), (INF, INF), (-INF, INF), (NAN, NAN), (1.0, 0.0)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-3.0, NAN), (INF, INF), (NAN, NAN)],
    "i0e": [(INF, 0.0), (-INF, 0.0), (NAN, NAN)],
    "i1e": [(INF, 0.0), (NAN, NAN)],
}


def of(name, values, dtype="float64"):
    return getattr(tg.special, name)(tg.tensor(np.array(values, dtype))).numpy()


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name, backend):
    arguments, wanted = zip(*KNOWN[name], strict=True)
    np.testing.assert_allclose(of(name, arguments), wanted, rtol=1e-13)


@pytest.mark.parametrize("name", ENDS)
def test_ends(name, backend):
    arguments, wanted = zip(*ENDS[name], strict=True)
    np.testing.assert_array_equal(of(name, arguments), wanted)


@pytest.mark.parametrize(("n", "x", "wanted"), POLYGAMMA)
def test_polygamma(n, x, wanted):
    result = tg.polygamma(n, tg.tensor([x], dtype=tg.float64))
    np.testing.assert_allclose(result.numpy(), [wanted], rtol=1e-13)


def test_polygamma_at_its_poles_and_far_out():
    x = tg.tensor([0.0, -4.0, INF], dtype=tg.float64)
    np.testing.assert_array_equal(tg.polygamma(1, x).numpy(), [INF, INF, 0.0])
    np.testing.assert_array_equal(tg.polygamma(2, x).numpy(), [-INF, -INF, 0.0])


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_large_and_strided_arrays(name):
    """Longer than one block, not a multiple of it, and not contiguous: element by element."""
    values = np.linspace(-4, 4, 3 * 10007).reshape(3, 10007)
    with tg.use_backend(name):
        found = tg.erf(tg.from_numpy(values).T).numpy()
    expected = np.vectorize(math.erf)(values).T
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_narrow_floats_are_rounded_once():
    """In half precision the last digit is that of the exact result."""
    values = np.linspace(0.1, 5, 50).astype("float16")
    exact = np.vectorize(math.lgamma)(values.astype("float64"))
    np.testing.assert_array_equal(of("gammaln", values, "float16"), exact.astype("float16"))


@pytest.mark.parametrize(("a", "x", "lower", "upper"), INCOMPLETE)
def test_incomplete_gamma(a, x, lower, upper):
    a, x = tg.tensor([a], dtype=tg.float64), tg.tensor([x], dtype=tg.float64)
    np.testing.assert_allclose(tg.igamma(a, x).numpy(), [lower], rtol=1e-12)
    np.testing.assert_allclose(tg.igammac(a, x).numpy(), [upper], rtol=1e-12)


def test_incomplete_gamma_at_its_ends():
    a = tg.tensor([0.0, 0.0, 1.0, 1.0, INF, 1.0, -1.0, NAN], dtype=tg.float64)
    x = tg.tensor([0.0, 1.0, 0.0, INF, 1.0, -1.0, 1.0, 1.0], dtype=tg.float64)
    wanted = [NAN, 1.0, 0.0, 1.0, 0.0, NAN, NAN, NAN]
    np.testing.assert_array_equal(tg.igamma(a, x).numpy(), wanted)
    np.testing.assert_array_equal(tg.igammac(a, x).numpy(), 1 - np.array(wanted))
