"""The old name of `tensorgrad.hub`."""

from tensorgrad.hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]
