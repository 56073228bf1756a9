"""The first table: denoising, a missing box and 8x reduction on 20 photographs that chose no default.

    python experiments/table.py --data eval.tar

BIRD with the settings tuned for `flowers64` and with its published ones, beside classical methods of scikit-image. About 45
minutes on two cores; resumes. Writes `docs/results.md` and `docs/results.png`. To expect: denoising gains more than 9 dB,
the box more than 9 dB, and the mean of 8 restarts is above bicubic enlargement.
"""

from pathlib import Path

import flowers
import numpy as np
from flowers import Setting
from report import insert

TASKS = {
    "denoise": "Gaussian noise, 30 grey levels",
    "inpaint": "20x20 box missing",
    "super-resolution": "8x reduction",
}


SETTINGS = [Setting(task, "BIRD, published", "paper") for task in TASKS] + [
    Setting(task, "BIRD, tuned") for task in TASKS
]


def evaluations_per_image() -> int:
    """Network evaluations that one image costs over all settings."""
    presets = [setting.resolved()[0] for setting in SETTINGS]
    return sum(chosen.iterations * (1000 // chosen.skip) * chosen.restarts for chosen in presets)


def classical(task: str, y: np.ndarray) -> dict[str, np.ndarray]:
    """What scikit-image and Pillow make of a measurement, [-1, 1]."""
    from skimage import restoration

    if task == "denoise":
        sigma, unit = flowers.NOISE / 255, (y + 1) / 2
        found = {
            "non-local means": restoration.denoise_nl_means(
                unit, patch_size=5, patch_distance=7, h=0.8 * sigma, sigma=sigma, channel_axis=-1
            ),
            "total variation": restoration.denoise_tv_chambolle(unit, weight=0.12, channel_axis=-1),
        }
        return {name: 2 * image - 1 for name, image in found.items()}
    if task == "inpaint":
        low, high = (flowers.SIZE - flowers.BOX) // 2, (flowers.SIZE + flowers.BOX) // 2
        mask = np.zeros(y.shape[:2], bool)
        mask[low:high, low:high] = True
        around = np.zeros_like(mask)
        around[low - 2 : high + 2, low - 2 : high + 2] = True
        mean = np.where(mask[..., None], y[around & ~mask].mean(axis=0), y)
        return {
            "mean of the surroundings": mean,
            "biharmonic": restoration.inpaint_biharmonic(y, mask, channel_axis=-1),
        }
    return {}  # the input is shown as its bicubic enlargement


def write_report(rows: list[dict], images: dict[str, np.ndarray], out: Path, docs: Path) -> None:
    """The Markdown table and the figure, from the results alone."""
    for name, image in images.items():
        for task in TASKS:
            y = np.asarray(flowers.problem(task, name, image)[1])
            for label, found in classical(task, y).items():
                scores = flowers.scores(task, found.astype(np.float32), image, y)
                rows.append({"task": task, "label": label, "name": name, **scores})
    lines = [f"Means over {len(images)} photographs of the test half; made by `experiments/table.py`, not by hand.", ""]
    for task, title in TASKS.items():
        here = [row for row in rows if row["task"] == task]
        extra = ["inside", "pasted"] if task == "inpaint" else []
        heads = {"inside": "PSNR inside the box", "pasted": "PSNR, known pixels put back"}
        given = np.mean([row["input"] for row in here if "input" in row])
        what = "bicubic enlargement" if task == "super-resolution" else "input"
        columns = ["PSNR", "gain", "SSIM", *[heads[key] for key in extra], "one restart", "evaluations", "s/image"]
        lines += [f"### {title}", "", f"{what}: {given:.2f} dB", "", f"| method | {' | '.join(columns)} |"]
        lines += ["|---" * (len(columns) + 1) + "|"]
        for label in dict.fromkeys(row["label"] for row in here):
            group = [row for row in here if row["label"] == label]

            def mean(key, group=group):
                return np.mean([row[key] for row in group])

            cells = [f"{mean('psnr'):.2f}", f"{mean('psnr') - given:+.2f}", f"{mean('ssim'):.3f}"]
            cells += [f"{mean(key):.2f}" for key in extra]
            if "seconds" in group[0]:
                cells += [f"{mean('single'):.2f}", f"{mean('evaluations'):.0f}", f"{mean('seconds'):.0f}"]
            else:
                cells += ["", "", ""]
            lines.append(f"| {label} | {' | '.join(cells)} |")
        lines.append("")
    docs.mkdir(exist_ok=True)
    pictures = "Each row: input, published settings, tuned settings, photograph.\n\n![Restored flowers](results.png)\n"
    (docs / "results.md").write_text("# Restoring flowers\n\n" + "\n".join([*lines, pictures]))
    insert(docs.parent / "README.md", "results", lines)
    write_figure(images, out, docs / "results.png")


def write_figure(images: dict[str, np.ndarray], out: Path, path: Path) -> None:
    """Rows: tasks on two photographs each. Columns: input, published settings, ours, truth."""
    from jaxrestore.images import enlarge, read_image, strip, write_png

    strips = []
    for task in TASKS:
        for name in list(images)[:2]:
            y = flowers.shown(task, np.asarray(flowers.problem(task, name, images[name])[1]))
            file = f"{name.replace('/', '_')}.png"
            found = [read_image(out / "images" / task / label / file) for label in ("BIRD, published", "BIRD, tuned")]
            strips.append(np.pad(strip([y, *found, images[name]]), ((0, 2), (0, 0), (0, 0)), constant_values=1.0))
    write_png(path, enlarge(np.concatenate(strips), 3))


def main() -> None:
    parser = flowers.parser(__doc__, "out/table")
    parser.add_argument("--budget", type=int, default=225_000, help="network evaluations; decides how many photographs")
    options = parser.parse_args()

    images = flowers.photographs(options.data, "test", min(100, max(1, options.budget // evaluations_per_image())))
    rows = flowers.results(SETTINGS, images, options.out, options.workers)
    write_report(rows, images, options.out, options.docs)
    print(f"{options.docs / 'results.md'}: {len(images)} photographs")


if __name__ == "__main__":
    main()
