"""A folder of diffusers: `UNet2DModel`'s config, weights and scheduler -> names and arguments of the DDPM U-Net."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert.recognise import multiples
from checkpoints_convert.schedulers import read_json, read_scheduler
from checkpoints_convert.tensors import ConversionError, ReadError, Tensor, understood
from jaxrestore.diffusion.tuned import Tuned

NETWORKS = ("UNet2DModel", "UNetUnconditionalModel")  # the second is what the first was called at first
WEIGHTS = re.compile(r"diffusion_pytorch_model(?:\.(\w+))?\.(safetensors|bin)(?:(\.index)(?:\.(\w+))?\.json)?")
FORMER = {  # options of a UNetUnconditionalModel -> of a UNet2DModel
    "image_size": "sample_size",
    "block_channels": "block_out_channels",
    "down_blocks": "down_block_types",
    "up_blocks": "up_block_types",
    "num_res_blocks": "layers_per_block",
    "num_head_channels": "attention_head_dim",
    "resnet_act_fn": "act_fn",
    "resnet_eps": "norm_eps",
    "resnet_num_groups": "norm_num_groups",
    "downscale_freq_shift": "freq_shift",
}
NAMES = [  # in order; what the pattern finds -> our tensor's name
    (r"time_embedding\.linear_([12])\.", lambda m: f"temb.dense.{int(m[1]) - 1}."),
    (r"conv_norm_out\.", lambda m: "norm_out."),
    (r"^downsample_blocks\.", lambda m: "down_blocks."),  # of a UNetUnconditionalModel
    (r"^upsample_blocks\.", lambda m: "up_blocks."),
    (r"^mid\.", lambda m: "mid_block."),
    (r"mid_block\.resnets\.([01])\.", lambda m: f"mid.block_{int(m[1]) + 1}."),
    (r"mid_block\.attentions\.0\.", lambda m: "mid.attn_1."),
    (r"(down|up)_blocks\.(\d+)\.resnets\.", lambda m: f"{m[1]}.{m[2]}.block."),
    (r"(down|up)_blocks\.(\d+)\.attentions\.", lambda m: f"{m[1]}.{m[2]}.attn."),
    (r"(down|up)_blocks\.(\d+)\.(down|up)samplers\.0\.", lambda m: f"{m[1]}.{m[2]}.{m[3]}sample."),
    (r"\.time_emb_proj\.", lambda m: ".temb_proj."),
    (r"\.conv_shortcut\.", lambda m: ".nin_shortcut."),
    (r"\.group_norm\.", lambda m: ".norm."),
    (r"\.to_out\.0\.", lambda m: ".proj_out."),
    (r"\.to_([qkv])\.", lambda m: f".{m[1]}."),
    (r"\.(query|key|value)\.", lambda m: f".{m[1][0]}."),  # before diffusers 0.15
    (r"\.proj_attn\.", lambda m: ".proj_out."),
]
AS_PUBLISHED = {  # options of UNet2DModel that the DDPM U-Net doesn't have
    "act_fn": "silu",
    "add_attention": True,
    "attn_norm_num_groups": None,
    "center_input_sample": False,
    "class_embed_type": None,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2D",
    "num_class_embeds": None,
    "resnet_time_scale_shift": "default",
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
}


class Folder(NamedTuple):
    """What a folder says of a network, beside its weights."""

    weights: Path
    arguments: dict[str, Any]  # of the DDPM U-Net
    alpha_bar: np.ndarray | None  # None: there is no scheduler's config
    prediction: str | None
    settings: Tuned = Tuned()  # that were found for these weights


def read_folder(folder: Path, use_ema: bool = False, scheduled: bool = False) -> Folder:
    """A model's folder or a pipeline's (`unet/`, `scheduler/`), of a training also with `unet_ema/`, which `use_ema` takes.
    `scheduled`: schedule and prediction are said elsewhere, and the scheduler isn't asked.

    ReadError and ConversionError name what is amiss.
    """
    model, config = model_config(folder, use_ema)
    weights = weights_in(model)
    scheduler = None if scheduled else read_scheduler(folder)
    said = (None, None) if scheduler is None else (scheduler.alpha_bar, scheduler.prediction)
    with understood(str(model / "config.json")):
        return Folder(weights, network_arguments(config), *said)


def model_config(folder: Path, use_ema: bool = False) -> tuple[Path, dict[str, Any]]:
    """The network's own folder, and its config. ConversionError for another network than a `UNet2DModel`."""
    places = ("unet_ema", "unet") if use_ema else ("unet", "unet_ema")
    model = next((folder / place for place in places if (folder / place / "config.json").is_file()), folder)
    config = read_json(model / "config.json")
    if config.get("_class_name") not in NETWORKS:
        raise ConversionError(
            f"{model / 'config.json'} is of {config.get('_class_name')!r}; of diffusers' networks only UNet2DModel is known."
        )
    return model, config


