"""The ops, by family. Public names are listed in `tensorgrad/__init__.py`."""
