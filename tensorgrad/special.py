"""`tensorgrad.special`: special functions under the names of PyTorch's `torch.special`.

https://docs.pytorch.org/docs/stable/special.html
"""

from tensorgrad.ops.pointwise import exp2, expm1, log1p, logit, round, sinc
from tensorgrad.ops.pointwise import sigmoid as expit
from tensorgrad.ops.softmaxes import log_softmax, logsumexp, softmax
from tensorgrad.ops.special import (
    digamma,
    entr,
    erf,
    erfc,
    erfcx,
    erfinv,
    i0,
    i0e,
    i1,
    i1e,
    log_ndtr,
    ndtr,
    ndtri,
    polygamma,
    xlog1py,
    xlogy,
)
from tensorgrad.ops.special import digamma as psi
from tensorgrad.ops.special import igamma as gammainc
from tensorgrad.ops.special import igammac as gammaincc
from tensorgrad.ops.special import lgamma as gammaln
from tensorgrad.ops.special import mvlgamma as multigammaln
from tensorgrad.public import functions

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]

globals().update(functions(globals(), __all__))
