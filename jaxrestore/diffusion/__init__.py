"""What a prior is, and how it generates: schedules, the network as a pytree, DDIM and ancestral steps, tiles, files."""

from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.ancestral import ancestral_step, predict
from jaxrestore.diffusion.ddim import ascend, descend, invert, unroll
from jaxrestore.diffusion.denoisers import consistency_prior, denoiser_prior, flow_prior, sigma_levels
from jaxrestore.diffusion.places import embedded_priors
from jaxrestore.diffusion.prior import Prior, gaussian_prior
from jaxrestore.diffusion.schedule import Schedule, TimeGrid, grid_times, partial_grid, time_grid
from jaxrestore.diffusion.sizes import sized, takes_any_size
from jaxrestore.diffusion.statistics import NoiseStatistics
from jaxrestore.diffusion.storage import load_prior, read_card, save_prior, verify_prior
from jaxrestore.diffusion.tiling import tiled
from jaxrestore.diffusion.tuned import Tuned

__all__ = [
    "NoiseStatistics",
    "Prior",
    "Schedule",
    "TimeGrid",
    "Tuned",
    "ancestral_step",
    "ascend",
    "consistency_prior",
    "denoiser_prior",
    "descend",
    "embedded_priors",
    "flow_prior",
    "gaussian_prior",
    "grid_times",
    "invert",
    "load_prior",
    "partial_grid",
    "predict",
    "read_card",
    "save_prior",
    "schedule",
    "sigma_levels",
    "sized",
    "takes_any_size",
    "tiled",
    "time_grid",
    "unroll",
    "verify_prior",
]
