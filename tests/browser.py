"""A real browser, without a window and without a network: what a page looks like in it.

Whatever becomes of it, it never takes longer than it has been given (`Browser.wait`, `_bounded`).
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def _that_runs(name: str) -> str | None:
    """Where a program is; None also for one that is only half installed, as while it is fetched."""
    path = shutil.which(name)
    with suppress(OSError, subprocess.TimeoutExpired):
        if (
            path
            and not subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode
        ):
            return path
    return None


# What a page holds itself, and the pages of the browser's own, a new tab's among them.
NO_REQUESTS = {"data", "blob", "chrome", "chrome-untrusted"}
CHROMIUM, DRIVER = _that_runs("chromium"), _that_runs("chromedriver")
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
_LOAD_SECONDS, _SCRIPT_SECONDS, _ANSWER_SECONDS = 90, 60, 115
# All waits of one browser together for what never came: a page that is broken breaks many tests.
_PATIENCE_SECONDS = 240.0


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
        # What the former page still waited for breaks off now, and is no complaint of this one.
        self._driver.get("about:blank")
        for log in ("performance", "browser"):
            self._driver.get_log(log)
        self._driver.get(page if isinstance(page, str) else page.as_uri())

    def ask(self, script: str) -> Any:
        """What a script in the page returns."""
        return self._driver.execute_script(f"return {script}")

    def wait(self, condition: str, seconds: float = 120.0) -> Any:
        """What a script returns, as soon as that is something."""
        return self._until(lambda: self.ask(condition), condition, seconds)

    def click(self, css: str) -> None:
        """Click on the first element of that kind, as soon as it stands still and is uncovered."""

        def clicked() -> bool:
            self.element(css).click()
            return True

        self._until(clicked, f"{css} could be clicked on", 120.0)

    def _until(self, attempt: Callable[[], Any], what: str, seconds: float) -> Any:
        """What an attempt returns as soon as that is something; a page that is drawn may refuse."""
        from selenium.common.exceptions import TimeoutException, WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        seconds = min(seconds, max(self._patience, 0.5))
        refused = ""

        def tried(_: Any) -> Any:
            nonlocal refused
            try:
                return attempt()
            except TimeoutException:
                raise
            except WebDriverException as error:
                refused = f": {error.msg}"
                return None

        try:
            return WebDriverWait(self._driver, seconds, 0.05).until(tried)
        except TimeoutException:
            self._patience -= seconds
            raise AssertionError(f"in {seconds:g} s it never came that {what}{refused}") from None

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

    def point(self, css: str, shown: str) -> None:
        """Move the pointer onto an element in sight, until that makes another appear."""

        def pointed() -> Any:
            # What is about to be drawn anew does not notice it.
            box = self.ask(
                f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
                f"(document.querySelector('{css}').getBoundingClientRect())"
            )
            for shift in (3, 0):
                x, y = box[0] + shift, box[1]
                self._tell("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
            return self.ask(f"document.querySelector('{shown}')")

        self._until(pointed, f"{shown} is shown at {css}", 120.0)

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
