"""jaxrestore: zero-shot, blind image restoration with pre-trained diffusion models, in JAX.

A diffusion model under deterministic DDIM sampling is a map G from Gaussian noise z to clean images. Restoring a degraded
image y means finding the noise, and where it is unknown the degradation H, such that H(G(z)) explains y.
"""

from jaxrestore import operators, schedule
from jaxrestore.calibration import load_typical
from jaxrestore.compiling import compiler_options
from jaxrestore.constrain import Constraint, constrain, finetune
from jaxrestore.ddim import invert, unroll
from jaxrestore.errors import CheckpointError, InputError, OutOfMemory, PriorError
from jaxrestore.methods import bird, diip, gen2res, invert2restore, partially_blind, shred
from jaxrestore.presets import preset
from jaxrestore.prior import Prior, gaussian_prior
from jaxrestore.restore import restore
from jaxrestore.search import Restoration, init, run, step
from jaxrestore.stopping import Status, Stop
from jaxrestore.storage import load_prior, read_card, save_prior
from jaxrestore.tiles import tiled
from jaxrestore.typical import calibrate

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
