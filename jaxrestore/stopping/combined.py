"""Several rules as one, and the rules by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.stopping.contract import Rule, Seen, Status
from jaxrestore.stopping.of_images import flat_variance, less_sharp
from jaxrestore.stopping.of_loss import discrepancy, plateau, small_slope


@register
@dataclass(frozen=True)
class AnyOf:
    """Stops as soon as one of its rules does; of several at once the first names the reason. Of no rule: never."""

    rules: tuple[Rule, ...]

    def start(self, shape: tuple[int, ...]) -> tuple[PyTree, ...]:
        return tuple(rule.start(shape) for rule in self.rules)

    def look(self, memory: tuple[PyTree, ...], seen: Seen) -> tuple[tuple[PyTree, ...], Array]:
        looked = [rule.look(part, seen) for rule, part in zip(self.rules, memory, strict=True)]
        status = jnp.int32(Status.RUNNING)
        for _, one in reversed(looked):
            status = jnp.where(one == Status.RUNNING, status, one)
        return tuple(part for part, _ in looked), status


def any_of(*rules: Rule) -> AnyOf:
    """The rule that stops as soon as one of these does."""
    return AnyOf(rules)


def never() -> AnyOf:
    """The rule that lets all iterations be run."""
    return AnyOf(())


NAMES: dict[str, Callable[..., Rule]] = {
    "discrepancy": discrepancy,
    "plateau": plateau,
    "small_slope": small_slope,
    "flat_variance": flat_variance,
    "less_sharp": less_sharp,
}


def rule_of(described: list[dict[str, Any]]) -> AnyOf:
    """The rule of a settings file: ``[{"rule": "plateau", "fraction": 0.01, "patience": 20}, ...]``; InputError otherwise."""
    rules = []
    for one in described:
        arguments = dict(one)
        name = arguments.pop("rule", None)
        if name not in NAMES:
            raise InputError(f"There is no stopping rule {name!r}; there are: {', '.join(NAMES)}.")
        try:
            rules.append(NAMES[name](**arguments))
        except TypeError as error:
            raise InputError(f"The stopping rule {name} doesn't take that: {error}.") from error
    return any_of(*rules)
