"""A prior's card, checked as a whole before anything is made of it: a sentence names whatever can't be meant."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_args

from jaxrestore.diffusion.arguments import WIDEST, is_number, is_whole, shown
from jaxrestore.diffusion.beside import CARD, CARD_FORMAT
from jaxrestore.diffusion.places import prior_folder
from jaxrestore.diffusion.prior import Prediction
from jaxrestore.diffusion.quantised import TYPES
from jaxrestore.errors import PriorError

LONGEST = 2**24  # bytes of a card
DEEPEST = 32  # lists and objects within each other
STEPS = 100_000


class Rule(NamedTuple):
    """What a field must be."""

    is_met: Callable[[Any], bool]
    words: str
    needed: bool = True


def is_table(value: Any, is_name: Callable[[str], bool], is_value: Callable[[Any], bool]) -> bool:
    return type(value) is dict and all(is_name(name) and is_value(part) for name, part in value.items())


def is_network(value: Any) -> bool:
    return type(value) is dict and type(value.get("architecture")) is str and type(value.get("arguments")) is dict


def is_inside(name: str) -> bool:
    """Whether a file of that name lies in the folder that names it."""
    parts = name.split("/")
    return name.isprintable() and len(name) < 1000 and not {"", ".", ".."} & {*parts} and not {":", "\\"} & {*name}


def is_quantised(value: Any) -> bool:
    known = type(value) is list and len(value) == 3 and value[0] in TYPES
    return known and is_number(value[1], 1e-300, 1e300) and is_number(value[2], -1e300, 1e300)


def _any(_: Any) -> bool:
    return True


FIELDS = {
    "name": Rule(lambda v: type(v) is str and 0 < len(v) <= 1000, "text"),
    "architecture": Rule(lambda v: type(v) is str, "text"),
    "arguments": Rule(lambda v: type(v) is dict, "an object"),
    "alpha_bar": Rule(
        lambda v: type(v) is list and 0 < len(v) <= STEPS and all(is_number(level, 0, 1) for level in v),
        f"a list of at most {STEPS} numbers between 0 and 1",
    ),
    "shape": Rule(
        lambda v: type(v) is list and len(v) == 3 and all(is_whole(side, 1, WIDEST) for side in v),
        f"three whole numbers between 1 and {WIDEST}",
    ),
    "prediction": Rule(lambda v: v in get_args(Prediction), f"one of {', '.join(get_args(Prediction))}"),
    "files": Rule(
        lambda v: is_table(v, is_inside, lambda size: is_whole(size, 0, 2**63)), "sizes in bytes by names in the folder"
    ),
    "sha256": Rule(
        lambda v: is_table(v, is_inside, lambda digest: bool(re.fullmatch(r"[0-9a-f]{64}", str(digest)))),
        "SHA-256 in hexadecimal by names in the folder",
        False,
    ),
    "autoencoder": Rule(is_network, "an object with an architecture and its arguments", False),
    "quantised": Rule(
        lambda v: is_table(v, _any, is_quantised),
        f"by parameter one of {', '.join(TYPES)}, a positive scale and a minimum",
        False,
    ),
    "stored": Rule(lambda v: is_table(v, _any, lambda count: is_whole(count, 0, 2**63)), "counts by type", False),
    "range": Rule(lambda v: v == [-1, 1], "[-1, 1]", False),
    "parameter_count": Rule(lambda v: is_whole(v, 0, 2**63), "a whole number", False),
    "finetuned": Rule(lambda v: type(v) is dict, "an object", False),
}


def read_card(name: str | Path) -> dict[str, Any]:
    """The card of a prior, of which every field that is known has been checked. PriorError names the card and the field."""
    path = prior_folder(name) / CARD
    try:
        if path.stat().st_size > LONGEST:
            raise PriorError(f"{path} is damaged: it is longer than {LONGEST} bytes.")
        card = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PriorError(f"{path.parent} is not a prior: its {path.name} can't be read ({error.strerror}).") from error
    except RecursionError as error:
        raise PriorError(f"{path} is damaged: its lists and objects lie too deep within each other.") from error
    except PriorError:
        raise
    except ValueError as error:
        raise PriorError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise PriorError(f"{path} is not the card of a prior: its format is not {CARD_FORMAT!r}.")
    check_card(card, path)
    return card


def check_card(card: dict[str, Any], path: Path) -> None:
    """PriorError for the first field that is missing or can't be meant; `path` is the card's."""
    if lacks := [name for name, rule in FIELDS.items() if rule.needed and name not in card]:
        raise PriorError(f"{path} is incomplete: it lacks {', '.join(sorted(lacks))}.")
    for name, value in card.items():
        if is_deep(value):
            raise PriorError(f"{path} is damaged: `{name[:80]}` has lists or objects too deep within each other.")
        if name in FIELDS and not FIELDS[name].is_met(value):
            raise PriorError(f"{path} is damaged: `{name}` must be {FIELDS[name].words}, not {shown(value)}.")


def is_deep(value: Any) -> bool:
    """Whether lists and objects lie more than `DEEPEST` deep within each other."""
    level = [value]
    for _ in range(DEEPEST):
        level = [part for outer in level if isinstance(outer, dict | list) for part in _parts(outer)]
    return bool(level)


def _parts(outer: dict | list) -> Any:
    return outer.values() if isinstance(outer, dict) else outer
