"""The commands ``jaxrestore train`` and ``jaxrestore finetune``."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxrestore._ranges import Range
from jaxrestore.cli.flags import File, PriorName, Seed


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """What both commands take."""

    steps: Annotated[int | None, Range(1, 100_000_000)] = None
    """Steps in all. Default: 20000 to train; the preset's to fine-tune."""
    batch_size: Annotated[int | None, Range(1, 65_536)] = None
    """Photographs a step. Default: 64 to train; the preset's to fine-tune."""
    learning_rate: Annotated[float | None, Range(0, 1)] = None
    """Default: 3e-4 to train; the preset's to fine-tune."""
    accumulate: Annotated[int, Range(1, 65_536)] = 1
    """Parts that a batch is evaluated in, one after the other: the same result in less memory."""
    remat: bool = False
    """Evaluate the network's blocks again on the way back instead of keeping them: less memory still, a third more time."""
    minutes: Annotated[float | None, Range(0, 10_000_000)] = None
    """Save and stop after so many minutes; the same command goes on."""
    report_every: Annotated[int, Range(1, 100_000_000)] = 100
    """Steps from one report and checkpoint to the next; every tenth has a sheet of samples."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; bfloat16 is fast on accelerators only."""
    seed: Seed = 0
    """Of the weights, the order of the photographs, times and noise."""
    photographs: File
    """A folder (with its sub-folders) or an uncompressed tar of photographs, of any size from the prior's on."""
    out: File
    """The prior's folder to make; it must not exist. OUT.training is written beside: checkpoints, log.jsonl, sample sheets,
    and loss.png where matplotlib is installed. The same command after a kill goes on from there."""


@dataclass(frozen=True, kw_only=True)
class Train(TrainingFlags):
    """Train a prior on your own photographs, from fresh weights. A few thousand of one kind are a start."""

    size: Annotated[int, Range(8, 4096)] = 64
    """Side of its images."""
    ch: Annotated[int, Range(32, 4096)] = 64
    """Channels of the network at full size, divisible by 32."""
    ch_mult: Annotated[tuple[int, ...], Range(1, 64)] = (1, 2, 2, 4)
    """How many times as many each level has; sides halve from one to the next."""
    num_res_blocks: Annotated[int, Range(1, 64)] = 2
    """Residual blocks of each level."""
    min_snr: Annotated[float | None, Range(0, 1_000_000, out=True)] = None
    """Weigh times by min(snr, this), 5 in its paper (Hang et al. 2023)."""
    objective: Literal["diffusion", "flow"] = "diffusion"
    """What the network learns: v on the linear schedule, or a flow's velocity, noise - image, at even times."""

    def __call__(self) -> int:
        from jaxrestore.cli.training import train_fresh

        return train_fresh(self)


@dataclass(frozen=True, kw_only=True)
class _FromPrior:
    prior: PriorName
    """An embedded prior's name, a prior's folder, or hf:OWNER/NAME of the Hugging Face Hub."""


@dataclass(frozen=True, kw_only=True)
class Finetune(TrainingFlags, _FromPrior):  # in this order PRIOR comes before PHOTOGRAPHS and OUT
    """Fine-tune a prior on an album: twenty photographs of one subject, say. Then `restore --prior OUT` with any method."""

    def __call__(self) -> int:
        from jaxrestore.cli.training import train_further

        return train_further(self)
