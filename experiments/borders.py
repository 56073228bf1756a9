"""What lies beyond the border of a blurred photograph: a known blur, undone as if it were mirrored there, zero, unknown.

    python experiments/borders.py --data eval.tar

Flowers are reduced to scenes of 74 x 74, blurred by paths of 8 pixels (kernels of 11 x 11) with noise of 5 grey levels, and
then cut to 64 x 64: what is beyond the border entered what is measured, and no restoration sees it. "mirrored" beside it is
what simulations do: the cut itself is blurred, reflected at its border, and restored with the same reflection. A default
follows from the tuning half; the test half is the check. A quarter of an hour on two free cores; `--method` divides the work;
goes on where it was killed. Rows stay in `results/borders.jsonl`. Writes the table of docs/borders.md.
"""

import argparse
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import kept_rows
import numpy as np
import workers
from report import Parts, interval, table, write

import jaxrestore as jr
from jaxrestore import metrics, simulate
from jaxrestore.files.images import as_stored
from jaxrestore.operators import Blur, middle, sigma_of, with_boundary

SIZE, KERNEL, LENGTH, LEVEL = 64, 11, 8.0, 5  # pixels, and grey levels
COUNTS = {"flowers, tuning half": 16, "flowers, test half": 8}
MEASURED = {"mirrored": ("reflect",), "cut": ("reflect", "zero", "valid")}  # and restored with
METHODS = {"BIRD": ("flowers, tuning half",), "DiffPIR": tuple(COUNTS)}  # and of which photographs
ABOUT = ("photographs", "measured", "boundary", "method", "evaluations")


def scenes(data: Path, kind: str) -> list[np.ndarray]:
    """Photographs of a half, reduced."""
    return list(flowers.photographs(data, kind.split()[1], COUNTS[kind], SIZE + KERNEL - 1).values())


def measured(scene: np.ndarray, how: str, number: int) -> tuple[np.ndarray, Any, Blur]:
    """The clean image, the measurement as a file holds it, and the blur."""
    key, noise = jax.random.split(jax.random.key(number))
    blur = Blur(simulate.motion_kernel(key, KERNEL, LENGTH), algorithm="fft")
    clean = middle(jnp.asarray(scene), (SIZE, SIZE))
    given = (scene, (SIZE, SIZE)) if how == "cut" else (clean, None)
    y = simulate.measure(blur, jnp.asarray(given[0]), noise, 2 * LEVEL / 255, size=given[1])
    return np.asarray(clean), jnp.asarray(as_stored(y)), blur


def method_of(name: str, prior: jr.Prior, operator: Blur, y: Any) -> jr.Method:
    """BIRD as tuned but for one restart of 200 evaluations, or DiffPIR of 30."""
    sigma_y = sigma_of(operator, jnp.float32(2 * LEVEL / 255), y)
    if name == "BIRD":
        return jr.bird(prior, operator, sigma_y=sigma_y, iterations=40, skip=200, restarts=1)
    return jr.diffpir(prior, operator, sigma_y=sigma_y, steps=30)


def scores(image: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """PSNR of all pixels, and of those that depend on none beyond the border."""
    reach = KERNEL // 2
    inner = (slice(reach, -reach), slice(reach, -reach))
    pairs = {"psnr": (image, clean), "psnr inside": (image[inner], clean[inner])}
    return {name: float(metrics.psnr(*map(jnp.asarray, pair))) for name, pair in pairs.items()}


def planned() -> list[workers.Row]:
    """How each row is known."""
    return [
        {"photographs": kind, "measured": how, "boundary": boundary, "method": method, "image": image}
        for method, kinds in METHODS.items()
        for kind in kinds
        for how, boundaries in MEASURED.items()
        for boundary in boundaries
        for image in range(COUNTS[kind])
    ]


def measure(options: argparse.Namespace) -> None:
    """The rows of the plan that `out` has not."""
    prior, seen = jr.load_prior("flowers64"), {}
    for entry in (row for row in workers.unmeasured(planned(), options.out) if row["method"] in options.method):
        kind, image = entry["photographs"], entry["image"]
        if kind not in seen:
            seen[kind] = scenes(options.data, kind)
        clean, y, blur = measured(seen[kind][image], entry["measured"], image + 1000 * ("test" in kind))
        operator = with_boundary(blur, entry["boundary"])
        method = method_of(entry["method"], prior, operator, y)
        found = as_stored(jr.restore(method, y, jax.random.key(image)).image)
        evaluations = {"evaluations": method.iterations * (method.evaluations or 1)}
        inputs = {f"{name} of the input": value for name, value in scores(np.asarray(y), clean).items()}
        workers.append(
            options.out / f"results-{'-'.join(options.method)}.jsonl",
            {**entry, **evaluations, **scores(found, clean), **inputs},
        )


def lines(rows: list[workers.Row]) -> list[str]:
    """The table: means over photographs, and the difference to the reflection on the same photographs."""
    body = []
    for row in rows:
        compared = ["", ""]
        if row["measured"] == "cut" and row["boundary"] != "reflect":
            (other,) = (
                one
                for one in rows
                if all(one[key] == {**row, "boundary": "reflect"}[key] for key in ABOUT if key != "evaluations")
            )
            compared = [interval(np.subtract(row[key], other[key]), 2) for key in ("psnr", "psnr inside")]
        about = [row["photographs"], row["method"], row["measured"], row["boundary"], f"{len(row['image'])}"]
        means = [f"{np.mean(row[key]):.2f}" for key in ("psnr of the input", "psnr", "psnr inside")]
        body.append([*about, *means, *compared])
    head = ["photographs", "method", "measured", "restored with", "number", "input", "PSNR, dB", "inside"]
    return table([*head, "against reflect", "inside"], body)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/borders.md", "borders"): lines(kept_rows.read("borders"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="eval.tar of the flower photographs")
    parser.add_argument("--method", nargs="+", choices=[*METHODS], default=[*METHODS], help="to divide the work")
    parser.add_argument("--out", type=Path, default=Path("out/borders"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    workers.keep_programs(options.out)
    measure(options)
    if missing := workers.unmeasured(planned(), options.out):
        raise SystemExit(f"{len(missing)} rows of another --method are missing: run that, then this again.")
    rows = kept_rows.grouped(workers.complete(planned(), options.out), ABOUT, "image")
    kept_rows.kept("borders", rows, ABOUT, "image")
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
