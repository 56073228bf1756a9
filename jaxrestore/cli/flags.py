"""Flags that several commands share, as dataclasses from which tyro makes a command's own."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from jaxrestore._names import Boundary, Fit, GradientMode, NoiseName, ReductionName
from jaxrestore._ranges import Range

File = Annotated[Path, tyro.conf.Positional]
PriorName = Annotated[str, tyro.conf.Positional]
Seed = Annotated[int, Range(0, 2**32 - 1)]  # as many as JAX tells apart
Rate = Annotated[float | None, Range(0, 100)]  # of Adam, on numbers of deviation one
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class OperatorFlags:
    """What is told of the operator: flags of `restore`, `degrade` and `tune`."""

    kernel: Path | None = None
    """A blur kernel with odd sides: .npy, .npz, .mat (FILE.npz:NAME of several), .csv, .txt, or a grey image. A
    convolution's: the picture that the blur makes of a bright point, not turned by half."""
    kernel_size: Annotated[int | None, Range(1, 4095)] = None
    """Side of an estimated or a drawn kernel, odd. Default: 41 at 256 pixels, in proportion; in a restoration with a prior of
    any size at most 25."""
    boundary: Boundary | None = None
    """What lies beyond the border of a blurred image: middle grey (zero), its mirror image (reflect), its other side
    (circular), or what nobody knows (valid): a restoration then leaves out the outer pixels, which depend on it, and degrade
    cuts from a larger scene, its default where the photograph is large enough. Default of a restoration: the preset's."""
    mask: Path | None = None
    """inpaint, compressed-sensing: an image whose white pixels (or painted ones, on black or transparency) are missing, of
    the photograph's size or proportions; for a folder, one mask, or a folder of masks by name."""
    scale: Annotated[int | None, Range(2, 4096)] = None
    """Reduction in each direction. Default: 8; 4 in blind-super-resolution, 2 in old-photo."""
    reduction: ReductionName = "average"
    """How the image was reduced: blocks averaged, pixels left out, or bicubic with antialiasing."""
    views: Annotated[int, Range(1, 10_000)] = 20
    """tomography: number of angles, evenly over half a turn."""
    regions: Annotated[int, Range(1, 8)] = 2
    """nonuniform-deblur: kernels along each side, blended from one to the next."""
    quality: Annotated[int | None, Range(1, 99)] = None
    """jpeg: the codec's quality, 1 to 99. A restoration without it reads it off a JPEG file's own tables, and estimates it of
    another file; degrade's default is 10."""
    operator: Path | None = None
    """In the place of --task: a JSON file with a chain of operators of known and unknown parameters (docs/tasks.md)."""
    gamma: Annotated[float, Range(0.01, 100)] = 1.0
    """exposure: the exponent of brightness in [0, 1]."""
    seed: Seed = 0
    """Of everything drawn at random: the same files, seed and settings give the same result."""


@dataclass(frozen=True, kw_only=True)
class DegradationFlags(OperatorFlags):
    """What an image is degraded by: flags of `degrade` and `tune`."""

    fit: Literal["crop", "resize"] = "crop"
    """How a photograph becomes an image of the size: the centre is cut out and reduced, or all of it, out of shape."""
    box: Annotated[int | None, Range(1, 4096)] = None
    """inpaint: side of the missing box, in the middle. Default: 80 at 256 pixels, in proportion."""
    text: str | None = None
    """inpaint: text that is written over the image, instead of a box."""
    fraction: Annotated[float, Range(0, 1, out=True)] = 0.05
    """compressed-sensing: share of the pixels that are known."""
    sigmas: Annotated[tuple[float, float] | None, Range(0, 4096, out=True)] = None
    """Standard deviations of a Gaussian kernel along its axes, in pixels. Default: 8 and 5 at 256 pixels, in proportion."""
    angle: Annotated[float, Range(-360, 360)] = 30.0
    """Turn of the Gaussian's axes, in degrees."""
    offset: Annotated[tuple[float, float], Range(-4096, 4096)] = (0.0, 0.0)
    """The Gaussian's centre, in pixels down and right of the middle."""
    length: Annotated[float | None, Range(0, 4096)] = None
    """Length of the camera's path in a motion blur, in pixels. Default: 32 at 256 pixels, in proportion."""
    curvature: Annotated[float, Range(-100, 100)] = 1.0
    """How far that path turns, in radians; 0 is a straight line."""
    stops: Annotated[float, Range(-16, 16)] = -1.0
    """exposure: brighter by so many powers of two."""
    balance: Annotated[tuple[float, float], Range(0, 100, out=True)] = (1.2, 0.8)
    """exposure: how much stronger red and blue are than green."""


