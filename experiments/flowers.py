"""What the experiments share: flower photographs, how they are degraded for a task, and how a restored one is scored."""

import io
import tarfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import workers
from PIL import Image

SIZE = 64
MARGIN = 8  # pixels around a scene's middle: further than any kernel here reaches
SQUARE = slice(
    SIZE // 2 - 22, SIZE // 2 + 23
)  # of rows and columns: the largest within the circle about the middle pixel


@cache
def prior() -> Any:
    """The embedded prior, with its statistics and its settings."""
    import jaxrestore as jr

    return jr.load_prior("flowers64")


DUPLICATES = {  # among the photographs held out: what stands in no table, and why
    "daisy/10466290366_cc72e33532.jpg": "the training photograph daisy/10994032453, stored anew (it is in the tuning half)",
    "dandelion/6972675188_37f1f1d6f6.jpg": "petals that fill the picture, as those of many training photographs do",
}


def photographs(tar: Path, half: str, count: int, size: int = SIZE) -> dict[str, np.ndarray]:
    """`count` photographs of the tuning half (even positions of the sorted names) or the test half (odd), spread evenly,
    reduced to sides of `size`.

    Any first few of them are spread over the classes, too. ValueError if there are fewer.
    """
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())
        spread = chosen(names, half, count)
        return {name: reduced(archive.extractfile(name).read(), size) for name in spread}  # type: ignore[union-attr]


class Photograph(NamedTuple):
    """For what blurs nothing, and for what does: there the photograph is the middle of a larger scene."""

    image: np.ndarray  # [64, 64, 3] in [-1, 1]
    scene: np.ndarray  # [80, 80, 3], of the same photograph


def with_scenes(tar: Path, half: str, count: int) -> dict[str, Photograph]:
    """As `photographs`, and the scenes that a blur is cut from."""
    images, scenes = (photographs(tar, half, count, size) for size in (SIZE, SIZE + 2 * MARGIN))
    return {name: Photograph(image, scenes[name]) for name, image in images.items()}


