"""Sound in RIFF/WAVE files. Knows bytes and NumPy, and folders of such files.

The standard library's `wave` reads neither floating-point samples nor, before Python 3.12, the
extensible format, so the chunks are read here. Format:
https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from tensorgrad.datasets.folder import FolderDataset, files, parent_name
from tensorgrad.ops.creation import from_numpy

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SAMPLES = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}


class _Format(NamedTuple):
    code: int
    channels: int
    sample_rate: int
    bits: int


def read_wav(path: str | os.PathLike[str]) -> tuple[np.ndarray[Any, Any], int]:
    """The samples of a WAVE file, and how many there are a second.

    Samples are integers of 8, 16, 24 or 32 bits or floating-point numbers of 32 or 64. The sizes
    that the file states are compared with its own before anything is allocated.

    Returns:
        `(waveform, sample_rate)`: float32 of shape (channels, frames), integers scaled to [-1, 1),
        and the rate in Hz.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a WAVE file, a damaged one, or one with samples of another kind.
    """
    path = Path(path)
    with path.open("rb") as stream:
        found = stream.read(12)
        if len(found) < 12 or found[:4] != b"RIFF" or found[8:] != b"WAVE":
            raise _error(path, "a file that begins with RIFF....WAVE", f"{found!r}")
        form, size = _seek_data(stream, path, path.stat().st_size)
        frame = form.channels * form.bits // 8
        data = stream.read(size - size % frame)
    samples = _samples(data, form).reshape(-1, form.channels)
    return np.ascontiguousarray(samples.T), form.sample_rate


def _seek_data(stream: BinaryIO, path: Path, stored: int) -> tuple[_Format, int]:
    """The format, and the size of the samples at which `stream` stands then."""
    form = None
    while len(header := stream.read(8)) == 8:
        name, size = header[:4], int.from_bytes(header[4:], "little")
        left = stored - stream.tell()
        if size > left:
            raise _error(path, f"{size} bytes of chunk {name!r}", f"{left} to the end of the file")
        if name == b"data":
            if form is None:
                raise _error(path, "a format before the samples", "none")
            return form, size
        start = stream.tell()
        if name == b"fmt ":
            form = _read_format(stream.read(min(size, 40)), path)
        stream.seek(start + size + size % 2)  # chunks begin at even places
    raise _error(path, "a format and samples", "the end of the file")


def _read_format(chunk: bytes, path: Path) -> _Format:
    if len(chunk) < 16:
        raise _error(path, "a format of 16 bytes or more", f"{len(chunk)}")
    code, channels, sample_rate, _, frame, bits = struct.unpack("<HHIIHH", chunk[:16])
    if code == _EXTENSIBLE and len(chunk) >= 26:
        code = int.from_bytes(chunk[24:26], "little")
    if (code, bits) not in _SAMPLES:
        expected = "PCM of 8, 16, 24 or 32 bits or floats of 32 or 64"
        raise _error(path, expected, f"format {code} of {bits} bits")
    if not channels or not sample_rate or frame != channels * bits // 8:
        expected = "channels, a sample rate and frames that hold them"
        raise _error(path, expected, f"{channels}, {sample_rate} and frames of {frame} bytes")
    return _Format(code, channels, sample_rate, bits)


def _samples(data: bytes, form: _Format) -> np.ndarray[Any, Any]:
    if form.code == _FLOAT:
        return np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
    if form.bits == 8:
        return (np.frombuffer(data, "u1").astype(np.float32) - 128) / 128
    if form.bits == 24:
        # The three bytes as the upper ones of an int32, whose sign is then theirs.
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, "u1").reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    scale = np.float32(2 ** (form.bits - 1))
    return np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32) / scale


def _error(path: Path, expected: str, got: str) -> ValueError:
    return ValueError(f"read_wav: expected {expected}, got {got} in {path}")


class WavFolder(FolderDataset):
    """The WAVE files below `root`, at any depth.

    An item is `(waveform, class index)`: the waveform as a float32 tensor of shape (channels,
    frames) in [-1, 1), or what `transform` makes of that. Waveforms of different lengths make a
    batch only after a transform, or by a `collate_fn`, that brings them to one.

    Args:
        root: the folder.
        transform: of the waveform.
        target_transform: of the class index.
        label: gives the label of the file at a `Path`; the name of its folder unless given.
            `lambda path: path.stem.split("_")[0]` takes it from a name such as `yes_0042.wav`.
        sample_rate: the rate in Hz that every file must have; that of the first unless given.
        train: True for the files under `root/train`, False for those under `root/test` or
            `root/val`; unless given all below `root`.
        download: get the folder from `url` unless it is there.
        url: the address of a .tar, .tar.gz or .zip, unpacked as a folder in `root` that then
            stands for it.
        checksum: of that archive, an MD5 or SHA-256 in hexadecimal digits.

    Raises:
        FileNotFoundError: no folder, or no WAVE file in it.
        RuntimeError: the download failed; tells where to put the file by hand.
        ValueError: reading an item, if its file is damaged or has another sample rate; `url`
            without `checksum`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        label: Callable[[Path], Any] = parent_name,
        sample_rate: int | None = None,
        *,
        train: bool | None = None,
        download: bool = False,
        url: str | None = None,
        checksum: str | None = None,
    ) -> None:
        super().__init__(
            root,
            transform,
            target_transform,
            train=train,
            download=download,
            url=url,
            checksum=checksum,
        )
        paths = files(self.folder, (".wav",))
        if not paths:
            raise FileNotFoundError(
                f"{type(self).__name__}: expected files that end in .wav, got none below "
                f"{self.folder}"
            )
        self._label((path, label(path)) for path in paths)
        self.sample_rate = read_wav(paths[0])[1] if sample_rate is None else sample_rate

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        waveform, rate = read_wav(path)
        if rate != self.sample_rate:
            raise ValueError(
                f"{type(self).__name__}: expected {self.sample_rate} samples a second, got {rate} "
                f"in {path}"
            )
        return self._item(from_numpy(waveform), target)
