"""A real browser, without a window and without a network: what a page looks like in it.

Whatever becomes of it, it never takes longer than it has been given (`Browser.wait`, `_bounded`).
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# What a page holds itself, and the pages of the browser's own, a new tab's among them.
NO_REQUESTS = {"data", "blob", "chrome", "chrome-untrusted"}
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# Nothing of its own goes to the network, and no file into anybody's home.
_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--proxy-server=127.0.0.1:9",
    # Or else it may hold back frames and clocks of a window that it believes to be hidden.
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
)  # fmt: skip
# Of a page that loads, of a script, and of one answer of the driver, which has no limit of its own.
_LOAD_SECONDS, _SCRIPT_SECONDS, _ANSWER_SECONDS = 60, 30, 75
# All waits of one browser together: a page that is broken breaks many tests.
_PATIENCE_SECONDS = 150.0


class Browser:
    """Chromium, steered through Selenium."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._patience = _PATIENCE_SECONDS

    def open(self, page: Path | str, *, width: int, dark: bool = False) -> None:
        """Load a file, or an address, into a window of that width, as a phone or a desk has it."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[scheme])
        self._driver.get_log("performance")
        self._driver.get(page if isinstance(page, str) else page.as_uri())

    def ask(self, script: str) -> Any:
        """What a script in the page returns."""
        return self._driver.execute_script(f"return {script}")

    def wait(self, condition: str, seconds: float = 60.0) -> Any:
        """What a script returns, as soon as that is something."""
        from selenium.webdriver.support.ui import WebDriverWait

        seconds = min(seconds, max(self._patience, 0.5))
        told = f"in {seconds:g} s it never came that {condition}"
        begin = time.monotonic()
        try:
            waiting = WebDriverWait(self._driver, seconds, 0.05)
            return waiting.until(lambda _: self.ask(condition), told)
        finally:
            self._patience -= time.monotonic() - begin

    def element(self, css: str) -> Any:
        """The first element of that kind, as Selenium knows it, in sight."""
        found = self._driver.find_element("css selector", css)
        self._driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        return found

    def press(self, css: str, *keys: str) -> None:
        """Type into an element, after what is in it was selected."""
        from selenium.webdriver.common.keys import Keys

        found = self.element(css)
        found.send_keys(Keys.CONTROL, "a")
        found.send_keys(*keys)

    def point(self, css: str) -> None:
        """Move the pointer onto the middle of an element that is in sight."""
        box = self.ask(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector('{css}').getBoundingClientRect())"
        )
        for shift in (3, 0):
            self._tell("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + shift, y=box[1])

    def key(self, name: str) -> None:
        """Press a key wherever the focus is."""
        for kind in ("keyDown", "keyUp"):
            self._tell(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=9
            )

    @property
    def address(self) -> str:
        """Of the page, as it is now."""
        return str(self._driver.current_url)

    def screenshot(self, height: float | None = None) -> bytes:
        """The page as PNG, all of it or from its top so far down."""
        size = self._tell("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": height or size["height"],
            "scale": 1,
        }
        shot = self._tell("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def requests(self) -> list[str]:
        """Every address that the page asked for since it was opened."""
        messages = [
            json.loads(e["message"])["message"] for e in self._driver.get_log("performance")
        ]
        asked = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if urlsplit(url).scheme not in NO_REQUESTS]

    def complaints(self) -> list[str]:
        """What the browser's console says of the page."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def _tell(self, command: str, **parameters: Any) -> Any:
        return self._driver.execute_cdp_cmd(command, parameters)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in the folder `profile`."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*_QUIET, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.timeouts = {"pageLoad": _LOAD_SECONDS * 1000, "script": _SCRIPT_SECONDS * 1000}
    usual = socket.getdefaulttimeout()
    # The driver's client takes it at its construction, and waits for ever without it.
    socket.setdefaulttimeout(_ANSWER_SECONDS)
    try:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    finally:
        socket.setdefaulttimeout(usual)
    driver.execute = _bounded(driver.execute, driver.service.process)  # type: ignore[method-assign]
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _bounded(execute: Callable[..., Any], process: Any) -> Callable[..., Any]:
    """The same, after which a driver that did not answer in time is gone: it never will again."""

    def run(*arguments: Any, **more: Any) -> Any:
        from urllib3.exceptions import TimeoutError as SlowError

        try:
            return execute(*arguments, **more)
        except SlowError:
            process.kill()
            raise

    return run


def _main() -> None:
    """PAGE PICTURE WIDTH SECTION …: some sections of a page, as docs/images has them."""
    import io
    import sys
    import tempfile

    from PIL import Image

    page, picture, width, *sections = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder) / "profile") as opened:
        opened.open(Path(page).resolve(), width=int(width))
        opened.ask(f"""[...document.querySelectorAll('section, pre, footer')]
            .filter(e => !{sections}.includes(e.id)).forEach(e => e.remove())""")
        shot = Image.open(io.BytesIO(opened.screenshot())).convert("RGB")
    shot.quantize(256, Image.Quantize.FASTOCTREE).save(picture, optimize=True)


if __name__ == "__main__":
    _main()
