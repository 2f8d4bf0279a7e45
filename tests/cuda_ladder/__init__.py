"""CUDA kernels without a GPU: their sources compiled for GPUs, run on the CPU, and broken."""
