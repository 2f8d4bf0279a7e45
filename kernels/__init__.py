"""Hand-written kernels. They know arrays only: no Tensor, no backend, no gradient graph."""
