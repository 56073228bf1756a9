"""DMPlug (Wang et al., NeurIPS 2024, arXiv 2405.16749), and the naive inversion that it is held against.

Both are `shred` with settings of their own, and have no class: Adam on the noise, which is free, by the exact derivative
through the network. DMPlug's unroll has three steps, and so much memory and time for as many iterations as it takes;
naive inversion's has each of the schedule's.

    jr.shred(prior, operator, settings=jr.published("dmplug"))

Known of it: the noise is free to explain y's own, and does. The paper stops by the images' variance, for which a rule is
given (`flat_variance`, ``--window``); none is set here, as its numbers are of images of one size.
"""

from dataclasses import replace

from jaxrestore.methods.settings import Settings

# Of the published code: three steps of DDIM at 666, 333 and 0, predictions clipped, the mean square, Adam at 0.01 on the
# noise and 0.1 on a kernel's softmax; 5000 iterations for super-resolution and inpainting, 10,000 where H isn't linear or not
# known. Its answer is the best iterate against the truth, which nobody has: ours is the last.
_ANY = Settings(noise_lr=0.01, iterations=5000, operator_lr=0.1, skip=333, gradient="full")
_LONG = replace(_ANY, iterations=10_000)
PUBLISHED = {
    "any": _ANY,
    "blind-deblur": _LONG,
    "blind-motion-deblur": _LONG,
    "nonuniform-deblur": _LONG,
    "jpeg": _LONG,
    "exposure": _LONG,
}
# Our reading: DMPlug's, but for the steps.
PUBLISHED_NAIVE = {kind: replace(settings, skip=1) for kind, settings in PUBLISHED.items()}
