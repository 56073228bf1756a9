"""Signatures unchecked, as users have them: what a function itself refuses the tests' own checks would refuse first."""

import contextlib

import jaxtyping


@contextlib.contextmanager
def unchecked():
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
