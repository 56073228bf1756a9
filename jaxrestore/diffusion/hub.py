"""Priors of the Hugging Face Hub by their names there: fetched and converted once, then kept in the user's cache.

`hf:owner/name` is the repository as its main branch was when it was first asked for; `hf:owner/name@revision` a branch, a tag
or a commit. Only what conversion reads is fetched, by `huggingface_hub` into its own cache.
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jaxrestore._files import cache_folder
from jaxrestore.diffusion.beside import CARD
from jaxrestore.errors import InputError, PriorError

NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@([\w.-]+(?:/[\w.-]+)*))?", re.ASCII)


class Fetched(NamedTuple):
    """A repository's files on this machine, and what the card of a prior made of them says."""

    folder: Path
    name: str  # without the owner's
    origin: dict[str, str]
    about: dict[str, Any]


def is_hub_name(name: str | Path) -> bool:
    """Whether a prior's name is one of the hub's.

    >>> is_hub_name("hf:google/ddpm-celebahq-256"), is_hub_name("flowers64")
    (True, False)
    """
    return str(name).startswith("hf:")


def repository(name: str | Path) -> tuple[str, str]:
    """(repository, revision) of a name; PriorError for one that is none.

    >>> repository("hf:google/ddpm-celebahq-256"), repository("hf:google/ddpm-celebahq-256@v1")
    (('google/ddpm-celebahq-256', 'main'), ('google/ddpm-celebahq-256', 'v1'))
    """
    match = NAME.fullmatch(str(name))
    if match is None or ".." in str(name):
        raise PriorError(
            f"{str(name)[:200]} names no repository: write hf:OWNER/NAME, or hf:OWNER/NAME@REVISION with a branch, a tag or "
            "a commit."
        )
    return match[1], match[2] or "main"


def fetch(name: str | Path) -> Fetched:
    """The files of a repository that conversion reads. PriorError where there is no network or no such repository;
    ConversionError for one of another network than is known, which its config says before the weights are fetched."""
    from checkpoints_convert.diffusers import model_config
    from checkpoints_convert.sources import needed

    place, revision = repository(name)
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise PriorError(
            f"{name} is fetched by huggingface_hub, which is not installed: python -m pip install 'jaxrestore[hub]'."
        ) from error
    hub = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))  # as it is now, not as when it was imported
    folder = Path()
    try:
        info = hub.model_info(place, revision=revision, timeout=30)
        files = needed(sibling.rfilename for sibling in info.siblings or [])
        for file in files:
            if not file.endswith(".json") and folder != Path():
                model_config(folder)
            path = Path(hub.hf_hub_download(place, file, revision=info.sha))
            folder = path.parents[file.count("/")]
    except InputError:
        raise
    except Exception as error:  # of the transport, which differs from one version of huggingface_hub to the next
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        if isinstance(error, HfHubHTTPError) and not isinstance(error, LocalEntryNotFoundError):
            raise PriorError(f"{name} can't be fetched: {reason.rstrip('.')}.") from error
        raise PriorError(
            f"{name} can't be fetched, {hub.endpoint} is not reached ({reason[:200].rstrip('.')}): where there is a network, "
            f"`hf download {place} --revision {revision} --local-dir FOLDER`, then here `jaxrestore convert FOLDER OUT`, and "
            "give OUT in its place."
        ) from error
    if not files:
        raise PriorError(f"{name} is no folder of diffusers: it holds neither config.json nor unet/config.json.")
    licence = getattr(info.card_data, "license", None)
    origin = {"repository": place, "revision": revision, "commit": str(info.sha)}
    return Fetched(folder, place.split("/")[1], origin, {"licence": licence} if licence else {})


def hub_folder(name: str | Path) -> Path:
    """The folder of a repository's prior, converted if it isn't yet. Raises what `fetch` raises, and what conversion does."""
    from checkpoints_convert import convert_to

    place, revision = repository(name)
    try:
        base = cache_folder("priors")
    except (OSError, RuntimeError, InputError) as error:
        raise PriorError(
            f"{name} has no cache to be kept in ({str(error).rstrip('.')}): `jaxrestore convert {name} OUT`, and give OUT in "
            "its place."
        ) from error
    folder = base / f"{place.replace('/', '--')}@{quote(revision, safe='')}"
    if (folder / CARD).is_file():
        return folder
    fetched = fetch(name)
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=base) as aside:
        chosen = {"name": fetched.name, "origin": fetched.origin, "about": fetched.about, "dtype": "source"}
        convert_to(fetched.folder, Path(aside) / "prior", **chosen)
        try:
            (Path(aside) / "prior").rename(folder)
        except OSError:  # another process was here first
            if not (folder / CARD).is_file():
                raise
    return folder
