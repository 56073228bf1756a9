"""A folder of diffusers: `UNet2DModel`'s config, weights and scheduler -> names and arguments of the DDPM U-Net."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert.recognise import multiples
from checkpoints_convert.schedulers import read_json, read_scheduler
from checkpoints_convert.tensors import ConversionError, ReadError, Tensor, understood

WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
NAMES = [  # in order; what the pattern finds -> our tensor's name
    (r"time_embedding\.linear_([12])\.", lambda m: f"temb.dense.{int(m[1]) - 1}."),
    (r"conv_norm_out\.", lambda m: "norm_out."),
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


def read_folder(folder: Path) -> Folder:
    """A model's folder or a pipeline's (`unet/`, `scheduler/`). ReadError and ConversionError name what is amiss."""
    model, config = model_config(folder)
    weights = weights_in(model)
    scheduler = read_scheduler(folder)
    said = (None, None) if scheduler is None else (scheduler.alpha_bar, scheduler.prediction)
    with understood(str(model / "config.json")):
        return Folder(weights, network_arguments(config), *said)


def model_config(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The network's own folder, and its config. ConversionError for another network than a `UNet2DModel`."""
    model = folder / "unet" if (folder / "unet" / "config.json").is_file() else folder
    config = read_json(model / "config.json")
    if config.get("_class_name") != "UNet2DModel":
        raise ConversionError(
            f"{model / 'config.json'} is of {config.get('_class_name')!r}; of diffusers' networks only UNet2DModel is known."
        )
    return model, config


def weights_in(model: Path) -> Path:
    """The file with a model's tensors, or ReadError."""
    weights = next((model / name for name in WEIGHTS if (model / name).is_file()), None)
    if weights is None:
        raise ReadError(f"{model} holds no weights: there is neither {' nor '.join(WEIGHTS)}.")
    return weights


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


def network_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `DDPMUNet`. ConversionError for an option that it doesn't have, by name."""
    config = {**config, "act_fn": "silu" if config.get("act_fn") == "swish" else config.get("act_fn", "silu")}
    foreign = [name for name, value in AS_PUBLISHED.items() if config.get(name, value) != value]
    if foreign:
        raise ConversionError(f"The DDPM U-Net has no such option: {', '.join(f'{n}={config[n]!r}' for n in foreign)}.")
    down, up = config["down_block_types"], config["up_block_types"]
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
