"""Finding the network in what a file holds: a dict of tensors, wrapped or not, under names with or without a prefix."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from checkpoints_convert.tensors import ConversionError, Tensor

ANCHORS = (
    "input_blocks.0.0.weight",
    "down_blocks.0.resnets.0.conv1.weight",
    "downsample_blocks.0.resnets.0.conv1.weight",
    "down.0.block.0.conv1.weight",
)
EMA = {"ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema"}
DEEPEST = 4
Found = dict[str, dict[str, Tensor]]  # networks by the names they stand under


def state_dict(content: Any, key: str | None = None, use_ema: bool = False) -> dict[str, Tensor]:
    """The tensors of the network in nested dicts and lists, a prefix common to their names (``module.``) taken off.

    `key` names the wrapper ("model", "ema", a list's position: "4"), with dots for one within another or for a prefix where
    one dict holds several networks ("state_dict.ema_model"); `use_ema` the averaged weights: those under a usual name, in a
    list of two the last, or the only ones there are. ConversionError if it can't be told, which lists what there is.
    """
    found = _networks(content)
    if not found:
        raise ConversionError(f"The file holds no U-Net that is known: {_described(content)}.")
    chosen = list(found)
    if key is not None:
        chosen = [name for name in found if name == key]
        if not chosen:
            raise ConversionError(f"The file holds no network under {key!r}: it has networks under {_listed(found)}.")
    elif use_ema and len(found) > 1:
        chosen = [name for name in found if EMA & set(name.split("."))]
        if not chosen and len(found) == 2 and all(name.isdigit() for name in found):
            chosen = [list(found)[-1]]  # DDIM's [model, optimizer, epoch, step, ema]
        if len(chosen) != 1:
            raise ConversionError(
                f"{len(chosen)} sets have the name of averaged weights: choose by --key {_listed(found)}."
            )
    if len(chosen) != 1:
        raise ConversionError(f"The file holds {len(found)} networks: choose by --use-ema, or --key {_listed(found)}.")
    return found[chosen[0]]


def _networks(content: Any) -> Found:
    """Every known U-Net, by its place. Each container is looked at once: they may be shared."""
    found: Found = {}
    seen: set[int] = set()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), content)] if type(content) in (dict, list, tuple) else [])
    while waiting:
        path, here = waiting.popleft()
        if id(here) in seen:
            continue
        seen.add(id(here))
        named = here.items() if isinstance(here, Mapping) else enumerate(here)
        if isinstance(here, Mapping) and any(type(name) is str and name.endswith(ANCHORS) for name in here):
            for name, tensors in _by_prefix(path, here).items():
                if name in found:
                    raise ConversionError(f"Two networks stand under {name!r}.")
                found[name] = tensors
        elif len(path) < DEEPEST:
            waiting.extend(((*path, str(name)), value) for name, value in named if type(value) in (dict, list, tuple))
    return found


def _by_prefix(path: tuple[str, ...], here: Mapping) -> Found:
    """The networks of one dict, each under its prefix. Outside of prefixes counters and schedules may stand, nothing else."""
    if odd := [name for name, value in here.items() if type(value) in (dict, list, tuple) or type(name) is not str]:
        raise ConversionError(f"Beside a network's tensors there is something else: {_listed(odd)}.")
    tensors = {name: value for name, value in here.items() if type(value) is Tensor}
    prefixes = {name[: -len(anchor)] for name in tensors for anchor in ANCHORS if name.endswith(anchor)}
    found: Found = {}
    left = dict(tensors)
    for prefix in sorted(prefixes, key=len, reverse=True):  # "" takes what the others leave
        mine = {name: value for name, value in left.items() if name.startswith(prefix)}
        left = {name: value for name, value in left.items() if name not in mine}
        place = ".".join([*path, prefix.rstrip(".")] if len(prefixes) > 1 and prefix else path)
        found[place] = {name.removeprefix(prefix): value for name, value in mine.items()}
    for name, value in left.items():
        if len(value.shape) > 1 or any(name in network for network in found.values()):
            raise ConversionError(f"The tensor {name!r} has not the prefix of the others: {_listed(prefixes)}.")
    return dict(sorted(found.items()))


def _listed(names: Any) -> str:
    shown = [repr(name) for name in list(names)[:20]]
    return ", ".join(shown + [f"and {len(names) - 20} more"] * (len(names) > 20))


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a dict of {len(content)} names, the first {_listed(list(content)[:5])}" if content else "an empty dict"
    return f"a {type(content).__name__}"
