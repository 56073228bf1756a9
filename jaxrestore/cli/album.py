"""Where a restoration's prior comes from: as it is, or for gen2res constrained to an album (`jaxrestore.constrain`)."""

import functools
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore._files import check_writable
from jaxrestore.cli.paths import Entry
from jaxrestore.cli.plan import Plan
from jaxrestore.cli.settled import Drawing
from jaxrestore.diffusion.derived import save_derived
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior, read_card
from jaxrestore.errors import InputError
from jaxrestore.files.images import sheet, write_image
from jaxrestore.methods import Constraint
from jaxrestore.solve import constrain
from jaxrestore.training.sources import Photographs, photographs


@runtime_checkable
class Priors(Protocol):
    """The prior of each image."""

    @property
    def shared(self) -> bool:
        """Whether all images have one."""
        ...

    @property
    def digest(self) -> str:
        """Of an album's photographs."""
        ...

    def of(self, entry: Entry, y: np.ndarray) -> Prior:
        """That of one image, of which y was measured."""
        ...


@dataclass(frozen=True)
class AsItIs:
    """The plan's own."""

    prior: Prior
    shared: bool = True
    digest: str = ""

    def of(self, entry: Entry, y: np.ndarray) -> Prior:
        return self.prior


@dataclass(frozen=True, eq=False)
class Constrained:
    """Fine-tuned: once on an album of photographs, or for each image on one that is generated from it."""

    plan: Plan
    constraint: Constraint
    photographs: Photographs | None
    several: bool  # images

    @property
    def shared(self) -> bool:
        return self.photographs is not None

    @property
    def digest(self) -> str:
        return "" if self.photographs is None else self.photographs.digest

    def of(self, entry: Entry, y: np.ndarray) -> Prior:
        return self._of_all if self.shared else self._made(kept_folder(self.plan, entry, self.several), entry, y)

    @functools.cached_property
    def _of_all(self) -> Prior:
        return self._made(self.plan.album.save_prior, None, None)

    def _made(self, folder: Path | None, entry: Entry | None, y: np.ndarray | None) -> Prior:
        """For one image, or with None for all; writes the album's sheet and --save-prior's folder."""
        plan, constraint, album = self.plan, self.constraint, self.photographs
        name = "all" if entry is None else entry.files.image.stem
        steps = constraint.finetuning.steps if album is None else constraint.personal_steps
        run = self._run(y)
        if folder is not None and folder.exists():
            if read_card(folder).get("finetuned", {}).get("run") != run:
                raise InputError(
                    f"--save-prior {folder} exists already, of another run; a prior is never written over."
                )
            print(f"{folder}: kept by this command before, and taken")
            return load_prior(folder, dtype=plan.run.dtype)
        if album is not None:
            print(f"{plan.album.album}: fine-tuning on {len(album.items)} photographs, {steps} steps")
        else:
            print(f"{name}: an album of {constraint.album} images, then {steps} steps of fine-tuning on it")
        tuned, generated = constrain(
            plan.prior,
            jax.random.fold_in(jax.random.key(plan.seed), 1 << 21),  # apart from the restarts'
            constraint,
            y=None if y is None else jnp.asarray(y),
            album=album,
            checkpoint=None if plan.checkpoint is None else plan.checkpoint / name,
            progress=True,
            batch_size=plan.run.batch_size,
        )
        if generated is not None and entry is not None:
            write_image(entry.album, sheet(generated))
        if folder is not None:
            images = constraint.album if album is None else len(album.items)
            kind = "generated" if album is None else "photographs"
            save_derived(tuned, folder, plan.prior_name, album=kind, images=images, steps=steps, run=run)
            print(f"{folder}: the fine-tuned prior")
        return tuned

    def _run(self, y: np.ndarray | None) -> str:
        """A digest of all that decides a fine-tuned prior, but the weights it starts from."""
        looked_at = self.digest.encode() if y is None else y.tobytes()
        decided = f"{self.plan.prior.name}{self.constraint}{self.plan.seed}".encode(errors="backslashreplace")
        return hashlib.sha256(decided + looked_at).hexdigest()[:16]


def priors_for(plan: Plan, entries: list[Entry]) -> Priors:
    """The priors that a plan restores images with; InputError for an album that can't be read, or a folder that can't be
    made."""
    if not isinstance(plan.method, Drawing) or plan.album.finetune_steps == 0:
        return AsItIs(plan.prior)
    if plan.album.album is None and plan.fit == "tile":
        raise InputError("--method gen2res --fit tile needs --album or --finetune-steps 0: one prior for all sizes.")
    _check_kept(plan, entries)
    return Constrained(plan, plan.method.constraint, _read_album(plan, entries), len(entries) > 1)


def _read_album(plan: Plan, entries: list[Entry]) -> Photographs | None:
    """The photographs of --album, but for the images that are to be restored; those left out are named."""
    if plan.album.album is None:
        return None
    album = photographs(plan.album.album, plan.prior.shape)
    inputs = {entry.input.resolve() for entry in entries}
    used = [item for item in album.items if item.path.resolve() not in inputs]
    for sentence in album.left_out + ["An image that is to be restored."] * (len(used) < len(album.items)):
        print(f"jaxrestore: left out of the album: {sentence}", file=sys.stderr)
    if len(used) < 2:
        raise InputError(
            f"{plan.album.album} holds {len(used)} photographs besides those to be restored: 2 are needed."
        )
    names = "".join(item.path.name for item in used)
    chosen = hashlib.sha256((album.digest + names).encode(errors="backslashreplace")).hexdigest()
    return album._replace(items=used, digest=chosen)


def kept_folder(plan: Plan, entry: Entry, several: bool) -> Path | None:
    """Where --save-prior keeps the prior of an image."""
    folder = plan.album.save_prior
    return folder if folder is None or not several else folder / entry.files.image.stem


def _check_kept(plan: Plan, entries: list[Entry]) -> None:
    """InputError now, rather than after the work, for a folder of --save-prior that can't be made."""
    if plan.album.save_prior is None:
        return
    shared, several = plan.album.album is not None, len(entries) > 1
    folders = [plan.album.save_prior] if shared else [kept_folder(plan, entry, several) for entry in entries]
    for folder in folders:
        assert folder is not None
        check_writable(folder)
        if folder.exists() and not (folder / "card.json").is_file():
            raise InputError(f"--save-prior {folder} exists already and is no prior: nothing is written over it.")
        for image in (entry.files.image.resolve() for entry in entries):
            if folder.resolve() in (image, *image.parents):
                raise InputError(f"--save-prior {folder} would hold {image}: give the prior its own folder.")
