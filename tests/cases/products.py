"""Matrix products."""

from __future__ import annotations

import operator

import numpy as np

import tensorgrad as tg
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- products

case("matmul", tg.matmul, normal(3, 4), normal(4, 5), ref=np.matmul, dtypes=NARROW)
case("matmul vector", tg.matmul, normal(3, 4), normal(4), ref=np.matmul)
case("matmul by vector", tg.matmul, normal(3), normal(3, 4), ref=np.matmul)
case("matmul vectors", operator.matmul, normal(5), normal(5), ref=np.matmul)
case("matmul batch", tg.matmul, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul broadcast", tg.matmul, normal(2, 1, 3, 4), normal(5, 4, 2), ref=np.matmul)
case("matmul batch by matrix", tg.matmul, normal(2, 3, 4), normal(4, 5), ref=np.matmul)
case("matmul matrix by batch", tg.matmul, normal(3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul batch by vector", tg.matmul, normal(2, 3, 4), normal(4), ref=np.matmul)
case("matmul vector by batch", tg.matmul, normal(4), normal(2, 4, 5), ref=np.matmul)
case("matmul no inner", tg.matmul, normal(3, 0), normal(0, 2), ref=np.matmul)
case("matmul integers", tg.matmul, integers(0, 9, 3, 4), integers(0, 9, 4, 2), ref=np.matmul,
     grad=False)
case("mm", tg.mm, normal(3, 4), normal(4, 5), ref=np.matmul)
case("bmm", tg.bmm, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("mv", tg.mv, normal(3, 4), normal(4), ref=np.matmul)
case("dot", tg.dot, normal(5), normal(5), ref=np.dot)
case("outer", tg.outer, normal(3), normal(4), ref=np.outer)
