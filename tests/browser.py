"""A headless Chromium, driven through its DevTools protocol over two pipes: no package is needed for it."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next((path for path in map(shutil.which, NAMES) if path), None)
SECONDS = 60  # that an answer may take


class Tab:
    """A page in a browser."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.waiting, self.number, self.session = b"", 0, None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.requests = []  # addresses that the page asked for
        self("Network.enable")
        self("Page.enable")

    def __call__(self, method, **params):
        """A command of the protocol, and its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.waiting:
            ready, _, _ = select.select([self.from_browser], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser doesn't answer"
            chunk = os.read(self.from_browser, 1 << 20)
            assert chunk, "the browser has ended"
            self.waiting += chunk
        message, _, self.waiting = self.waiting.partition(b"\0")
        answer = json.loads(message)
        if answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(answer["params"]["request"]["url"])
        return answer

    def open(self, path, width, height, scheme="light"):
        """Show a file in a window of that size, wait until it is there."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self("Page.navigate", url=path.absolute().as_uri())
        end = time.monotonic() + SECONDS
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            assert time.monotonic() < end

    def evaluate(self, expression):
        """The value of JavaScript in the page."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def drag(self, start, end):
        """With the left button from one point of the window to another."""
        for kind, (x, y), buttons in (("mousePressed", start, 1), ("mouseMoved", end, 1), ("mouseReleased", end, 0)):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def screenshot(self):
        """The bytes of a PNG."""
        return base64.b64decode(self("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browser(folder):
    """A tab of a browser that keeps its things in `folder`, and ends with it."""
    theirs, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    flags = ["--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe", "--hide-scrollbars"]
    flags += ["--no-sandbox"] * (os.geteuid() == 0)  # which it has no use of for root
    command = f'exec "$@" 3<&{theirs} 4>&{answers}'  # the two that the protocol's pipes are
    process = subprocess.Popen(
        ["bash", "-c", command, "bash", PROGRAM, *flags, f"--user-data-dir={folder}"],
        pass_fds=(theirs, answers),
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(answers)
    try:
        yield Tab(to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        process.terminate()
        process.wait(SECONDS)
