"""CUDA C sources (`*.cu`) of the CuPy backend and their launches. Knows arrays, never a Tensor."""
