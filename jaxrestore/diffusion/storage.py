"""Priors on disk: a folder with a readable card (`card.json`) and the parameters (`parameters/`, an Orbax checkpoint).

Arrays are stored as NumPy arrays, without a trace of the devices they were on, and are read on any other. A folder is
written beside its place and then renamed: a killed program leaves nothing that loads.
"""

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrestore._orbax import reading_to_the_end
from jaxrestore.diffusion.arguments import CHOICES, network_of
from jaxrestore.diffusion.beside import CARD, CARD_FORMAT
from jaxrestore.diffusion.card import FIELDS, check_card, read_card
from jaxrestore.diffusion.checksums import file_sha256, files_in, verify_files
from jaxrestore.diffusion.latents import latent_space
from jaxrestore.diffusion.places import prior_folder, refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.quantised import numbers_of, raw_numbers, stored_types, unknown_names
from jaxrestore.diffusion.schedule import Schedule
from jaxrestore.diffusion.statistics import FILE as STATISTICS
from jaxrestore.diffusion.statistics import read_statistics, write_statistics
from jaxrestore.diffusion.tuned import Tuned, read_tuned, write_tuned
from jaxrestore.errors import InputError, PriorError, check_device

OWN = {*FIELDS, "format"} - {"finetuned"}  # what a card says of the prior itself


def load_prior(name: str | Path, dtype: str | None = None, precision: str | None = None) -> Prior:
    """An embedded prior by its name, a repository of the Hugging Face Hub by its own (``"hf:google/ddpm-celebahq-256"``:
    `hub`), or the prior in a folder. PriorError names the file that is missing or damaged.

    `dtype` ("float32", "bfloat16") is that of the network's computation: bfloat16 halves activations and is fast on
    accelerators, and slower on most CPUs. `precision` ("highest") is that of float32 products: without it GPUs use TF32
    and TPUs bfloat16 passes. With flowers64 on a GPU neither showed in an inverted or a restored image (docs/gpu.md).
    """
    changes = {key: value for key, value in {"dtype": dtype, "precision": precision}.items() if value is not None}
    for key, value in changes.items():
        if value not in CHOICES[key]:
            raise InputError(f"{key} must be one of {', '.join(map(str, CHOICES[key]))}, not {value!r}.")
    folder, card = prior_folder(name), read_card(name)
    network = _network(card, folder / CARD)
    autoencoder = _autoencoder(card, folder / CARD, network)
    height, width, channels = card["shape"]
    try:
        schedule = Schedule(card["alpha_bar"])
    except InputError as error:
        raise PriorError(f"{folder / CARD} is damaged: {error}") from error
    statistics = read_statistics(folder)
    if statistics is not None and int(statistics.depths[-1]) >= len(schedule):
        raise PriorError(
            f"{folder / STATISTICS} is of another prior: its depths exceed the schedule of {len(schedule)} times."
        )
    about = (card["prediction"], card["name"], statistics, read_tuned(folder))
    shapes = network.shapes()
    if autoencoder is not None:
        shapes = {"network": shapes, "autoencoder": autoencoder.shapes()}
    parameters = jax.tree.map(jax.numpy.asarray, _parameters(folder, card, shapes))
    network, space = dataclasses.replace(network, **changes), None
    if autoencoder is not None:
        autoencoder = dataclasses.replace(autoencoder, **changes)
        space = latent_space(autoencoder, parameters["autoencoder"], height, width)
        parameters = parameters["network"]
    return Prior(network, parameters, schedule, (height, width, channels), *about, space)


def _parameters(folder: Path, card: dict[str, Any], shapes: Any) -> Any:
    """Those on disk, as NumPy arrays of these shapes; PriorError for files or arrays that are not those of the card."""
    from orbax.checkpoint import v1 as ocp  # heavy, and only needed here

    check_device()
    for file, size in card["files"].items():
        path = folder / file
        if not path.is_file():
            raise PriorError(f"{path} is missing: the prior's folder is incomplete, copy it again.")
        if path.stat().st_size != size:
            raise PriorError(f"{path} is damaged: {path.stat().st_size} bytes, where the card says {size}.")
    quantised = card.get("quantised", {})
    if foreign := unknown_names(shapes, quantised):
        raise PriorError(
            f"{folder / CARD} is damaged: `quantised` names {foreign[0][:80]!r}, which its network has not."
        )
    types = stored_types(shapes, quantised)
    try:
        with reading_to_the_end():
            arrays = ocp.load(str(folder / "parameters"), jax.tree.map(lambda kind: np.empty(0, kind), types))
    except Exception as error:  # Orbax raises what its storage raises; the first line says what it is about
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PriorError(f"{folder / 'parameters'} can't be read: {reason[:200]}") from error
    leaves = jax.tree_util.tree_leaves_with_path(arrays)
    for (path, found), wanted in zip(leaves, jax.tree.leaves(shapes), strict=True):
        if found.shape != wanted.shape:
            name = jax.tree_util.keystr(path)
            raise PriorError(
                f"{folder / 'parameters'}: {name} is {found.shape}, but the card's network needs {wanted.shape}."
            )
    return numbers_of(arrays, quantised)


