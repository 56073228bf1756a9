"""What shapes can't tell of the best-known files: image size, heads, attention order, schedule (facts of their publishers).

Files are matched by the names and shapes of their tensors (of TensorFlow.js, also by the ranges of their quantisation, which
the same network with other weights has not), never by their own names. The unconditional ImageNet and LSUN
networks are twins in all of this.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class KnownFile(NamedTuple):
    """One or more public checkpoints of the same shapes."""

    files: str
    arguments: dict[str, Any]
    schedule: str


def digest(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """A name for a set of tensors: of their names and shapes alone."""
    text = "\n".join(f"{name} {'x'.join(map(str, shapes[name]))}" for name in sorted(shapes))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_LINEAR, _COSINE = "linear 1e-4..0.02, T=1000", "cosine, T=1000"


def _adm(files: str, size: int, schedule: str = _LINEAR, new_order: bool = False, **heads: Any) -> KnownFile:
    heads = heads or {"head_channels": 64}
    return KnownFile(files, {"image_size": size, "new_attention_order": new_order, **heads}, schedule)


KNOWN: dict[str, KnownFile] = {
    "9904b8a431848536": KnownFile("celeba_hq.ckpt", {"image_size": 256}, _LINEAR),
    "fe93167087f7317b": _adm("256x256_diffusion_uncond.pt, lsun_bedroom.pt", 256),
    "d861e8fba1572652": _adm("256x256_diffusion.pt", 256),
    "1e27698a1c14eeff": _adm("512x512_diffusion.pt", 512),
    "40271b72ad5de28c": _adm("64x64_diffusion.pt", 64, _COSINE, new_order=True, head_channels=64, dropout=0.1),
    "25b521c23bf73af6": _adm("ffhq_10m.pt", 256),
    "b03261ff662fd71e": KnownFile("64x64_cosin_300", {}, "cosine, T=300, max_beta=0.9999"),
    "1ed43ec7ccc8fca6": _adm("base_256.pt", 256, num_heads=1, head_channels=None, dropout=0.1),
}
