"""Tables of `speed.py` from its rows: what `docs/speed.md` shows, all of them, and the targets with met or missed."""

import json
import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kept_rows import read
from report import Parts, table, write

PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "torch")


def machine(torch: bool) -> dict[str, Any]:
    """What the rows were measured on, and with."""
    import jax

    device = jax.devices()[0]
    kind = f"{os.cpu_count()} cores of {processor()}" if device.platform == "cpu" else device.device_kind
    return {
        "backend": device.platform,
        "device": kind,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES if name != "torch" or torch},
    }


def processor() -> str:
    """The CPU's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


class Race:
    """The rows of a race by the names of its contestants."""

    def __init__(self, rows: list[dict[str, Any]]):
        self.rows = {row["name"]: row for row in rows}

    def ratio(self, name: str, other: str) -> list[float] | None:
        """Least, median and largest of the seconds of one to those of the other, round by round; None unless both ran."""
        a, b = (self.rows.get(which, {}).get("seconds") for which in (name, other))
        if not a or not b:
            return None
        ratios = sorted(x / y for x, y in zip(a, b, strict=True))
        return [ratios[0], statistics.median(ratios), ratios[-1]]

    def peak(self, dtype: str) -> float | None:
        """Operations a second: the best of a product and a convolution, in any round."""
        peaks = [row for row in self.rows.values() if row["contestant"]["what"] in ("matmul", "convolution")]
        rates = [row["operations"] / min(row["seconds"]) for row in peaks if row["contestant"]["dtype"] == dtype]
        return max(rates, default=None)

    def share(self, row: dict[str, Any]) -> str:
        """Of the peak, in its median round."""
        contestant = row["contestant"]
        twin = json.dumps({**contestant, "framework": "jax", "malloc": False}, sort_keys=True)
        same = [r for r in self.rows.values() if json.dumps(r["contestant"], sort_keys=True) == twin]
        peak = self.peak(contestant["dtype"]) or self.peak("float32")
        if not same or peak is None or "operations" not in same[0]:
            return ""
        return f"{100 * same[0]['operations'] / statistics.median(row['seconds']) / peak:.0f} %"


def spread(ratio: list[float] | None) -> str:
    return "not measured" if ratio is None else " / ".join(f"{value:.2f}" for value in ratio)


def race_table(race: Race) -> list[str]:
    """All contestants of a race; they are compared with the first."""
    compared = next(iter(race.rows))
    lines = []
    for name, row in race.rows.items():
        if "failed" in row:
            lines.append([name, "ended", *[""] * 6])
            continue
        middle, contestant = statistics.median(row["seconds"]), row["contestant"]
        images = (
            ""
            if contestant["what"] in ("matmul", "convolution")
            else f"{contestant['batch'] * contestant['iterations'] / middle:.3g}"
        )
        memory = row["device_mib"] if row.get("device_mib") else row["peak_mib"]
        lines.append(
            [
                name,
                f"{middle:.3g}",
                images,
                spread(race.ratio(name, compared)),
                race.share(row),
                f"{row['temporary_mib']:.0f}" if "temporary_mib" in row else "",
                f"{memory:.0f} ({memory - row['idle_mib']:+.0f})" if not row.get("device_mib") else f"{memory:.0f}",
                f"{row.get('compile_s', row['first_s']):.1f}",
            ]
        )
    measured = [
        "s/iteration",
        "images/s",
        f"against {compared}",
        "of peak",
        "temporary MiB",
        "resident MiB",
        "compile s",
    ]
    return table(["contestant", *measured], lines)


def targets(races: dict[str, Race]) -> list[str]:
    """Each target with its figure; least, median and largest round."""
    rows = []

    def judge(what: str, ratio: list[float] | None, most: float | None = None, least: float | None = None) -> None:
        limit = f"at most {most:g}" if most is not None else f"at least {least:g}"
        met = ratio is not None and (ratio[1] <= most if most is not None else ratio[1] >= (least or 0))
        rows.append([what, limit, spread(ratio), "" if ratio is None else "met" if met else "missed"])

    for name in ("flowers64", "celeba_hq", "imagenet256"):
        if name not in races:
            continue
        race = races[name]
        steps = next(row for row in race.rows if row.startswith("jax frozen")).removeprefix("jax frozen")
        one = f"jax frozen{steps}"
        judge(f"{name}: frozen iteration / PyTorch eager's", race.ratio(one, f"eager frozen{steps}"), 1.0)
        judge(f"{name}: frozen iteration / its evaluations", race.ratio(one, f"jax network{steps}"), 1.1)
        four = race.ratio(f"jax frozen, 4 images{steps}", f"eager frozen{steps}")
        if four is not None:
            images = sorted(4 / value for value in four)
            judge(f"{name}: images/s of four together / PyTorch eager's of one", images, least=1.2)
        full = race.ratio(f"jax full{steps}", f"jax frozen{steps}")
        if full is not None:
            judge(f"{name}: full gradient / frozen", full, 3.2)
    growth = races.get("growth")
    if growth is not None:
        ten, one = (growth.rows[name]["temporary_mib"] for name in ("jax full", "jax full, 1 steps"))
        judge("flowers64: full gradient, memory of ten steps / of one", [ten / one] * 3, 1.5)
    if "start" in races:
        row = races["start"].rows["second run"]
        times = sorted(row["seconds"])
        what = f"`jaxrestore restore`, a second run: s to its first iteration (the first run: {row['first_s']:.1f})"
        judge(what, [times[0], statistics.median(times), times[-1]], 5)
    rows += accelerator_targets(races.get("celeba_hq"))
    return table(["what", "target", "least / median / most", ""], rows)


def accelerator_targets(race: Race | None) -> list[list[str]]:
    """Those of a data-centre GPU; "not measured" on anything else."""
    best = "jax frozen, 16 images, bfloat16"
    ratio = None if race is None else race.ratio("eager frozen", best)
    images = None if ratio is None else [16 * value for value in ratio]
    share = "" if race is None or ratio is None else race.share(race.rows[best])
    met = ["" if images is None else "met" if images[1] >= 20 else "missed"]
    reached = "" if not share else "met" if int(share.removesuffix(" %")) >= 50 else "missed"
    return [
        [
            "a GPU, celeba_hq: images/s in bfloat16, 16 together / PyTorch eager's of one",
            "at least 20",
            spread(images),
            *met,
        ],
        [
            "a GPU, celeba_hq: share of the bfloat16 peak, 16 together",
            "at least 50 %",
            share or "not measured",
            reached,
        ],
    ]


def parts(rows: list[dict[str, Any]] | None = None) -> Parts:
    """Of the kept rows, or of others: experiments/results/speed.md; of a whole run docs/speed.md and the README's, too."""
    rows = read("speed") if rows is None else rows
    names = dict.fromkeys(row["race"] for row in rows)
    races = {name: Race([row for row in rows if row["race"] == name]) for name in names}
    about = rows[0]["machine"]
    on = f"Measured on {about['device']} by `python experiments/speed.py`, " + ", ".join(
        f"{name} {number}" for name, number in about["packages"].items()
    )
    lines = ["# What an iteration costs", "", f"{on}.", *targets(races)]
    for name, race in races.items():
        if name != "start":
            lines += ["", f"## {name}", *race_table(race)]
    made = {("experiments/results/speed.md", ""): [*lines, ""]}
    if "flowers64" in races:
        made["docs/speed.md", "speed"] = [f"{on}.", *targets(races)]
    if "flowers64" in races and "python" in about:
        listed = ", ".join(f"{name} {number}" for name, number in about["packages"].items() if name != "torch")
        made["README.md", "versions"] = [f"Python {about['python']}, {listed}."]
    return made


def report(rows: list[dict[str, Any]], root: Path) -> None:
    """experiments/results/speed.jsonl, and what is made of it."""
    results = root / "experiments" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / "speed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(root, parts(rows))
