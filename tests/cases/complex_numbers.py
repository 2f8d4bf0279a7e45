"""Complex numbers, Fourier transforms, windows. Complex inputs and results are pairs of reals."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad import fft
from tensorgrad.errors import DTypeError, GraphError, IndexRangeError, ShapeError
from tensorgrad.op import OPS
from tests.cases.table import *


def pairs(function):
    """`function` of complex numbers over their parts: real results, or pairs (..., 2)."""

    def over(re, im, *args, **kwargs):
        result = function(tg.complex(re, im), *args, **kwargs)
        return tg.view_as_real(result) if result.is_complex() else result

    return over


def host(function):
    """The same of NumPy's."""

    def over(re, im, *args, **kwargs):
        result = function(re + 1j * im, *args, **kwargs)
        return np.stack([result.real, result.imag], -1) if np.iscomplexobj(result) else result

    return over


def of_real(function):
    """Complex results of real numbers, as pairs."""
    return lambda x, *args, **kwargs: tg.view_as_real(function(x, *args, **kwargs))


def host_of_real(function):
    def over(x, *args, **kwargs):
        result = function(x, *args, **kwargs)
        return np.stack([result.real, result.imag], -1)

    return over


SIZE = normal(3, 4)

# fmt: off

# ---- parts

case("complex", of_real(tg.complex), SIZE, SIZE, ref=lambda x, y: np.stack([x, y], -1), torch="")
case("complex broadcast", lambda x, y: tg.view_as_real(tg.complex(x, y)), normal(3, 1), normal(4),
     ref=lambda x, y: np.stack(np.broadcast_arrays(x, y), -1), torch="")
case("real", pairs(tg.real), SIZE, SIZE, ref=host(np.real), torch="")
case("imag", pairs(tg.imag), SIZE, SIZE, ref=host(np.imag), torch="")
case("conj", pairs(tg.conj), SIZE, SIZE, ref=host(np.conj), torch="")
case("conj_physical", tg.conj_physical, SIZE, ref=np.conj, dtypes=EVERY, elementwise=True)
case("resolve_conj", tg.resolve_conj, SIZE, ref=lambda x: x)
case("resolve_neg", tg.resolve_neg, SIZE, ref=lambda x: x)
case("view_as_real", pairs(tg.view_as_real), SIZE, SIZE, torch="",
     ref=lambda x, y: np.stack([x, y], -1))
case("view_as_complex", lambda x: tg.view_as_complex(x.contiguous()).real, normal(3, 2),
     ref=lambda x: x[..., 0], torch="")
case("sgn", tg.sgn, nonzero(3, 4), ref=np.sign, dtypes=NUMERIC, elementwise=True)
case("sgn complex", pairs(tg.sgn), SIZE, SIZE, ref=host(np.sign), torch="")
case("abs complex", pairs(tg.abs), SIZE, SIZE, ref=host(np.abs), torch="")
case("angle", tg.angle, nonzero(3, 4), ref=np.angle, dtypes=NARROW, elementwise=True)
case("angle complex", pairs(tg.angle), SIZE, SIZE, ref=host(np.angle), torch="")
case("polar", lambda x, y: tg.view_as_real(tg.polar(x, y)), positive(3, 4), SIZE, torch="",
     ref=lambda r, t: np.stack([r * np.cos(t), r * np.sin(t)], -1))
case("isreal", tg.isreal, SIZE, ref=np.isreal, grad=False, dtypes=EVERY)
for _name in ("is_complex", "is_conj", "is_neg"):
    case(_name, lambda x, name=_name: tg.tensor(getattr(tg, name)(x)), SIZE, grad=False,
         ref=lambda x: np.array(False), torch="")

# ---- holomorphic functions of complex numbers

case("mul complex", pairs(lambda z: z * z), SIZE, SIZE, ref=host(np.square), torch="")
case("div complex", pairs(lambda z: (1 - z) / z), SIZE, SIZE, torch="",
     ref=host(lambda z: (1 - z) / z))
case("cov complex", pairs(tg.cov), SIZE, SIZE, ref=host(np.cov), torch="")
case("corrcoef complex", pairs(tg.corrcoef), SIZE, SIZE, ref=host(np.corrcoef), torch="",
     second=False)
case("exp complex", pairs(tg.exp), SIZE, SIZE, ref=host(np.exp), torch="")
case("log complex", pairs(tg.log), SIZE, SIZE, ref=host(np.log), torch="")
case("sqrt complex", pairs(tg.sqrt), SIZE, SIZE, ref=host(np.sqrt), torch="")
case("sin complex", pairs(tg.sin), SIZE, SIZE, ref=host(np.sin), torch="")
case("cos complex", pairs(tg.cos), SIZE, SIZE, ref=host(np.cos), torch="")
case("tanh complex", pairs(tg.tanh), SIZE, SIZE, ref=host(np.tanh), torch="")
case("sum complex", pairs(tg.sum), SIZE, SIZE, dim=1, torch="",
     ref=host(lambda z, dim: z.sum(dim)))
case("matmul complex", pairs(lambda z: z @ z.mT), SIZE, SIZE, torch="",
     ref=host(lambda z: z @ z.T))
