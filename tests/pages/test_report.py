"""The page of restorations: what is in it, that it needs nothing else, and that nothing of a record is markup."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import jaxrestore as jr
from jaxrestore.files.images import enlarge, strip, strip_boxes
from jaxrestore.pages import page_of, write_page
from jaxrestore.pages.curves import logarithmic
from jaxrestore.pages.markup import VOID
from jaxrestore.pages.records import Run, runs_of
from jaxrestore.solve.record import Files
from jaxrestore.solve.result import Restoration

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\ud800\x00"
RANDOM = np.random.default_rng(0)


class Page(HTMLParser):
    """The elements of a page, as a browser would find them; an AssertionError where they aren't closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def said(self):
        return " ".join(self.words)


def write_run(folder, name="a.png", size=(16, 24), kernel=True, **about):
    """The files of a restoration, beside each other, and its record."""
    images = [RANDOM.uniform(-1, 1, (*size, 3)).astype(np.float32) for _ in range(3)]
    files = Files.beside(folder / name)
    factor = max(1, 256 // size[0])
    jr.write_image(files.image, images[1])
    jr.write_image(files.strip, enlarge(strip(images), factor))
    names = ("measurement", "restored", "reference")
    boxes = {name: [factor * side for side in box] for name, box in zip(names, strip_boxes(images), strict=True)}
    record = {
        "output": str(folder / name),
        "result": "all 3 iterations were run",
        "options": {"task": "deblur", "method": "bird", "prior": "tiny", "mask": None, "input": "/home/me/in.png"},
        "method": {"noise_lr": 0.05, "unroll": {"skip": 100}},
        "psnr": 30.0,
        "psnr_of_measurement": 25.0,
        "history": {"iterations": [1, 2, 3], "data_terms": [[0.5, 0.25, 0.1], [0.4, None, 0.2]]},
        "versions": {"jax": "1.2.3"},
        "strip": boxes,
        **about,
    }
    if kernel:
        jr.write_image(files.kernel, enlarge(np.full((5, 5), 200, np.uint8), 8))
        record["estimated_kernels"] = [[[1.0]]]
    path = files.own_record()
    path.write_text(json.dumps(record))
    return path, images


def page_at(path):
    text = path.read_text("utf-8")
    check_needs_nothing(text)
    return Page(text)


def check_needs_nothing(text):
    """No address but of data and of the page itself; no script but its own; a policy that allows no other."""
    page = Page(text)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:image/")), (tag, name)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert not page.all("link") + page.all("iframe") + page.all("object") + page.all("base")
    assert not re.search(r"url\(|@import|fetch\(|import\(", text)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert all(one["alt"] for one in page.all("img"))


def pixels(attributes):
    """Of an image of the page, whose size is the one that is said."""
    kind, content = re.fullmatch(r"data:image/(png|jpeg);base64,(.+)", attributes["src"]).groups()
    image = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
    image.load()
    assert (image.format.lower(), str(image.width), str(image.height)) == (
        kind,
        attributes["width"],
        attributes["height"],
    )
    return np.asarray(image, np.float32) / 127.5 - 1


def test_a_page_shows_before_and_after_reference_kernels_curves_settings_and_how_to_cite(command, tmp_path):
    path, images = write_run(tmp_path)
    code, said, error = command("report", path, "-o", tmp_path / "page.html")
    assert (code, error) == (0, "")
    assert re.fullmatch(r"\S+page\.html: 1 restoration, 0\.\d MB\n", said)
    page = page_at(tmp_path / "page.html")
    before, after, reference, kernel, whole = map(pixels, page.all("img"))
    for found, wanted in zip((before, after, reference), images, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1 / 255 + 1e-6)
    assert kernel.shape == (40, 40, 3)
    assert whole.shape == (256, 16 * (3 * 24 + 2 * 2), 3)
    (slider,) = page.all("input")
    assert (slider["type"], slider["min"], slider["max"]) == ("range", "0", "100")
    assert "a.png" in slider["aria-label"]
    assert len([one for one in page.all("path") if one["class"] == "curve"]) == 2
    assert [one["role"] for one in page.all("svg")] == ["img"]
    assert "a line for each of 2 restarts" in page.all("svg")[0]["aria-label"]
    for words in ("deblur by bird, prior tiny", "unroll.skip", "jax 1.2.3", "in.png", "30.00", "+5.00"):
        assert words in page.said
    assert jr.citation("bird") in page.said
    assert jr.citation() in page.said
    assert "/home/me" not in page.said  # of a path its name
    assert "mask" not in page.said  # which says nothing


def test_what_a_restoration_writes_is_all_on_its_page(tmp_path):
    """From Python, without a word about the command's options; of an unknown kernel and two restarts."""
    blur = jr.Blur(jr.GaussianKernel(5, unknown=True))
    method = jr.bird(jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.5), blur, iterations=2, restarts=2)
    image = jnp.asarray(RANDOM.uniform(-1, 1, (16, 16, 3)), jnp.float32)
    both = jnp.stack([image, -image])
    terms, ones = jnp.float32([[0.5, 0.2], [0.4, 0.1]]), jnp.ones(2, jnp.int32)
    restarts = Restoration(both, both, blur, terms[:, 1], terms[:, 1], 2 * ones, ones, terms)
    result = Restoration(image, image, blur, terms[1, 1], terms[1, 1], 2 * ones[0], ones[0], terms[1], restarts)
    jr.write_restoration(tmp_path / "x.png", method, image + 0.1, result, reference=image, uncertainty=True)
    assert write_page(tmp_path / "page.html", [str(tmp_path)]) == 1
    page = page_at(tmp_path / "page.html")
    names = ("degraded", "restored", "the reference", "estimated kernels", "deviation of restarts", "strip")
    assert len(page.all("img")) == len(names)
    assert all(f"x.png, {name}" in one["alt"] for name, one in zip(names, page.all("img"), strict=True))
    np.testing.assert_allclose(pixels(page.all("img")[1]), image, atol=1 / 255 + 1e-6)
    assert len([one for one in page.all("path") if one["class"] == "curve"]) == 2
    assert jr.citation("bird") in page.said
    assert "all 2 iterations were run" in page.said


