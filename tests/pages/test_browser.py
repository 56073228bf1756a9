"""The page in a browser: the slider moves by keys and by hand, pictures are decoded, it fits a phone, it asks for nothing."""

import io

import numpy as np
import pytest
from browser import PROGRAM, browser
from PIL import Image
from test_report import write_run

from jaxrestore.pages import write_page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    paths = [write_run(folder / f"{i}", size=(64, 64), psnr=30.0 + i)[0] for i in range(6)]
    for path in paths:  # black before, white after
        strip = np.zeros((256, 784, 3), np.uint8)
        strip[:, 264:520] = 255
        Image.fromarray(strip).save(path.with_name("a_strip.png"))
    write_page(folder / "page.html", paths)
    return folder / "page.html"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


def box(tab, selector):
    """Left, top, width and height in the window."""
    shape = "(({x, y, width, height}) => [x, y, width, height])"
    tab.evaluate(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    return tab.evaluate(f"{shape}(document.querySelector('{selector}').getBoundingClientRect())")


def boundary(tab):
    """The share of the first pair of pictures that is still the dark one, along its middle."""
    left, top, width, height = box(tab, ".pair")
    image = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("L"))
    row = image[round(top + height / 4), round(left) + 1 : round(left + width) - 1]
    return np.mean(row < 64)


@pytest.mark.parametrize(("width", "height"), [(1440, 1000), (390, 844)])
def test_the_slider_moves_and_every_picture_is_decoded(tab, page, width, height):
    tab.requests.clear()
    tab.open(page, width, height)
    decoded = "Promise.all([...document.images].map(image => image.decode())).then(all => all.length)"
    assert tab.evaluate(decoded) == 6 * 5
    assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.width > 0)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert boundary(tab) == pytest.approx(0.5, abs=0.03)
    tab.evaluate("document.querySelector('input').focus()")
    for _ in range(20):
        tab.press("ArrowRight", 39)
    assert tab.evaluate("document.querySelector('input').value") == "70"
    assert boundary(tab) == pytest.approx(0.7, abs=0.03)
    assert tab.evaluate("document.querySelector('input').getAttribute('aria-valuetext')").startswith("70 % degraded")
    tab.press("Home", 36)
    assert boundary(tab) == pytest.approx(0, abs=0.03)
    left, top, across, down = box(tab, ".pair")
    tab.drag((left + 0.1 * across, top + down / 2), (left + 0.25 * across, top + down / 2))
    assert boundary(tab) == pytest.approx(0.25, abs=0.03)
    assert [address[:8] for address in tab.requests if not address.startswith("data:")] == ["file:///"]


def test_its_own_script_and_style_pass_its_policy_and_no_other_does(tab, page, tmp_path):
    tab.open(page, 1440, 1000)
    assert tab.evaluate("getComputedStyle(document.querySelector('.pair')).display") == "grid"
    injected = "<script>document.title = 'run'</script><img src='x.png' onerror=\"document.title = 'run'\" alt='x'>"
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page.read_text().replace("</main>", f"{injected}</main>"))
    tab.open(spoilt, 1440, 1000)
    assert tab.evaluate("document.title") == "6 restorations"
    assert tab.evaluate("document.images[document.images.length - 1].naturalWidth") == 0


def test_it_is_light_or_dark_as_the_reader_has_it(tab, page):
    levels = []
    for scheme in ("light", "dark"):
        tab.open(page, 390, 844, scheme)
        levels.append(np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("L"))[2, 2])
    assert levels[0] > 240
    assert levels[1] < 40
