"""Checkov over the predicted resources and the workflow: what it finds is mended, or stands here with the reason."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import read_snapshot

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SITE = {
    "CKV_AZURE_17": "browsers of mailbox owners and people of the console have no client certificates",
    "CKV_AZURE_78": "Flex Consumption knows no FTP; the publishing password for it is off all the same",
    "CKV_AZURE_212": "instances are made when there is work; a consent can wait the seconds of a cold start",
    "CKV_AZURE_213": "health checks take instances out of dedicated plans; alerts watch this app",
    "CKV_AZURE_222": "mailbox owners open the consent link from where they are; privateSite takes the site away",
    "CKV_AZURE_225": "instances are made anew elsewhere; being killed at any step is harmless",
}
REPLICATION = {"CKV_AZURE_206": "copies in one region are enough to begin with; storageSku takes more"}
PUBLIC = {
    "CKV_AZURE_35": "Flex Consumption without a network comes from addresses that no rule can name; roles decide",
    "CKV_AZURE_59": "the development variant has no network; roles decide, and no key is taken",
    "CKV_AZURE_109": "as for storage",
    "CKV_AZURE_189": "as for storage",
}
JUSTIFIED = {"development": SITE | REPLICATION | PUBLIC, "production": SITE | REPLICATION}


@pytest.fixture
def failed(tool: Callable[[str], Path], tmp_path: Path) -> Callable[[Path, str], set[str]]:
    """The checks that fail on a file."""
    program = tool("checkov") / "checkov"

    def run(folder: Path, framework: str) -> set[str]:
        command = [
            str(program),
            "-d",
            str(folder),
            "--framework",
            framework,
            "--skip-download",
            "--quiet",
            "-o",
            "json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        report: Any = json.loads(done.stdout)
        assert report["summary"]["parsing_errors"] == 0
        assert report["summary"]["passed"] > 0
        return {each["check_id"] for each in report["results"]["failed_checks"]}

    return run


@pytest.mark.parametrize("variant", sorted(JUSTIFIED))
def test_every_finding_is_mended_or_has_its_reason(
    failed: Callable[[Path, str], set[str]], tmp_path: Path, variant: str
) -> None:
    deployment = read_snapshot(ROOT / f"infra/{variant}.snapshot.json")
    folder = tmp_path / variant
    folder.mkdir()
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": deployment.resources,
    }
    (folder / "template.json").write_text(json.dumps(template))
    assert failed(folder, "arm") == set(JUSTIFIED[variant])


def test_the_workflow_has_no_finding(failed: Callable[[Path, str], set[str]], tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "infra/github-workflow.example.yml", folder / "deploy.yml")
    assert failed(tmp_path, "github_actions") == set()