def weights_in(model: Path) -> Path:
    """The file with a model's tensors, or the index of several: safetensors before torch's files, full precision before a
    variant (``fp16``), one file before many. ReadError where there is none."""
    ranked = []
    for path in model.iterdir() if model.is_dir() else ():
        if (match := WEIGHTS.fullmatch(path.name)) and path.is_file():
            variant, kind, index, of_index = match.groups()
            ranked.append(((kind == "bin", variant or of_index or "", index is not None), path))
    if not ranked:
        raise ReadError(
            f"{model} holds no weights: there is no diffusion_pytorch_model.safetensors or .bin, whole or with an index."
        )
    return min(ranked)[1]


def rename(tensors: dict[str, Tensor], levels: int) -> dict[str, Tensor]:
    """The tensors under the DDPM U-Net's names; levels on the way up are counted from the lowest by diffusers."""
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = name
        for pattern, replacement in NAMES:
            new = re.sub(pattern, replacement, new)
        new = re.sub(r"^up\.(\d{1,3})\.", lambda m: f"up.{levels - 1 - int(m[1])}.", new)
        if new in made:
            raise ConversionError(f"Two tensors mean {new!r}; one of them is {name!r}.")
        made[new] = tensor
    return made


def _block(kind: Any) -> str:
    """The name of a block today; it began with "UNetRes" once."""
    return str(kind).removeprefix("UNetRes")


def network_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `DDPMUNet`. ConversionError for an option that it doesn't have, by name."""
    if config.get("_class_name") == NETWORKS[1]:
        config = {FORMER.get(name, name): value for name, value in config.items()}
    config = {**config, "act_fn": "silu" if config.get("act_fn") == "swish" else config.get("act_fn", "silu")}
    foreign = [name for name, value in AS_PUBLISHED.items() if config.get(name, value) != value]
    if foreign:
        raise ConversionError(f"The DDPM U-Net has no such option: {', '.join(f'{n}={config[n]!r}' for n in foreign)}.")
    down, up = ([_block(kind) for kind in config[name]] for name in ("down_block_types", "up_block_types"))
    attention = [kind == "AttnDownBlock2D" for kind in down]
    known = {"DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D"}
    if {*down, *up} - known or [kind == "AttnUpBlock2D" for kind in reversed(up)] != attention:
        raise ConversionError(
            f"The blocks {', '.join(down)}; {', '.join(up)} are not those of a DDPM U-Net, the same down and up."
        )
    order = (config.get("flip_sin_to_cos", True), config.get("freq_shift", 0))
    if order not in ((False, 1), (True, 0)):
        raise ConversionError(f"A time embedding with flip_sin_to_cos={order[0]}, freq_shift={order[1]} is not known.")
    widths, size = config["block_out_channels"], config.get("sample_size")
    padding = config.get("downsample_padding", 1)
    if padding not in (0, 1):
        raise ConversionError(f"downsample_padding={padding!r} is not known.")
    made = {
        "channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        "ch": widths[0],
        "ch_mult": multiples(widths, widths[0]),
        "num_res_blocks": config.get("layers_per_block", 2),
        "groups": config.get("norm_num_groups", 32),
        "norm_eps": config.get("norm_eps", 1e-5),
        "head_channels": config.get("attention_head_dim", 8),
        "time_embedding": "cos_sin" if order[0] else "sin_cos",
        "downsample_padding": "both" if padding else "end",
    }
    return made | ({"image_size": size} if isinstance(size, int) else {})