def test_what_is_hostile_in_a_record_is_text(tmp_path):
    options = {"task": HOSTILE, "method": HOSTILE, "prior": HOSTILE, HOSTILE: HOSTILE}
    about = {
        "options": options,
        "method": {HOSTILE: {HOSTILE: HOSTILE}},
        "result": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
    }
    path, _ = write_run(tmp_path, name="<b>&.png", device=HOSTILE, **about)
    write_page(tmp_path / "page.html", [path])
    page = page_at(tmp_path / "page.html")
    assert "<script>alert(1)" in page.said
    assert "<b>&.png" in page.said
    assert not page.all("b")
    assert len(page.all("img")) == 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=8), parts, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "options",
    "method",
    "history",
    "strip",
    "versions",
    "novelty",
    "uncertainty",
    "psnr",
    "result",
    "device",
    "class",
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.text(max_size=10))
def test_any_record_makes_a_page(record, name):
    record = {"output": name, "result": "", **record}
    text = page_of([Run(record, Files.beside(Path("/nowhere") / "a.png"))])
    check_needs_nothing(text.encode("utf-8").decode())


def test_of_a_folder_all_are_scored_and_the_first_shown(command, tmp_path):
    (tmp_path / "runs").mkdir()
    for i in range(7):
        path, _ = write_run(tmp_path, f"{i}.png", kernel=False, psnr=30.0 + i)
        path.rename(tmp_path / "runs" / f"{i}.json")
        (tmp_path / "strips").mkdir(exist_ok=True)
        (tmp_path / f"{i}_strip.png").rename(tmp_path / "strips" / f"{i}.png")
    code, said, _ = command("report", tmp_path, "--output", tmp_path / "page.html", "--pictures", "2")
    assert code == 0
    assert "7 restorations" in said
    page = page_at(tmp_path / "page.html")
    assert len(page.all("img")) == 2 * 4
    links = {one["href"][1:] for one in page.all("a")}
    assert links == {one["id"] for one in page.all("h2") if "id" in one}
    mean, low, high = jr.metrics.mean_interval(np.arange(30.0, 37.0))
    assert f"{mean:.2f} [{low:.2f}, {high:.2f}]" in page.said
    assert "mean of 7" in page.said
    assert "the other 5 are in the table alone" in page.said


def test_images_that_were_restored_otherwise_have_no_mean_together(tmp_path):
    paths = [write_run(tmp_path / f"{i}", options={"task": task})[0] for i, task in enumerate(("jpeg", "blind"))]
    write_page(tmp_path / "page.html", paths)
    assert "mean of" not in page_at(tmp_path / "page.html").said


def test_large_pictures_are_reduced_and_the_page_is_bounded(tmp_path):
    path, _ = write_run(tmp_path, size=(1000, 1600), kernel=False)
    write_page(tmp_path / "page.html", [path])
    page = page_at(tmp_path / "page.html")
    sizes = [pixels(one).shape[:2] for one in page.all("img")]
    assert sizes == [(480, 768)] * 3 + [(320, 1536)]
    assert (tmp_path / "page.html").stat().st_size < 2e6
    assert "are reduced for this page" in page.said


