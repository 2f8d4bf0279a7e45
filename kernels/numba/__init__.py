"""CPU kernels compiled by Numba: a module for each family. Importing one imports Numba, and puts
NumPy's elementwise functions on all threads.

A kernel here takes and returns arrays. It may return NotImplemented for a dtype, layout or size
that it does not serve or does not win at. It must not know Tensor, backends or gradient graphs.
"""

from pathlib import Path


def _drop_stale_caches() -> None:
    """Delete compiled kernels older than any source file here.

    Numba compares a stored kernel with its own file only, but kernels inline functions of their
    neighbours.
    """
    here = Path(__file__).parent
    newest = max(source.stat().st_mtime for source in here.glob("*.py"))
    for index in (here / "__pycache__").glob("*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:  # another process was faster, or the folder is read-only
            pass


_drop_stale_caches()

from tensorgrad.kernels.numba import ufuncs  # noqa: E402

ufuncs.install()
