"""When a search is done, without ground truth: rules that are values and combine, and how a search ended.

A rule is a pytree with two pure functions about one image: ``start(shape) -> memory`` and
``look(memory, seen) -> (memory, status)``. Its numbers are leaves. `any_of` makes one rule of several.
"""

from jaxrestore.stopping.combined import NAMES, AnyOf, any_of, never, rule_of
from jaxrestore.stopping.contract import Rule, Seen, Status
from jaxrestore.stopping.of_images import FlatVariance, LessSharp, flat_variance, less_sharp, sharpness
from jaxrestore.stopping.of_loss import Discrepancy, Plateau, SmallSlope, discrepancy, plateau, small_slope

__all__ = [
    "NAMES",
    "AnyOf",
    "Discrepancy",
    "FlatVariance",
    "LessSharp",
    "Plateau",
    "Rule",
    "Seen",
    "SmallSlope",
    "Status",
    "any_of",
    "discrepancy",
    "flat_variance",
    "less_sharp",
    "never",
    "plateau",
    "rule_of",
    "sharpness",
    "small_slope",
]
