"""Data sets, samplers and the loader that makes batches of them, with PyTorch's names.

Knows tensors; not where data come from, not what is trained. Follows
https://docs.pytorch.org/docs/stable/data.html
"""

from tensorgrad.data.collate import default_collate, default_convert
from tensorgrad.data.dataset import Dataset, Subset, TensorDataset, random_split
from tensorgrad.data.loader import DataLoader
from tensorgrad.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "default_convert",
    "random_split",
]
