"""The command line's store of compiled programs: a second run of the same shapes compiles nothing."""

import hashlib
import os
import platform
import sys
from pathlib import Path

from jaxrestore._files import cache_folder
from jaxrestore.errors import InputError

OWN = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")  # who sets these has a store, or wants none


def keep_programs() -> Path | None:
    """Let JAX keep compiled programs in a folder that only this user reads and writes; the folder, or None where there can
    be none.

    For a process of our own: it changes JAX's configuration. The folder is ~/.cache/jaxrestore (or under XDG_CACHE_HOME),
    one for each kind of processor, and can be deleted at any time. One that others can write is not used: what lies there
    is run.
    """
    if any(name in os.environ for name in OWN):
        return None
    try:
        folder = cache_folder(f"programs-{processor()}")
    except InputError as error:
        print(f"jaxrestore: {str(error).rstrip('.')}: compiled programs are not kept", file=sys.stderr)
        return None
    except (OSError, RuntimeError):
        return None
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # a first image has dozens of small ones
    return folder


def processor() -> str:
    """A few letters that differ between processors whose programs differ: homes are shared among machines."""
    features = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features += next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        pass
    return hashlib.sha256(features.encode()).hexdigest()[:8]
