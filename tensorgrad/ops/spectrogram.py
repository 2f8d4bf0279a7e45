"""Short-time Fourier transforms: a signal cut into windowed frames, and put together again.

https://docs.pytorch.org/docs/stable/generated/torch.stft.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.ops.complex_parts import is_complex, view_as_real
from tensorgrad.ops.creation import ones
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.fourier import fft, ifft, irfft, rfft
from tensorgrad.ops.padding import pad
from tensorgrad.ops.pointwise import abs
from tensorgrad.ops.shape import pad_constant, reshape, transpose, unsqueeze
from tensorgrad.ops.windows import fold_windows, windows

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "istft",
    "stft",
]

NEARLY_ZERO = 1e-11  # the least sum of squared windows that a sample is divided by


def _lengths(
    op: str, n_fft: int, hop_length: int | None, win_length: int | None
) -> tuple[int, int]:
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if n_fft < 1:
        raise ShapeError(f"{op}: expected n_fft >= 1, got {n_fft}")
    if hop < 1:
        raise ShapeError(f"{op}: expected hop_length >= 1, got {hop}")
    if not 0 < length <= n_fft:
        raise ShapeError(f"{op}: expected 0 < win_length <= n_fft = {n_fft}, got {length}")
    return hop, length


def _window_of(op: str, window: Any, length: int, n_fft: int, input: Any) -> Any:
    """The window with zeros on both sides, n_fft long; None where it is all ones."""
    if window is None:
        if length == n_fft:
            return None
        kind = input.real.dtype if is_complex(input) else input.dtype
        window = ones(length, dtype=kind, device=input.device)
    if tuple(window.shape) != (length,):
        raise ShapeError(
            f"{op}: expected a window of shape [{length}] (win_length), got {list(window.shape)}"
        )
    before = (n_fft - length) // 2
    after = n_fft - length - before
    return pad_constant(window, ((before, after),), 0) if before or after else window


def _onesided(op: str, onesided: bool | None, complex: bool) -> bool:
    if onesided and complex:
        raise DTypeError(
            f"{op}: expected a real input and window for onesided=True, got a complex one "
            "(Cannot have onesided output if window or input is complex)"
        )
    return not complex if onesided is None else onesided


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool | int = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The Fourier transform of each frame of a signal: (length) or (B, length) -> (..., N, frames).

    y[w, m] = sum over k < n_fft of window[k] x[m hop_length + k] exp(-2 pi i k w / n_fft)

    N is n_fft // 2 + 1, or n_fft if not `onesided` (which is the default of complex signals).
    hop_length is n_fft // 4 unless told, win_length n_fft; a shorter window stands in the middle of
    its frame. center: frame m is around x[m hop_length], the signal being padded by `pad_mode`.
    normalized: divided by sqrt(n_fft). return_complex=False gives the parts in a last dimension of
    2. align_to_window (without center): the first window starts at the signal's start.
    """
    if center and align_to_window is not None:
        raise RuntimeError("stft: expected align_to_window with center=False only, got center=True")
    if input.ndim not in (1, 2) or not dtypes.is_differentiable(input.dtype):
        raise ShapeError(
            "stft: expected a signal of 1 or 2 dimensions of a floating or complex dtype, got "
            f"shape {list(input.shape)} of {input.dtype}"
        )
    hop, length = _lengths("stft", n_fft, hop_length, win_length)
    frame = _window_of("stft", window, length, n_fft, input)
    complex = is_complex(input) or (frame is not None and is_complex(frame))
    if return_complex is None and not complex:
        raise RuntimeError(
            "stft: expected return_complex to be given for real inputs, got None "
            "(stft requires the return_complex parameter be given for real inputs)"
        )
    half = _onesided("stft", onesided, complex)
    batch = input if input.ndim == 2 else unsqueeze(input, 0)
    if center:
        batch = pad(batch, (n_fft // 2, n_fft // 2), mode=pad_mode)
    elif align_to_window:
        margin = (n_fft - length) // 2
        batch = pad_constant(batch, ((0, 0), (margin, margin)), 0)
    if batch.shape[-1] < n_fft:
        raise ShapeError(
            f"stft: expected a signal of at least n_fft = {n_fft}, got {batch.shape[-1]}"
        )
    frames: Any = windows(batch, (n_fft,), (hop,), (1,))
    if frame is not None:
        frames = frames * frame
    norm = "ortho" if normalized else "backward"
    result = rfft(frames, norm=norm) if half else fft(frames, norm=norm)
    result = transpose(result, 1, 2)
    result = reshape(result, result.shape[1:]) if input.ndim == 1 else result
    return view_as_real(result) if return_complex is False else result


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool | int = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal that `stft` of these arguments transforms to `input`, in the sense of least
    squares.

    The frames, transformed back, are added where they came from and divided by the sum of the
    squared windows there, which must not vanish. length: that of the result; samples past the last
    frame are 0.
    """
    if not is_complex(input):
        raise DTypeError(
            f"istft: expected a complex tensor as stft gives it, got {input.dtype} "
            "(istft requires a complex-valued input tensor)"
        )
    if input.ndim not in (2, 3) or not input.numel():
        raise ShapeError(
            f"istft: expected frames as (B, N, frames) or (N, frames), got {list(input.shape)}"
        )
    hop, win = _lengths("istft", n_fft, hop_length, win_length)
    if hop > win:
        raise ShapeError(f"istft: expected hop_length <= win_length = {win}, got {hop}")
    frame = _window_of("istft", window, win, n_fft, input)
    turned = frame is not None and is_complex(frame)
    if turned and not return_complex:
        raise DTypeError("istft: expected return_complex with a complex window, got False")
    if onesided is None:
        onesided = input.shape[-2] != n_fft
    half = _onesided("istft", onesided, return_complex)
    count = n_fft // 2 + 1 if half else n_fft
    if input.shape[-2] != count:
        raise ShapeError(f"istft: expected {count} frequencies, got shape {list(input.shape)}")
    norm = "ortho" if normalized else "backward"
    spectra = transpose(input if input.ndim == 3 else unsqueeze(input, 0), 1, 2)
    frames: Any
    if return_complex:
        frames = ifft(spectra, norm=norm)
    else:
        frames = irfft(narrow(spectra, 2, 0, n_fft // 2 + 1), n=n_fft, norm=norm)
    if frame is None:
        frame = ones(n_fft, dtype=frames.real.dtype, device=input.device)
    total = n_fft + hop * (spectra.shape[1] - 1)
    signal = fold_windows(frames * frame, (total,), (n_fft,), (hop,), (1,))
    squares = (frame * frame).expand(1, spectra.shape[1], n_fft)
    weight = fold_windows(squares, (total,), (n_fft,), (hop,), (1,))
    start = n_fft // 2 if center else 0
    stop = total - start if length is None else min(start + length, total)
    signal = narrow(signal, 1, start, max(stop - start, 0))
    weight = narrow(weight, 1, start, max(stop - start, 0))
    if not weight.numel() or float(abs(weight).min()) <= NEARLY_ZERO:
        raise GraphError(
            "istft: expected windows that overlap everywhere, got a sum of squares of 0 "
            "(window overlap add min: 1)"
        )
    signal = signal / weight
    if length is not None and signal.shape[1] < length:
        signal = pad_constant(signal, ((0, 0), (0, length - signal.shape[1])), 0)
    return signal if input.ndim == 3 else reshape(signal, signal.shape[1:])