case("mul real by complex", lambda x, y: tg.view_as_real(x * tg.complex(x, y)), SIZE, SIZE,
     ref=lambda x, y: np.stack([x * x, x * y], -1), torch="")

# ---- Fourier transforms

case("fft_complex", pairs(OPS["fft_complex"].call), normal(2, 5), normal(2, 5), (1,), "backward",
     False, ref=host(lambda z, *_: np.fft.fft(z)), torch="")
case("fft_complex inverse", pairs(fft.ifftn), normal(2, 5), normal(2, 5),
     ref=host(np.fft.ifftn), torch="")
case("fft_of_real", of_real(OPS["fft_of_real"].call), normal(2, 6), (1,), "ortho",
     ref=host_of_real(lambda x, *_: np.fft.rfft(x, norm="ortho")), torch="")
case("fft_of_real odd", of_real(fft.rfft2), normal(3, 5), ref=host_of_real(np.fft.rfft2), torch="")
case("fft_to_real", pairs(OPS["fft_to_real"].call), normal(2, 4), normal(2, 4), (1,), 6, "forward",
     ref=host(lambda z, *_: np.fft.irfft(z, norm="forward")), torch="")
case("fft_to_real odd", pairs(fft.irfft), normal(2, 4), normal(2, 4), n=7,
     ref=host(np.fft.irfft), torch="")
case("stft", lambda x: tg.stft(x, 4, window=tg.ones(4, dtype=x.dtype), return_complex=False),
     normal(2, 9), torch="")
case("istft", pairs(lambda z: tg.istft(z, 4, window=tg.ones(4, dtype=z.real.dtype))), normal(3, 5),
     normal(3, 5), torch="")

# ---- what is refused

Z = (floats(3) + 1j * floats(3)).astype("complex64")

bad("complex", lambda m, x: m.complex(x, x.double()), X, error=DTypeError,
    words="complex: expected two tensors of float32 or of float64")
bad("polar", lambda m, x: m.polar(x, x), LONG, error=DTypeError, words="polar: expected two")
bad("imag", lambda m, x: m.imag(x), X, error=DTypeError, words="imag: expected a complex tensor")
bad("view_as_real", lambda m, x: m.view_as_real(x), X, error=DTypeError,
    words="view_as_real: expected a complex tensor")
bad("view_as_complex", lambda m, x: m.view_as_complex(x), X, error=ShapeError,
    words="view_as_complex: expected a last dimension of size 2")
bad("view_as_complex apart", lambda m, x: m.view_as_complex(x.t()), floats(2, 3), error=ShapeError,
    words="view_as_complex: expected pairs that lie together")
bad("fft n", lambda m, x: m.fft.fft(x, n=0), X, error=ShapeError,
    words="fft: expected at least 1 data point, got 0")
bad("fft norm", lambda m, x: m.fft.fft(x, norm="none"), X, error=RuntimeError,
    words="fft: expected norm to be one of")
bad("fft dim", lambda m, x: m.fft.fft(x, dim=2), X, error=IndexRangeError,
    words="fft: expected a dimension in [-2, 1], got 2")
bad("fftn twice", lambda m, x: m.fft.fftn(x, dim=(0, 0)), X, error=ShapeError,
    words="fftn: expected dimensions that differ")
bad("fftn sizes", lambda m, x: m.fft.fftn(x, s=(3,), dim=(0, 1)), X, error=ShapeError,
    words="fftn: expected a size for each dimension")
bad("rfft complex", lambda m, x: m.fft.rfft(x), Z, error=DTypeError,
    words="rfft: expected a real tensor, got complex64")
bad("irfftn no dim", lambda m, x: m.fft.irfftn(x, dim=()), Z, error=ShapeError,
    words="irfftn: expected at least one dimension")
bad("stft return_complex", lambda m, x: m.stft(x, 4), floats(9), error=RuntimeError,
    words="stft: expected return_complex to be given")
bad("stft window", lambda m, x, w: m.stft(x, 4, window=w, return_complex=True), floats(9),
    floats(3), error=ShapeError, words="stft: expected a window of shape [4]")
bad("stft hop", lambda m, x: m.stft(x, 4, hop_length=0, return_complex=True), floats(9),
    error=ShapeError, words="stft: expected hop_length >= 1")
bad("istft real", lambda m, x: m.istft(x, 4), X, error=DTypeError,
    words="istft: expected a complex tensor")
bad("istft gaps", lambda m, x, w: m.istft(x.reshape(3, 1), 4, window=w, center=False), Z,
    np.array([0, 1, 1, 1], "float32"), error=GraphError,
    words="istft: expected windows that overlap everywhere")
bad("hann_window", lambda m: m.hann_window(-1), error=ShapeError,
    words="hann_window: expected a window_length >= 0")
bad("signal.windows", lambda m: m.signal.windows.gaussian(5, std=-1.0), error=ValueError,
    words="gaussian: expected std > 0")
bad("backward complex", lambda m, x: (m.real(x), x.requires_grad_().exp().sum().backward()), Z,
    error=GraphError, words="grad can be implicitly created only for real scalar outputs")
bad("backward of mixed kinds", lambda m, x, g: x.requires_grad_().exp().backward(g), Z, floats(3),
    error=DTypeError, words="backward: expected a gradient of dtype complex64, got float32")
