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

from jaxrestore.diffusion.beside import CARD, CARD_FORMAT
from jaxrestore.diffusion.checksums import file_sha256, files_in, verify_files
from jaxrestore.diffusion.latents import latent_space
from jaxrestore.diffusion.places import prior_folder, refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.quantised import check_quantised, numbers_of, raw_numbers, stored_types
from jaxrestore.diffusion.schedule import Schedule
from jaxrestore.diffusion.statistics import read_statistics, write_statistics
from jaxrestore.diffusion.tuned import Tuned, read_tuned, write_tuned
from jaxrestore.errors import InputError, PriorError

FIELDS = {  # of a card, that loading needs
    "name": str,
    "architecture": str,
    "arguments": dict,
    "alpha_bar": list,
    "shape": list,
    "prediction": str,
    "files": dict,
}

OWN = {
    *FIELDS,
    "autoencoder",
    "format",
    "range",
    "parameter_count",
    "quantised",
    "sha256",
    "stored",
}  # what a card says of the prior itself


def read_card(name: str | Path) -> dict[str, Any]:
    """The card of a prior, checked for what loading needs."""
    path = prior_folder(name) / CARD
    try:
        card = json.loads(path.read_text())
    except OSError as error:
        raise PriorError(f"{path.parent} is not a prior: its {path.name} can't be read ({error.strerror}).") from error
    except ValueError as error:
        raise PriorError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise PriorError(f"{path} is not the card of a prior: its format is not {CARD_FORMAT!r}.")
    needed = FIELDS.keys() - card.keys()
    if needed:
        raise PriorError(f"{path} is incomplete: it lacks {', '.join(sorted(needed))}.")
    wrong = [name for name, kind in FIELDS.items() if not isinstance(card[name], kind)]
    if wrong:
        raise PriorError(f"{path} is damaged: {', '.join(wrong)} can't be understood.")
    try:
        check_quantised(card.get("quantised", {}))
    except PriorError as error:
        raise PriorError(f"{path} is damaged: {error}") from error
    return card


def load_prior(name: str | Path, dtype: str | None = None, precision: str | None = None) -> Prior:
    """An embedded prior by its name, a repository of the Hugging Face Hub by its own (``"hf:google/ddpm-celebahq-256"``:
    `hub`), or the prior in a folder. PriorError names the file that is missing or damaged.

    `dtype` ("float32", "bfloat16") is that of the network's computation: bfloat16 halves activations and is fast on
    accelerators, and slower on most CPUs. `precision` ("highest") is that of float32 products: without it GPUs use TF32
    and TPUs bfloat16 passes, which inversion does not bear.
    """
    from orbax.checkpoint import v1 as ocp  # heavy, and only needed here

    folder, card = prior_folder(name), read_card(name)
    network, autoencoder = _network(card, folder / CARD), _autoencoder(card, folder / CARD)
    for file, size in card["files"].items():
        path = folder / file
        if not path.is_file():
            raise PriorError(f"{path} is missing: the prior's folder is incomplete, copy it again.")
        if path.stat().st_size != size:
            raise PriorError(f"{path} is damaged: {path.stat().st_size} bytes, where the card says {size}.")
    shapes = network.shapes()
    if autoencoder is not None:
        shapes = {"network": shapes, "autoencoder": autoencoder.shapes()}
    quantised = card.get("quantised", {})
    types = stored_types(shapes, quantised)
    try:
        parameters = ocp.load(str(folder / "parameters"), jax.tree.map(lambda kind: np.empty(0, kind), types))
    except Exception as error:  # Orbax raises what its storage raises; the first line says what it is about
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PriorError(f"{folder / 'parameters'} can't be read: {reason[:200]}") from error
    for (path, found), wanted in zip(
        jax.tree_util.tree_leaves_with_path(parameters), jax.tree.leaves(shapes), strict=True
    ):
        if found.shape != wanted.shape:
            name = jax.tree_util.keystr(path)
            raise PriorError(
                f"{folder / 'parameters'}: {name} is {found.shape}, but the card's network needs {wanted.shape}."
            )
    parameters = numbers_of(parameters, quantised)
    changes = {key: value for key, value in {"dtype": dtype, "precision": precision}.items() if value is not None}
    network, parameters = dataclasses.replace(network, **changes), jax.tree.map(jax.numpy.asarray, parameters)
    try:
        schedule = Schedule(card["alpha_bar"])
        height, width, channels = card["shape"]
        about = (card["prediction"], card["name"], read_statistics(folder), read_tuned(folder))
        space = None
        if autoencoder is not None:
            autoencoder = dataclasses.replace(autoencoder, **changes)
            space = latent_space(autoencoder, parameters["autoencoder"], height, width)
            parameters = parameters["network"]
        return Prior(network, parameters, schedule, (height, width, channels), *about, space)
    except PriorError:
        raise
    except (ValueError, TypeError) as error:
        raise PriorError(f"{folder / 'card.json'} is damaged: {error}") from error


