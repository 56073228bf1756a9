"""The table of methods, of the choices themselves."""

import numpy as np

from jaxrestore import operators as ops
from jaxrestore.cli.announce import evaluations
from jaxrestore.cli.choices import CHOICES, Choice
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError

HEADER = ("method", "blind", "needs", "evaluations", "paper")


def method_rows(prior: Prior) -> list[tuple[str, ...]]:
    """A header, and a row of texts for each method; what an image costs of a missing box, or blind, with default settings."""
    rows = [
        (choice.name, "yes" if choice.blind else "no", choice.needs, cost(choice, prior), choice.paper)
        for choice in CHOICES
    ]
    return [HEADER, *rows]


def cost(choice: Choice, prior: Prior) -> str:
    """Network evaluations of a default run, all restarts together; a dash where this prior can't be run with the method."""
    operator, kind = ops.Identity(), "blind"
    if not choice.blind:
        known = np.ones(prior.shape[:2])
        known[0, 0] = 0
        operator, kind = ops.Mask(known), "inpaint"
    try:
        method = choice.settle(MethodFlags(), AlbumFlags(), prior, kind).method(prior, operator, 0.0)
    except InputError:
        return "-"
    return str(evaluations(method) or "-")
