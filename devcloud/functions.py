"""The functions host as a part of the cloud: a process of its own that can be stopped and started again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from devcloud.certificates import CertificateAuthority
from devcloud.ports import free_ports, listens
from devcloud.processes import Process

_APP = Path(__file__).parent.parent


class FunctionsHost:
    """The app, served at ``url``."""

    def __init__(self, folder: Path, certificates: CertificateAuthority, app: Path = _APP) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "host.log"
        self._certificates = certificates
        self._app = app
        self._port = free_ports(1)[0]
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """``https://localhost:<port>``."""
        return f"https://localhost:{self._port}"

    def start(self, environment: Mapping[str, str], *, worker: str = "auto") -> None:
        """Start the host with these app settings, and wait until it serves."""
        command = [sys.executable, "-m", "devcloud.host", "--app", str(self._app), "--port", str(self._port)]
        command += ["--cert", str(self._certificates.server_certificate), "--key", str(self._certificates.server_key)]
        command += ["--worker", worker]
        path = os.pathsep.join(filter(None, (str(_APP), os.environ.get("PYTHONPATH"))))
        self._process = Process(
            "The functions host", command, self.log, os.environ | environment | {"PYTHONPATH": path}
        )
        self._process.wait_until(lambda: listens(self._port), seconds=60)

    def stop(self) -> None:
        """Stop the host; functions that run may finish."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def fire(self, function: str, given: str = "") -> None:
        """Run a timer function now, or hand a queue function a message, by the host's admin API."""
        with httpx.Client(verify=self._certificates.context()) as client:
            answer = client.post(f"{self.url}/admin/functions/{function}", json={"input": given}, timeout=60)
            answer.raise_for_status()
