"""CPU kernels compiled by Numba: a module for each family. Importing one imports Numba, and puts
NumPy's elementwise functions on all threads.

A kernel here takes and returns arrays. It may return NotImplemented for a dtype, layout or size
that it does not serve or does not win at. It must not know Tensor, backends or gradient graphs.
"""

from tensorgrad.kernels.numba import ufuncs

ufuncs.install()
