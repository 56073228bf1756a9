"""The command line: ``jaxrestore restore``, ``degrade``, ... Heavy imports wait for a command."""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxrestore.cli.cache import keep_programs
from jaxrestore.cli.convert import Convert
from jaxrestore.cli.score import Score
from jaxrestore.cli.tasks import DegradeOptions, TaskOptions
from jaxrestore.cli.train import Finetune, Train
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.errors import InputError, OutOfMemory

File = Annotated[Path, tyro.conf.Positional]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restore(TaskOptions):
    """Restore a degraded image, or every image of a folder."""

    input: File
    """The degraded image, or a folder of them; in tomography one .npy sinogram."""
    output: File
    """The .png to write, or a folder. A strip (input, restored, reference), the kernel and run.json are written beside
    a file, and into sub-folders of a folder."""
    task: str | None = None
    """What happened to the image: see `jaxrestore tasks`, or give --operator. Of a reduced image INPUT is the small one."""
    method: Literal["bird", "shred", "diip", "invert2restore", "gen2res"] | None = None
    """The method; `bird` keeps the noise on its sphere, invert2restore its patches near theirs. Default: the task's. For the
    task blind there are invert2restore, diip, and gen2res, which fine-tunes the prior and draws the image anew."""
    prior: str = "flowers64"
    """An embedded prior's name (see `jaxrestore priors`), or a prior's folder."""
    preset: str | None = None
    """Settings: "paper" for the published ones. Default: those tuned for the prior, where there are any."""
    noise_level: float | Literal["auto"] | None = None
    """Standard deviation of the noise in grey levels (0 to 255), or auto: estimated from the image. It decides which
    restart is best, and where --discrepancy stops. Default: 0; when denoising, auto where it decides anything."""
    fit: Literal["exact", "crop", "resize", "tile"] = "exact"
    """What to do with an image of another size than the prior's: refuse, cut the centre, resize, or restore a larger one
    whole, in overlapping tiles that share one operator (what is over a multiple of 8 is cut off, right and below)."""
    keep_known: bool | None = None
    """Put what was measured of the image back: known pixels (inpaint, compressed-sensing), the luma (colorize). Default:
    where --noise-level is 0."""
    album: Path | None = None
    """gen2res: a folder (or tar) of clean photographs of the same subject, to fine-tune the prior on. Default: an album that
    is generated from each image."""
    noise_step: int | None = None
    """gen2res: how many steps of noise are added and taken away again, of the prior's 1000: more of them repair more and
    keep less. Default: the preset's."""
    finetune_steps: int | None = None
    """gen2res: steps of fine-tuning; 0 takes the prior as it is, one that was saved before. Default: the preset's."""
    save_prior: Path | None = None
    """gen2res: keep the fine-tuned prior in this folder, for any method's --prior; of a folder of images without --album,
    one for each in its sub-folders."""
    iterations: int | None = None
    """Default: the preset's. Of gen2res the steps of its sampler."""
    noise_lr: float | None = None
    """Step size on the noise. Default: the preset's."""
    operator_lr: float | None = None
    """Step size on what is unknown of the operator, by Adam. Default: the preset's, or its Gauss-Newton steps."""
    gradient: GradientMode | None = None
    """What is constant for the derivative: the predicted noise (frozen, as published), v or x0 in its place, or nothing
    (full), at several times the time and the memory. Default: the preset's."""
    restarts: int | None = None
    """Searches per image from different noises. Default: the preset's."""
    combine: Literal["best", "mean"] | None = None
    """How restarts become one image. Default: the preset's."""
    uncertainty: bool = False
    """Write OUTPUT_uncertainty.png, too: where restarts disagree (white: most), pixel by pixel."""
    discrepancy: float = 0.0
    """Stop when the rms data term is below this many noise levels (about 1); 0: never."""
    slope: float = 0.0
    """Stop when the data term has not fallen by this fraction in 20 iterations (0.01, say); 0: never."""
    window: int = 0
    """Stop when the variance of the last so many images has had no new minimum in 20 iterations (10, say); 0: never."""
    batch_size: int = 16
    """Searches that run at once: less where memory is short."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; bfloat16 is fast on accelerators only."""
    devices: int | Literal["all"] = 1
    """How many of this machine's devices share the searches of a batch."""
    coordinator: str | None = None
    """HOST:PORT of the first host, where the same command is started on several; each restores its share of a folder."""
    hosts: int | Literal["auto"] | None = None
    """How many hosts there are; auto: as Slurm, a TPU pod or another cluster that JAX knows says."""
    host_id: int | None = None
    """Which of them this is, from 0."""
    redo: bool = False
    """Restore those images of a folder, too, that this command has restored before."""
    checkpoint: Path | None = None
    """A folder for checkpoints: the same command after a kill goes on from the last."""
    reference: Path | None = None
    """The clean image (or a folder of them): PSNR and SSIM are reported, and used for nothing else."""

    def __call__(self) -> int:
        from jaxrestore.cli.hosts import join

        here = join(self.coordinator, self.hosts, self.host_id)  # before anything else is done with JAX

        from jaxrestore.cli.job import run_job
        from jaxrestore.cli.paths import plan

        entries = plan(self.input, self.output, self.reference, self.mask)
        failures = run_job(self, entries, here)
        for failure in failures:
            print(f"jaxrestore: {failure}", file=sys.stderr)
        failed = here.sum(len(failures))
        return 0 if not failed else 1 if self.input.is_dir() and failed < len(entries) else 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Degrade(DegradeOptions):
    """Degrade a clean image, to try a restoration: writes OUTPUT, and the clean image, mask or kernel beside it."""

    input: File
    """A clean image; its centre is cut out and reduced to the size."""
    output: File
    """The degraded .png (tomography: .npy); OUTPUT's name with _clean, _mask or _kernel is written beside."""
    task: str | None = None
    """What happens to it: see `jaxrestore tasks`; or give --operator."""
    size: int = 64
    """Side of the clean image: that of the prior."""
    noise: Literal["gaussian", "speckle", "poisson", "salt-and-pepper", "bird"] = "gaussian"
    """The noise: white, relative to brightness, of photons, of dead pixels, or BIRD's published mixture of the first two,
    with its levels."""
    degradation: Literal["jpeg", "noise", "rain", "raindrop", "blur", "reduction", "mixture"] = "rain"
    """blind: what happens to the image, and is not told to the restoration."""
    noise_level: float | None = None
    """Its standard deviation (at white; of salt-and-pepper: its share), of 255. Default: 30 for denoise, 0 for the others."""

    def __call__(self) -> int:
        from jaxrestore.cli.degrade import degrade_file

        degrade_file(self)
        return 0


