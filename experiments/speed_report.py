"""Tables of `speed.py` from its rows: what `docs/speed.md` shows, all of them, and the targets with met or missed."""

import json
import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import speed_waits
from kept_rows import read
from report import Parts, table, write

NETWORKS = ("flowers64", "celeba_hq", "imagenet256")
BRIEF = ("frozen iteration / PyTorch eager's", "frozen iteration / torch.compile's", "full gradient / frozen")
PEAKS = ("matmul", "convolution")
HEAD = ["what", "target", "least / median / most", ""]
WHO = {"eager": "PyTorch eager's", "compile": "torch.compile's"}
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
    """The rows of a race by the names of its contestants, with the network's where it is of several.

    `peaks` are what the device's peak is found of: the race's own rows, unless others are given.
    """

    def __init__(self, rows: list[dict[str, Any]], peaks: list[dict[str, Any]] | None = None):
        self.peaks = [row for row in peaks or rows if row.get("contestant", {}).get("what") in PEAKS]
        networks = [row["contestant"]["network"] for row in rows if "contestant" in row and row not in self.peaks]
        several = len(set(networks)) > 1
        self.rows = {
            f"{row['contestant']['network']}, {row['name']}" if several and row not in self.peaks else row["name"]: row
            for row in rows
        }

    def ratio(self, name: str, other: str) -> list[float] | None:
        """Least, median and largest of the seconds of one to those of the other, round by round; None unless both ran."""
        a, b = (self.rows.get(which, {}).get("seconds") for which in (name, other))
        if not a or not b:
            return None
        ratios = sorted(x / y for x, y in zip(a, b, strict=True))
        return [ratios[0], statistics.median(ratios), ratios[-1]]

    def peak(self, dtype: str) -> float | None:
        """Operations a second: the best of a product and a convolution, in any round.

        On an accelerator a call takes half a millisecond, whatever it computes: there by how much longer the one takes that
        computes more.
        """
        peaks = [row for row in self.peaks if row["contestant"]["dtype"] == dtype]
        best: dict[float, float] = {}
        for row in peaks:
            best[row["operations"]] = min(*row["seconds"], best.get(row["operations"], float("inf")))
        if len(best) > 1 and peaks[0]["machine"]["backend"] != "cpu":
            less, more = min(best), max(best)
            return (more - less) / (best[more] - best[less])
        return max((work / seconds for work, seconds in best.items()), default=None)

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
        images = "" if contestant["what"] in PEAKS else f"{contestant['batch'] * contestant['iterations'] / middle:.3g}"
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


def targets(races: dict[str, Race], accelerator: bool) -> list[list[str]]:
    """Each target with its figure, least, median and largest round, and whether it is met."""
    rows = []

    def judge(what: str, ratio: list[float] | None, most: float | None = None, least: float | None = None) -> None:
        if ratio is None:
            return
        limit = f"at most {most:g}" if most is not None else f"at least {least:g}"
        met = ratio[1] <= most if most is not None else ratio[1] >= (least or 0)
        rows.append([what, limit, spread(ratio), "met" if met else "missed"])

    for name in NETWORKS:
        if name not in races:
            continue
        race = races[name]
        steps = next(row for row in race.rows if row.startswith("jax frozen")).removeprefix("jax frozen")
        one = f"jax frozen{steps}"
        judge(f"{name}: frozen iteration / PyTorch eager's", race.ratio(one, f"eager frozen{steps}"), 0.75)
        judge(f"{name}: frozen iteration / torch.compile's", race.ratio(one, f"compile frozen{steps}"), 0.9)
        judge(f"{name}: frozen iteration / its evaluations", race.ratio(one, f"jax network{steps}"), 1.1)
        four = race.ratio(f"jax frozen, 4 images{steps}", f"eager frozen{steps}")
        judge(
            f"{name}: images/s of four together / PyTorch eager's of one",
            four and sorted(4 / value for value in four),
            least=1.2,
        )
        judge(f"{name}: full gradient / frozen", race.ratio(f"jax full{steps}", f"jax frozen{steps}"), 3.0)
        crowd = races.get(f"{name}, together", race)  # on a CPU a race of its own
        for many in ("4 images", "16 images", "64 images", "64 images, bfloat16", "16 images, bfloat16"):
            for other, most in (("eager", 0.75), ("compile", 0.9)):
                ratio = crowd.ratio(f"jax frozen, {many}{steps}", f"{other} frozen, {many}{steps}")
                judge(f"{name}, {many} together / {WHO[other]}", ratio, most)
    growth = races.get("growth")
    if growth is not None:
        ten, one = (growth.rows[name]["temporary_mib"] for name in ("jax full", "jax full, 1 steps"))
        judge("flowers64: full gradient, memory of ten steps / of one", [ten / one] * 3, 1.5)
    return rows + (accelerator_targets(races.get("celeba_hq")) if accelerator else [])


