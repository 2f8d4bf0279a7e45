"""Sentences and their translations, from files. Knows lines, not languages."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

_PIECES = re.compile(r"\w+'|\w+|[^\w\s]")
_NO_SPACE = re.compile(r" (?=[.,!?;:%)\]»])|(?<=['(\[«]) ")


def pieces_of(text: str) -> list[str]:
    """The words, lower-case, and marks of a text; what an apostrophe cuts off keeps it: j' ai."""
    return _PIECES.findall(text.lower().replace("\u2019", "'"))


def text_of(pieces: list[str]) -> str:
    """Pieces as a text, without spaces before marks and behind apostrophes."""
    return _NO_SPACE.sub("", " ".join(pieces))


def sentence_pairs(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """The first two columns of a file of lines with tabs between columns, UTF-8, as in Tatoeba's
    exports; of a .zip the one text in it whose name does not begin with "_".

    Raises ValueError, with the line's number, for a line of one column, and for bytes that are not
    UTF-8; FileNotFoundError.
    """
    path = Path(path)
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                names = [
                    name
                    for name in archive.namelist()
                    if name.endswith(".txt") and not Path(name).name.startswith("_")
                ]
                if len(names) != 1:
                    raise ValueError(
                        f"sentence_pairs: expected one text in {path.name}, got {names}"
                    )
                data = archive.read(names[0])
        except zipfile.BadZipFile as error:
            raise ValueError(f"sentence_pairs: expected a .zip, got {error} in {path}") from error
    else:
        data = path.read_bytes()
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"sentence_pairs: expected UTF-8, got {error} in {path.name}") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        columns = line.rstrip("\r").split("\t")
        if len(columns) < 2:
            raise ValueError(
                f"sentence_pairs: expected two columns, got {line!r:.60} in line {number} of "
                f"{path.name}"
            )
        pairs.append((columns[0], columns[1]))
    if not pairs:
        raise ValueError(f"sentence_pairs: expected pairs of sentences, got none in {path.name}")
    return pairs
