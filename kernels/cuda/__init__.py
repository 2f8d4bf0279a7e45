"""CUDA C sources (`*.cu`) of the CuPy backend. Knows file names and launches, never a Tensor."""
