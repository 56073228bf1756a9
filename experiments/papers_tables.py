"""The tables of SHRED, BIRD and Gen2Res as data: tasks, methods, numbers of images, and where a paper is silent our reading.

What the papers print is in `papers_printed.json`, with its source and how sure it is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

NONE: Mapping[str, Any] = MappingProxyType({})


class Task(NamedTuple):
    """A column of a table: a task of the command line, and flags of `jaxrestore degrade` in pixels of 256."""

    task: str
    noise: str = "none"  # as `flowers.problem` has it
    given: Mapping[str, Any] = NONE
    assumed: Mapping[str, Any] = (
        NONE  # flags of another operator, which a restoration is told in the place of the true one
    )


class Table(NamedTuple):
    """Methods on tasks; without tasks, on a folder's own, a sub-folder each."""

    title: str
    methods: tuple[str, ...]  # those of the paper that the library has, by their names on the command line
    tasks: Mapping[str, Task] = NONE
    images: int | None = 100  # None: all that there are
    sweep: tuple[Mapping[str, Any], ...] = (NONE,)  # changes to the published settings, a row each
    memory: bool = False
    degradation: str | None = None  # of a folder's clean photographs, by its name in `simulate.DEGRADATIONS`
    personal: int = 0  # photographs of a folder's album, which are not restored
    reading: str = ""  # of what the paper doesn't say


FOLDERS = ("Wider-Test", "WebPhoto-Test", "LFW-Test", "Deblur-Test", "Subject A", "Obama", "Hermione")
NAMES = {
    "shred": "SHRED",
    "bird": "BIRD",
    "gen2res": "Gen2Res",
    "dip": "DIP",
    "selfdeblur": "SelfDeblur",
    "repaint": "RePaint",
    "ddrm": "DDRM",
    "ddnm": "DDNM",
    "dps": "DPS",
    "blind-dps": "BlindDPS",
    "gdp": "GDP",
    "fast-em": "Fast EM",
    "naive-inversion": "naive inversion",
}

_RESTORING = ("dip", "selfdeblur", "repaint", "ddrm", "ddnm", "shred")
_SENSED = {
    "1 % of the pixels": Task("compressed-sensing", given={"fraction": 0.01}),
    "5 % of the pixels": Task("compressed-sensing", given={"fraction": 0.05}),
}
_DECONVOLVED = {"blind deconvolution": Task("blind-deblur")}


def _reduced(*scales: int) -> dict[str, Task]:
    return {f"{scale}x super-resolution": Task("super-resolution", given={"scale": scale}) for scale in scales}


def _noisy(scale: int) -> dict[str, Task]:
    """BIRD's four, with its published noise."""
    return {
        "motion deblurring": Task("blind-motion-deblur", "bird"),
        "Gaussian deblurring": Task("blind-deblur", "bird"),
        f"{scale}x super-resolution": Task("blind-super-resolution", "bird", {"scale": scale}),
        "denoising": Task("denoise", "bird"),
    }


def _blurred(sigma: float) -> dict[str, Any]:
    return {"sigmas": (sigma, sigma), "offset": (0.0, 0.0), "angle": 0.0}


_AVERAGED = "Uniform downsampling is the mean of blocks; kernels have deviations of 3 to 10 pixels of 256."
_BIRDS = (
    "100 images; super-resolution is behind an unknown Gaussian blur, as the paper has it and its code not; motion kernels "
    "have paths of 32 pixels of 256, Gaussian ones deviations of 3 to 10, drawn anew for each image."
)
_BIRDS_METHODS = ("dip", "selfdeblur", "blind-dps", "dps", "gdp", "fast-em", "bird")

TABLES = {
    "shred-1": Table(
        "SHRED, Table 1 (CelebA)",
        _RESTORING,
        {"inpainting": Task("inpaint"), **_reduced(8, 16, 32), **_DECONVOLVED, **_SENSED},
        reading=f"The missing square has 80 pixels of 256. {_AVERAGED}",
    ),
    "shred-2": Table(
        "SHRED, Table 2 (ImageNet)",
        _RESTORING,
        {
            "inpainting": Task("inpaint", given={"text": "the text of the mask"}),
            **_reduced(4, 8, 16),
            **_DECONVOLVED,
            **_SENSED,
        },
        reading=f"Lines of text of an eighth of the image's height. {_AVERAGED}",
    ),
    "shred-3": Table(
        "SHRED, Table 3: seconds an image",
        ("dip", "ddrm", "ddnm", "naive-inversion", "shred"),
        _reduced(8),
        reading="Super-resolution is by 8; seconds are the least of an image, without compilation if there are two.",
    ),
    "shred-4": Table(
        "SHRED, Table 4: steps, in inpainting",
        ("shred",),
        {"inpainting": Task("inpaint")},
        sweep=({"skip": 50}, {"skip": 100}, {"skip": 200}),
        reading="The missing square has 80 pixels of 256.",
    ),
    "shred-5": Table(
        "SHRED, Table 5: rates, in super-resolution",
        ("shred",),
        _reduced(8),
        sweep=tuple({"noise_lr": rate} for rate in (5e-4, 1e-3, 2.5e-3, 5e-3)),
        reading="By 8, whose FID in Table 1 is the nearest.",
    ),
    "shred-6": Table(
        "SHRED, Table 6: iterations, in super-resolution",
        ("shred",),
        _reduced(8),
        sweep=tuple({"iterations": number} for number in (50, 75, 100, 125, 150)),
        reading="By 8, whose FID in Table 1 is the nearest.",
    ),
    "bird-1": Table("BIRD, Table 1 (CelebA)", _BIRDS_METHODS, _noisy(8), reading=_BIRDS),
    "bird-2": Table("BIRD, Table 2 (ImageNet)", _BIRDS_METHODS, _noisy(4), reading=_BIRDS),
    "bird-3": Table(
        "BIRD, Table 3: steps, in denoising",
        ("bird",),
        {"denoising": Task("denoise", "bird")},
        sweep=({"skip": 50}, {"skip": 100}, {"skip": 200}),
        reading="100 images; the steps are SHRED's.",
    ),
    "bird-4": Table(
        "BIRD, Table 4: memory and seconds of blind deblurring",
        ("gdp", "blind-dps", "naive-inversion", "bird"),
        {"blind deblurring": Task("blind-deblur", "bird")},
        memory=True,
        reading="100 images; memory is that of an iteration by XLA's account, and of prior and state.",
    ),
    "bird-fig-10": Table(
        "BIRD, Figure 10: a wrong kernel",
        ("dps", "bird"),
        {
            "kernel told": Task("deblur", "bird", _blurred(8.5)),
            "a wrong one told": Task("deblur", "bird", _blurred(8.5), _blurred(8.0)),
            "kernel estimated": Task("blind-deblur", "bird", _blurred(8.5)),
        },
        reading="100 images; the kernel is round, in the middle, of deviation 8.5 pixels of 256, and 8 where it is wrong.",
    ),
    "gen2res-1": Table(
        "Gen2Res, Table 1: faces as they are",
        ("gen2res",),
        images=None,
        reading="FID is against --reference (FFHQ, as others do); MUSIQ's network isn't here.",
    ),
    "gen2res-2": Table(
        "Gen2Res, Table 2: personal albums",
        ("gen2res",),
        images=20,
        degradation="mixture",
        personal=20,
        reading=(
            "ArcFace isn't here, so identity isn't measured: of a subject's clean photographs some are the album, the others "
            "are rained on, noisy and coded, restored, and compared with themselves."
        ),
    ),
}
