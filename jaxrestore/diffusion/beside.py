"""JSON files of a prior's folder: how they are read, whatever they hold."""

import json
from pathlib import Path
from typing import Any

from jaxrestore.errors import PriorError

CARD = "card.json"
CARD_FORMAT = "jaxrestore prior 1"


def read_beside(path: Path, format: str, otherwise: str) -> dict[str, Any] | None:
    """The object in a file of a `format`, None where there is no file; PriorError where it is damaged, or `otherwise`."""
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PriorError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise PriorError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(stored, dict) or stored.get("format") != format:
        raise PriorError(f"{path} {otherwise}: its format is not {format!r}.")
    return stored