def verify_prior(name: str | Path) -> int:
    """How many files of a prior are as its card says, by their SHA-256: parameters, statistics, settings, whatever else lies
    there. PriorError names one that is not, or is foreign, and what else would keep the prior from being loaded."""
    number = verify_files(prior_folder(name), read_card(name))
    load_prior(name)
    return number


def _network(card: dict[str, Any], path: Path) -> Any:
    from jaxrestore.networks import ARCHITECTURES

    if card["architecture"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise PriorError(f"{path} names the architecture {card['architecture']!r}; this version knows: {known}.")
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in card["arguments"].items()}
    try:
        network = ARCHITECTURES[card["architecture"]](**arguments)
        network.shapes()
    except (TypeError, ValueError) as error:
        raise PriorError(f"{path} has arguments that the architecture doesn't take: {error}.") from error
    own = [network.image_size, network.image_size, network.channels]
    if "autoencoder" not in card and card["shape"] != own:
        raise PriorError(f"{path} is damaged: images of {card['shape']} are not those of its network.")
    return network


def _autoencoder(card: dict[str, Any], path: Path) -> Any:
    """That of a prior in a latent space, or None."""
    from jaxrestore.networks import AUTOENCODERS

    if "autoencoder" not in card:
        return None
    try:
        said = card["autoencoder"]
        arguments = {
            key: tuple(value) if isinstance(value, list) else value for key, value in said["arguments"].items()
        }
        autoencoder = AUTOENCODERS[said["architecture"]](**arguments)
        autoencoder.shapes()
        height, width, channels = card["shape"]
        latent = autoencoder.latent_shape(height, width)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise PriorError(f"{path} names an autoencoder that can't be made: {error}.") from error
    side, width = card["arguments"].get("image_size"), card["arguments"].get("channels", 3)
    if latent != (side, side, width) or channels != autoencoder.out_channels:
        raise PriorError(f"{path} is damaged: images of {card['shape']} are not those of its autoencoder.")
    return autoencoder


def save_prior(prior: Prior, folder: str | Path, **about: Any) -> None:
    """Write a prior as a new folder: card, parameters, and the statistics and settings that it has.

    `about` goes into the card: data, licence, attribution, source, numbers measured. InputError for a prior whose network is
    a function of your own (nothing on disk could name it), PriorError if the folder exists. Not for jit: it writes files.
    """
    from orbax.checkpoint import v1 as ocp

    from jaxrestore.networks import ARCHITECTURES, AUTOENCODERS

    network: Any = prior.network
    names = {known: name for name, known in ARCHITECTURES.items()}
    if type(network) not in names:
        raise InputError(
            f"The prior {prior.name!r} has a network of your own; only {', '.join(ARCHITECTURES)} can be saved."
        )
    parameters, latent = prior.parameters, {}
    if prior.latent is not None:
        autoencoder: Any = getattr(prior.latent.decoder, "autoencoder", None)
        kinds = {known: name for name, known in AUTOENCODERS.items()}
        if type(autoencoder) not in kinds:
            raise InputError(
                f"The prior {prior.name!r} has a decoder of your own: only {', '.join(AUTOENCODERS)} are saved."
            )
        arguments = dataclasses.asdict(autoencoder)
        latent = {"autoencoder": {"architecture": kinds[type(autoencoder)], "arguments": arguments}}
        parameters = {"network": parameters, "autoencoder": prior.latent.parameters}
    if foreign := about.keys() & OWN:
        raise InputError(f"The card says {', '.join(sorted(foreign))} of the prior itself: leave it out of `about`.")
    folder = Path(folder).absolute()
    refuse_existing(folder)
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
        "format": CARD_FORMAT,
        "name": prior.name,
        "architecture": names[type(network)],
        "arguments": dataclasses.asdict(network),
        **latent,
        "shape": list(prior.shape),
        "range": [-1, 1],
        "prediction": prior.prediction,
        "parameter_count": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
        "stored": _counts(arrays),
        **about,
        "quantised": quantised,
        "files": {name: path.stat().st_size for name, path in there.items() if name.startswith("parameters/")},
        "sha256": {name: file_sha256(path) for name, path in there.items()},
        "alpha_bar": [float(level) for level in np.asarray(prior.schedule.alpha_bar)],
    }
    (aside / CARD).write_text(json.dumps(card, indent=1) + "\n")
    aside.rename(folder)


def _counts(arrays: Any) -> dict[str, int]:
    """How many numbers there are of each type."""
    counts: Counter = Counter()
    for array in jax.tree.leaves(arrays):
        counts[str(array.dtype)] += array.size
    return dict(counts)