def verify_prior(name: str | Path) -> int:
    """How many files of a prior are as its card says, by their SHA-256: parameters, statistics, settings, whatever else lies
    there. PriorError names one that is not, or is foreign, and what else would keep the prior from being loaded."""
    number = verify_files(prior_folder(name), read_card(name))
    prior = load_prior(name)
    try:
        jax.eval_shape(_evaluated, prior, jax.ShapeDtypeStruct(prior.noise_shape, "float32"))
    except (TypeError, ValueError, ArithmeticError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PriorError(
            f"{prior_folder(name) / CARD} is damaged: its network can't be computed ({reason[:200]})."
        ) from error
    return number


def _evaluated(prior: Prior, x: Any) -> Any:
    """All that is computed with a prior, once."""
    noise = prior.predict_noise(x, 0)
    return noise if prior.latent is None else prior.latent.encode(prior.latent.decode(noise))


def _network(card: dict[str, Any], path: Path) -> Any:
    from jaxrestore.networks import ARCHITECTURES

    network = network_of(ARCHITECTURES, card, "arguments", path)
    side, channels = network.image_size, network.channels
    if side % network.stride:
        raise PriorError(f"{path} is damaged: an `image_size` of {side} is not divisible by {network.stride}.")
    if network.out_channels not in (channels, 2 * channels):
        raise PriorError(
            f"{path} is damaged: `out_channels` must be {channels} or twice that, not {network.out_channels}."
        )
    if "autoencoder" not in card and card["shape"] != [side, side, channels]:
        raise PriorError(f"{path} is damaged: a `shape` of {card['shape']} is not that of its network.")
    return network


def _autoencoder(card: dict[str, Any], path: Path, network: Any) -> Any:
    """That of a prior in a latent space, or None."""
    from jaxrestore.networks import AUTOENCODERS

    if "autoencoder" not in card:
        return None
    autoencoder = network_of(AUTOENCODERS, card["autoencoder"], "autoencoder", path)
    height, width, channels = card["shape"]
    try:
        latent = autoencoder.latent_shape(height, width)
    except InputError as error:
        raise PriorError(f"{path} is damaged: {error}") from error
    side = network.image_size
    if latent != (side, side, network.channels) or channels != autoencoder.out_channels:
        raise PriorError(f"{path} is damaged: a `shape` of {card['shape']} is not that of its autoencoder.")
    return autoencoder


def save_prior(prior: Prior, folder: str | Path, **about: Any) -> None:
    """Write a prior as a new folder: card, parameters, and the statistics and settings that it has.

    `about` goes into the card: data, licence, attribution, source, numbers measured. InputError if that is no JSON, or for a
    network that is a function of your own (nothing on disk could name it), PriorError if the folder exists, or for a network
    that no card may have (`arguments` has the bounds). Not for jit: it writes files.
    """
    from orbax.checkpoint import v1 as ocp

    if foreign := about.keys() & OWN:
        raise InputError(f"The card says {', '.join(sorted(foreign))} of the prior itself: leave it out of `about`.")
    try:
        json.dumps(about, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"What is said about the prior {prior.name!r} can't be written as JSON: {error}.") from error
    folder, said = Path(folder).absolute(), _said(prior)
    refuse_existing(folder)
    _autoencoder(said, folder / CARD, _network(said, folder / CARD))  # before the work: what is written is read again
    parameters = prior.parameters
    if prior.latent is not None:
        parameters = {"network": parameters, "autoencoder": prior.latent.parameters}
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    context = ocp.Context()  # a second copy of a large network is not made: neither in full nor compressed (by 7 %)
    context.memory.deepcopy_host_arrays = False
    context.array.saving.use_compression = False
    arrays, quantised = raw_numbers(parameters)
    with context:
        ocp.save(str(aside / "parameters"), arrays)
    (aside / "parameters" / "commit_success.txt").unlink(missing_ok=True)  # names a path of this machine; never read
    if prior.statistics is not None:
        write_statistics(prior.statistics, aside)
    if prior.settings != Tuned():
        write_tuned(prior.settings, aside, {"prior": prior.name})
    there = files_in(aside)
    card = {
        **said,
        "parameter_count": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
        "stored": _counts(arrays),
        **about,
        "quantised": quantised,
        "files": {name: path.stat().st_size for name, path in there.items() if name.startswith("parameters/")},
        "sha256": {name: file_sha256(path) for name, path in there.items()},
        "alpha_bar": [float(level) for level in np.asarray(prior.schedule.alpha_bar)],
    }
    check_card(card, folder / CARD)
    (aside / CARD).write_text(json.dumps(card, indent=1) + "\n")
    aside.rename(folder)


def _said(prior: Prior) -> dict[str, Any]:
    """What a card says of a prior's networks, as JSON has it; InputError for one that no card can name."""
    from jaxrestore.networks import ARCHITECTURES, AUTOENCODERS

    said: dict[str, Any] = {"format": CARD_FORMAT, "name": prior.name}
    said |= {"shape": list(prior.shape), "range": [-1, 1], "prediction": prior.prediction}
    said |= _named_network(prior.network, ARCHITECTURES, f"The prior {prior.name!r} has a network")
    if prior.latent is not None:
        autoencoder = getattr(prior.latent.decoder, "autoencoder", None)
        said["autoencoder"] = _named_network(autoencoder, AUTOENCODERS, f"The prior {prior.name!r} has a decoder")
    return json.loads(json.dumps(said))


def _named_network(network: Any, kinds: dict[str, Any], whose: str) -> dict[str, Any]:
    names = {known: name for name, known in kinds.items()}
    if type(network) not in names:
        raise InputError(f"{whose} of your own: only {', '.join(kinds)} can be saved.")
    return {"architecture": names[type(network)], "arguments": dataclasses.asdict(network)}


def _counts(arrays: Any) -> dict[str, int]:
    """How many numbers there are of each type."""
    counts: Counter = Counter()
    for array in jax.tree.leaves(arrays):
        counts[str(array.dtype)] += array.size
    return dict(counts)
