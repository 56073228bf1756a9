"""Where priors lie: with the package, in the user's cache, or in folders of one's own, which alone are written into."""

import contextlib
from pathlib import Path

from jaxrestore._files import cache_path
from jaxrestore.diffusion.hub import hub_folder, is_hub_name
from jaxrestore.errors import PriorError

EMBEDDED = Path(__file__).parent.parent / "priors"


def embedded_priors() -> list[str]:
    """Names of the priors that come with the package."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/card.json"))


def prior_folder(name: str | Path) -> Path:
    """The folder of an embedded prior's name, of a repository of the Hugging Face Hub (``hf:owner/name``, fetched and
    converted if it isn't yet: `hub`), or the path itself. PriorError if there is none of these."""
    if str(name) in embedded_priors():
        return EMBEDDED / str(name)
    if is_hub_name(name):
        return hub_folder(name)
    if not Path(name).is_dir():
        known = ", ".join(embedded_priors())
        raise PriorError(
            f"There is no prior {name}: it is neither a folder nor an embedded prior ({known}), and a repository of the "
            "Hugging Face Hub is named hf:OWNER/NAME."
        )
    return Path(name).absolute()


def check_own(folder: Path, instead: str) -> None:
    """PriorError for a folder that is not one's own, which says what to do `instead`: what lies there is everybody's, or can
    be deleted at any time."""
    roots = {"comes with the package": EMBEDDED}
    with contextlib.suppress(RuntimeError):  # without a cache nothing is in it
        roots["is in the cache"] = cache_path("priors")
    for words, root in roots.items():
        if folder.resolve().is_relative_to(root.resolve()):
            raise PriorError(f"{folder.name} {words}, and is never written into: {instead}")


def refuse_existing(folder: Path) -> None:
    """PriorError if there is such a folder."""
    if folder.exists():
        raise PriorError(f"{folder} exists already; a prior is never written over.")
