"""The methods of the command line: which there are, for which tasks, with which flags.

A choice is settled once, from the flags and the prior's settings (settled.py).
"""

from dataclasses import dataclass, replace
from typing import Any

from jaxrestore.cli.blind_samplers import BLIND_SAMPLERS, UNKNOWN
from jaxrestore.cli.choosing import ALBUM, DESCENT, GUIDED, STOPPING, Choice, Random, stopping_rule
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.settled import (
    BlindlyDescending,
    Cleaning,
    Constructor,
    Descending,
    Drawing,
    Rounds,
    Sampling,
)
from jaxrestore.cli.splitters import BLIND_DPIR, splitter
from jaxrestore.cli.untrained import fit
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.methods import (
    Constraint,
    DreamCleanSettings,
    Settings,
    bird,
    blind_settings,
    d_flow,
    daps,
    ddnm,
    ddrm,
    diffpir,
    diip,
    dip,
    dpir,
    dps,
    flowdps,
    invert2restore,
    pigdm,
    pnp_flow,
    repaint,
    selfdeblur,
    settings_for,
    shred,
)
from jaxrestore.methods.settings import changed


@dataclass(frozen=True)
class Descent(Choice):
    """One that descends on a noise."""

    tunable = True
    constructor: Constructor = bird
    settled: type[Descending] = Descending
    unused: tuple[str, ...] = ALBUM

    def settled_with(self, settings: Any) -> Descending:
        return self.settled(self.constructor, settings, None)

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Descending:
        settings: Settings = changed(
            settings_for(self.settings, kind, prior, method.preset),
            iterations=method.iterations,
            noise_lr=method.noise_lr,
            operator_lr=method.operator_lr,
            gradient=method.gradient,
            restarts=method.restarts,
            combine=method.combine,
        )
        return self.settled(self.constructor, settings, stopping_rule(method))


@dataclass(frozen=True)
class BlindRounds(Choice):
    """Invert2Restore without an operator: by the variant that serves the prior, unless the method's name says which."""

    named: bool = False

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Rounds:
        return Rounds(settings_for(self.settings, "any", prior) if self.named else blind_settings(prior))


@dataclass(frozen=True)
class Corrections(Random):
    """DreamClean."""

    tunable = True

    def settled_with(self, settings: Any) -> Cleaning:
        return Cleaning(settings, restarts=1)

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Cleaning:
        preset: DreamCleanSettings = settings_for(self.settings, "any", prior, method.preset)
        return replace(self.settled_with(changed(preset, steps=method.iterations)), restarts=method.restarts or 1)


@dataclass(frozen=True)
class Sampler(Random):
    """One that walks down from pure noise through a known operator."""

    tunable = True
    constructor: Constructor = dps
    noise_aware: bool = False  # takes --noise-level for what it does

    def settled_with(self, settings: Any) -> Sampling:
        return Sampling(self.constructor, settings, 1, self.noise_aware)

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Sampling:
        preset = settings_for(self.settings, kind, prior, method.preset)
        return replace(self.settled_with(changed(preset, steps=method.iterations)), restarts=method.restarts or 1)


@dataclass(frozen=True)
class Regeneration(Random):
    """Gen2Res."""

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Drawing:
        preset: Constraint = settings_for(self.settings, "any", prior, method.preset)
        return Drawing(constrained(preset, method, album, len(prior.schedule)), method.restarts or 1)


def constrained(preset: Constraint, method: MethodFlags, album: AlbumFlags, length: int) -> Constraint:
    """The preset's settings, but for the flags that were given, for a schedule of that length."""
    depth, steps = preset.depth if album.depth is None else album.depth, album.finetune_steps
    if not 1 <= depth < length:
        raise InputError(f"--depth must lie between 1 and {length - 1}, the prior's last time, not {depth}.")
    if method.iterations is not None and not 2 <= method.iterations <= depth + 1:
        raise InputError(f"--iterations of gen2res must lie between 2 and {depth + 1}, one more than its --depth.")
    if steps is not None and steps < 0:
        raise InputError(f"--finetune-steps must be at least 0, not {steps}.")
    if steps == 0 and (album.album is not None or album.save_prior is not None):
        raise InputError("--finetune-steps 0 takes the prior as it is: leave --album and --save-prior out.")
    tuning, sampled = preset.finetuning, preset.steps if method.iterations is None else method.iterations
    if tuning.times is not None:  # all that are visited
        tuning = changed(tuning, times=min(length, max(tuning.times, depth + 1)))
    return changed(
        preset,
        depth=depth,
        steps=None if sampled is None else min(sampled, depth + 1),
        personal_steps=steps,
        finetuning=tuning if steps is None else changed(tuning, steps=max(1, steps)),
    )


