"""The op table: one line an op, and the generic tests loop over it.

A case is a call: the function, sample inputs as builders, fixed arguments, and what NumPy computes
for the same inputs in float64. The tests derive the rest: dtypes, layouts, backends, gradients to
second order, and PyTorch's answer to the same call. A new op gets a line here, and
`tests/test_structure.py` fails until it has one.
"""

from tests.cases import (  # noqa: F401
    complex_numbers,
    elementwise,
    functions,
    indexing,
    layers,
    linalg,
    losses,
    products,
    reductions,
    refusals,
    refused_calls,
    refused_kinds,
    resampling,
    shapes,
    windows,
)
from tests.cases.table import *