@dataclass(frozen=True, kw_only=True)
class MeasurementFlags(DegradationFlags):
    """What a photograph is measured by: flags of `degrade` and `tune`."""

    noise: NoiseName = "gaussian"
    """The noise: white, relative to brightness, of photons, of dead pixels, or BIRD's published mixture of the first two,
    with its levels."""
    degradation: Literal["jpeg", "noise", "rain", "raindrop", "blur", "reduction", "mixture"] = "rain"
    """blind: what happens to the image, and is not told to the restoration."""
    noise_level: Annotated[float | None, Range(0, 255)] = None
    """Its standard deviation (at white; of salt-and-pepper: its share), of 255. Default: 30 for denoise, 0 for the others."""


@dataclass(frozen=True, kw_only=True)
class MethodFlags:
    """How `restore` uses a method."""

    method: (
        Literal[
            "bird",
            "shred",
            "dmplug",
            "naive-inversion",
            "d-flow",
            "diip",
            "invert2restore",
            "invert2restore-literal",
            "invert2restore-calibrated",
            "gen2res",
            "dreamclean",
            "dps",
            "pigdm",
            "ddnm",
            "ddrm",
            "diffpir",
            "repaint",
            "daps",
            "pnp-flow",
            "flowdps",
            "dpir",
            "blind-diffpir",
            "fast-em",
            "blind-dps",
            "gdp",
            "blind-dpir",
            "dip",
            "selfdeblur",
        ]
        | None
    ) = None
    """The method; `bird` keeps the noise on its sphere, invert2restore its patches near theirs, dmplug and naive-inversion go
    through the network, by three steps or all, d-flow by a flow's. Default: the task's. For the task blind there are
    invert2restore (-calibrated where the prior has statistics of photographs, else -literal), diip, gen2res, which fine-tunes
    the prior and draws the image anew, and dreamclean, which corrects the inverted image's noise on the way down. dps, pigdm,
    ddnm, ddrm, diffpir, repaint, daps, pnp-flow and flowdps draw one through a known operator, blind-diffpir, fast-em,
    blind-dps and gdp through one that they estimate; dpir and blind-dpir turn steps
    on the data and of the prior; dip and selfdeblur fit an untrained network, without the prior: see `jaxrestore methods`."""
    preset: str | None = None
    """Settings: "published" for the papers', "prior" for those that lie beside the prior, "general" for the same on any task.
    Default: the prior's, where it has any for the method, else the published ones."""
    noise_level: Annotated[float | Literal["auto"] | None, Range(0, 255)] = None
    """Standard deviation of the noise in grey levels (0 to 255), or auto: estimated from the image. It decides which
    restart is best, and where --discrepancy stops, and is counted where a search estimates a kernel: behind noise that isn't
    told, kernels come out too narrow. Default: 0; auto where it decides anything, when denoising or deblurring."""
    keep_known: bool | None = None
    """Put what was measured of the image back: known pixels (inpaint, compressed-sensing), the luma (colorize). Default:
    where --noise-level is 0."""
    iterations: Annotated[int | None, Range(1, 1_000_000)] = None
    """Default: the preset's. Of gen2res, dreamclean and the samplers their steps."""
    noise_lr: Rate = None
    """Step size on the noise. Default: the preset's."""
    operator_lr: Rate = None
    """Step size on what is unknown of the operator, by Adam. Default: the preset's, or its Gauss-Newton steps."""
    gradient: GradientMode | None = None
    """What is constant for the derivative: the predicted noise (frozen, as published), v or x0 in its place, or nothing
    (full), at several times the time and the memory. Default: the preset's."""
    restarts: Annotated[int | None, Range(1, 10_000)] = None
    """Searches per image from different noises. Default: the preset's."""
    combine: Literal["best", "mean"] | None = None
    """How restarts become one image. Default: the preset's."""
    uncertainty: bool = False
    """Write OUTPUT_uncertainty.png, too: where restarts disagree (white: most), pixel by pixel."""
    discrepancy: Annotated[float, Range(0, 1000)] = 0.0
    """Stop when the rms data term is below this many noise levels (about 1); 0: never."""
    slope: Annotated[float, Range(0, 1)] = 0.0
    """Stop when the data term has not fallen by this fraction in 20 iterations (0.01, say); 0: never."""
    window: Annotated[int, Range(0, 1000)] = 0
    """Stop when the variance of the last so many images has had no new minimum in 20 iterations (10, say); 0: never."""
    checkpoint: Path | None = None
    """A folder for checkpoints: the same command after a kill goes on from the last. They are removed when all is written."""