def chosen(names: Sequence[str], half: str, count: int) -> list[str]:
    """Which of all names, sorted. In the place of a duplicate in the test half stands the next that isn't chosen itself, so
    that all others are those that they would be without it."""
    names = names[0::2] if half == "tuning" else names[1::2]
    order = sorted(range(count), key=lambda i: (i * 0.6180339887) % 1)  # golden section: every prefix is spread
    spread = [names[i * len(names) // count] for i in order]
    for place, name in enumerate(spread):
        if half == "test" and name in DUPLICATES:
            later = names.index(name)
            spare = [other for other in (*names[later:], *names[:later]) if other not in (*spread, *DUPLICATES)]
            if not spare:
                raise ValueError(f"There are fewer than {count} photographs in the test half: {name} is a duplicate.")
            spread[place] = spare[0]
    return spread


def reduced(data: bytes, size: int = SIZE) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((size, size), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 127.5 - 1


class Problem(NamedTuple):
    """A degraded photograph, the same for every setting of its task and noise."""

    task: str
    noise: str
    truth: Any  # the operator that degraded it
    flags: Any  # what a restoration is told, as flags of the command line
    y: Any
    size: tuple[int, int]  # of the photograph
    clean: np.ndarray
    sigma_y: float  # the noise's root mean square


def problem(
    task: str, noise: str, name: str, photograph: np.ndarray | Photograph, folder: Path, **given: Any
) -> Problem:
    """The photograph degraded as `jaxrestore degrade` would: kernels, masks and noise are drawn from its name's hash.

    A blur of a `Photograph` is cut from its scene, so that nothing beyond the border is known; a mere image is blurred as
    the operator's boundary says.

    Gaussian kernels have log-uniform deviations of 0.7 to 2.6 pixels at 64 (3 to 10 at 256), any angle, and centres up to a
    pixel off the middle; motion kernels paths of 8 pixels. What a restoration may know is written to `folder` and read from
    it. `given`: flags of `jaxrestore degrade` in the place of what is drawn.
    """
    import jax
    import jax.numpy as jnp

    from jaxrestore.cli.flags import DegradationFlags, OperatorFlags
    from jaxrestore.cli.tasks import TASKS
    from jaxrestore.files.images import as_stored, write_image
    from jaxrestore.operators import cut_out, default_kernel_size, is_picture, kernels_of, middle, selected
    from jaxrestore.simulate import measure

    number = zlib.crc32(name.encode())
    draw = np.random.default_rng(number)
    low, high = np.log(0.7), np.log(2.6)
    image, scene = photograph if isinstance(photograph, Photograph) else (photograph, None)
    size = (image.shape[0], image.shape[1])
    of_64 = min(size) / SIZE
    sigmas, offset = of_64 * np.exp(draw.uniform(low, high, 2)), of_64 * draw.uniform(-1, 1, 2)
    drawn = {"seed": number, "kernel_size": default_kernel_size(size), "angle": float(draw.uniform(0, 180))}
    drawn |= {"sigmas": (float(sigmas[0]), float(sigmas[1])), "offset": (float(offset[0]), float(offset[1]))}
    truth = TASKS[task].degrade(DegradationFlags(**{**drawn, **given}), size)
    key, level = jax.random.fold_in(jax.random.key(1), number), TASKS[task].noise_level
    cut = scene is not None and is_cut(task)
    whole = jnp.asarray(scene if cut else image)
    image = np.asarray(middle(whole, size))
    kind = "bird" if noise == "bird" else "gaussian"
    y = measure(truth, whole, key, 2 * level / 255, kind, size=size if cut else None)
    if is_picture(truth):  # as an 8-bit file holds it
        y = selected(truth, jnp.asarray(as_stored(y)))
    mask = kernel = None
    name = f"{task}-{number}-{workers.WORKER or 0}"  # another worker may be at the same photograph and task
    if "--mask" in TASKS[task].flags.split():
        mask = folder / f"{name}.png"
        write_image(mask, (255 * (1 - known_pixels(truth, size))).astype(np.uint8))
    elif "--kernel" in TASKS[task].flags.split():
        kernel = folder / f"{name}.npy"
        kernel.parent.mkdir(parents=True, exist_ok=True)
        np.save(kernel, np.asarray(kernels_of(truth)[0]))
    told = {flag: given[flag] for flag in ("scale", "reduction", "kernel_size") if flag in given}
    flags = OperatorFlags(mask=mask, kernel=kernel, seed=number % 1000, **told)
    exact = cut_out(truth, whole, size) if cut else truth(whole)
    return Problem(task, noise, truth, flags, y, size, image, float(jnp.sqrt(jnp.mean((y - exact) ** 2))))


def is_cut(task: str) -> bool:
    """Whether the task has a blur, which is cut from a scene."""
    from jaxrestore.cli.tasks import TASKS

    return "--boundary" in TASKS[task].flags.split()


def start(problem: Problem, settings: Any) -> Any:
    """The operator that a restoration with these settings starts from."""
    from jaxrestore.cli.tasks import TASKS

    return TASKS[problem.task].start(problem.flags, problem.size, settings)


def known_pixels(truth: Any, size: tuple[int, int]) -> np.ndarray:
    """Of an operator that leaves pixels out, ``[h, w]``: one where a pixel was measured."""
    import jax.numpy as jnp

    from jaxrestore.operators import selected

    return np.asarray(selected(truth, jnp.ones((*size, 1))))[..., 0]


def shown(problem: Problem) -> np.ndarray:
    """The measurement as an image of full size: missing pixels black, grey in three channels, a small image enlarged by
    Pillow's bicubic, a sinogram by filtered back projection."""
    from jaxrestore import operators
    from jaxrestore.files.images import to_uint8

    y = np.asarray(operators.shown(problem.truth, problem.y))
    if problem.flags.mask is not None:
        return np.where(known_pixels(problem.truth, problem.size)[..., None] > 0, y, -1)
    if y.shape[:2] != problem.size:
        small = Image.fromarray(to_uint8(y)).resize((problem.size[1], problem.size[0]), Image.Resampling.BICUBIC)
        y = np.asarray(small, np.float32) / 127.5 - 1
    return y


def scores(problem: Problem, image: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """PSNR, SSIM and GMSD of the image as a file holds it; in blind tasks after the best shift of up to 3 pixels is removed,
    and a margin of 3. Of a tomograph PSNR is of the circle that it sees, SSIM and GMSD of the largest square in it."""
    from jaxrestore.cli.tasks import TASKS
    from jaxrestore.files.images import as_stored
    from jaxrestore.operators import is_picture

    shifted, whole = bool(TASKS[problem.task].estimated), is_picture(problem.truth)
    values = _scores()(np.asarray(as_stored(image), np.float32), np.asarray(truth, np.float32), shifted, whole)
    return {name: float(value) for name, value in values.items()}


@cache
def _scores() -> Any:
    """Compiled when it is first used."""
    import jax

    from jaxrestore import metrics

    def compared(a: Any, b: Any, shifted: bool, whole: bool) -> dict[str, Any]:
        a, b = metrics.registered(a, b) if shifted else (a, b)
        if whole:
            return {"psnr": metrics.psnr(a, b), "ssim": metrics.ssim(a, b), "gmsd": metrics.gradient_deviation(a, b)}
        seen = circle(SIZE)
        inner = [values[SQUARE, SQUARE] for values in (a, b)]
        inside = {"ssim": metrics.ssim(*inner), "gmsd": metrics.gradient_deviation(*inner)}
        return {"psnr": metrics.psnr(a[seen][None], b[seen][None]), **inside}

    return jax.jit(compared, static_argnums=(2, 3))


def circle(size: int) -> np.ndarray:
    """The pixels ``[size, size]`` that a tomograph sees; others are in no measurement."""
    rows, columns = (line - size // 2 for line in np.ogrid[:size, :size])
    return rows**2 + columns**2 <= (size // 2) ** 2
