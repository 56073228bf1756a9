"""jaxrestore: zero-shot, blind image restoration with pre-trained diffusion models, in JAX.

A diffusion model under deterministic DDIM sampling is a map G from Gaussian noise z to clean images. Restoring a degraded
image y means finding the noise, and where it is unknown the degradation H, such that H(G(z)) explains y.
"""

from jaxrestore import operators, simulate
from jaxrestore.density.calibration import load_typical
from jaxrestore.density.typical import calibrate
from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.ddim import invert, unroll
from jaxrestore.diffusion.prior import Prior, gaussian_prior
from jaxrestore.diffusion.storage import load_prior, read_card, save_prior
from jaxrestore.diffusion.tiling import tiled
from jaxrestore.errors import CheckpointError, InputError, OutOfMemory, PriorError
from jaxrestore.methods import bird, diip, gen2res, invert2restore, partially_blind, shred
from jaxrestore.methods.settings import preset
from jaxrestore.runtime.compiling import compiler_options
from jaxrestore.solve.constraining import Constraint, constrain, finetune
from jaxrestore.solve.driver import restore
from jaxrestore.solve.search import Restoration, init, run, step
from jaxrestore.solve.stopping import Status, Stop

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Constraint",
    "InputError",
    "OutOfMemory",
    "Prior",
    "PriorError",
    "Restoration",
    "Status",
    "Stop",
    "bird",
    "calibrate",
    "compiler_options",
    "constrain",
    "diip",
    "finetune",
    "gaussian_prior",
    "gen2res",
    "init",
    "invert",
    "invert2restore",
    "load_prior",
    "load_typical",
    "operators",
    "partially_blind",
    "preset",
    "read_card",
    "restore",
    "run",
    "save_prior",
    "schedule",
    "shred",
    "step",
    "tiled",
    "unroll",
]
