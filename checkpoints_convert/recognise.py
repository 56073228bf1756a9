"""The architecture that tensors' names and shapes tell."""

import re
from collections.abc import Mapping
from typing import Any

from checkpoints_convert.tensors import ConversionError


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, dict[str, Any]]:
    """(architecture, arguments) as far as names and shapes tell them; `attention_levels` stands for where attention is.

    ConversionError for tensors of no known network.
    """
    try:
        if "input_blocks.0.0.weight" in shapes:
            return "adm", _adm(shapes)
        if "down.0.block.0.conv1.weight" in shapes:
            return ("keras" if "temb.0.weight" in shapes else "ddpm"), _ddpm(shapes)
    except (LookupError, ValueError, ArithmeticError) as error:
        raise ConversionError(
            f"The tensors are not those of a whole U-Net: {error} is missing or misshapen."
        ) from error
    if "down_blocks.0.resnets.0.conv1.weight" in shapes:
        raise ConversionError("The tensors have diffusers' names: give the folder that holds them and config.json.")
    raise ConversionError("The tensors are those of no network that is known: the DDPM and the ADM U-Net are.")


def _enough(shapes: Mapping, levels: int, blocks: int) -> None:
    """No small file may ask for a large network: a block has at least eight tensors."""
    if levels < 1 or 8 * levels * (2 * blocks + 1) > len(shapes):
        raise ConversionError(
            f"{len(shapes)} tensors are too few for a U-Net of {levels} levels of {blocks} blocks: some are missing."
        )


def _numbers(shapes: Mapping, pattern: str) -> set[int]:
    """The numbers that stand in names at the pattern's group."""
    return {int(match.group(1)) for name in shapes if (match := re.match(pattern, name))}


def _ddpm(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    ch, inputs = shapes["conv_in.weight"][:2]
    levels = sorted(_numbers(shapes, r"down\.(\d{1,3})\.block\."))
    widths = [shapes[f"down.{level}.block.0.conv1.weight"][0] for level in levels]
    blocks = len(_numbers(shapes, r"down\.0\.block\.(\d{1,3})\."))
    _enough(shapes, len(levels), blocks)
    return {
        "channels": inputs,
        "out_channels": shapes["conv_out.weight"][0],
        "ch": ch,
        "ch_mult": multiples(widths, ch),
        "num_res_blocks": blocks,
        "attention_levels": sorted(_numbers(shapes, r"down\.(\d{1,3})\.attn\.")),
    }


def _adm(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    ch = shapes["time_embed.0.weight"][1]
    outputs = len(_numbers(shapes, r"output_blocks\.(\d{1,3})\."))
    # the last block of a level on the way up ends in a change of size: a second residual block, or a convolution
    changes = sorted(_numbers(shapes, r"output_blocks\.(\d{1,3})\.[12]\.(?:in_layers|conv)\."))
    if not outputs:
        raise ConversionError("The tensors have no output_blocks: a classifier is no prior.")
    blocks = changes[0] if changes else outputs - 1
    levels = outputs // (blocks + 1)
    _enough(shapes, levels, blocks)
    first = [1 + level * (blocks + 1) for level in range(levels)]
    widths = [shapes[f"input_blocks.{i}.0.out_layers.3.weight"][0] for i in first]
    made: dict[str, Any] = {
        "channels": shapes["input_blocks.0.0.weight"][1],
        "out_channels": shapes["out.2.weight"][0],
        "ch": ch,
        "ch_mult": multiples(widths, ch),
        "num_res_blocks": blocks,
        "attention_levels": [i for i, block in enumerate(first) if f"input_blocks.{block}.1.qkv.weight" in shapes],
        "scale_shift": shapes["input_blocks.1.0.emb_layers.1.weight"][0] == 2 * widths[0],
        "num_classes": shapes["label_emb.weight"][0] if "label_emb.weight" in shapes else None,
    }
    if changes:  # without a change of size nothing tells, and nothing depends on it
        made["resblock_updown"] = not any(re.match(r"output_blocks\.\d+\.[12]\.conv\.", name) for name in shapes)
    return made


def multiples(widths: list[int], ch: int) -> tuple[float, ...]:
    """The widths of the levels in units of the first one's, whole numbers where they are."""
    return tuple(width // ch if width % ch == 0 else width / ch for width in widths)
