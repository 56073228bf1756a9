"""Published constructor arguments -> those of our networks, and noise schedules written as text."""

import json
import re
from pathlib import Path
from typing import Any

from checkpoints_convert.tensors import ConversionError, understood
from jaxrestore.diffusion import schedule
from jaxrestore.networks import ARCHITECTURES

DDPM = {"in_channels": "channels", "out_ch": "out_channels", "norm_groups": "groups"}
ADM = {
    "norm_groups": "groups",
    "in_channels": "channels",
    "model_channels": "ch",
    "num_channels": "ch",
    "channel_mult": "ch_mult",
    "use_scale_shift_norm": "scale_shift",
    "use_new_attention_order": "new_attention_order",
    "num_heads_upsample": "num_heads_up",
    "num_head_channels": "head_channels",
}
TRAINING = {  # nothing to convert
    "use_checkpoint", "use_fp16", "resamp_with_conv", "conv_resample", "dims", "model_path", "use_kl",
    "rescale_learned_sigmas", "timestep_respacing", "sigma_small", "predict_xstart", "prediction", "noise_schedule",
    "diffusion_steps", "rescale_timesteps", "class_dropout_prob", "var_type",
}  # fmt: skip
MULTIPLES = {
    512: (0.5, 1, 1, 2, 2, 4, 4),
    256: (1, 1, 2, 2, 4, 4),
    128: (1, 1, 2, 3, 4),
    64: (1, 2, 3, 4),
}  # ADM's, by size
WHOLE = {"image_size", "in_channels", "out_ch", "out_channels", "ch", "model_channels", "num_channels", "num_res_blocks",
         "patch_size", "norm_groups", "num_heads"}  # fmt: skip
CLASSES = 1000  # of ImageNet: what guided-diffusion's class_cond means


def read_config(path: str | Path) -> dict[str, Any]:
    """A config file: JSON with any of `architecture`, `config` (published names), `schedule`, `prediction`."""
    try:
        with understood(f"The config {path}"):
            return json.loads(Path(path).read_text())
    except OSError as error:
        raise ConversionError(f"The config {path} can't be read: {error}.") from error


def check_config(config: Any) -> dict[str, Any]:
    """The config itself, if it is a dict with known names; ConversionError names a foreign one."""
    if not isinstance(config, dict) or not isinstance(config.get("config", {}), dict):
        raise ConversionError("The config must be a JSON object, with a `config` that is one.")
    if foreign := config.keys() - {"architecture", "config", "schedule", "prediction"}:
        known = "architecture, config, schedule, prediction"
        raise ConversionError(f"The config has names that are not known, {sorted(foreign)}; known: {known}.")
    return config


def arguments(architecture: str, published: dict[str, Any]) -> dict[str, Any]:
    """Arguments of our network from published ones; a partial dict gives a partial one. ConversionError for unknown names."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(map(repr, ARCHITECTURES))
        raise ConversionError(f"The architecture {architecture!r} is not known; known: {known}.")
    if wrong := [name for name in WHOLE & published.keys() if type(published[name]) is not int or published[name] < 1]:
        raise ConversionError(f"{wrong[0]} must be a positive whole number, not {published[wrong[0]]!r}.")
    given: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in published.items() if name not in TRAINING
    }
    if architecture == "adm":
        given = _adm(given)
    names = DDPM if architecture == "ddpm" else ADM
    made: dict[str, Any] = {names.get(name, name): value for name, value in given.items()}
    if architecture == "ddpm" and (patch := made.get("patch_size", 1)) != 1:  # the published names count after patching
        for name, factor in (("image_size", patch), ("channels", 1 / patch**2), ("out_channels", 1 / patch**2)):
            if name in made:
                made[name] = int(made[name] * factor)
    unknown = made.keys() - ARCHITECTURES[architecture].__dataclass_fields__.keys()
    if unknown:
        raise ConversionError(f"The config has names that {architecture} doesn't know: {', '.join(sorted(unknown))}.")
    return made


def _adm(given: dict[str, Any]) -> dict[str, Any]:
    """What guided-diffusion says in other words than names: derived numbers, -1 for none, resolutions as factors or text."""
    if "learn_sigma" in given:
        given["out_channels"] = given.get("in_channels", 3) * (2 if given.pop("learn_sigma") else 1)
    if "class_cond" in given:
        given["num_classes"] = CLASSES if given.pop("class_cond") else None
    for name in ("num_heads_upsample", "num_head_channels"):
        if given.get(name) == -1:
            given[name] = None
    if "num_heads" in given:  # without heads of a given width
        given.setdefault("num_head_channels", None)
    size, resolutions = given.get("image_size"), given.pop("attention_resolutions", None)
    if isinstance(resolutions, str | int):  # create_model's: sides of the feature maps
        given["attn_resolutions"] = tuple(int(side) for side in str(resolutions).split(","))
    elif resolutions is not None and size is not None:  # the constructor's: factors of reduction
        given["attn_resolutions"] = tuple(size // factor for factor in resolutions)
    if isinstance(multiples := given.get("channel_mult", ""), str) and multiples:
        given["channel_mult"] = tuple(float(part) for part in multiples.split(","))
    if given.get("channel_mult", "") == "":
        given.pop("channel_mult", None)
        if "num_channels" in given and size in MULTIPLES:
            given["channel_mult"] = MULTIPLES[size]
    return given


def schedule_text(published: dict[str, Any]) -> str | None:
    """The schedule that guided-diffusion's `noise_schedule` and `diffusion_steps` mean, if they are there."""
    if "noise_schedule" not in published:
        return None
    steps = published.get("diffusion_steps", 1000)
    if published["noise_schedule"] == "linear":  # the same noise in all, however many the steps
        return f"linear {0.1 / steps:.6g}..{20 / steps:.6g}, T={steps}"
    return f"{published['noise_schedule']}, T={steps}"


def noise_schedule(text: Any) -> schedule.Schedule:
    """A schedule written as "linear 1e-4..0.02, T=1000", "scaled_linear ..." or "cosine, T=1000[, max_beta=0.99]"."""
    match = re.fullmatch(r"(linear|scaled_linear) ([\d.e-]+?)\.\.([\d.e-]+), T=(\d{1,5})", str(text))
    if match is not None:
        kind, first, last, steps = match.groups()
        with understood(f"The schedule {text!r}"):
            return getattr(schedule, kind)(int(steps), float(first), float(last))
    match = re.fullmatch(r"cosine, T=([1-9]\d{0,4})(?:, max_beta=(0\.\d{1,9}))?", str(text))
    if match is None:
        wanted = "'linear 1e-4..0.02, T=1000' or 'cosine, T=1000'"
        raise ConversionError(f"The schedule {text!r} is not understood: write it as {wanted}.")
    with understood(f"The schedule {text!r}"):
        return schedule.cosine(int(match.group(1)), max_beta=float(match.group(2) or 0.999))
