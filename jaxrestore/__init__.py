"""jaxrestore: zero-shot, blind image restoration with pre-trained diffusion models, in JAX.

A diffusion model under deterministic DDIM sampling is a map G from Gaussian noise z to clean images. Restoring a degraded
image y means finding the noise, and where it is unknown the degradation H, such that H(G(z)) explains y.

The public names and where they come from stand in ``__init__.pyi``; each is imported when it is first asked for, so that
``jaxrestore --help`` waits for nothing.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

__version__ = "0.2.0"


@cache
def _homes() -> dict[str, str]:
    """The module of each public name."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_homes())
    home = _homes().get(name, __name__)
    if home != __name__:
        value = getattr(importlib.import_module(home), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
