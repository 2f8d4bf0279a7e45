"""The functions behind the layers, under the names and arguments of `torch.nn.functional`.

They are ops: each module of `tensorgrad.ops` named here lists those that belong to this namespace.
https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from tensorgrad import ops as _ops
from tensorgrad.ops.activation import *
from tensorgrad.ops.convolution import *
from tensorgrad.ops.dropout import *
from tensorgrad.ops.embedding import *
from tensorgrad.ops.linear import *
from tensorgrad.ops.loss import *
from tensorgrad.ops.normalization import *
from tensorgrad.ops.padding import *
from tensorgrad.ops.pointwise import sigmoid, tanh

__all__ = ["sigmoid", "tanh"]
__all__ += _ops.linear.__all__
__all__ += _ops.convolution.__all__
__all__ += _ops.padding.__all__
__all__ += _ops.activation.__all__
__all__ += _ops.normalization.__all__
__all__ += _ops.dropout.__all__
__all__ += _ops.embedding.__all__
__all__ += _ops.loss.__all__
