"""`tensorgrad.data` where PyTorch has it: https://docs.pytorch.org/docs/stable/data.html."""

from tensorgrad.data import *
from tensorgrad.data import __all__ as __all__
from tensorgrad.paths import also_found_in

also_found_in(
    __name__,
    {
        "dataloader": "tensorgrad.data.loader",
        "dataset": "tensorgrad.data.dataset",
        "distributed": "tensorgrad.data.sampler",
        "sampler": "tensorgrad.data.sampler",
    },
)
