"""A headless Firefox for tests, spoken to by Marionette, the protocol that is in Firefox itself."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

PREFERENCES = {
    "browser.download.folderList": 2, "browser.download.useDownloadDir": True, "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "browser.startup.page": 0,
}  # fmt: skip


class Firefox:
    """A Firefox without a window; `downloads` is where it saves files."""

    def __init__(self, binary: str, profile: Path, downloads: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        profile.mkdir(parents=True)
        wanted = {**PREFERENCES, "marionette.port": port, "browser.download.dir": str(downloads)}
        (profile / "user.js").write_text(
            "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in wanted.items())
        )
        self._process = subprocess.Popen(
            [
                binary,
                "--headless",
                "--marionette",
                "--no-remote",
                "--width",
                "1400",
                "--height",
                "1000",
                "--profile",
                profile,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._number, self._buffer = 0, b""
        until = time.monotonic() + 120
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
                break
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.1)
        self._message()  # its greeting
        self.call("WebDriver:NewSession", capabilities={})

    def _message(self) -> list:
        while b":" not in self._buffer or len(self._buffer) < sum(self._lengths()):
            block = self._socket.recv(1 << 16)
            if not block:
                raise RuntimeError("Firefox closed its socket")
            self._buffer += block
        head, size = self._lengths()
        message, self._buffer = self._buffer[head : head + size], self._buffer[head + size :]
        return json.loads(message)

    def _lengths(self) -> tuple[int, int]:
        number, _, _ = self._buffer.partition(b":")
        return len(number) + 1, int(number)

    def call(self, command: str, **parameters: object) -> dict:
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._message()
        assert number == self._number and error is None, error
        return result

    def open(self, path: Path) -> None:
        """Load a file and wait until it is there."""
        self.call("WebDriver:Navigate", url=path.as_uri())

    def ask(self, expression: str) -> object:
        """Value of a JavaScript expression on the page."""
        return self.call("WebDriver:ExecuteScript", script=f"return ({expression})", args=[])["value"]

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press at the first point, move over the others, release."""
        steps = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0} for x, y in points]
        steps = [steps[0], {"type": "pointerDown", "button": 0}, *steps[1:], {"type": "pointerUp", "button": 0}]
        source = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self.call("WebDriver:PerformActions", actions=[source])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