@dataclasses.dataclass(frozen=True)
class Tasks:
    """List the tasks: what is known, what is estimated, whose they are, and their flags."""

    def __call__(self) -> int:
        from jaxrestore.cli.tasks import TASKS

        for name, task in TASKS.items():
            estimated = f"; estimated: {task.estimated}" if task.estimated else ""
            print(f"{name}\n    known: {task.known}{estimated}")
            print(f"    papers: {task.papers or 'neither'}; flags: {task.flags or 'none'}")
        return 0


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw images from a prior: a sheet of what it knows."""

    output: File
    """The .png sheet to write."""
    prior: str = "flowers64"
    """An embedded prior's name, or a folder."""
    number: int = 16
    """How many images."""
    skip: int = 20
    """Steps of the noise schedule per DDIM step: 20 of 1000 is 50 network evaluations an image."""
    seed: int = 0

    def __call__(self) -> int:
        from jaxrestore.cli.degrade import sample_sheet

        print(sample_sheet(self.output, self.prior, self.number, self.skip, self.seed))
        return 0


@dataclasses.dataclass(frozen=True)
class Priors:
    """List the embedded priors, show the card of one, or verify its files: `jaxrestore priors verify FOLDER`."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A prior's name or folder; or `verify`."""
    folder: Annotated[str | None, tyro.conf.Positional] = None
    """After `verify`: the prior's name or folder."""

    def __call__(self) -> int:
        from jaxrestore.diffusion.storage import embedded_priors, read_card, verify_prior

        if self.folder is not None and self.name != "verify":
            raise InputError(
                f"A prior is shown by `priors NAME` and verified by `priors verify NAME`, not {self.name}."
            )
        if self.folder is not None:
            print(f"{self.folder}: {verify_prior(self.folder)} files are as the card says")
        elif self.name is not None:
            card = read_card(self.name)
            print(
                json.dumps(
                    {key: value for key, value in card.items() if key not in ("alpha_bar", "files", "sha256")}, indent=1
                )
            )
        else:
            for name in embedded_priors():
                card = read_card(name)
                print(f"{name}: {' x '.join(map(str, card['shape']))}, {card['architecture']}, {card.get('data', '')}")
        return 0


@dataclasses.dataclass(frozen=True)
class Calibrate:
    """Measure what clean photographs' noise has under a prior, for the task blind: writes typical.json into its folder."""

    prior: Annotated[str, tyro.conf.Positional]
    """The prior's folder."""
    photographs: File
    """A folder of a few dozen clean photographs of the prior's kind; 64 of more are used."""

    def __call__(self) -> int:
        from jaxrestore.density.calibration import calibrate_folder

        print(calibrate_folder(self.prior, self.photographs))
        return 0


@dataclasses.dataclass(frozen=True)
class Demo:
    """Degrade a bundled photograph (noise and an erased box; heavy noise, told nothing), restore it, and say how well."""

    output: Path = Path("demo")
    """The folder for the pictures."""

    def __call__(self) -> int:
        from jaxrestore.cli.demo import demo

        began = time.perf_counter()
        print(demo(self.output))
        print(f"{time.perf_counter() - began:.0f} s in all")
        return 0


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Exit code 0; 2 for bad input (one sentence on stderr); 1 where a folder was restored in part."""
    commands = {
        "restore": Restore,
        "degrade": Degrade,
        "tasks": Tasks,
        "sample": Sample,
        "priors": Priors,
        "convert": Convert,
        "calibrate": Calibrate,
        "train": Train,
        "finetune": Finetune,
        "score": Score,
        "demo": Demo,
    }
    command = tyro.extras.subcommand_cli_from_dict(
        commands, prog="jaxrestore", args=arguments, description="Image restoration with diffusion priors, in JAX."
    )
    keep_programs()
    try:
        code = command()
    except (InputError, OutOfMemory, OSError) as error:
        print(f"jaxrestore: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("jaxrestore: interrupted; nothing half-written is left", file=sys.stderr)
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
