"""The predicted deployments, and programs on the PATH that only write down how they are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
EXAMPLE_IDS = {
    "--subscription-id": "00000000-0000-0000-0000-000000000001",
    "--tenant-id": "00000000-0000-0000-0000-000000000002",
    "--resource-group": "rg-ticket-engine",
    "--location": "westeurope",
}


@dataclass(frozen=True)
class Deployment:
    """A predicted deployment: every resource as Azure Resource Manager would get it."""

    resources: list[dict[str, Any]]
    outputs: dict[str, Any]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The resources of a type, at least one."""
        found = [each for each in self.resources if each["type"] == kind]
        assert found, f"nothing of type {kind}"
        return found

    def one(self, kind: str, prefix: str = "") -> dict[str, Any]:
        """The only resource of a type whose name begins so."""
        (found,) = (each for each in self.of(kind) if each["name"].startswith(prefix))
        return found

    def children(self, kind: str, prefix: str) -> set[str]:
        """The last parts of the names of a type's resources within parents whose names begin so."""
        return {
            each["name"].rpartition("/")[2]
            for each in self.resources
            if each["type"] == kind and each["name"].startswith(prefix)
        }

    @property
    def settings(self) -> dict[str, str]:
        """The function app's settings."""
        pairs = self.one("Microsoft.Web/sites")["properties"]["siteConfig"]["appSettings"]
        return {each["name"]: each["value"] for each in pairs}


def read_snapshot(path: Path) -> Deployment:
    """A snapshot as the compiler wrote it."""
    content = json.loads(path.read_text())
    assert content["diagnostics"] == []
    return Deployment(content["predictedResources"], content["outputs"])


@pytest.fixture(params=["development", "production"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each parameter file's committed prediction."""
    return read_snapshot(INFRA / f"{request.param}.snapshot.json")


@pytest.fixture
def development() -> Deployment:
    """The public variant's committed prediction."""
    return read_snapshot(INFRA / "development.snapshot.json")


@pytest.fixture
def production() -> Deployment:
    """The private variant's committed prediction."""
    return read_snapshot(INFRA / "production.snapshot.json")


@pytest.fixture(scope="session")
def bicep() -> str:
    """The compiler; tests that need it are skipped where there is none."""
    found = shutil.which("bicep")
    if found is None:
        pytest.skip("no Bicep compiler on the PATH")
    return found


@pytest.fixture(scope="session")
def infra_copy(bicep: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/ that compiles offline where Microsoft Graph's types lie beside the compiler."""
    copy = tmp_path_factory.mktemp("compiled") / "infra"
    shutil.copytree(INFRA, copy)
    types = Path(bicep).parent / "microsoft-graph-types" / "index.json"
    if types.is_file():
        archive = copy.parent / "graph.tgz"
        subprocess.run([bicep, "publish-extension", str(types), "--target", str(archive)], check=True)
        config = copy / "entra" / "bicepconfig.json"
        content = json.loads(config.read_text())
        content["extensions"]["microsoftGraphV1"] = "../../graph.tgz"
        config.write_text(json.dumps(content))
    return copy


@pytest.fixture(scope="session")
def predict(bicep: str, infra_copy: Path) -> Callable[[str], Deployment]:
    """Predicts the production variant with more lines appended to its parameter file."""

    def run(more: str) -> Deployment:
        path = infra_copy / f"production-{abs(hash(more))}.bicepparam"
        path.write_text((INFRA / "production.bicepparam").read_text() + more)
        ids = [part for pair in EXAMPLE_IDS.items() for part in pair]
        done = subprocess.run(
            [bicep, "snapshot", str(path), "--mode", "overwrite", *ids], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return read_snapshot(path.with_suffix(".snapshot.json"))

    return run


@pytest.fixture(scope="session")
def chosen(predict: Callable[[str], Deployment]) -> Deployment:
    """The production variant with every choice made that its parameter file leaves."""
    return predict("""
param privateSite = true
param consoleClientId = '11111111-2222-3333-4444-555555555555'
param settings = { MAIL_POLL_SCHEDULE: '0 */2 * * * *' }
param mailDeleteAfterDays = 400
param recoverVault = true
""")


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Installs a program of PyPI into an environment of its own, once, and gives the folder of its commands."""

    def install(package: str) -> Path:
        environment = ROOT / f".venv-{package}"
        commands = environment / "bin"
        if not (environment / "installed").exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([commands / "python", "-m", "pip", "install", "--quiet", package], check=True)
            (environment / "installed").touch()
        return commands

    return install


@dataclass
class Desk:
    """A checkout's copy with stubs of az, func, curl and more first on the PATH; ``answers`` say what they do."""

    folder: Path
    environment: dict[str, str]

    def stub(self, program: str, script: str = "") -> None:
        """Make a program that writes down its arguments, then runs these lines of shell."""
        path = self.folder / "bin" / program
        path.write_text(
            f'#!/usr/bin/env bash\nprintf "%s\\x1f" {program} "$@" >>"$CALLS"; printf "\\x1e" >>"$CALLS"\n{script}\n'
        )
        path.chmod(0o755)

    def run(self, *command: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the copy, with what a person types."""
        return subprocess.run(
            [str(self.folder / command[0]), *command[1:]],
            input=typed,
            capture_output=True,
            text=True,
            env={**self.environment, **environment},
            check=False,
            timeout=60,
        )

    @property
    def calls(self) -> list[list[str]]:
        """Every call of a stub, in order: the program and its arguments."""
        log = Path(self.environment["CALLS"])
        text = log.read_text() if log.exists() else ""
        return [each.split("\x1f")[:-1] for each in text.split("\x1e") if each]

    def called(self, *start: str) -> list[list[str]]:
        """The calls that begin so."""
        return [each for each in self.calls if tuple(each[: len(start)]) == start]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk where everything goes well; a test takes away or changes one thing."""
    folder = tmp_path / "checkout"
    (folder / "bin").mkdir(parents=True)
    for name in (
        "infra",
        "oauth_callback",
        "token_refresh",
        "mail_poll",
        "task_delivery",
        "ticket_retention",
        "console",
    ):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "host.json"):
        shutil.copy(ROOT / name, folder / name)
    environment = {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "TICKET_ENGINE_PATIENCE": "1",
        "TICKET_ENGINE_PAUSE": "0.2",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    made = Desk(folder, environment)
    made.stub("az", (Path(__file__).parent / "stub_az.sh").read_text())
    made.stub("func", "echo 'Python Version: /opt/python/3.13.2/bin/python3.13'")
    made.stub("curl", "printf 200")
    return made
