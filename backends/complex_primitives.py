"""Complex primitives for a NumPy-like array module: parts, angles, Fourier transforms."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
Dims: TypeAlias = tuple[int, ...]


class ComplexPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    def conj(self, input: Array) -> Array:
        return self.xp.conjugate(input) if input.dtype.kind == "c" else input.copy()

    def real(self, input: Array) -> Array:
        """A view of the real parts; a real array itself."""
        return input.real

    def imag(self, input: Array) -> Array:
        """A view of the imaginary parts of a complex array."""
        return input.imag

    def complex(self, real: Array, imag: Array) -> Array:
        shape = np.broadcast_shapes(real.shape, imag.shape)
        out = self.xp.empty(shape, "complex128" if real.dtype == "float64" else "complex64")
        out.real = real
        out.imag = imag
        return out

    def view_as_real(self: Any, input: Array) -> Array:
        """(...) complex -> (..., 2): the memory read as pairs."""
        part = input.real
        if not input.size:
            return self.xp.empty((*input.shape, 2), part.dtype)
        shape, steps = (*input.shape, 2), (*input.strides, part.dtype.itemsize)
        return self.strided(part, shape, steps, 0)

    def view_as_complex(self, input: Array) -> Array:
        """(..., 2) -> (...) complex: the memory read as pairs, of which each lies together."""
        kind = "complex128" if input.dtype == "float64" else "complex64"
        if not input.size:
            return self.xp.empty(input.shape[:-1], kind)
        return input.view(kind)[..., 0]

    def sgn(self, input: Array) -> Array:
        if input.dtype.kind != "c":
            return input.copy() if input.dtype.kind == "b" else self.xp.sign(input)
        size = self.xp.absolute(input)
        return self.xp.where(size == 0, 0, input / self.xp.where(size == 0, 1, size))

    def angle(self, input: Array) -> Array:
        """In (-pi, pi]; of real numbers 0 or pi, and NaN of NaN."""
        if input.dtype.kind == "c":
            return self.xp.arctan2(input.imag, input.real)
        turned = self.xp.where(input < 0, self.xp.pi, 0.0).astype(input.dtype)
        return self.xp.where(self.xp.isnan(input), input, turned)

    # ---- Fourier transforms; `norm` scales as NumPy's does: "backward", "ortho" or "forward"

    def fft_complex(self, input: Array, dims: Dims, norm: str, inverse: bool) -> Array:
        """Complex to complex along `dims`."""
        transform = self.xp.fft.ifftn if inverse else self.xp.fft.fftn
        return transform(input, axes=dims, norm=norm)

    def fft_of_real(self, input: Array, dims: Dims, norm: str) -> Array:
        """Real to complex; along the last of `dims` only the first half, which says it all."""
        return self.xp.fft.rfftn(input, axes=dims, norm=norm)

    def fft_to_real(self, input: Array, dims: Dims, size: int, norm: str) -> Array:
        """The inverse of `fft_of_real`, with `size` elements along the last of `dims`."""
        sizes = (*[input.shape[dim] for dim in dims[:-1]], size)
        return self.xp.fft.irfftn(input, s=sizes, axes=dims, norm=norm)
