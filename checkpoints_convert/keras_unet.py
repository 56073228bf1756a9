"""A folder of TensorFlow.js -> the U-Net of the Keras documentation's DDPM example.

Nothing is taken from the names or numbers of layers: which tensor belongs where, where attention is and which block a skip
connection goes to is what the operations say, from the output back to the inputs, and every one of them must be what the
network computes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert.configs import arguments, check_config, noise_schedule
from checkpoints_convert.diffusers import Folder
from checkpoints_convert.keras_blocks import Blocks, Step
from checkpoints_convert.known import KNOWN
from checkpoints_convert.tensors import ConversionError, Tensor, understood
from checkpoints_convert.tfjs import MODEL, read_tfjs
from checkpoints_convert.tfjs_graph import Graph, graph_of
from jaxrestore.diffusion.quantised import rearranged
from jaxrestore.diffusion.tuned import read_tuned
from jaxrestore.networks.keras_unet import geometric_frequencies

TUNED = Path(__file__).parent / "tuned"  # settings that were found for well-known weights, which don't come with them
AS_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}  # the axes of convolutions and matrices in the order of PyTorch's


class Place(NamedTuple):
    """Where a step is in our network, and whether its result becomes a skip connection."""

    name: str
    is_kept: bool = False


def read_keras(source: Path, config: dict[str, Any] | None = None) -> tuple[dict[str, Tensor], Folder]:
    """The tensors in a folder under our names, axes as PyTorch has them, and what its graph tells beside them.

    ConversionError for the graph of another network, or of another than the config says; ReadError for a folder that can't
    be read. Reads no large tensor.
    """
    model = read_tfjs(source)
    with understood(f"The graph of {source / MODEL}"):
        tensors, told = _network(graph_of(model.nodes, model.tensors), model.output)
    said = arguments("keras", check_config(config or {}).get("config", {}))
    for name in sorted(said.keys() & told.keys()):
        if said[name] != told[name]:
            raise ConversionError(f"{name} is {said[name]!r} by the config, {told[name]!r} by the graph.")
    known = KNOWN.get(model.digest)
    if known is None:
        return tensors, Folder(source / MODEL, told, None, None)
    alpha_bar = np.asarray(noise_schedule(known.schedule).alpha_bar)
    return tensors, Folder(source / MODEL, told, alpha_bar, None, read_tuned(TUNED / known.files))


def _network(graph: Graph, output: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by our names, and the arguments that their names and shapes don't tell."""
    blocks = Blocks(graph)
    names, steps = blocks.steps(output.removesuffix(":0"))
    units, number = _layout("".join(step.letter for step in steps))
    kept: list[str] = []
    for step, place in zip(steps, places(units, number), strict=True):
        if step.letter == "C" and step.skip != kept.pop():
            raise ConversionError(f"The skip connection at {step.result!r} is not that of the block opposite.")
        if place.is_kept:
            kept.append(step.result)
        names |= {f"{place.name}.{part}": tensor for part, tensor in step.tensors.items()}
    dense, frequencies = blocks.embedding()
    names |= dense
    if len(set(names.values())) < len(names):
        raise ConversionError("A tensor is used by two layers.")
    size = _image_size(graph, steps, len(units))
    if np.allclose(frequencies, geometric_frequencies(frequencies.size), 1e-5, 1e-9):
        told = blocks.norm_options() | size
    else:
        told = blocks.norm_options() | size | {"frequencies": tuple(map(float, frequencies))}
    return {name: _as_torch(graph, tensor) for name, tensor in names.items()}, told


def _layout(letters: str) -> tuple[list[str], int]:
    """What a block of each level is, "R" or "RA", and how many there are in a level on the way down, from all steps' letters.

    ConversionError for letters of any other network.
    """
    down, _, _ = letters[1:].partition("C")
    levels = down[:-3].split("D")
    units, number = ["RA" if "A" in level else "R" for level in levels], levels[0].count("R")
    wanted = "F" + "D".join(unit * number for unit in units) + "RAR"
    wanted += "U".join(("C" + unit) * (number + 1) for unit in reversed(units))
    if letters != wanted or number < 1:
        raise ConversionError(
            f"Its steps are {letters[:300]} (first convolution, residual block, attention, down, up, concatenation), which "
            "are not those of a U-Net with as many blocks in each level, attention after all of a level's or none, and in "
            "the middle."
        )
    return units, number


def places(units: list[str], number: int) -> Iterator[Place]:
    """The places of all steps, first to last."""
    names = {"R": "block", "A": "attn"}
    yield Place("conv_in", is_kept=True)
    for level, unit in enumerate(units):
        for i in range(number):
            for letter in unit:
                yield Place(f"down.{level}.{names[letter]}.{i}", is_kept=letter == unit[-1])
        if level < len(units) - 1:
            yield Place(f"down.{level}.resample", is_kept=True)
    yield from map(Place, ("mid.block_1", "mid.attn_1", "mid.block_2"))
    for level in reversed(range(len(units))):
        for i in range(number + 1):
            yield Place("")
            for letter in units[level]:
                yield Place(f"up.{level}.{names[letter]}.{i}")
        if level:
            yield Place(f"up.{level}.resample")


def _image_size(graph: Graph, steps: list[Step], levels: int) -> dict[str, int]:
    """The side of the images, if the graph is for one; what it says of enlarged images must agree."""
    rows, columns = (int(side["size"]) for side in graph.node(steps[0].taken).attributes["shape"]["shape"]["dim"][1:3])
    if rows != columns:
        raise ConversionError(f"The graph is for images of {rows} x {columns}; square ones are known.")
    enlarged = [step.size for step in steps if step.letter == "U"]
    wanted = [(rows // 2**level,) * 2 for level in reversed(range(levels - 1))]
    if any(found not in ((), size) for found, size in zip(enlarged, wanted, strict=True)):
        raise ConversionError(f"The graph enlarges to {enlarged}, where images of {rows} need {wanted}.")
    return {"image_size": rows} if rows > 0 else {}


def _as_torch(graph: Graph, name: str) -> Tensor:
    tensor = graph.tensor(name)
    axes = AS_TORCH.get(len(tensor.shape))
    if axes is None:
        return tensor
    shape, kept = tuple(tensor.shape[axis] for axis in axes), tensor.kept or tensor.read

    def turned(array: np.ndarray) -> np.ndarray:
        return array.transpose(axes)

    return Tensor(shape, tensor.dtype, lambda: turned(tensor.read()), lambda: rearranged(kept(), turned))
