"""The settings that were chosen for the embedded prior, and why: writes `settings.json` beside it.

    python experiments/flowers64_settings.py

What was tried stands in `docs/tuning.md`, made by `experiments/tune.py` on the tuning half of the held-out photographs, of
which none appears in another table; for Invert2Restore in `docs/invert2restore.md`, for albums in `docs/gen2res.md`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxrestore as jr
from jaxrestore.diffusion.tuned import Tuned, write_tuned
from jaxrestore.methods.settings import values_of
from jaxrestore.training.steps import Training

FOLDER = Path(jr.__file__).parent / "priors" / "flowers64"

# BIRD. Higher rates that decay to zero reach a better image in fewer iterations; v is constant, so that clipped pixels come
# back; three steps an iteration and more iterations beat ten steps and fewer; the mean image of two restarts is nearer to the
# truth than either. Where one answer of many has little worth, more of them are the default.
TUNED = jr.Settings(
    noise_lr=0.05, iterations=100, skip=333, gradient="frozen_v", decay="cosine", restarts=2, combine="mean"
)
MANY = replace(TUNED, noise_lr=0.03, iterations=60, restarts=8)
# What costs less and is as good (`quicker.py`): half the iterations at twice the rate where pixels are given; where a blur is
# known a rate that doesn't fall, until the data term doesn't either.
QUICK = replace(TUNED, noise_lr=0.1, iterations=50)
STOPPED = replace(TUNED, decay="constant", stop=({"rule": "plateau", "fraction": 0.02, "patience": 10},))
# A few pixels: with constant v what a pixel lacks moves its own noise alone, and those between are never told. The derivative
# that goes through the network tells them.
SPARSE = replace(TUNED, noise_lr=0.03, gradient="full")

# An unknown kernel is found by Gauss-Newton steps once an image has formed, and starts narrow: with one that is too wide
# images ring, which explains the measurement all the same and gives the kernel back. Five steps and fewer iterations were
# chosen on one photograph; of a blur alone three and more are better on ten.
STEPS: dict[str, Any] = {"operator_every": 10, "operator_from": 0.45, "damping": 2e-6}
SMOOTH: dict[str, Any] = STEPS | {"kernel": "gaussian", "damping": 1e-5}  # five numbers are found better than 121
BLIND = replace(TUNED, iterations=60, skip=200, **STEPS)
BLIND_SMOOTH = replace(BLIND, **SMOOTH)
BIRD = {
    "any": TUNED,
    "denoise": replace(TUNED, iterations=60, skip=100, restarts=1),  # anything more reproduces noise
    "inpaint": QUICK,
    "super-resolution": replace(MANY, iterations=30),
    "compressed-sensing": SPARSE,
    "colorize": replace(TUNED, restarts=8),
    "deblur": STOPPED,
    "motion-deblur": STOPPED,
    "blind-deblur": replace(BLIND_SMOOTH, iterations=100, skip=333),
    # behind a reduction and its noise the kernel that explains most is a wrong one: it stays as it starts
    "blind-super-resolution": replace(
        BLIND_SMOOTH, skip=333, iterations=66, restarts=3, operator_every=0, operator_lr=0.0
    ),
    "old-photo": BLIND_SMOOTH,
    "blind-motion-deblur": replace(BLIND, iterations=100, skip=333),
    "nonuniform-deblur": BLIND,
}

# SHRED's noise is free to leave the sphere, and its measurements are free of noise: further steps still help, but where the
# noise would be reproduced.
SHARP = replace(TUNED, iterations=133)
SHARP_SMOOTH = replace(SHARP, **SMOOTH)
SHARP_MOTION = replace(BLIND, iterations=80)
SHRED = {
    "any": SHARP,
    "denoise": replace(TUNED, iterations=40, skip=200),
    "super-resolution": MANY,
    "compressed-sensing": replace(SPARSE, iterations=133),
    "colorize": replace(TUNED, restarts=8),
    "blind-deblur": SHARP_SMOOTH,
    "blind-super-resolution": SHARP_SMOOTH,
    "old-photo": SHARP_SMOOTH,
    "blind-motion-deblur": SHARP_MOTION,
    "nonuniform-deblur": SHARP_MOTION,
}

# Rate and rules by `diip_rule.py`: the best of its table.
DIIP = {
    "any": jr.Settings(
        noise_lr=0.01,
        iterations=200,
        skip=100,
        stop=({"rule": "small_slope", "fraction": 0.01, "after": 80}, {"rule": "less_sharp", "after": 80}),
        identity=True,
    )
}


def joint(settings: jr.Settings, **changes: Any) -> jr.JointSettings:
    """As those of BIRD, with what Invert2Restore has besides."""
    return replace(jr.JointSettings(**vars(settings)), **changes)


# Invert2Restore with an operator, at the network evaluations of BIRD's defaults: Gauss-Newton steps earlier and more often;
# where a kernel is hardly seen, behind a reduction, they are damped strongly, and more restarts of fewer steps are averaged.
EARLY: dict[str, Any] = {"density": 1e-6, "operator_every": 5, "operator_from": 0.3}
JOINT_SMOOTH = joint(BLIND_SMOOTH, **EARLY)
JOINT_REDUCED = replace(JOINT_SMOOTH, skip=333, iterations=66, restarts=3, damping=1e-3)
JOINT_MOTION = joint(BLIND, **EARLY, skip=250, iterations=75)
JOINT = {
    "any": JOINT_SMOOTH,
    # behind a reduction a search explains noise by noises that nobody would draw: ten times the weight against that
    "blind-super-resolution": replace(JOINT_REDUCED, density=1e-5),
    "old-photo": JOINT_REDUCED,
    "blind-motion-deblur": JOINT_MOTION,
    "nonuniform-deblur": JOINT_MOTION,
    # brightness and colour can only be told by the density: without its weight a dark picture is a dark flower
    "exposure": replace(JOINT_SMOOTH, density=1e-3, operator_from=0.1, damping=1e-7),
    # a layer of light has its sparsity from Adam's objective
    "derain": joint(TUNED, density=1e-6, operator_lr=0.01),
    # a codec's image is near enough that gentle steps on a fine grid from the rectified noise are all that doesn't lose more
    # than it finds
    "jpeg": joint(
        TUNED, density=1e-7, origin="rectified", skip=50, clip=False, noise_lr=0.001, iterations=10, restarts=1
    ),
}

# Gen2Res. The prior knows its flowers well: a few steps on large batches, looked at as in its own training, of the times that
# are visited alone, averaged; anything more forgets more than it learns.
GENTLE = Training(steps=80, batch_size=16, learning_rate=1e-5, warmup=10, anneal="linear", average=0.99, times=300)
ALBUM = {"any": jr.Constraint(16, jr.Guidance(1.0, every=3), GENTLE, 80, depth=199, steps=50)}

METHODS: dict[str, dict[str, Any]] = {
    "bird": BIRD,
    "shred": SHRED,
    "diip": DIIP,
    "invert2restore": JOINT,
    "invert2restore-calibrated": {"any": jr.CalibratedSettings(untypical=2.5, noisy=4.2)},
    "gen2res": ALBUM,
}
TUNED_ON = {
    "photographs": "Oxford 102 flowers: the tuning half (even positions of the sorted names) of those held out from training",
    "degraded": "BIRD's published noise for BIRD and Invert2Restore, none for SHRED; as 8-bit files hold it",
    "chosen_by": "PSNR at equal network evaluations, in blind tasks after the best shift",
    "tables": ["docs/tuning.md", "docs/invert2restore.md", "docs/gen2res.md"],
}


def table() -> Tuned:
    """All of it, as the prior carries it."""
    return Tuned.of(
        {method: {kind: values_of(settings) for kind, settings in kinds.items()} for method, kinds in METHODS.items()}
    )


if __name__ == "__main__":
    print(write_tuned(table(), FOLDER, TUNED_ON))
