"""The command ``jaxrestore priors``."""

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxrestore.errors import InputError

LONG = ("alpha_bar", "files", "quantised", "sha256")  # of a card, that nobody reads


@dataclass(frozen=True)
class Priors:
    """List the embedded priors, show the card of one, or verify its files: `jaxrestore priors verify FOLDER`."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A prior's name or folder; or `verify`."""
    folder: Annotated[str | None, tyro.conf.Positional] = None
    """After `verify`: the prior's name or folder."""

    def __call__(self) -> int:
        from jaxrestore.diffusion.places import embedded_priors
        from jaxrestore.diffusion.storage import read_card, verify_prior

        if self.folder is not None and self.name != "verify":
            raise InputError(
                f"A prior is shown by `priors NAME` and verified by `priors verify NAME`, not {self.name}."
            )
        if self.folder is not None:
            print(f"{self.folder}: {verify_prior(self.folder)} files are as the card says")
        elif self.name is not None:
            print(json.dumps({key: value for key, value in read_card(self.name).items() if key not in LONG}, indent=1))
        else:
            for name in embedded_priors():
                card = read_card(name)
                print(f"{name}: {' x '.join(map(str, card['shape']))}, {card['architecture']}, {card.get('data', '')}")
        return 0
