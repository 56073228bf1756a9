"""Published options of diffusers' `AutoencoderKL` and `VQModel` -> our networks."""

from collections.abc import Mapping
from typing import Any

from checkpoints_convert.schedulers import shown
from checkpoints_convert.tensors import ConversionError
from jaxrestore.networks.autoencoder import Autoencoder
from jaxrestore.networks.autoencoder_kl import AutoencoderKL
from jaxrestore.networks.vq_model import VQModel

COUNTS = {  # options that are positive whole numbers -> ours
    "in_channels": "channels",
    "out_channels": "out_channels",
    "layers_per_block": "layers_per_block",
    "latent_channels": "latent_channels",
    "norm_num_groups": "groups",
    "num_vq_embeddings": "num_vq_embeddings",
    "vq_embed_dim": "vq_embed_dim",
}
FLAGS = {
    "mid_block_add_attention": "mid_attention",
    "force_upcast": "force_upcast",
    "use_quant_conv": "use_quant_conv",
    "use_post_quant_conv": "use_post_quant_conv",
}
SHARED = {
    "in_channels": 3, "out_channels": 3, "block_out_channels": [64], "layers_per_block": 1, "norm_num_groups": 32,
    "down_block_types": ["DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D"], "mid_block_add_attention": True,
    "act_fn": "silu", "sample_size": None,
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {  # of the published classes, by which an option that isn't there is told
    "AutoencoderKL": SHARED
    | {"latent_channels": 4, "scaling_factor": 0.18215, "shift_factor": None, "latents_mean": None, "latents_std": None,
       "force_upcast": True, "use_quant_conv": True, "use_post_quant_conv": True},
    # But for the scaling factor: configs without one are older than the option, when pipelines of a VQModel had none
    # (CompVis/ldm-celebahq-256; https://github.com/huggingface/diffusers/issues/6725). `lookup_from_codebook` is about
    # latents that are numbers of entries.
    "VQModel": SHARED
    | {"latent_channels": 3, "scaling_factor": 1.0, "num_vq_embeddings": 256, "vq_embed_dim": None, "norm_type": "group",
       "lookup_from_codebook": False, "force_upcast": False},
}  # fmt: skip
ONLY = {"act_fn": ("silu", "swish"), "norm_type": ("group",)}
WIDEST = 2**20


def network_of(config: Mapping[str, Any]) -> Autoencoder:
    """The network of a config. ConversionError names a class or an option that isn't known, or a value that can't be."""
    kind = config.get("_class_name")
    if kind not in DEFAULTS:
        raise ConversionError(f"It is of {shown(kind)}; of autoencoders {' and '.join(DEFAULTS)} are known.")
    defaults = DEFAULTS[kind]
    given = {name: value for name, value in config.items() if not name.startswith("_") and value is not None}
    if foreign := sorted(given.keys() - defaults.keys()):
        raise ConversionError(f"{kind} is not known with the options {shown(foreign)}.")
    given = defaults | given
    if other := [name for name, known in ONLY.items() if name in given and given[name] not in known]:
        raise ConversionError(f"{kind} is not known with {other[0]}={shown(given[other[0]])}.")
    for name in COUNTS:
        if given.get(name) is not None:  # vq_embed_dim: as many as latent_channels
            _counted(name, given[name])
    widths, flags = given["block_out_channels"], [*FLAGS, "lookup_from_codebook"]
    if type(widths) is not list or not widths:
        raise ConversionError(f"block_out_channels must be a list of widths, not {shown(widths)}.")
    for width in widths:
        _counted("each of block_out_channels", width)
    if wrong := [name for name in flags if name in given and type(given[name]) is not bool]:
        raise ConversionError(f"{wrong[0]} must be true or false, not {shown(given[wrong[0]])}.")
    arguments = {ours: given[name] for name, ours in (COUNTS | FLAGS).items() if name in given}
    scaling, shift = _units(given)
    arguments |= {
        "block_out_channels": tuple(widths),
        "encoder_attention": _attention(given, "down_block_types", "DownEncoderBlock2D", len(widths)),
        "decoder_attention": _attention(given, "up_block_types", "UpDecoderBlock2D", len(widths)),
        "scaling_factor": scaling,
        "shift_factor": shift,
    }
    return AutoencoderKL(**arguments) if kind == "AutoencoderKL" else VQModel(**arguments)


def _counted(name: str, value: Any) -> None:
    if type(value) is not int or not 1 <= value <= WIDEST:
        raise ConversionError(f"{name} must be a whole number between 1 and {WIDEST}, not {shown(value)}.")


def _attention(given: Mapping[str, Any], name: str, plain: str, levels: int) -> tuple[int, ...]:
    """The levels whose blocks have attention."""
    blocks = given[name]
    if type(blocks) is not list or any(block not in (plain, f"Attn{plain}") for block in blocks):
        raise ConversionError(f"{name} must be a list of {plain} and Attn{plain}, not {shown(blocks)}.")
    if len(blocks) != levels:
        raise ConversionError(f"{name} has {len(blocks)} blocks for {levels} block_out_channels.")
    return tuple(level for level, block in enumerate(blocks) if block != plain)


def _units(given: Mapping[str, Any]) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """(scaling, shift), of each channel where means and deviations are given: `Autoencoder.scaled` has the formula."""
    scaling = _number("scaling_factor", given["scaling_factor"])
    if scaling == 0:
        raise ConversionError("scaling_factor must not be zero.")
    mean, std, shift = (given.get(name) for name in ("latents_mean", "latents_std", "shift_factor"))
    if mean is None and std is None:
        return scaling, 0.0 if shift is None else _number("shift_factor", shift)
    channels = given["latent_channels"]
    if any(type(numbers) is not list or len(numbers) != channels for numbers in (mean, std)) or shift is not None:
        raise ConversionError(
            f"latents_mean and latents_std must be two lists of {channels} numbers, without a shift_factor."
        )
    means = tuple(_number("each of latents_mean", number) for number in mean or [])
    deviations = [_number("each of latents_std", number) for number in std or []]
    if not all(deviation > 0 for deviation in deviations):
        raise ConversionError("Each of latents_std must be positive.")
    return tuple(scaling / deviation for deviation in deviations), means


def _number(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e30:
        raise ConversionError(f"{name} must be a finite number, not {shown(value)}.")
    return float(value)
