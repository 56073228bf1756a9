"""The commands ``jaxrestore train`` and ``jaxrestore finetune``: users' own photographs to a prior's folder."""

import dataclasses
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax

from jaxrestore._files import check_writable
from jaxrestore.cli.flags import File, PriorName
from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.derived import save_derived
from jaxrestore.diffusion.places import refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior, save_prior
from jaxrestore.errors import InputError
from jaxrestore.methods import Constraint, settings_for
from jaxrestore.methods.settings import changed
from jaxrestore.training.loop import check, devices_for, train
from jaxrestore.training.report import Report
from jaxrestore.training.sources import photographs
from jaxrestore.training.steps import Training


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """What both commands take."""

    steps: int | None = None
    """Steps in all. Default: 20000 to train; the preset's to fine-tune."""
    batch_size: int | None = None
    """Photographs a step. Default: 64 to train; the preset's to fine-tune."""
    learning_rate: float | None = None
    """Default: 3e-4 to train; the preset's to fine-tune."""
    accumulate: int = 1
    """Parts that a batch is evaluated in, one after the other: the same result in less memory."""
    remat: bool = False
    """Evaluate the network's blocks again on the way back instead of keeping them: less memory still, a third more time."""
    minutes: float = math.inf
    """Save and stop after so many minutes; the same command goes on."""
    report_every: int = 100
    """Steps from one report and checkpoint to the next; every tenth has a sheet of samples."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; bfloat16 is fast on accelerators only."""
    seed: int = 0
    """Of the weights, the order of the photographs, times and noise."""
    photographs: File
    """A folder (with its sub-folders) or an uncompressed tar of photographs, of any size from the prior's on."""
    out: File
    """The prior's folder to make; it must not exist. OUT.training is written beside: checkpoints, log.jsonl, sample sheets,
    and loss.png where matplotlib is installed. The same command after a kill goes on from there."""

    def settings(self, usual: Training) -> Training:
        """The usual ones, but for the flags that were given."""
        return changed(
            usual,
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            accumulate=self.accumulate,
        )


Save = Callable[..., None]  # of the trained prior, its folder, and what its card is to say


@dataclass(frozen=True, kw_only=True)
class Train(TrainingFlags):
    """Train a prior on your own photographs, from fresh weights. A few thousand of one kind are a start."""

    size: int = 64
    """Side of its images."""
    ch: int = 64
    """Channels of the network at full size, divisible by 32."""
    ch_mult: tuple[int, ...] = (1, 2, 2, 4)
    """How many times as many each level has; sides halve from one to the next."""
    num_res_blocks: int = 2
    """Residual blocks of each level."""
    min_snr: float | None = None
    """Weigh times by min(snr, this), 5 in its paper (Hang et al. 2023)."""
    objective: Literal["diffusion", "flow"] = "diffusion"
    """What the network learns: v on the linear schedule, or a flow's velocity, noise - image, at even times."""

    def __call__(self) -> int:
        from jaxrestore.networks import DDPMUNet  # Flax is heavy

        stride = 2 ** (len(self.ch_mult) - 1)
        if self.size < 8 or self.size % stride or self.ch < 32 or self.ch % 32:
            raise InputError(f"--size must be divisible by {stride}, from 8 on, and --ch by 32, from 32 on.")
        if min(self.ch_mult) < 1 or self.num_res_blocks < 1:
            raise InputError("--ch-mult and --num-res-blocks must be at least 1.")
        network = DDPMUNet(
            image_size=self.size,
            ch=self.ch,
            ch_mult=self.ch_mult,
            num_res_blocks=self.num_res_blocks,
            attn_resolutions=(self.size // 4, self.size // 8),  # where a position sees all others at little cost
            dtype=self.dtype,
            remat=self.remat,
        )
        fresh = network.init(jax.random.key(self.seed))
        side = (self.size, self.size, 3)
        levels, prediction = (schedule.flow(), "velocity") if self.objective == "flow" else (schedule.linear(), "v")
        prior = Prior(network, fresh, levels, side, prediction, self.out.name)

        def save(prior: Prior, folder: Path, **about: Any) -> None:
            plain = dataclasses.replace(network, dtype="float32", remat=False)
            data = f"{about['photographs']} photographs of {self.photographs.name}"
            save_prior(dataclasses.replace(prior, network=plain), folder, data=data, **about)

        return run_training(self, prior, self.settings(Training(min_snr=self.min_snr)), save, least=16)


@dataclass(frozen=True, kw_only=True)
class _FromPrior:
    prior: PriorName
    """An embedded prior's name, a prior's folder, or hf:OWNER/NAME of the Hugging Face Hub."""


@dataclass(frozen=True, kw_only=True)
class Finetune(TrainingFlags, _FromPrior):  # in this order PRIOR comes before PHOTOGRAPHS and OUT
    """Fine-tune a prior on an album: twenty photographs of one subject, say. Then `restore --prior OUT` with any method."""

    def __call__(self) -> int:
        prior = load_prior(self.prior, dtype=self.dtype)
        network: Any = prior.network
        if self.remat:
            prior = dataclasses.replace(prior, network=dataclasses.replace(network, remat=True))
        chosen: Constraint = settings_for("gen2res", "any", prior)
        # all times: other methods start from all of them
        settings = dataclasses.replace(chosen.finetuning, steps=chosen.personal_steps, times=None)

        def save(prior: Prior, folder: Path, **about: Any) -> None:
            save_derived(prior, folder, self.prior, **about)

        return run_training(self, prior, self.settings(settings), save, least=2)


def run_training(flags: TrainingFlags, prior: Prior, settings: Training, save: Save, least: int) -> int:
    """Train, report, and write the prior's folder at the end; the exit code."""
    refuse_existing(flags.out)  # before the work
    check_writable(flags.out)
    if flags.photographs.resolve() in flags.out.resolve().parents:
        raise InputError(f"{flags.out} lies among {flags.photographs}: its sample sheets would be trained on.")
    check(settings, len(prior.schedule), flags.report_every)
    found = photographs(flags.photographs, prior.shape, least)
    for sentence in found.left_out:
        print(f"jaxrestore: left out: {sentence}", file=sys.stderr)
    print(f"{flags.photographs}: {len(found.items)} photographs, {settings.steps} steps of {settings.batch_size}")
    beside = flags.out.with_name(f"{flags.out.name}.training")
    done = train(
        prior,
        found,
        jax.random.key(flags.seed),
        settings,
        checkpoint=beside / "checkpoints",
        report_every=flags.report_every,
        minutes=flags.minutes,
        progress=True,
        watch=Report(beside, settings),
    )
    if done.step < settings.steps:
        print(f"{flags.out}: {done.step} of {settings.steps} steps are done; the same command goes on")
        return 0
    about = {
        "photographs": len(found.items),
        "steps": done.step,
        "images_seen": done.step * settings.batch_size,
        "last_loss": float(done.losses[-100:].mean()),
        "hardware": f"{len(devices_for(settings.batch_size // settings.accumulate))} {jax.devices()[0].device_kind}",
        "settings": dataclasses.asdict(settings),
    }
    save(done.prior, flags.out, **about)
    print(f"{flags.out}: trained for {done.step} steps, last loss {about['last_loss']:.4f}; see {beside}")
    return 0
