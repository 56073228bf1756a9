"""What ruins a clean image: sensor noise, masks, camera paths, weather, codecs; and `measure`, an operator's measurement.

Noise and weather take ``(image, key, ...)``, the degradations of fully blind restoration ``(image, seed)``.
"""

from jaxrestore.simulate.degradations import DEGRADATIONS, Degradation
from jaxrestore.simulate.masks import box_mask, random_mask, text_mask
from jaxrestore.simulate.measurement import NoiseName, measure
from jaxrestore.simulate.motion import motion_kernel
from jaxrestore.simulate.noise import bird_noise, gaussian_noise, poisson_noise, salt_and_pepper, speckle_noise
from jaxrestore.simulate.weather import rain_streaks, raindrops

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "NoiseName",
    "bird_noise",
    "box_mask",
    "gaussian_noise",
    "measure",
    "motion_kernel",
    "poisson_noise",
    "rain_streaks",
    "raindrops",
    "random_mask",
    "salt_and_pepper",
    "speckle_noise",
    "text_mask",
]
