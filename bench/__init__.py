"""Benchmarks, run from a clone: `python -m bench`, `bench.overhead`, `bench.kernels`.

Not installed with the library, which knows nothing of this package.
"""
