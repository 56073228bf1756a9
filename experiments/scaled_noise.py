"""What a noise of another norm generates (Invert2Restore, Fig. 3): G of z, 0.96 z and 1.04 z, and how wide the shell is.

    python experiments/scaled_noise.py

Writes `docs/scaled_noise.png` and prints the images' mean brightness. A minute.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr

SCALES = (0.9, 0.96, 1.0, 1.04, 1.1)


def main() -> None:
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    prior = jr.load_prior("flowers64")
    noise = jax.random.normal(jax.random.key(3), (3, *prior.shape))
    images = np.stack([np.asarray(jr.unroll(prior, scale * noise, skip=20, grid="linspace")) for scale in SCALES])
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    side = prior.shape[1]
    sheet = images.transpose(1, 2, 0, 3, 4).reshape(-1, side * len(SCALES), 3)  # a row a noise, a column a scale
    left.imshow((sheet + 1) / 2)
    left.set_xticks([side * (i + 0.5) for i in range(len(SCALES))], [f"{scale:g} z" for scale in SCALES])
    left.set_yticks([])
    radius = np.linspace(0.85, 1.15, 2001)
    for d, words in ((noise[0].size, "64 x 64"), (3 * 256**2, "256 x 256")):
        log_density = (d - 1) * np.log(radius) - d * radius**2 / 2  # of the norm over sqrt(d), up to a constant
        right.plot(radius, log_density - log_density.max(), label=f"norm, {words}")
        right.plot(radius, -d * (radius**2 - 1) / 2, "--", label=f"N(0, I) itself, {words}")
    right.set(ylim=(-400, 400), xlabel="norm / sqrt(d)", ylabel="log density against z")
    right.legend(fontsize=7)
    figure.savefig(options.docs / "scaled_noise.png", dpi=100)
    print(
        f"{options.docs / 'scaled_noise.png'}: mean brightness",
        {scale: round(float(jnp.mean(image)), 3) for scale, image in zip(SCALES, images, strict=True)},
    )


if __name__ == "__main__":
    main()
