"""From tensors' names and shapes to the network: what they tell, what a table knows, what a config says, what is missing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from checkpoints_convert.configs import arguments, noise_schedule
from checkpoints_convert.diffusers import Folder
from checkpoints_convert.known import KNOWN, digest
from checkpoints_convert.recognise import recognise
from checkpoints_convert.tensors import ConversionError
from jaxrestore import schedule
from jaxrestore.networks import ARCHITECTURES


class Plan(NamedTuple):
    """A network with its schedule, before any number is read."""

    network: Any
    schedule: schedule.Schedule
    prediction: Any


def plan(tensors: Mapping[str, Any], config: dict[str, Any] | None = None, folder: Folder | None = None) -> Plan:
    """The `Plan` for tensors (anything with a shape), or ConversionError that names what isn't known, with an example."""
    config, shapes = config or {}, {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    architecture, told = recognise(shapes)
    if config.get("architecture", architecture) != architecture:
        raise ConversionError(f"The config says architecture {config['architecture']!r}, the tensors {architecture!r}.")
    known = KNOWN.get(digest(shapes))
    said = arguments(architecture, config.get("config", {}))
    given = {**(known.arguments if known else {}), **(folder.arguments if folder else {}), **said}
    patch = given.get("patch_size", 1)
    told |= {name: told[name] // patch**2 for name in ("channels", "out_channels")}
    levels = told.pop("attention_levels")
    for name in told.keys() & given.keys():
        if told[name] != given[name]:
            raise ConversionError(f"{name} is {given[name]!r} by the config, {told[name]!r} by the tensors' shapes.")
    text = config.get("schedule", known.schedule if known else None)
    from_folder = None if "schedule" in config or folder is None else folder.alpha_bar
    _ask(architecture, given, text is not None or from_folder is not None)
    sides = tuple(given["image_size"] // patch // 2**level for level in levels)
    given = {"attn_resolutions": sides, **told, **given}
    given.pop("attention_levels", None)
    try:
        network = ARCHITECTURES[architecture](**given)
        network.shapes()
    except (TypeError, ValueError) as error:
        raise ConversionError(f"The config doesn't make a network: {error}.") from error
    prediction = config.get("prediction") or config.get("config", {}).get("prediction")
    prediction = prediction or (folder and folder.prediction) or "noise"
    made = noise_schedule(text) if from_folder is None else schedule.from_alpha_bar(from_folder)
    return Plan(network, made, prediction)


def _ask(architecture: str, given: Mapping[str, Any], has_schedule: Any) -> None:
    """ConversionError that asks, by name, for what shapes can't tell."""
    lacks = [name for name in ("image_size",) if name not in given]
    example = ['"image_size": 256'] * bool(lacks)
    if architecture == "adm":
        if "head_channels" not in given and "num_heads" not in given:
            lacks.append("num_head_channels (or num_heads)")
            example.append('"num_head_channels": 64')
        if "new_attention_order" not in given:
            lacks.append("use_new_attention_order")
            example.append('"use_new_attention_order": false')
    parts = [f'"config": {{{", ".join(example)}}}'] * bool(example)
    if not has_schedule:
        lacks.append("schedule")
        parts.append('"schedule": "linear 1e-4..0.02, T=1000"')
    if lacks:
        raise ConversionError(
            f"The tensors are those of a network ({architecture}), but don't tell {', '.join(lacks)}. Write it into a JSON "
            f"file and give it with --config, for example {{{', '.join(parts)}}}."
        )
