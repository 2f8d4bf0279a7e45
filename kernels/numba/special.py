"""Special functions, element by element, in one pass over memory: reads 1 array and writes 1.

The reference's formulas are thirty array operations, which small arrays feel and large ones pay in
memory traffic; the C library is a call for each element, of double precision inside.
"""

from tensorgrad.kernels.numba.generated import Loops
from tensorgrad.kernels.numba.normal import erf as erf_of

_loops = Loops({"erf": erf_of}, __file__)


def erf(input):
    """2 / sqrt(pi) * the integral of exp(-t^2) from 0 to each element."""
    return _loops("y1 = erf(x0)", (input,))
