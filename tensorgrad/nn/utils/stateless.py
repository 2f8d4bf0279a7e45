"""`func.functional_call` under its older path."""

from tensorgrad.func.stateless import functional_call

__all__ = ["functional_call"]
