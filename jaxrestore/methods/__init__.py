"""The methods, one paper a file: pytrees with pure functions ``init(y, key)`` and ``step(state, y)`` for one image."""

from typing import Any

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.methods import (
    _bird,
    _blind_diffpir,
    _blind_dpir,
    _blind_dps,
    _d_flow,
    _daps,
    _ddnm,
    _ddrm,
    _diffpir,
    _diip,
    _dip,
    _dmplug,
    _dpir,
    _dps,
    _dreamclean,
    _fast_em,
    _flowdps,
    _gdp,
    _gen2res,
    _invert2restore,
    _pigdm,
    _pnp_flow,
    _repaint,
    _selfdeblur,
    _shred,
)
from jaxrestore.methods._bird import Bird, bird
from jaxrestore.methods._blind_diffpir import BlindDiffpir, BlindDiffpirSettings, blind_diffpir
from jaxrestore.methods._blind_dpir import BlindDpir, BlindDpirSettings, blind_dpir
from jaxrestore.methods._blind_dps import BlindDps, BlindDpsSettings, blind_dps
from jaxrestore.methods._d_flow import DFlow, DFlowSettings, d_flow
from jaxrestore.methods._daps import Daps, DapsSettings, daps
from jaxrestore.methods._ddnm import Ddnm, DdnmSettings, ddnm
from jaxrestore.methods._ddrm import Ddrm, DdrmSettings, ddrm
from jaxrestore.methods._diffpir import Diffpir, DiffpirSettings, diffpir
from jaxrestore.methods._diip import Diip, diip
from jaxrestore.methods._dip import Dip, dip
from jaxrestore.methods._dpir import Dpir, DpirSettings, dpir
from jaxrestore.methods._dps import Dps, DpsSettings, dps
from jaxrestore.methods._dreamclean import DreamClean, DreamCleanSettings, dreamclean
from jaxrestore.methods._fast_em import FastEm, FastEmSettings, fast_em
from jaxrestore.methods._flowdps import Flowdps, FlowdpsSettings, flowdps
from jaxrestore.methods._gdp import Gdp, GdpSettings, gdp
from jaxrestore.methods._gen2res import Constraint, Gen2Res, Guidance, gen2res
from jaxrestore.methods._invert2restore import PartiallyBlind, blind_settings, invert2restore
from jaxrestore.methods._pigdm import Pigdm, PigdmSettings, pigdm
from jaxrestore.methods._pnp_flow import PnpFlow, PnpFlowSettings, pnp_flow
from jaxrestore.methods._repaint import Repaint, RepaintSettings, repaint
from jaxrestore.methods._selfdeblur import SelfDeblur, selfdeblur
from jaxrestore.methods._shred import Shred, shred
from jaxrestore.methods.calibrated import CalibratedInvert2Restore, CalibratedSettings
from jaxrestore.methods.contract import Method
from jaxrestore.methods.literal import LiteralInvert2Restore, LiteralSettings
from jaxrestore.methods.papers import citation
from jaxrestore.methods.settings import JointSettings, Settings, settings_of
from jaxrestore.methods.untrained import UntrainedSettings

PUBLISHED: dict[str, dict[str, Any]] = {
    "bird": _bird.PUBLISHED,
    "shred": _shred.PUBLISHED,
    "dmplug": _dmplug.PUBLISHED,
    "naive-inversion": _dmplug.PUBLISHED_NAIVE,
    "diip": _diip.PUBLISHED,
    "invert2restore": _invert2restore.PUBLISHED,
    "invert2restore-calibrated": _invert2restore.PUBLISHED_CALIBRATED,
    "invert2restore-literal": _invert2restore.PUBLISHED_LITERAL,
    "gen2res": _gen2res.PUBLISHED,
    "dreamclean": _dreamclean.PUBLISHED,
    "dps": _dps.PUBLISHED,
    "pigdm": _pigdm.PUBLISHED,
    "ddnm": _ddnm.PUBLISHED,
    "ddrm": _ddrm.PUBLISHED,
    "diffpir": _diffpir.PUBLISHED,
    "dpir": _dpir.PUBLISHED,
    "repaint": _repaint.PUBLISHED,
    "daps": _daps.PUBLISHED,
    "d-flow": _d_flow.PUBLISHED,
    "pnp-flow": _pnp_flow.PUBLISHED,
    "flowdps": _flowdps.PUBLISHED,
    "blind-diffpir": _blind_diffpir.PUBLISHED,
    "blind-dpir": _blind_dpir.PUBLISHED,
    "fast-em": _fast_em.PUBLISHED,
    "blind-dps": _blind_dps.PUBLISHED,
    "gdp": _gdp.PUBLISHED,
    "dip": _dip.PUBLISHED,
    "selfdeblur": _selfdeblur.PUBLISHED,
}


def published(method: str, kind: str = "any") -> Any:
    """What a paper and its code say: the `Settings` of a method, by its name, on a kind of problem, or on any.

    InputError for a method that is not known. Where a paper is silent it is our reading, said beside the numbers.

    >>> published("bird", "super-resolution").noise_lr
    0.001
    """
    table = _table(method)
    return table.get(kind, table["any"])


def settings_for(method: str, kind: str, prior: Prior, preset: str | None = None) -> Any:
    """The settings with which a method runs on a kind of problem; see `settings.settings_of`."""
    return settings_of(method, _table(method), prior, kind, preset)


def _table(method: str) -> dict[str, Any]:
    if method not in PUBLISHED:
        raise InputError(f"Unknown method {method!r}; known: {', '.join(PUBLISHED)}.")
    return PUBLISHED[method]


__all__ = [
    "Bird",
    "BlindDiffpir",
    "BlindDiffpirSettings",
    "BlindDpir",
    "BlindDpirSettings",
    "BlindDps",
    "BlindDpsSettings",
    "CalibratedInvert2Restore",
    "CalibratedSettings",
    "Constraint",
    "DFlow",
    "DFlowSettings",
    "Daps",
    "DapsSettings",
    "Ddnm",
    "DdnmSettings",
    "Ddrm",
    "DdrmSettings",
    "Diffpir",
    "DiffpirSettings",
    "Diip",
    "Dip",
    "Dpir",
    "DpirSettings",
    "Dps",
    "DpsSettings",
    "DreamClean",
    "DreamCleanSettings",
    "FastEm",
    "FastEmSettings",
    "Flowdps",
    "FlowdpsSettings",
    "Gdp",
    "GdpSettings",
    "Gen2Res",
    "Guidance",
    "JointSettings",
    "LiteralInvert2Restore",
    "LiteralSettings",
    "Method",
    "PartiallyBlind",
    "Pigdm",
    "PigdmSettings",
    "PnpFlow",
    "PnpFlowSettings",
    "Repaint",
    "RepaintSettings",
    "SelfDeblur",
    "Settings",
    "Shred",
    "UntrainedSettings",
    "bird",
    "blind_diffpir",
    "blind_dpir",
    "blind_dps",
    "blind_settings",
    "citation",
    "d_flow",
    "daps",
    "ddnm",
    "ddrm",
    "diffpir",
    "diip",
    "dip",
    "dpir",
    "dps",
    "dreamclean",
    "fast_em",
    "flowdps",
    "gdp",
    "gen2res",
    "invert2restore",
    "pigdm",
    "pnp_flow",
    "published",
    "repaint",
    "selfdeblur",
    "settings_for",
    "shred",
]
