"""The command ``jaxrestore sample``."""

from dataclasses import dataclass
from typing import Annotated

from jaxrestore._ranges import Range
from jaxrestore.cli.flags import File, Seed
from jaxrestore.errors import InputError


@dataclass(frozen=True)
class Sample:
    """Draw images from a prior: a sheet of what it knows."""

    output: File
    """The .png sheet to write."""
    prior: str = "flowers64"
    """An embedded prior's name, a folder, or hf:OWNER/NAME of the Hugging Face Hub."""
    number: Annotated[int, Range(1, 10_000)] = 16
    """How many images."""
    skip: Annotated[int, Range(1, 100_000)] = 20
    """Steps of the noise schedule per DDIM step: 20 of 1000 is 50 network evaluations an image."""
    seed: Seed = 0
    """Of the noise: the same seed gives the same images."""

    def __call__(self) -> int:
        from jaxrestore.diffusion.storage import load_prior
        from jaxrestore.files.samples import write_samples

        prior = load_prior(self.prior)
        steps = len(prior.schedule)
        if self.skip > steps:
            raise InputError(f"--skip must lie between 1 and {steps}, the prior's times, not {self.skip}.")
        write_samples(self.output, prior, self.number, self.skip, self.seed)
        print(f"{self.output}: {self.number} samples of {prior.name}, {steps // self.skip} steps")
        return 0
