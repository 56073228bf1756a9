"""Calibrate the embedded prior on training photographs, reduced as it was trained: writes its typical.json.

    python experiments/calibrate.py --data train.tar

A minute and a half on one core. To expect: the file as it is in the repository, to the last digits that it holds.
"""

import argparse
import tarfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flowers import reduced

import jaxrestore as jr
from jaxrestore.diffusion.places import prior_folder
from jaxrestore.diffusion.statistics import write_statistics


def training_photographs(tar: Path, count: int) -> np.ndarray:
    """`count` photographs of the training set, evenly over the sorted names."""
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())
        spread = [names[i * len(names) // count] for i in range(count)]
        return np.stack([reduced(archive.extractfile(name).read()) for name in spread])  # type: ignore[union-attr]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="train.tar")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--prior", default="flowers64")
    options = parser.parse_args()
    photographs = jnp.asarray(training_photographs(options.data, options.count))
    statistics = jax.jit(jr.calibrate)(jr.load_prior(options.prior), photographs)
    print(write_statistics(statistics, prior_folder(options.prior), photographs=options.count))


if __name__ == "__main__":
    main()
