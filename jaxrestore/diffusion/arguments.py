"""The network that a card's arguments make, each of its annotated type and within bounds.

The bounds are there so that no card costs time or memory: what lies within them is made in seconds, and holds no numbers.
"""

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jaxrestore.errors import PriorError

WIDEST = 2**16
LEVELS, BLOCKS = 12, 64  # of a network; in all of its levels together
DTYPES = ("float32", "bfloat16")
PRECISIONS = (None, "default", "high", "highest", "bfloat16", "tensorfloat32", "float32")
# Of an argument's numbers, where they are not whole ones from 1 to `WIDEST`.
BOUNDS: dict[str, tuple[float | int, float | int]] = {
    "num_res_blocks": (1, BLOCKS),
    "layers_per_block": (1, BLOCKS),
    "num_vq_embeddings": (1, 2**20),
    "attn_resolutions": (0, WIDEST),
    "encoder_attention": (0, LEVELS),
    "decoder_attention": (0, LEVELS),
    "ch_mult": (2**-10, 2**10),
    "norm_eps": (1e-20, 1),
    "dropout": (0, 0.999),
    "frequencies": (-1e30, 1e30),
    "levels": (1, 100_000),
    "highest": (1e-6, 1e6),
    "scaling_factor": (-1e30, 1e30),
    "shift_factor": (-1e30, 1e30),
}
CHOICES: dict[str, tuple] = {"dtype": DTYPES, "precision": PRECISIONS}


def network_of(kinds: dict[str, Any], said: dict[str, Any], field: str, path: Path) -> Any:
    """The network of an `architecture`, one of the `kinds` that are known, and its `arguments`. PriorError names what can't
    be meant: `path` is the card's, `field` the place in it."""
    architecture, arguments = said["architecture"], said["arguments"]
    if architecture not in kinds:
        raise PriorError(
            f"{path} names the architecture {shown(architecture)}; this version knows: {', '.join(kinds)}."
        )
    hints = get_type_hints(kinds[architecture])
    if foreign := sorted(arguments.keys() - hints.keys()):
        raise PriorError(f"{path}: `{field}` has {shown(foreign[0])}, no argument that the architecture takes.")
    for name, value in arguments.items():
        if not fits(name, value, hints[name]):
            words = wanted(name, hints[name])
            raise PriorError(f"{path} is damaged: `{name}` in `{field}` must be {words}, not {shown(value)}.")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    try:
        network = kinds[architecture](**given)
        if hasattr(network, "ch_mult"):
            levels, blocks = len(network.ch_mult), network.num_res_blocks
        elif hasattr(network, "block_out_channels"):
            levels, blocks = len(network.block_out_channels), network.layers_per_block
        else:
            levels, blocks = 1, network.layers
        if not 1 <= levels <= LEVELS or levels * blocks > BLOCKS:
            raise ValueError(
                f"{levels} levels of {blocks} blocks, where 1 to {LEVELS} levels and {BLOCKS} blocks can be"
            )
        network.shapes()
    except (TypeError, ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise PriorError(f"{path} is damaged: `{field}` makes no network ({reason}).") from error
    return network


def fits(name: str, value: Any, hint: Any) -> bool:
    """Whether an argument's value is of its annotated type, and within its bounds."""
    if name in CHOICES:
        return value in CHOICES[name] and type(value) in (str, NoneType)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(fits(name, value, part) for part in get_args(hint))
    if origin is Literal:
        return type(value) is str and value in get_args(hint)
    if origin is tuple:
        return (
            type(value) in (list, tuple)
            and len(value) <= 2 * WIDEST
            and all(fits(name, v, get_args(hint)[0]) for v in value)
        )
    least, most = BOUNDS.get(name, (1, WIDEST))
    if hint is float:
        return is_number(value, least, most)
    return is_whole(value, least, most) if hint is int else type(value) is hint


def wanted(name: str, hint: Any) -> str:
    """What `fits` looks for, for a sentence."""
    if name in CHOICES or get_origin(hint) is Literal:
        choices = CHOICES.get(name) or get_args(hint)
        return f"one of {', '.join('null' if choice is None else choice for choice in choices)}"
    least, most = BOUNDS.get(name, (1, WIDEST))
    return f"{_kind(hint)} between {least:g} and {most:g}" if hint not in (bool, str) else _kind(hint)


def _kind(hint: Any) -> str:
    plain = {bool: "true or false", str: "text", int: "a whole number", float: "a number", NoneType: "null"}
    if get_origin(hint) is tuple:
        return "a list of numbers"
    return plain.get(hint) or " or ".join(map(_kind, get_args(hint)))


def is_whole(value: Any, least: float | int, most: float | int) -> bool:
    return type(value) is int and least <= value <= most


def is_number(value: Any, least: float | int, most: float | int) -> bool:
    return type(value) in (int, float) and least <= value <= most


def shown(value: Any) -> str:
    """A value of a card for a sentence, whatever it is."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
