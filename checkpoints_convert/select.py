"""Finding the network in what a file holds: a dict of tensors, wrapped or not, under names with or without a prefix."""

from collections.abc import Mapping
from typing import Any

from checkpoints_convert.tensors import ConversionError, Tensor

ANCHORS = ("input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight", "down.0.block.0.conv1.weight")
EMA = ("ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema")
DEEPEST = 4


def state_dict(content: Any, key: str | None = None, use_ema: bool = False) -> dict[str, Tensor]:
    """The tensors of the network in nested dicts and lists, a prefix common to their names (``module.``) taken off.

    `key` names the wrapper ("model", "ema", a list's position: "4"), with dots for one within another; `use_ema` the
    averaged weights: those under a usual name, or in a list the last. ConversionError if it can't be told, which lists
    what there is.
    """
    found = _networks(content)
    if not found:
        raise ConversionError(f"The file holds no U-Net that is known: {_described(content)}.")
    names = ", ".join(repr(".".join(path)) for path in found)
    if key is not None:
        chosen = [path for path in found if ".".join(path) == key]
        if not chosen:
            raise ConversionError(f"The file holds no network under {key!r}: it has networks under {names}.")
    elif use_ema:
        chosen = [path for path in found if any(part in EMA for part in path)]
        if not chosen and len(found) == 2 and all(part.isdigit() for path in found for part in path):
            chosen = [list(found)[-1]]  # DDIM's [model, optimizer, epoch, step, ema]
        if len(chosen) != 1:
            raise ConversionError(f"The file has {len(chosen)} sets of averaged weights: choose with --key of {names}.")
    else:
        chosen = list(found)
        if len(chosen) != 1:
            raise ConversionError(f"The file holds {len(chosen)} networks: choose with --use-ema, or --key of {names}.")
    return _without_prefix(found[chosen[0]])


def _networks(content: Any) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """Every dict that has a known U-Net's tensors, by its path. Each container is looked at once: they may be shared."""
    found, seen, waiting = {}, set(), [((), content)]
    while waiting:
        path, here = waiting.pop(0)
        if id(here) in seen or len(path) > DEEPEST:
            continue
        seen.add(id(here))
        if isinstance(here, Mapping):
            tensors = {name: value for name, value in here.items() if type(name) is str and type(value) is Tensor}
            if any(name.endswith(ANCHORS) for name in tensors):
                found[path] = tensors
                continue
            waiting += [((*path, str(name)), value) for name, value in here.items()]
        elif type(here) in (list, tuple):
            waiting += [((*path, str(i)), value) for i, value in enumerate(here)]
    return found


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names after what stands before the anchor's; others stay as they are, and are reported as foreign later."""
    name = next(name for name in tensors if name.endswith(ANCHORS))
    prefix = name[: -len(next(anchor for anchor in ANCHORS if name.endswith(anchor)))]
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        names = [str(name)[:60] for name in list(content)[:5]]
        return f"a dict of {len(content)} names, the first {', '.join(names)}" if names else "an empty dict"
    return f"a {type(content).__name__}"
