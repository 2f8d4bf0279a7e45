"""Linear maps, activations, normalisation, dropout, embedding, attention."""

from __future__ import annotations

from tensorgrad.ops.linear import linear
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- linear maps

case("linear", linear, normal(3, 4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b,
     dtypes=NARROW)
case("linear no bias", linear, normal(2, 3, 4), normal(5, 4), ref=lambda x, w: x @ w.T)
case("linear 1-d", linear, normal(4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b)