EITHER = "an operator, known or not"
NOTHING = "nothing"
BIRD = Descent("bird", "bird", "BIRD, NeurIPS 2024", EITHER, constructor=bird)
SHRED = Descent("shred", "shred", "SHRED, ICLR 2024 submission", EITHER, constructor=shred)
JOINT = Descent("invert2restore", "invert2restore", "Invert2Restore, 2025", EITHER, constructor=invert2restore)
DMPLUG = Descent("dmplug", "dmplug", "DMPlug, NeurIPS 2024", f"{EITHER}{GUIDED}", constructor=shred)
NAIVE = replace(DMPLUG, name="naive-inversion", settings="naive-inversion")
D_FLOW = Descent("d-flow", "d-flow", "D-Flow, ICML 2024", f"{EITHER}{GUIDED}", constructor=d_flow)
DIIP = Descent("diip", "diip", "DIIP, ICCV 2025", NOTHING, blind=True, constructor=diip, settled=BlindlyDescending)
ROUNDS = BlindRounds(
    "invert2restore",
    "invert2restore-calibrated",
    "Invert2Restore, 2025",
    NOTHING,
    blind=True,
    unused=(*ALBUM, "preset", "iterations", "restarts", "combine", "uncertainty", "checkpoint", *DESCENT),
    complaint="--task blind has no use for {} unless --method is diip.",
)
LITERAL = replace(ROUNDS, name="invert2restore-literal", settings="invert2restore-literal", named=True)
CALIBRATED = replace(
    ROUNDS, name="invert2restore-calibrated", named=True, needs="a prior with statistics of photographs"
)
GEN2RES = Regeneration(
    "gen2res",
    "gen2res",
    "Gen2Res, CVPR 2024",
    "nothing, or an album",
    blind=True,
    unused=DESCENT,
    complaint="--method gen2res has no use for {}.",
)
DREAMCLEAN = Corrections(
    "dreamclean",
    "dreamclean",
    "DreamClean, ICLR 2024",
    NOTHING,
    blind=True,
    unused=(*ALBUM, *DESCENT),
    complaint="--method dreamclean has no use for {}.",
)
MASKS = ("inpaint", "compressed-sensing")
LINEAR = ("denoise", *MASKS, "super-resolution", "deblur", "motion-deblur", "operator", "colorize", "tomography")

DECOMPOSED = tuple(task for task in LINEAR if task not in ("deblur", "motion-deblur", "tomography"))


def sampler(
    name: str, constructor: Constructor, paper: str, needs: str, tasks: tuple[str, ...], aware: bool
) -> Sampler:
    """A sampler's choice: what it needs of an operator, the tasks that have such a one, whether it takes a noise level."""
    return Sampler(
        name,
        name,
        paper,
        needs,
        tasks=tasks,
        unused=(*ALBUM, "noise_lr", "operator_lr", "gradient", *STOPPING),
        complaint=f"--method {name} has no use for {{}}.",
        constructor=constructor,
        noise_aware=aware,
    )


DPS = sampler(
    "dps",
    dps,
    "DPS, ICLR 2023",
    f"a known, differentiable operator{GUIDED}",
    (*LINEAR, "jpeg"),
    False,
)
PIGDM = sampler("pigdm", pigdm, "PiGDM, ICLR 2023", f"a known, linear operator{GUIDED}", LINEAR, True)
DDNM = sampler("ddnm", ddnm, "DDNM, ICLR 2023", "a known, linear operator", LINEAR, True)
DDRM = sampler("ddrm", ddrm, "DDRM, NeurIPS 2022", "singular values in closed form", DECOMPOSED, True)
DIFFPIR = sampler("diffpir", diffpir, "DiffPIR, CVPR workshops 2023", "a known, linear operator", LINEAR, True)
REPAINT = sampler("repaint", repaint, "RePaint, CVPR 2022", "a mask", MASKS, False)
DAPS = sampler("daps", daps, "DAPS, CVPR 2025", "a known, differentiable operator", (*LINEAR, "jpeg"), True)
PNP_FLOW = sampler(
    "pnp-flow", pnp_flow, "PnP-Flow, ICLR 2025", "a known, differentiable operator", (*LINEAR, "jpeg"), False
)
FLOWDPS = sampler(
    "flowdps", flowdps, "FlowDPS, ICCV 2025", "a known, differentiable operator", (*LINEAR, "jpeg"), False
)
DPIR = splitter("dpir", dpir, "DPIR, TPAMI 2021", "a known, linear operator, or a codec", (*LINEAR, "jpeg", "blind"))
SAMPLERS = (DPS, PIGDM, DDNM, DDRM, DIFFPIR, REPAINT, DAPS, PNP_FLOW, FLOWDPS)
DIP = fit(
    "dip",
    dip,
    "Deep image prior, CVPR 2018",
    "a known, differentiable operator",
    (*LINEAR, "jpeg"),
    ("operator_lr",),
)
SELFDEBLUR = fit(
    "selfdeblur", selfdeblur, "SelfDeblur, CVPR 2020", "a differentiable operator, known or not", UNKNOWN, ()
)
BLIND_DIFFPIR = BLIND_SAMPLERS[0]
CHOICES: tuple[Choice, ...] = (
    *(BIRD, SHRED, JOINT, DMPLUG, NAIVE, D_FLOW, ROUNDS, LITERAL, CALIBRATED, DIIP, GEN2RES, DREAMCLEAN),
    *SAMPLERS,
    DPIR,
    *BLIND_SAMPLERS,
    BLIND_DPIR,
    *(DIP, SELFDEBLUR),
)
