"""A headless Chromium, spoken to by the DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 30.0


def find_browser() -> str | None:
    """The path of a Chromium, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser of its own; a context manager. `said` is what its console was told.

    That includes errors of scripts, of loading and of the content security policy.
    """

    def __init__(self, path: str) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="browser", ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
        own = (f"--user-data-dir={self._home.name}", "--remote-debugging-pipe", "about:blank")
        on_3_and_4 = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'  # where the protocol speaks
        pipes = (str(theirs_in), str(theirs_out))
        self._process = subprocess.Popen(
            ["bash", "-c", on_3_and_4, "bash", *pipes, path, *flags, *own],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._received = 0, b""
        self._session: str | None = None
        self.said: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._to, json.dumps(command).encode() + b"\0")
        give_up_s = time.monotonic() + PATIENCE_S
        while (message := self._hear(give_up_s)).get("id") != self._number:
            self._note(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self.send("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def look(self, width: int, height: int = 1000, *, dark: bool = False) -> None:
        """See the page at this size, in these colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def ask(self, script: str) -> Any:
        """The value of an expression of the page's script."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(_words(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, script: str, patience_s: float = PATIENCE_S) -> Any:
        """The value of an expression as soon as it is true."""
        give_up_s = time.monotonic() + patience_s
        while not (value := self.ask(script)):
            if time.monotonic() > give_up_s:
                raise TimeoutError(f"{script} stayed {value!r}")
            time.sleep(0.1)
        return value

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        taken = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(taken["data"])

    def close(self) -> None:
        """End the browser and remove what it kept."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hear(self, give_up_s: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            left_s = max(0.0, give_up_s - time.monotonic())
            chunk = b""
            if select.select([self._from], [], [], left_s)[0]:
                chunk = os.read(self._from, 1 << 16)
            if not chunk:
                raise TimeoutError("the browser does not answer")
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict[str, Any]) -> None:
        words = NOTED.get(message.get("method", ""))
        if words is not None:
            self.said.append(words(message["params"]))


def _words(details: dict[str, Any]) -> str:
    return details.get("exception", {}).get("description") or details["text"]


NOTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "Runtime.exceptionThrown": lambda told: _words(told["exceptionDetails"]),
    "Runtime.consoleAPICalled": lambda told: f"{told['type']}: {told['args']}",
    "Log.entryAdded": lambda told: told["entry"]["text"],
}
