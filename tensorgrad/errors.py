"""The library's exceptions.

Each is also a subclass of what PyTorch raises for the same fault, so that `except RuntimeError` of
a program written for PyTorch still catches it. Every message reads `<op>: expected ..., got ...`
and is raised before anything has been written.
"""


class ShapeError(RuntimeError, ValueError):
    """Sizes or numbers of dimensions do not fit together."""


class DTypeError(NotImplementedError, TypeError):
    """An element type that the op does not take, or types that do not mix. PyTorch raises one of
    these two, or the RuntimeError that the first is too.
    """


class IndexRangeError(IndexError, RuntimeError):
    """An index, a dimension or a class number outside its range."""


class GraphError(RuntimeError):
    """Autograd cannot do what was asked: a freed graph, an overwritten tensor, a leaf changed in
    place.
    """


class BackendError(RuntimeError, ValueError):
    """A backend or device that is unknown, unavailable or broken, or tensors of two devices in one
    op.
    """


class OutOfMemoryError(RuntimeError, MemoryError):
    """The memory of the machine, or of the GPU, is not enough."""


class LinAlgError(RuntimeError):
    """A matrix without an inverse or a factorization, or a decomposition that does not converge."""


class SerializationError(RuntimeError, ValueError):
    """A value that has no place in a file, or a file that is malformed, cut, damaged or hostile."""
