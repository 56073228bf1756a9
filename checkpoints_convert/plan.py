"""From tensors' names and shapes to the network: what they tell, what a table knows, what a config says, what is missing."""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from checkpoints_convert.configs import arguments, check_config, noise_schedule, schedule_text
from checkpoints_convert.diffusers import Folder
from checkpoints_convert.known import KNOWN, digest
from checkpoints_convert.recognise import recognise
from checkpoints_convert.tensors import ConversionError, understood
from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.prior import Prediction
from jaxrestore.networks import ARCHITECTURES

WORDS = {"time_embedding": ("sin_cos", "cos_sin"), "downsample_padding": ("end", "both")}


class Plan(NamedTuple):
    """A network with its schedule, before any number is read."""

    network: Any
    schedule: schedule.Schedule
    prediction: Prediction


def plan(tensors: Mapping[str, Any], config: dict[str, Any] | None = None, folder: Folder | None = None) -> Plan:
    """The `Plan` for tensors (anything with a shape), or ConversionError that names what isn't known, with an example."""
    config, shapes = check_config(config or {}), {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    architecture, told = recognise(shapes)
    if config.get("architecture", architecture) != architecture:
        raise ConversionError(f"The config says architecture {config['architecture']!r}, the tensors {architecture!r}.")
    known, published = KNOWN.get(digest(shapes)), config.get("config", {})
    text = config.get("schedule", schedule_text(published)) or (known and known.schedule)
    from_folder = None if "schedule" in config or folder is None else folder.alpha_bar
    with understood("The config"):
        said = arguments(architecture, published)
        given = {**(known.arguments if known else {}), **(folder.arguments if folder else {}), **said}
        _ask(architecture, given, text is not None or from_folder is not None)
        network = _network(architecture, told, given)
    made = noise_schedule(text) if from_folder is None else schedule.Schedule(from_folder)
    if architecture == "adm" and len(made) != 1000 and published.get("rescale_timesteps") is not False:
        raise ConversionError(
            f"A network of {len(made)} steps may have been told its times in units of a thousandth: if it was not, say "
            '"rescale_timesteps": false in the config; if it was, give a schedule of 1000 steps.'
        )
    guess = "x0" if published.get("predict_xstart") else (folder and folder.prediction) or "noise"
    prediction = config.get("prediction", published.get("prediction", guess))
    if prediction not in get_args(Prediction):
        raise ConversionError(f"The prediction {prediction!r} is not known; known: {', '.join(get_args(Prediction))}.")
    return Plan(network, made, prediction)


def _network(architecture: str, told: dict[str, Any], given: dict[str, Any]) -> Any:
    """The network of what tensors tell and others say, if they agree; its attention where the tensors have it."""
    if wrong := [name for name in WORDS.keys() & given.keys() if given[name] not in WORDS[name]]:
        raise ConversionError(f"{wrong[0]} must be one of {', '.join(WORDS[wrong[0]])}, not {given[wrong[0]]!r}.")
    patch = given.get("patch_size", 1)
    told = told | {name: told[name] // patch**2 for name in ("channels", "out_channels")}
    levels = told.pop("attention_levels")
    for name in sorted(told.keys() & given.keys()):
        if told[name] != given[name]:
            raise ConversionError(f"{name} is {given[name]!r} by the config, {told[name]!r} by the tensors' shapes.")
    sides = [given["image_size"] // patch // 2**level for level in range(len(told["ch_mult"]))]
    attention = tuple(sides[level] for level in levels)
    if "attn_resolutions" in given and set(given["attn_resolutions"]) & set(sides) != set(attention):
        raise ConversionError(
            f"Attention is at sides {given['attn_resolutions']} by the config, at {attention} by the tensors and an image "
            f"size of {given['image_size']}."
        )
    network = ARCHITECTURES[architecture](**{**told, "attn_resolutions": attention, **given})
    if network.image_size % network.stride:
        raise ConversionError(
            f"image_size {network.image_size} is not divisible by {network.stride}, as its levels need."
        )
    network.shapes()
    return network


def _ask(architecture: str, given: Mapping[str, Any], has_schedule: bool) -> None:
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
