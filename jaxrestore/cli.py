"""The command line: ``jaxrestore restore | degrade | sample | priors | demo``. Heavy imports wait for a command."""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxrestore.errors import InputError, OutOfMemory
from jaxrestore.presets import TaskName

File = Annotated[Path, tyro.conf.Positional]


@dataclasses.dataclass(frozen=True)
class Restore:
    """Restore a degraded image, or every image of a folder."""

    input: File
    """The degraded image, or a folder of them."""
    output: File
    """The .png to write, or a folder. A strip (input, restored, reference), the kernel and run.json are written beside
    a file, and into sub-folders of a folder."""
    task: TaskName
    """What happened to the image. In super-resolution INPUT is the small image."""
    method: Literal["bird", "shred"] = "bird"
    """The method; `bird` keeps the noise on its sphere."""
    prior: str = "flowers64"
    """An embedded prior's name (see `jaxrestore priors`), or a prior's folder."""
    preset: str | None = None
    """Settings: "paper" for the published ones. Default: those tuned for the prior, where there are any."""
    kernel: Path | None = None
    """deblur: the known blur kernel, a .npy matrix or a grey image with odd sides."""
    kernel_size: int | None = None
    """blind-deblur: side of the estimated kernel, odd. Default: 41 at 256 pixels, in proportion."""
    mask: Path | None = None
    """inpaint: an image whose white pixels are missing; for a folder, one mask or a folder of masks by name."""
    scale: int = 8
    """super-resolution: how many times larger the restored image is."""
    noise_level: float | Literal["auto"] | None = None
    """Standard deviation of the noise in grey levels (0 to 255), or auto: estimated from the image. It decides which
    restart is best, and where --discrepancy stops. Default: 0; when denoising, auto where it decides anything."""
    fit: Literal["exact", "crop", "resize"] = "exact"
    """What to do with an image of another size than the prior's: refuse, cut the centre, or resize."""
    keep_known: bool | None = None
    """inpaint: put the measured pixels back over the restored ones. Default: where --noise-level is 0."""
    iterations: int | None = None
    """Default: the preset's."""
    noise_lr: float | None = None
    """Step size on the noise. Default: the preset's."""
    operator_lr: float | None = None
    """Step size on what is unknown of the operator. Default: the preset's."""
    gradient: Literal["frozen", "full"] = "frozen"
    """full: through the network; several times the time and the memory."""
    restarts: int | None = None
    """Searches per image from different noises. Default: the preset's."""
    combine: Literal["best", "mean"] | None = None
    """How restarts become one image. Default: the preset's."""
    discrepancy: float = 0.0
    """Stop when the rms data term is below this many noise levels (about 1); 0: never."""
    slope: float = 0.0
    """Stop when the data term has not fallen by this fraction in 20 iterations (0.01, say); 0: never."""
    batch_size: int = 16
    """Searches that run at once: less where memory is short."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; bfloat16 is fast on accelerators only."""
    seed: int = 0
    """Of the starting noises: the same image, seed and settings give the same result."""
    checkpoint: Path | None = None
    """A folder for checkpoints: the same command after a kill goes on from the last."""
    reference: Path | None = None
    """The clean image (or a folder of them): PSNR and SSIM are reported, and used for nothing else."""

    def __call__(self) -> int:
        from jaxrestore.job import run_job
        from jaxrestore.paths import plan

        entries = plan(self.input, self.output, self.reference, self.mask)
        failures = run_job(self, entries)
        for failure in failures:
            print(f"jaxrestore: {failure}", file=sys.stderr)
        return 0 if not failures else 1 if self.input.is_dir() and len(failures) < len(entries) else 2


@dataclasses.dataclass(frozen=True)
class Degrade:
    """Degrade a clean image, to try a restoration: writes OUTPUT, and the clean image, mask or kernel beside it."""

    input: File
    """A clean image; its centre is cut out and reduced to the size."""
    output: File
    """The degraded .png; OUTPUT's name with _clean, _mask or _kernel is written beside."""
    task: TaskName
    """denoise: noise alone; inpaint: a box missing; super-resolution: reduced; deblur, blind-deblur: Gaussian blur."""
    size: int = 64
    """Side of the clean image: that of the prior."""
    noise_level: float | None = None
    """Standard deviation of added white noise, in grey levels (0 to 255). Default: 30 for denoise, 0 for the others."""
    box: int = 20
    """inpaint: side of the missing box, in the middle."""
    scale: int = 8
    """super-resolution: reduction."""
    kernel: Path | None = None
    """deblur: a kernel of your own, .npy or grey image. Default: a Gaussian of --sigmas and --angle."""
    sigmas: tuple[float, float] = (3.0, 1.8)
    """Standard deviations of the Gaussian along its axes, in pixels."""
    angle: float = 30.0
    """Turn of the Gaussian's axes, in degrees."""
    seed: int = 0
    """Of the noise."""

    def __call__(self) -> int:
        from jaxrestore.degrade import degrade_file

        degrade_file(self)
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
        from jaxrestore.degrade import sample_sheet

        print(sample_sheet(self.output, self.prior, self.number, self.skip, self.seed))
        return 0


@dataclasses.dataclass(frozen=True)
class Priors:
    """List the embedded priors, or show the card of one."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A prior's name or folder."""

    def __call__(self) -> int:
        from jaxrestore.storage import embedded_priors, read_card

        if self.name is not None:
            card = read_card(self.name)
            print(
                json.dumps({key: value for key, value in card.items() if key not in ("alpha_bar", "files")}, indent=1)
            )
            return 0
        for name in embedded_priors():
            card = read_card(name)
            print(f"{name}: {' x '.join(map(str, card['shape']))}, {card['architecture']}, {card.get('data', '')}")
        return 0


@dataclasses.dataclass(frozen=True)
class Demo:
    """Degrade a bundled photograph (heavy noise and an erased box), restore it, and say how well."""

    output: Path = Path("demo")
    """The folder for the pictures."""

    def __call__(self) -> int:
        from jaxrestore.demo import demo

        began = time.perf_counter()
        print(demo(self.output))
        print(f"{time.perf_counter() - began:.0f} s in all")
        return 0


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Exit code 0; 2 for bad input (one sentence on stderr); 1 where a folder was restored in part."""
    commands = {"restore": Restore, "degrade": Degrade, "sample": Sample, "priors": Priors, "demo": Demo}
    command = tyro.extras.subcommand_cli_from_dict(
        commands, prog="jaxrestore", args=arguments, description="Image restoration with diffusion priors, in JAX."
    )
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
