"""What a training shows of itself on the way: a line, a log, a sheet of samples, a curve."""

import json
from pathlib import Path

import numpy as np

from jaxrestore._files import write_aside
from jaxrestore.files.samples import write_samples
from jaxrestore.training.loop import Trained
from jaxrestore.training.steps import Training

EVERY, SAMPLES = 10, 16


class Report:
    """Call it with a `Trained`: appends to log.jsonl, writes a line to the terminal, and every tenth time and at the end
    samples-STEP.png and loss.png."""

    def __init__(self, folder: Path, settings: Training):
        self.folder, self.settings, self.calls = folder, settings, 0

    def __call__(self, trained: Trained) -> None:
        from tqdm import tqdm

        recent = trained.losses[-100:]
        row = {"step": trained.step, "loss": float(recent.mean()), **trained.speed}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        speed = f"{row['images_per_second']:.1f} images/s, {100 * row['utilisation']:.0f} % of the peak"
        tqdm.write(f"step {trained.step} of {self.settings.steps}: loss {row['loss']:.4f}, {speed}")
        self.calls += 1
        if trained.step == self.settings.steps or self.calls % EVERY == 0:  # 50 evaluations a sample
            skip = max(1, len(trained.prior.schedule) // 50)
            write_samples(self.folder / f"samples-{trained.step:06d}.png", trained.prior, SAMPLES, skip, 0)
            draw_curve(self.folder / "loss.png", trained.losses)


def draw_curve(path: Path, losses: np.ndarray) -> None:
    """The loss of every step, and its mean over a hundredth of them. Nothing where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    axes = (figure := Figure(figsize=(6, 3.5), layout="constrained")).subplots()
    steps, width = np.arange(1, len(losses) + 1), max(1, len(losses) // 100)
    axes.plot(steps, losses, color="0.8", linewidth=0.5)
    axes.plot(steps[width - 1 :], np.convolve(losses, np.full(width, 1 / width), "valid"), color="C0")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    write_aside(path, lambda aside: figure.savefig(aside, format="png", dpi=120))
