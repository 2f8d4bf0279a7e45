"""The files of the first word2vec program, text and binary. Knows bytes, not what words are for.

https://code.google.com/archive/p/word2vec: a line "V D", then V times a word, a space and D
numbers: decimals up to the line's end, or 4 bytes each, little end first. Some programs put a
line's end behind the numbers of the binary form too, so that one before a word is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tensorgrad.errors import SerializationError
from tensorgrad.io.files import replace_file

Array = np.ndarray[Any, Any]
FLOAT = np.dtype("<f4")
Rows = Iterator[tuple[bytes, Array]]
LONGEST = 1 << 16  # bytes of a word
READ = 1 << 20  # bytes read at once


def write_word_vectors(
    path: str | os.PathLike[str], words: Sequence[str], vectors: Array, binary: bool
) -> None:
    """Write the file whole, or leave the one that was there."""
    for word in words:
        if not word or any(mark in word for mark in " \n"):
            raise SerializationError(
                f"save_word2vec_format: expected words without spaces and line ends, got {word!r}"
            )
    rows = vectors.astype(FLOAT)

    def write(place: str) -> None:
        with open(place, "wb") as file:
            file.write(f"{len(words)} {rows.shape[1]}\n".encode())
            for word, row in zip(words, rows, strict=True):
                if binary:
                    file.write(word.encode() + b" " + row.tobytes() + b"\n")
                else:
                    # The shortest decimals that are read back as the same number.
                    file.write(f"{word} {' '.join(map(str, row))}\n".encode())

    replace_file(path, write)


def read_word_vectors(
    path: str | os.PathLike[str],
    binary: bool,
    limit: int | None,
    encoding: str,
    unicode_errors: str,
) -> tuple[list[str], Array]:
    """The words, and their vectors (V, D) in float32. A word that is there again is passed over."""
    with open(path, "rb") as file:
        count, size = _header(file, path)
        wanted = count if limit is None else min(count, limit)
        # A header may promise what the file cannot hold: rows are at least this many bytes.
        least = (size * 4 if binary else size * 2) + 2
        held = os.fstat(file.fileno()).st_size
        if count and wanted > held // least + 1:
            raise _damaged(path, f"at least {wanted * least} bytes for {wanted} words", f"{held}")
        vectors = np.empty((wanted, size), np.float32)
        words: dict[str, None] = {}
        rows = _binary_rows(file, size, path) if binary else _text_rows(file, size, path)
        for number in range(wanted):
            raw, row = next(rows, (b"", None))
            if row is None:
                raise _damaged(path, f"{wanted} words", f"{number}")
            try:
                word = raw.decode(encoding, unicode_errors)
            except UnicodeDecodeError as error:
                raise _damaged(path, f"a word {number} in {encoding}", str(error)) from None
            if word not in words:
                vectors[len(words)] = row
                words[word] = None
    return list(words), vectors[: len(words)]


def _damaged(path: Any, expected: str, got: str) -> SerializationError:
    return SerializationError(
        f"load_word2vec_format: expected {expected}, got {got} in {Path(path).name}"
    )


def _header(file: BinaryIO, path: Any) -> tuple[int, int]:
    line = file.readline(64)
    try:
        count, size = map(int, line.split())
    except ValueError:
        raise _damaged(path, "a first line of two whole numbers", repr(line)) from None
    if count < 0 or size < 1 or not line.endswith(b"\n"):
        raise _damaged(path, "counts of words and of numbers", repr(line))
    return count, size


def _text_rows(file: BinaryIO, size: int, path: Any) -> Rows:
    for line in file:
        parts = line.rstrip().split(b" ")
        word = b" ".join(parts[:-size])
        try:
            row = np.array(parts[-size:], np.float32)
        except ValueError:
            row = np.empty(0, np.float32)
        if not word or len(row) != size or not line.endswith(b"\n"):
            raise _damaged(path, f"a word, {size} numbers and a line's end", repr(line[:80]))
        yield word, row


def _binary_rows(file: BinaryIO, size: int, path: Any) -> Rows:
    """By blocks: a call of `read` for each byte of a word would take longer than all else."""
    held, place, bytes_of_row = b"", 0, size * FLOAT.itemsize
    while True:
        end = held.find(b" ", place, place + LONGEST)
        if end < 0 or len(held) - end - 1 < bytes_of_row:
            more = file.read(max(READ, bytes_of_row))
            if not more:
                if held[place:].strip():
                    raise _damaged(path, f"a word and {bytes_of_row} bytes", "the file's end")
                return
            held, place = held[place:] + more, 0
            if held.find(b" ", 0, LONGEST) < 0 and len(held) > LONGEST:
                raise _damaged(path, f"a word of at most {LONGEST} bytes", "a longer one")
            continue
        row = np.frombuffer(held, FLOAT, size, end + 1)
        yield held[place:end].lstrip(b"\n"), row
        place = end + 1 + bytes_of_row
