"""What ``jaxrestore train`` and ``jaxrestore finetune`` do: users' own photographs to a prior's folder."""

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxrestore._files import check_writable
from jaxrestore.cli.train import Finetune, Train, TrainingFlags
from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.derived import save_derived
from jaxrestore.diffusion.places import refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior, read_card, save_prior
from jaxrestore.errors import InputError, PriorError
from jaxrestore.methods import Constraint, settings_for
from jaxrestore.methods.settings import changed
from jaxrestore.runtime.checkpoints import remove_checkpoints
from jaxrestore.training.loop import check, devices_for, run_of, train
from jaxrestore.training.report import Report
from jaxrestore.training.sources import photographs
from jaxrestore.training.steps import Training

Save = Callable[..., None]  # of the trained prior, its folder, and what its card is to say


def train_fresh(flags: Train) -> int:
    """From fresh weights; the exit code."""
    from jaxrestore.networks import DDPMUNet  # Flax is heavy

    stride = 2 ** (len(flags.ch_mult) - 1)
    if flags.size % stride or flags.ch % 32:
        raise InputError(f"--size must be divisible by {stride}, and --ch by 32.")
    network = DDPMUNet(
        image_size=flags.size,
        ch=flags.ch,
        ch_mult=flags.ch_mult,
        num_res_blocks=flags.num_res_blocks,
        attn_resolutions=(flags.size // 4, flags.size // 8),  # where a position sees all others at little cost
        dtype=flags.dtype,
        remat=flags.remat,
    )
    fresh = network.init(jax.random.key(flags.seed))
    side = (flags.size, flags.size, 3)
    levels, prediction = (schedule.flow(), "velocity") if flags.objective == "flow" else (schedule.linear(), "v")
    prior = Prior(network, fresh, levels, side, prediction, flags.out.name)

    def save(prior: Prior, folder: Path, **about: Any) -> None:
        plain = dataclasses.replace(network, dtype="float32", remat=False)
        data = f"{about['photographs']} photographs of {flags.photographs.name}"
        save_prior(dataclasses.replace(prior, network=plain), folder, data=data, **about)

    return run_training(flags, prior, settings_of(flags, Training(min_snr=flags.min_snr)), save, least=16)


def train_further(flags: Finetune) -> int:
    """From a prior's weights; the exit code."""
    prior = load_prior(flags.prior, dtype=flags.dtype)
    network: Any = prior.network
    if flags.remat:
        prior = dataclasses.replace(prior, network=dataclasses.replace(network, remat=True))
    chosen: Constraint = settings_for("gen2res", "any", prior)
    # all times: other methods start from all of them
    settings = dataclasses.replace(chosen.finetuning, steps=chosen.personal_steps, times=None)

    def save(prior: Prior, folder: Path, **about: Any) -> None:
        save_derived(prior, folder, flags.prior, **about)

    return run_training(flags, prior, settings_of(flags, settings), save, least=2)


def settings_of(flags: TrainingFlags, usual: Training) -> Training:
    """The usual ones, but for the flags that were given."""
    return changed(
        usual,
        steps=flags.steps,
        batch_size=flags.batch_size,
        learning_rate=flags.learning_rate,
        accumulate=flags.accumulate,
    )


def _run_in(folder: Path) -> str | None:
    """Which training made the prior in a folder; None where there is none, or of no training."""
    try:
        card = read_card(folder)
    except PriorError:
        return None
    return card.get("finetuned", card).get("run")


def run_training(flags: TrainingFlags, prior: Prior, settings: Training, save: Save, least: int) -> int:
    """Train, report, and write the prior's folder at the end; the exit code. A prior that this very command has made is
    left as it is."""
    made = _run_in(flags.out)
    if made is None:
        refuse_existing(flags.out)  # before the work
    check_writable(flags.out)
    if flags.photographs.resolve() in flags.out.resolve().parents:
        raise InputError(f"{flags.out} lies among {flags.photographs}: its sample sheets would be trained on.")
    check(settings, len(prior.schedule), flags.report_every)
    found = photographs(flags.photographs, prior.shape, least)
    for sentence in found.left_out:
        print(f"jaxrestore: left out: {sentence}", file=sys.stderr)
    key = jax.random.key(flags.seed)
    run = run_of(prior, found, key, settings)[:16]
    if made == run:
        print(f"{flags.out}: finished by this command before, and left as it is")
        return 0
    refuse_existing(flags.out)
    print(f"{flags.photographs}: {len(found.items)} photographs, {settings.steps} steps of {settings.batch_size}")
    beside = flags.out.with_name(f"{flags.out.name}.training")
    done = train(
        prior,
        found,
        key,
        settings,
        checkpoint=beside / "checkpoints",
        report_every=flags.report_every,
        minutes=math.inf if flags.minutes is None else flags.minutes,
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
        "run": run,
    }
    save(done.prior, flags.out, **about)
    remove_checkpoints(beside / "checkpoints")
    print(f"{flags.out}: trained for {done.step} steps, last loss {about['last_loss']:.4f}; see {beside}")
    return 0
