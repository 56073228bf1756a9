"""The settings that were chosen for faces64, and why: writes the `settings.json` that its conversion takes along.

    python experiments/faces64_settings.py

What was tried stands in `docs/faces.md`, made by `experiments/faces.py tune` on eight faces (of noise on four) of seeds that
appear in no table.
"""

from dataclasses import replace
from pathlib import Path

from faces_candidates import BLIND, joint, walk

import checkpoints_convert
from jaxrestore.diffusion.tuned import Tuned, write_tuned
from jaxrestore.methods.settings import values_of

FOLDER = Path(checkpoints_convert.__file__).parent / "tuned" / "64x64_cosin_300"

# From T to 0: a grid that starts at 0.8 T, as the papers' does, shows the network pure noise where it expects a face behind
# noise, and it draws stray lines into whatever the measurement doesn't decide. What the
# measurement decides nearly everywhere is found faster from there: noise and blur keep it.
FROM_T = walk(10, 0.05, times=2, grid="linspace")
NOISE = walk(10, 0.4)  # half the rate is 0.2 dB better and no crisper
BLUR = walk(5, 0.2, times=2, **BLIND)
# A codec's data are quantised: gentle steps, or the image is bent until every coefficient is met.
CODEC = replace(FROM_T, noise_lr=0.03)
GENTLE = replace(FROM_T, noise_lr=0.02)

METHODS = {
    "bird": {"any": FROM_T, "denoise": NOISE, "blind-deblur": BLUR, "jpeg": CODEC},
    "shred": {
        "any": FROM_T,
        # nothing keeps SHRED's noise from reproducing the measurement's: it stops at the noise level
        "denoise": walk(5, 0.02, stop=({"rule": "discrepancy"},)),
        "blind-deblur": walk(5, 0.2, **BLIND),
        "jpeg": GENTLE,
    },
    # Each patch of the noise brought to its sphere; the density as a term gains where a kernel is unknown, else it loses.
    "invert2restore": {
        "any": joint(FROM_T, rectify_every=1),
        "denoise": joint(walk(5, 0.2), rectify_every=2),
        "blind-deblur": joint(walk(5, 0.2, **BLIND), density=1e-6),
        "jpeg": joint(GENTLE, rectify_every=1),
    },
}
TUNED_ON = {
    "faces": "samples of the prior itself, 25 steps, seeds 1000 to 1007",
    "chosen_by": "PSNR, deviation of gradients and the prior's own residual of eight faces (noise: four); pictures looked at",
    "table": "docs/faces.md",
}


def table() -> Tuned:
    """All of it, as the prior carries it."""
    return Tuned.of({name: {kind: values_of(one) for kind, one in kinds.items()} for name, kinds in METHODS.items()})


if __name__ == "__main__":
    print(write_tuned(table(), FOLDER, TUNED_ON))
