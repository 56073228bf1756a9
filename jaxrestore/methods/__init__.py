"""The methods, one file a paper: pytrees with pure functions ``init(key, y)`` and ``step(state, y)`` for one image."""

from jaxrestore.methods.bird import bird
from jaxrestore.methods.shred import shred

METHODS = {"bird": bird, "shred": shred}

__all__ = ["METHODS", "bird", "shred"]
