"""The functions behind the layers, under the names and arguments of `torch.nn.functional`.

They are ops: each module of `tensorgrad.ops` named here lists those that belong to this namespace.
https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from tensorgrad import ops as _ops
from tensorgrad.ops.activation import *
from tensorgrad.ops.adaptive import *
from tensorgrad.ops.attention import *
from tensorgrad.ops.bags import *
from tensorgrad.ops.class_loss import *
from tensorgrad.ops.convolution import *
from tensorgrad.ops.ctc import *
from tensorgrad.ops.distance import *
from tensorgrad.ops.dropout import *
from tensorgrad.ops.embedding import *
from tensorgrad.ops.folding import *
from tensorgrad.ops.fractional import *
from tensorgrad.ops.grids import *
from tensorgrad.ops.linear import *
from tensorgrad.ops.loss import *
from tensorgrad.ops.margin_loss import *
from tensorgrad.ops.normalization import *
from tensorgrad.ops.padding import *
from tensorgrad.ops.pointwise import sigmoid, tanh
from tensorgrad.ops.pooling import *
from tensorgrad.ops.rectifiers import *
from tensorgrad.ops.resampling import *
from tensorgrad.ops.transposed import *
from tensorgrad.ops.unpooling import *
from tensorgrad.public import functions as _functions

__all__ = ["sigmoid", "tanh"]
__all__ += _ops.linear.__all__
__all__ += _ops.convolution.__all__
__all__ += _ops.transposed.__all__
__all__ += _ops.pooling.__all__
__all__ += _ops.adaptive.__all__
__all__ += _ops.fractional.__all__
__all__ += _ops.folding.__all__
__all__ += _ops.grids.__all__
__all__ += _ops.resampling.__all__
__all__ += _ops.unpooling.__all__
__all__ += _ops.padding.__all__
__all__ += _ops.activation.__all__
__all__ += _ops.rectifiers.__all__
__all__ += _ops.normalization.__all__
__all__ += _ops.dropout.__all__
__all__ += _ops.embedding.__all__
__all__ += _ops.bags.__all__
__all__ += _ops.attention.__all__
__all__ += _ops.loss.__all__
__all__ += _ops.class_loss.__all__
__all__ += _ops.margin_loss.__all__
__all__ += _ops.ctc.__all__
__all__ += _ops.distance.__all__

globals().update(_functions(globals(), __all__))
