"""Complex numbers and their parts.

Inside a backward pass the gradient of a complex tensor is the conjugate of what users see. In that
convention the rule of a holomorphic op is the one for real numbers, without a conjugate anywhere;
only the ops here, which take numbers apart, have rules that know of it. The walk conjugates where
gradients enter and leave. https://docs.pytorch.org/docs/stable/complex_numbers.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, walk
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import full_like
from tensorgrad.ops.logic import eq
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "complex",
    "conj",
    "conj_physical",
    "imag",
    "is_complex",
    "is_conj",
    "is_neg",
    "isreal",
    "real",
    "resolve_conj",
    "resolve_neg",
    "sgn",
    "view_as_complex",
    "view_as_real",
]


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return dtypes.category(input.dtype) == dtypes.COMPLEX


conjugate: TensorFunction = primitive(
    "conj",
    "input",
    "",
    "The complex conjugate; real numbers as they are.",
    input=lambda g: conjugate(g),
)
real_part: TensorFunction = primitive(
    "real", "input", "", view=True, input=lambda g, input_dtype: cast(g, input_dtype)
)


def _imag_input(g: Any, input_dtype: dtypes.DType) -> Any:
    whole: Any = cast(g, input_dtype)
    return whole * -1j


imaginary_part: TensorFunction = primitive("imag", "input", "", view=True, input=_imag_input)
join: TensorFunction = primitive(
    "complex",
    "real imag",
    "",
    kind="same",
    expects="real and imaginary parts whose shapes broadcast",
    real=lambda g: real_part(g),
    imag=lambda g: imaginary_part(conjugate(g)),
)
as_pairs: TensorFunction = primitive(
    "view_as_real",
    "input",
    "",
    view=True,
    input=lambda g: conjugate(join(g[..., 0], g[..., 1])),
)
of_pairs: TensorFunction = primitive(
    "view_as_complex", "input", "", view=True, input=lambda g: as_pairs(conjugate(g))
)
walk.conjugate = conjugate


def conj(input: Tensor) -> Tensor:
    """real - i imag; a real tensor itself. The result has its own memory."""
    return conjugate(input) if is_complex(input) else input


@takes_out
def conj_physical(input: Tensor) -> Tensor:
    """As `conj`, also of real tensors a new one."""
    return conjugate(input)


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are never put off here."""
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negatives are never put off here."""
    return input


def is_conj(input: Tensor) -> bool:
    """False: conjugates are never put off here."""
    return False


def is_neg(input: Tensor) -> bool:
    """False: negatives are never put off here."""
    return False


def real(input: Tensor) -> Tensor:
    """The real parts, as a view; a real tensor itself."""
    return real_part(input) if is_complex(input) else input


def imag(input: Tensor) -> Tensor:
    """The imaginary parts, as a view of a complex tensor."""
    if not is_complex(input):
        raise DTypeError(
            f"imag: expected a complex tensor, got {input.dtype} "
            "(imag is not implemented for tensors with non-complex dtypes)"
        )
    return imaginary_part(input)


def check_parts(op: str, first: Any, second: Any, out: Any) -> None:
    """Refuse what is not two floats of one width, or an `out` that is not of twice that width."""
    kinds: list[Any] = [getattr(part, "dtype", type(part).__name__) for part in (first, second)]
    if kinds[0] != kinds[1] or kinds[0] not in (dtypes.float32, dtypes.float64):
        raise DTypeError(
            f"{op}: expected two tensors of float32 or of float64, got {kinds[0]} and {kinds[1]}"
        )
    if out is not None and out.dtype != dtypes.promote_types(kinds[0], dtypes.complex64):
        raise DTypeError(f"{op}: expected out of the complex dtype of {kinds[0]}, got {out.dtype}")


def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """real + i imag, of two tensors of float32 or of float64; shapes broadcast."""
    check_parts("complex", real, imag, out)
    return join(real, imag, out=out)


def view_as_real(input: Tensor) -> Tensor:
    """(...) complex -> (..., 2) of real and imaginary parts; a view."""
    if not is_complex(input):
        raise DTypeError(
            f"view_as_real: expected a complex tensor, got {input.dtype} "
            "(view_as_real is only supported for complex tensors)"
        )
    return as_pairs(input)


def view_as_complex(input: Tensor) -> Tensor:
    """(..., 2) of real and imaginary parts -> (...) complex; a view."""
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise DTypeError(
            f"view_as_complex: expected float32 or float64, got {input.dtype} "
            "(view_as_complex is only supported for floating point tensors)"
        )
    if not input.ndim or input.shape[-1] != 2:
        raise ShapeError(
            "view_as_complex: expected a last dimension of size 2, got shape "
            f"{list(input.shape)} (Tensor must have a last dimension of size 2)"
        )
    strides = input.stride()
    if strides[-1] != 1 or any(step % 2 for step in strides[:-1]):
        raise ShapeError(
            "view_as_complex: expected pairs that lie together (Tensor must have a last dimension "
            f"with stride 1, the others divisible by 2), got strides {strides}"
        )
    return of_pairs(input)


def _sgn_input(g: Any, input: Any, y: Any) -> Any:
    if not is_complex(input):
        return g * 0
    size = real_part(input * conjugate(y))
    nowhere = size == 0
    slope = (g - real_part(g * y) * conjugate(y)) / where(nowhere, 1, size)
    return where(nowhere, 0, slope)


sgn: TensorFunction = primitive(
    "sgn",
    "input",
    "",
    "input / |input|, 0 at 0: the sign of a real number, the direction of a complex one.",
    input=_sgn_input,
)


def isreal(input: Tensor) -> Tensor:
    """Whether each number has no imaginary part, as bool."""
    if is_complex(input):
        return eq(imaginary_part(input), 0)
    return full_like(input, True, dtype=dtypes.bool_)