def test_a_measurement_without_the_outer_pixels_lies_in_the_middle(tmp_path):
    small, whole = np.full((16, 24, 3), 1.0, np.float32), np.full((20, 28, 3), -1.0, np.float32)
    path, _ = write_run(tmp_path, size=(20, 28), kernel=False)
    boxes = {
        name: [12 * one for one in box]
        for name, box in zip(("measurement", "restored"), strip_boxes([small, whole]), strict=True)
    }
    jr.write_image(tmp_path / "a_strip.png", enlarge(strip([small, whole]), 12))
    path.write_text(json.dumps({**json.loads(path.read_text()), "strip": boxes}))
    write_page(tmp_path / "page.html", [path])
    before, after, _ = map(pixels, page_at(tmp_path / "page.html").all("img"))
    wanted = np.pad(small, ((2, 2), (2, 2), (0, 0)), constant_values=128 / 127.5 - 1)
    np.testing.assert_allclose(before, wanted, atol=1e-6)
    np.testing.assert_array_equal(after, whole)


def test_pictures_that_are_gone_are_named(tmp_path):
    path, _ = write_run(tmp_path)
    for name in ("a.png", "a_strip.png"):
        (tmp_path / name).unlink()
    (tmp_path / "a_kernel.png").write_bytes(b"\x89PNG nothing")
    write_page(tmp_path / "page.html", [path])
    page = page_at(tmp_path / "page.html")
    assert page.all("img") == []
    for name in ("a.png", "a_strip.png", "a_kernel.png"):
        assert f"The picture {name} isn't there, or can't be read." in page.said


def test_of_an_older_record_there_is_no_slider(tmp_path):
    path, images = write_run(tmp_path, kernel=False)
    record = json.loads(path.read_text())
    del record["strip"], record["history"]
    path.write_text(json.dumps(record))
    write_page(tmp_path / "page.html", [path])
    page = page_at(tmp_path / "page.html")
    assert (len(page.all("img")), page.all("input"), page.all("svg")) == (2, [], [])
    np.testing.assert_allclose(pixels(page.all("img")[0]), images[1], atol=1 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is damaged: it is not JSON"),
        ("[" * 100_000, "is damaged: its lists and objects lie too deep"),
        ('{"a": ' * 60 + "1" + "}" * 60, "is no record of a restoration"),
        (
            '{"output": "x.png", "result": ' + '{"a": ' * 60 + "1" + "}" * 61,
            "is damaged: its lists and objects lie too deep",
        ),
        ("[1]", "is no record of a restoration: `output` and `result` must be in it"),
        ('{"output": "x.png"}', "is no record of a restoration"),
    ],
)
def test_a_damaged_record_is_said_and_leaves_the_page_as_it_was(command, tmp_path, text, sentence):
    page = tmp_path / "page.html"
    page.write_text("of another run")
    (tmp_path / "run.json").write_text(text)
    for given_path in (tmp_path / "run.json", tmp_path):
        code, said, error = command("report", given_path, "-o", page)
        assert (code, said) == (2, "")
        assert sentence in error
    assert page.read_text() == "of another run"
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "run.json"}


def test_what_can_not_be_reported_is_said(command, tmp_path):
    path, _ = write_run(tmp_path)
    for arguments, sentence in (
        ((tmp_path / "none",), "There is no file or folder"),
        ((), "There is nothing to report"),
        ((path, "-o", path), r"run.json can't be written: a page's name ends in .html."),
        ((path, "-o", path / "page.html"), "page.html can't be written"),
    ):
        code, _, error = command("report", *arguments)
        assert code == 2
        assert sentence in error
    (tmp_path / "empty").mkdir()
    code, _, error = command("report", tmp_path / "empty", "-o", tmp_path / "page.html")
    assert (code, "holds no record of a restoration" in error) == (2, True)


def test_a_damaged_record_among_others_is_left_out(command, tmp_path):
    write_run(tmp_path)
    (tmp_path / "b_run.json").write_text("{")
    code, said, error = command("report", tmp_path, "-o", tmp_path / "page.html")
    assert (code, "1 restoration" in said) == (0, True)
    assert "b_run.json is damaged: it is not JSON" in error
    assert "It is left out." in error


def test_a_record_is_of_the_image_beside_it_wherever_it_says_that_it_lies(tmp_path):
    path, _ = write_run(tmp_path)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "output": "/etc/../../a.png"}))
    (run,) = runs_of(path)
    assert run.files.image == tmp_path / "a.png"


def test_a_curve_goes_down_where_its_numbers_do():
    drawn = logarithmic([[(1.0, 1.0), (2.0, 0.1), (3.0, 0.01)]], "x", "y", "alt")
    points = re.search(r'd="M ([^"]+)"', drawn)[1].split(" ")
    across, down = zip(*(map(float, point.split(",")) for point in points), strict=True)
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.11)
    assert down[1] - down[0] == pytest.approx(down[2] - down[1], abs=0.11)
    assert down[0] < down[1]
    level = logarithmic([[(1.0, 0.5), (2.0, 0.5)]], "x", "y", "alt")
    assert "nan" not in level
