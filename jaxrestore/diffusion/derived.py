"""Keeping a fine-tuned prior: with what its base's card says, and the base's files that belong to it."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from jaxrestore.diffusion.checksums import record_checksum
from jaxrestore.diffusion.places import prior_folder, refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.statistics import FILE as CALIBRATION
from jaxrestore.diffusion.storage import read_card, save_prior
from jaxrestore.diffusion.tuned import FILE as SETTINGS

KEPT = ("data", "licence", "attribution", "limits", "source")  # of the base's card; what was measured was of the base


def save_derived(prior: Prior, folder: Path, base: str | Path, **finetuned: Any) -> None:
    """Write a prior that was fine-tuned from `base` (a name or folder) as a new folder that every method takes.

    The card keeps the base's data, licence and attribution, and says how it was `finetuned`, and how its base was. The base's
    calibration and settings come along, marked as the base's: they hold nearly, and `jaxrestore calibrate` and `tune` measure
    them anew. Raises what `save_prior` raises.
    """
    source, card, folder = prior_folder(base), read_card(base), Path(folder)
    refuse_existing(folder)
    network: Any = prior.network
    plain = dataclasses.replace(
        prior, network=dataclasses.replace(network, dtype="float32", precision=None, remat=False)
    )
    before = {"finetuned": card["finetuned"]} if "finetuned" in card else {}
    about = {name: card[name] for name in KEPT if name in card}
    aside = folder.with_name(f".{folder.name}.kept")
    shutil.rmtree(aside, ignore_errors=True)
    save_prior(plain, aside, **{**about, "finetuned": {**finetuned, "base": {"name": card["name"], **before}}})
    attribution = source / str(card.get("attribution", ""))
    if attribution.is_file():
        shutil.copyfile(attribution, aside / attribution.name)
        record_checksum(aside / attribution.name)
    for file in (CALIBRATION, SETTINGS):
        if (source / file).is_file():
            stored = json.loads((source / file).read_text())
            (aside / file).write_text(json.dumps({**stored, "measured_for": card["name"]}) + "\n")
            record_checksum(aside / file)
    aside.rename(folder)