@dataclass(frozen=True, kw_only=True)
class AlbumFlags:
    """What gen2res alone takes."""

    album: Path | None = None
    """gen2res: a folder (or tar) of clean photographs of the same subject, to fine-tune the prior on. Default: an album that
    is generated from each image."""
    depth: Annotated[int | None, Range(1, 100_000)] = None
    """gen2res: up to which of the prior's 1000 times noise is added, to be taken away again: deeper repairs more and keeps
    less. Default: the preset's."""
    finetune_steps: Annotated[int | None, Range(0, 100_000_000)] = None
    """gen2res: steps of fine-tuning; 0 takes the prior as it is, one that was saved before. Default: the preset's."""
    save_prior: Path | None = None
    """gen2res: keep the fine-tuned prior in this folder, for any method's --prior; of a folder of images without --album,
    one for each in its sub-folders."""


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Where, when and on what `restore` computes: none of them decides what becomes of an image, but batch_size and dtype,
    in the last bits."""

    batch_size: Annotated[int, Range(1, 65_536)] = 16
    """Searches, or with --fit tile their tiles, that run at once: less where memory is short."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the network's computation; bfloat16 is fast on accelerators only."""
    devices: Annotated[int | Literal["all"], Range(1, 4096)] = 1
    """How many of this machine's devices share the searches of a batch."""
    coordinator: str | None = None
    """HOST:PORT of the first host, where the same command is started on several; each restores its share of a folder."""
    hosts: Annotated[int | Literal["auto"] | None, Range(1, 65_536)] = None
    """How many hosts there are; auto: as Slurm, a TPU pod or another cluster that JAX knows says."""
    host_id: Annotated[int | None, Range(0, 65_535)] = None
    """Which of them this is, from 0."""
    redo: bool = False
    """Restore those images of a folder, too, that this command has restored before."""
    quiet: bool = False
    """Say nothing on standard error but what went wrong."""


@dataclass(frozen=True, kw_only=True)
class ImageFlags:
    """What `restore` is to do with which prior."""

    task: str | None = None
    """What happened to the image: see `jaxrestore tasks`, or give --operator. Of a reduced image INPUT is the small one."""
    prior: str | None = None
    """An embedded prior's name (see `jaxrestore priors`), a prior's folder, or hf:OWNER/NAME of the Hugging Face Hub.
    Default: photos, which takes images of any size; flowers64 where INPUT (all of a folder) is of images of 64 x 64, its own
    size, or the task is one that photos can't do."""
    fit: Fit = "exact"
    """What to do with an image of another size than the prior's, where it has one: refuse, cut the centre, resize, or restore
    a larger one whole, in overlapping tiles that share one operator (what is over a multiple of 8 is cut off, right and
    below). A prior of any size takes it as it is, with exact and with tile."""


@dataclass(frozen=True, kw_only=True)
class RestorationFlags(OperatorFlags, MethodFlags, AlbumFlags, RunFlags, ImageFlags):
    """All flags that make a plan."""


def part(flags: Any, cls: type[P]) -> P:
    """The flags of one class among those of a command that inherits them.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Command(OperatorFlags):
    ...     verbose: bool = False
    >>> part(Command(seed=3), OperatorFlags).seed
    3
    """
    return cls(**{field.name: getattr(flags, field.name) for field in fields(cls)})  # type: ignore[arg-type]


def given(flags: Any) -> list[str]:
    """The names of those flags that are not as they look where nothing is said.

    >>> given(OperatorFlags(seed=3, scale=2))
    ['scale', 'seed']
    """
    return [field.name for field in fields(flags) if getattr(flags, field.name) != field.default]


def as_flag(name: str) -> str:
    """
    >>> as_flag("noise_lr")
    '--noise-lr'
    """
    return f"--{name.replace('_', '-')}"
