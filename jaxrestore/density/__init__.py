"""How typical a noise is, and how to make it so."""

from jaxrestore.density.corrections import mean_and_norm, mix, mix_until, rank_gaussian, sphere, whiten_bands
from jaxrestore.density.excess import excess_p_values, without_excess
from jaxrestore.density.gaussian import Terms, objective, terms
from jaxrestore.density.likelihood import Likelihood, log_likelihood
from jaxrestore.density.normality import PValues, flagged, patch_tests
from jaxrestore.density.rectification import Rectified, Strength, correct, descend_objective, rectify
from jaxrestore.density.typical import LOUD, NOVEL, calibrate, deviation, noise_of, novelty

__all__ = [
    "LOUD",
    "NOVEL",
    "Likelihood",
    "PValues",
    "Rectified",
    "Strength",
    "Terms",
    "calibrate",
    "correct",
    "descend_objective",
    "deviation",
    "excess_p_values",
    "flagged",
    "log_likelihood",
    "mean_and_norm",
    "mix",
    "mix_until",
    "noise_of",
    "novelty",
    "objective",
    "patch_tests",
    "rank_gaussian",
    "rectify",
    "sphere",
    "terms",
    "whiten_bands",
    "without_excess",
]
