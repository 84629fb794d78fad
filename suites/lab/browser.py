"""A headless Chromium for tests of pages: knows the few WebDriver commands they need (W3C WebDriver, sections 9 to 17).

It must not know any page. One driver process on a port the kernel chose and one fresh profile; both are gone when it closes.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

MISSING: Final = "needs Chromium and its driver: apt-get install chromium chromium-driver"
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
_START: Final = 30.0
_ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Nothing but this machine can be reached, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
KEYS: Final = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c", "down": "\ue015", "up": "\ue013"}


def programs() -> tuple[str, str] | None:
    """Chromium and its driver, or None where one is missing."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    return (found[0], found[1]) if found[0] and found[1] else None


class BrowserError(Exception):
    """The browser refused a command, or a condition did not come about in time."""


class Browser:
    """One browser window."""

    def __init__(self, *, scripts: bool = True) -> None:
        names = programs()
        if names is None:
            raise BrowserError(MISSING)
        self._profile = tempfile.mkdtemp(prefix="erle-browser-")
        self._driver = subprocess.Popen(
            [names[1], "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile},
        )
        try:
            self._base = f"http://127.0.0.1:{self._port()}"
            self._open(names[0], scripts=scripts)
        except BaseException:
            self._end()
            raise

    def _port(self) -> int:
        stream = self._driver.stdout
        if stream is None:
            raise BrowserError("the driver has no output")
        said = b""
        deadline = time.monotonic() + _START
        while (left := deadline - time.monotonic()) > 0 and select.select([stream], [], [], left)[0]:
            data = os.read(stream.fileno(), 4096)
            said += data
            if found := re.search(rb"started successfully on port (\d+)", said):
                return int(found[1])
            if not data:
                break
        raise BrowserError(f"the driver did not start: {said.decode('utf-8', 'replace')}")

    def _open(self, binary: str, *, scripts: bool) -> None:
        options: dict[str, object] = {
            "binary": binary,
            "args": [*_ARGUMENTS, f"--user-data-dir={self._profile}/profile"],
        }
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        if not isinstance(answer, dict):
            raise BrowserError(f"the driver opened no session: {answer!r}")
        self._base += f"/session/{answer['sessionId']}"

    def _send(self, method: str, path: str, body: object = None) -> object:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._base + path, data=data, method=method)  # noqa: S310 - always 127.0.0.1
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                value: object = json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise BrowserError(error.read().decode("utf-8", "replace")[:600]) from error
        return value

    def go(self, page: Path | str) -> None:
        """Open a file, or an address, and wait until it has loaded."""
        self._send("POST", "/url", {"url": page.as_uri() if isinstance(page, Path) else page})

    def run(self, script: str, *arguments: object) -> object:
        """The value that the body of a JavaScript function returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """What is seen of the first element, as the browser lays it out. Raises BrowserError when there is none."""
        found = self._send("POST", "/element", {"using": "css selector", "value": selector})
        if not isinstance(found, dict):
            raise BrowserError(f"no element {selector}")
        return str(self._send("GET", f"/element/{found[_ELEMENT]}/text"))

    def press(self, *keys: str) -> None:
        """Type keys into whatever has the focus: names of KEYS, or text."""
        strokes = [stroke for key in keys for stroke in KEYS.get(key, key)]
        events = [{"type": kind, "value": stroke} for stroke in strokes for kind in ("keyDown", "keyUp")]
        self._send("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": events}]})

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 10) -> None:
        """Until the condition holds; asking the browser is what paces it. Raises BrowserError after the deadline."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise BrowserError(f"not within {seconds:g} s: {what}")

    def emulate(self, width: int, height: int, scheme: str = "light") -> None:
        """A window of this size, in CSS pixels, whose reader prefers `light` or `dark`."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._devtools(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def _devtools(self, command: str, **parameters: object) -> object:
        return self._send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(str(self._send("GET", "/screenshot"))))

    def complaints(self) -> list[str]:
        """What the browser wrote to its console since last asked: script errors, refused loads."""
        rows = self._send("POST", "/se/log", {"type": "browser"})
        return (
            [str(row["message"]) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        )

    def requested(self) -> Sequence[str]:
        """Every address the page loaded something from, itself included."""
        found = self.run("return performance.getEntries().filter(e => e.name.includes(':')).map(e => e.name)")
        return [str(name) for name in found] if isinstance(found, list) else []

    def load_seconds(self) -> float:
        """From the start of the navigation to the end of the load event of the page that is open."""
        return (
            float(str(self.run("return performance.getEntriesByType('navigation')[0].loadEventEnd"))) / 1000
        )

    def close(self) -> None:
        """End browser and driver."""
        try:
            self._send("DELETE", "")
        finally:
            self._end()

    def _end(self) -> None:
        self._driver.terminate()
        try:
            self._driver.wait(10)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        if self._driver.stdout is not None:
            self._driver.stdout.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