def brief(judged: dict[str, list[list[str]]]) -> list[str]:
    """The README's table: what matters to whoever searches or waits, by device; medians."""
    chosen = [f"{name}: {what}" for name in NETWORKS for what in BRIEF]
    chosen += dict.fromkeys(row[0] for rows in judged.values() for row in rows if " together / " in row[0])
    body = []
    for what in chosen:
        found = {device: row for device, rows in judged.items() for row in rows if row[0] == what}
        if found:
            cells = ["" if row is None else f"{row[2].split(' / ')[1]} ({row[3]})" for row in map(found.get, judged)]
            body.append([what, next(iter(found.values()))[1], *cells])
    return table(
        ["an iteration of BIRD, and what users wait for", "target", *judged], body + speed_waits.brief([*judged])
    )


def accelerator_targets(race: Race | None) -> list[list[str]]:
    """Those of a data-centre GPU."""
    best = "jax frozen, 16 images, bfloat16"
    ratio = None if race is None else race.ratio("eager frozen", best)
    if race is None or ratio is None:
        return []
    images, share = [16 * value for value in ratio], race.share(race.rows[best])
    words = ["celeba_hq: images/s in bfloat16, 16 together / PyTorch eager's of one", "at least 20", spread(images)]
    rows = [[*words, "met" if images[1] >= 20 else "missed"]]
    reached = "met" if int(share.removesuffix(" %")) >= 50 else "missed"
    return [*rows, ["celeba_hq: share of the bfloat16 peak, 16 together", "at least 50 %", share, reached]]


def shares(rows: list[dict[str, Any]]) -> list[str]:
    """Where the time of an iteration goes, of each contestant that was profiled."""
    if not rows:
        return []
    kinds = list(rows[0]["seconds"])
    body = []
    for row in rows:
        total = sum(row["seconds"].values())
        shares = [f"{100 * row['seconds'].get(kind, 0) / total:.0f} %" for kind in kinds]
        body.append([row["machine"]["device"], f"{row['contestant']['network']}: {row['name']}", *shares])
    return table(["device", "iteration", *kinds], body)


def precisions(rows: list[dict[str, Any]]) -> list[str]:
    """What each precision of products costs an evaluation, an inversion and two restorations, by device."""
    head = ["device", "computation", "products", "error of an evaluation", "inverted and generated again, dB"]
    head += ["noisy, dB", "BIRD, dB", "Invert2Restore, dB"]
    body = [
        [
            row["machine"]["device"],
            row["dtype"],
            row["precision"] or "the device's default",
            f"{row['evaluation']:.1e}",
            *(f"{row[name]:.2f}" for name in ("again", "input", "bird", "invert2restore-literal")),
        ]
        for row in rows
    ]
    return table(head, body) if body else []


def parts(rows: list[dict[str, Any]] | None = None) -> Parts:
    """Of the kept rows, or of others: experiments/results/speed.md; of a whole run docs/speed.md and the README's, too."""
    of_all = rows is None
    rows = read("speed") if rows is None else rows
    devices = list(dict.fromkeys(row["machine"]["device"] for row in rows))
    lines, short, made, judged = ["# What an iteration costs"], [], {}, {}
    for device in devices:
        here = [row for row in rows if row["machine"]["device"] == device]
        about, names = here[0]["machine"], dict.fromkeys(row["race"] for row in here)
        pool = here if about["backend"] != "cpu" else None  # a CPU's moods are those of its race
        races = {name: Race([row for row in here if row["race"] == name], pool) for name in names}
        on = f"Measured on {device} by `python experiments/speed.py`, " + ", ".join(
            f"{name} {number}" for name, number in about["packages"].items()
        )
        judged[device] = targets(races, about["backend"] != "cpu")
        block = ["", f"{on}.", *table(HEAD, judged[device])]
        lines += block
        for name, race in races.items():
            lines += ["", f"## {name}, {device}", *race_table(race)]
        short += block if "flowers64" in races else []
        if about["backend"] == "cpu" and "flowers64" in races and "python" in about:
            listed = ", ".join(f"{name} {number}" for name, number in about["packages"].items() if name != "torch")
            made["README.md", "versions"] = [f"Python {about['python']}, {listed}."]
    made["experiments/results/speed.md", ""] = [*lines, ""]
    if short:
        made["docs/speed.md", "speed"] = short[1:]
        made["README.md", "speed"] = brief(judged)
    if of_all:
        made |= speed_waits.parts()
        made["docs/speed.md", "shares"] = shares(read("speed_profile"))
        made["docs/gpu.md", "precision"] = precisions(
            [row for row in read("accelerator") if row["part"] == "precision"]
        )
    return made


def report(rows: list[dict[str, Any]], root: Path) -> None:
    """experiments/results/speed.jsonl, in which other devices keep their rows, and what is made of it."""
    results = root / "experiments" / "results"
    results.mkdir(parents=True, exist_ok=True)
    path, device = results / "speed.jsonl", rows[0]["machine"]["device"]
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    new = {row["race"] for row in rows}  # other races of this device stay
    rows = [*(row for row in known if row["machine"]["device"] != device or row["race"] not in new), *rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(root, parts(rows))
