"""The templates compile, lint and are formatted without a word from the compiler, and the snapshots are today's."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SOURCES = sorted(each.relative_to(INFRA) for pattern in ("*.bicep", "*.bicepparam") for each in INFRA.rglob(pattern))


def compiler(bicep: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run([bicep, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip()


def test_every_template_compiles_without_a_warning(bicep: str, infra_copy: Path) -> None:
    said = compiler(bicep, "build", "--pattern", "**/*.bicep", "--outdir", "compiled", folder=infra_copy)
    assert said == ""
    compiled = {each.relative_to(infra_copy / "compiled") for each in (infra_copy / "compiled").rglob("*.json")}
    assert compiled == {each.with_suffix(".json") for each in SOURCES if each.suffix == ".bicep"}


def test_every_file_passes_the_linter_without_a_word(bicep: str, infra_copy: Path) -> None:
    assert compiler(bicep, "lint", "--pattern", "**/*.bicep", folder=infra_copy) == ""
    assert compiler(bicep, "lint", "--pattern", "**/*.bicepparam", folder=infra_copy) == ""


def test_every_file_is_formatted(bicep: str, infra_copy: Path) -> None:
    compiler(bicep, "format", "--pattern", "**/*.bicep", folder=infra_copy)
    compiler(bicep, "format", "--pattern", "**/*.bicepparam", folder=infra_copy)
    differ = [str(each) for each in SOURCES if (infra_copy / each).read_text() != (INFRA / each).read_text()]
    assert differ == []


@pytest.mark.usefixtures("bicep")
def test_the_snapshots_are_what_the_templates_give_now() -> None:
    done = subprocess.run([INFRA / "snapshot", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_of_the_linter_is_an_error_or_off_for_a_reason() -> None:
    for name in ("bicepconfig.json", "entra/bicepconfig.json"):
        rules = json.loads((INFRA / name).read_text())["analyzers"]["core"]["rules"]
        assert {rule: each["level"] for rule, each in rules.items() if each["level"] != "error"} == {}


def test_whoever_switches_a_rule_off_on_a_line_says_why() -> None:
    for source in SOURCES:
        for line in (INFRA / source).read_text().splitlines():
            if "#disable" in line:
                assert re.search(r"#disable-next-line [\w-]+ // \S+", line), line


def test_the_graph_template_names_the_public_extension() -> None:
    config = json.loads((INFRA / "entra/bicepconfig.json").read_text())
    assert config["extensions"] == {
        "microsoftGraphV1": "br:mcr.microsoft.com/bicep/extensions/microsoftgraph/v1.0:1.0.0"
    }


def test_both_folders_have_the_same_rules() -> None:
    ours, entra = (json.loads((INFRA / name).read_text()) for name in ("bicepconfig.json", "entra/bicepconfig.json"))
    assert ours["analyzers"] == entra["analyzers"]
