"""The command ``jaxrestore sample``."""

from dataclasses import dataclass

from jaxrestore.cli.flags import File
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.errors import InputError
from jaxrestore.files.samples import write_samples


@dataclass(frozen=True)
class Sample:
    """Draw images from a prior: a sheet of what it knows."""

    output: File
    """The .png sheet to write."""
    prior: str = "flowers64"
    """An embedded prior's name, a folder, or hf:OWNER/NAME of the Hugging Face Hub."""
    number: int = 16
    """How many images."""
    skip: int = 20
    """Steps of the noise schedule per DDIM step: 20 of 1000 is 50 network evaluations an image."""
    seed: int = 0

    def __call__(self) -> int:
        prior = load_prior(self.prior)
        steps = len(prior.schedule)
        if self.number < 1 or not 1 <= self.skip <= steps:
            raise InputError(f"--number must be at least 1, and --skip between 1 and {steps}.")
        write_samples(self.output, prior, self.number, self.skip, self.seed)
        print(f"{self.output}: {self.number} samples of {prior.name}, {steps // self.skip} steps")
        return 0
