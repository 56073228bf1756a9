"""The methods, one file a paper: pytrees with pure functions ``init(key, y)`` and ``step(state, y)`` for one image."""

from jaxrestore.methods._bird import bird
from jaxrestore.methods._diip import diip
from jaxrestore.methods._gen2res import gen2res
from jaxrestore.methods._invert2restore import invert2restore
from jaxrestore.methods._partially_blind import partially_blind
from jaxrestore.methods._shred import shred

METHODS = {"bird": bird, "diip": diip, "shred": shred, "invert2restore": partially_blind}  # those that descend, by name

__all__ = ["METHODS", "bird", "diip", "gen2res", "invert2restore", "partially_blind", "shred"]
