"""Keeping a fine-tuned prior: with what its base's card says, and the base's files that belong to it."""

import json
import shutil
from pathlib import Path
from typing import Any

from jaxrestore.calibration import FILE as CALIBRATION
from jaxrestore.prior import Prior
from jaxrestore.storage import OWN, prior_folder, read_card, save_prior


def save_derived(prior: Prior, folder: Path, base: str | Path, **finetuned: Any) -> None:
    """Write a prior that was fine-tuned from `base` (a name or folder) as a new folder that every method takes.

    The card keeps the base's data, licence and attribution, and says how it was `finetuned`. The base's calibration comes
    along, marked as the base's: it holds nearly; `jaxrestore calibrate` measures it anew. Raises what `save_prior` raises.
    """
    source, card = prior_folder(base), read_card(base)
    about = {name: value for name, value in card.items() if name not in OWN}
    save_prior(prior, folder, **{**about, "finetuned": {"base": card["name"], **finetuned}})
    attribution = source / str(card.get("attribution", ""))
    if attribution.is_file():
        shutil.copyfile(attribution, Path(folder) / attribution.name)
    if (source / CALIBRATION).is_file():
        stored = json.loads((source / CALIBRATION).read_text())
        (Path(folder) / CALIBRATION).write_text(json.dumps({**stored, "calibrated_for": card["name"]}) + "\n")
