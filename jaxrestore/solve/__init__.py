"""The driver: runs a method until it is done, and says how it ended."""

from jaxrestore.solve.constraining import constrain, finetune, generative_album
from jaxrestore.solve.driver import restore
from jaxrestore.solve.result import Restoration, best, mean_image
from jaxrestore.solve.search import init, run, step
from jaxrestore.solve.showing import show

__all__ = [
    "Restoration",
    "best",
    "constrain",
    "finetune",
    "generative_album",
    "init",
    "mean_image",
    "restore",
    "run",
    "show",
    "step",
]
