"""The backends that compute: `array_backend` holds every primitive, the others override it.

A backend knows arrays and kernels. It must not know Tensor, the graph or `nn`. The switches that
programs set under `torch.backends` stand here under their names, one module each.
"""

from tensorgrad.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
