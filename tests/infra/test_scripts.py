"""infra/deploy, verify, build and register, run for real against stubs of az and func that write down their calls."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GROUP = ("--resource-group", "rg")
SITE = "https://func-1.azurewebsites.net"


def changes(desk: Any) -> list[list[str]]:
    """The calls that would change something in Azure."""
    changing = (
        "az deployment group create",
        "az group create",
        "az provider register",
        "func azure",
        "az rest --method p",
    )
    return [each for each in desk.calls if " ".join(each).startswith(changing)]


def test_a_deployment_shows_the_change_deploys_publishes_waits_and_names_the_next_step(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert done.returncode == 0, done.stderr
    order = [" ".join(each[:4]) for each in desk.calls]
    steps = [
        order.index("az deployment group what-if"),
        order.index("az deployment group create"),
        order.index("func azure functionapp publish"),
        order.index("az functionapp function list"),
    ]
    assert steps == sorted(steps)
    assert ["curl", f"{SITE}/api/health"] == [desk.called("curl")[0][0], desk.called("curl")[0][-1]]
    assert desk.called("func") == [
        ["func", "azure", "functionapp", "publish", "func-1", "--python", "--build", "remote"]
    ]
    assert "Resource changes: 3 to create" in done.stdout


def test_without_a_registration_the_next_step_is_to_register(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert "infra/entra/register --resource-group rg" in done.stdout


def test_with_a_registration_the_next_step_is_the_first_mailbox(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", CONSOLE="console-1")
    assert "ticket-engine mailbox add" in done.stdout
    for name in ("STORAGE_TABLES_URL", "STORAGE_BLOBS_URL", "KEY_VAULT_URL"):
        assert f"export {name}=https://value.example" in done.stdout


def test_the_same_parameters_are_shown_and_deployed(desk: Any) -> None:
    desk.run("infra/deploy", *GROUP, "--yes")
    (shown,) = desk.called("az", "deployment", "group", "what-if")
    (deployed,) = desk.called("az", "deployment", "group", "create")
    assert shown[4:] == deployed[4:-2]
    assert {"recoverVault=false", "assignRoles=true", "consoleClientId=console-1"} <= set(shown)


def test_a_second_deployment_makes_no_group(desk: Any) -> None:
    assert desk.run("infra/deploy", *GROUP, "--yes").returncode == 0
    assert desk.called("az", "group", "create") == []


def test_a_new_group_needs_a_region_and_gets_it(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", GROUP_LOCATION="")
    assert "Add --location" in done.stderr
    done = desk.run("infra/deploy", *GROUP, "--location", "swedencentral", "--yes", GROUP_LOCATION="")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n"])
def test_who_declines_changes_nothing(desk: Any, answer: str) -> None:
    done = desk.run("infra/deploy", *GROUP, typed=answer)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert changes(desk) == []


def test_who_says_yes_deploys(desk: Any) -> None:
    assert desk.run("infra/deploy", *GROUP, typed="y\n").returncode == 0
    assert desk.called("az", "deployment", "group", "create")


def test_where_nobody_can_answer_nothing_is_changed(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, typed="")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert changes(desk) == []


def test_who_is_not_signed_in_is_told_how(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", NOT_SIGNED_IN="1")
    assert done.returncode == 1
    assert "az login" in done.stderr
    assert changes(desk) == []


@pytest.mark.parametrize(("program", "where"), [("az", "install-azure-cli"), ("func", "func-install")])
def test_a_missing_tool_is_named_with_where_to_get_it(desk: Any, program: str, where: str) -> None:
    (desk.folder / "bin" / program).unlink()
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert done.returncode == 1
    assert where in done.stderr
    assert changes(desk) == []


def test_resources_alone_need_no_func(desk: Any) -> None:
    (desk.folder / "bin/func").unlink()
    done = desk.run("infra/deploy", *GROUP, "--yes", "--no-publish")
    assert done.returncode == 0, done.stderr
    assert desk.called("az", "deployment", "group", "create")


def test_a_region_without_flex_consumption_is_refused_with_those_that_have_it(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", GROUP_LOCATION="atlantis")
    assert done.returncode == 1
    assert "no Flex Consumption in atlantis" in done.stderr
    assert "swedencentral" in done.stderr
    assert changes(desk) == []


def test_a_group_in_another_region_is_refused(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--location", "swedencentral", "--yes")
    assert "is in westeurope, not in swedencentral" in done.stderr
    assert changes(desk) == []


def test_a_resource_provider_that_is_missing_is_registered(desk: Any) -> None:
    assert desk.run("infra/deploy", *GROUP, "--yes", PROVIDER="NotRegistered").returncode == 0
    assert "Microsoft.App" in {each[4] for each in desk.called("az", "provider", "register")}


def test_who_may_not_register_a_provider_is_told_whom_to_ask(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", PROVIDER="NotRegistered", REGISTER="1")
    assert done.returncode == 1
    assert "Ask an owner" in done.stderr


def test_a_change_that_azure_refuses_to_predict_stops_before_anything_is_made(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", WHAT_IF="1")
    assert done.returncode == 1
    assert desk.called("az", "deployment", "group", "create") == []


def test_a_failed_deployment_publishes_nothing_and_can_be_repeated(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", DEPLOY="1")
    assert done.returncode == 1
    assert "again" in done.stderr
    assert desk.called("func") == []


def test_a_vault_that_was_deleted_with_the_group_comes_back(desk: Any) -> None:
    desk.run("infra/deploy", *GROUP, "--yes", DELETED_VAULT="kv-1")
    (shown,) = desk.called("az", "deployment", "group", "what-if")
    assert "recoverVault=true" in shown


def test_a_pipeline_leaves_roles_as_they_are(desk: Any) -> None:
    desk.run("infra/deploy", *GROUP, "--yes", "--no-roles", "--console-client-id", "mine")
    (shown,) = desk.called("az", "deployment", "group", "what-if")
    assert {"assignRoles=false", "consoleClientId=mine"} <= set(shown)


def test_the_examples_operators_and_addresses_are_never_deployed(desk: Any) -> None:
    done = desk.run("infra/deploy", *GROUP, "--yes", "--parameters", "infra/production.bicepparam")
    assert done.returncode == 1
    assert "put your own in" in done.stderr
    assert changes(desk) == []


def test_a_failed_publication_says_how_to_go_on(desk: Any) -> None:
    desk.stub("func", "exit 1")
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert done.returncode == 1
    assert "publishing failed" in done.stderr
    assert "--local-build" in done.stderr


def test_a_build_that_took_another_python_is_done_again_here(desk: Any) -> None:
    desk.stub("func", "echo 'Python Version: /opt/python/3.11.8/bin/python3.11'")
    desk.stub("uv", "mkdir -p .python_packages/lib/site-packages")
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert done.returncode == 0, done.stderr
    assert "took Python 3.11 and not 3.13" in done.stderr
    remote, local = desk.called("func")
    assert remote[-2:] == ["--build", "remote"]
    assert local[-1] == "--no-build"
    (build,) = desk.called("uv")
    assert build[build.index("--python-version") + 1] == "3.13"


def test_functions_that_never_appear_are_built_here(desk: Any) -> None:
    desk.stub("uv")
    done = desk.run("infra/deploy", *GROUP, "--yes", FUNCTIONS_SEEN_AFTER="2")
    assert done.returncode == 0, done.stderr
    assert [each[-1] for each in desk.called("func")] == ["remote", "--no-build"]


def test_functions_that_never_appear_at_all_end_in_advice(desk: Any) -> None:
    desk.stub("uv")
    done = desk.run("infra/deploy", *GROUP, "--yes", FUNCTIONS_SEEN_AFTER="99")
    assert done.returncode == 1
    assert "mail_poll_mailbox" in done.stderr
    assert "Log stream" in done.stderr


def test_a_build_here_needs_the_python_of_azure(desk: Any) -> None:
    desk.environment["PATH"] = f"{desk.folder / 'bin'}:{_tools_without_python(desk.folder)}"
    done = desk.run("infra/deploy", *GROUP, "--yes", "--local-build")
    assert done.returncode == 1
    assert "uv or Python 3.13" in done.stderr
    assert changes(desk) == []


def _tools_without_python(folder: Path) -> Path:
    tools = folder / "tools"
    tools.mkdir()
    for each in ("bash", "env", "grep", "sed", "awk", "sort", "comm", "tr", "cat", "dirname", "mktemp", "rm", "tee"):
        (tools / each).symlink_to(f"/usr/bin/{each}")
    return tools


def test_an_app_that_is_not_well_ends_in_advice(desk: Any) -> None:
    desk.stub("curl", "printf 503")
    done = desk.run("infra/deploy", *GROUP, "--yes")
    assert done.returncode == 1
    assert "HTTP 503" in done.stderr
    assert "Roles can take ten minutes" in done.stderr


def test_verify_expects_exactly_the_functions_that_the_code_has(desk: Any) -> None:
    done = desk.run("infra/verify", *GROUP, FUNCTIONS_SEEN_AFTER="99")
    named = re.search(r"does not see these functions: (.*)", done.stderr)
    assert named is not None
    code = "import function_app; print(*(each.get_function_name() for each in function_app.app.get_functions()))"
    exist = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert sorted(named[1].split()) == sorted(exist)


def test_verify_without_a_deployment_says_what_comes_first(desk: Any) -> None:
    done = desk.run("infra/verify", *GROUP, NOT_DEPLOYED="1")
    assert done.returncode == 1
    assert "infra/deploy --resource-group rg" in done.stderr


@pytest.mark.parametrize("script", ["infra/deploy", "infra/verify", "infra/entra/register"])
def test_wrong_usage_is_told_and_help_is_there(desk: Any, script: str) -> None:
    assert "--resource-group is missing" in desk.run(script).stderr
    assert "there is no option --frobnicate" in desk.run(script, "--frobnicate").stderr
    help_text = desk.run(script, "--help")
    assert help_text.returncode == 0
    assert help_text.stdout.startswith(f"Usage: {script}")
    assert desk.calls == []


@pytest.mark.parametrize("option", ["--resource-group", "--location", "--parameters", "--console-client-id"])
def test_an_option_without_its_value_is_told(desk: Any, option: str) -> None:
    done = desk.run("infra/deploy", option)
    assert done.returncode == 1
    assert f"{option} needs a value" in done.stderr


def test_registering_with_bicep_takes_the_outputs_of_the_deployment(desk: Any) -> None:
    done = desk.run("infra/entra/register", *GROUP)
    assert done.returncode == 0, done.stderr
    (deployed,) = desk.called("az", "deployment", "group", "create")
    assert deployed[deployed.index("--template-file") + 1] == "infra/entra/main.bicep"
    assert "client id): mail-1" in done.stdout
    assert "--console-client-id console-1" in done.stdout
    assert "adminconsent?client_id=mail-1" in done.stdout


def test_where_bicep_cannot_register_the_other_way_is_named(desk: Any) -> None:
    done = desk.run("infra/entra/register", *GROUP, NO_GRAPH="1")
    assert done.returncode == 1
    assert "--az" in done.stderr


def test_plain_azure_cli_registers_exactly_what_the_template_does(desk: Any) -> None:
    done = desk.run("infra/entra/register", *GROUP, "--az", "--operator", "person-9")
    assert done.returncode == 0, done.stderr
    resources = json.loads((ROOT / "infra/entra/main.snapshot.json").read_text())["predictedResources"]
    template = {
        (each["type"].partition("@")[0].rpartition("/")[2], _key(each["properties"])): each["properties"]
        for each in resources
    }
    sent = {}
    for call in desk.called("az", "rest", "--method", "patch"):
        path = call[call.index("--url") + 1].partition("/v1.0/")[2]
        kind, name = re.findall(r"(\w+)\((?:\w+=)?'([^']+)'\)$", path)[-1]
        sent[kind, name] = json.loads(call[call.index("--body") + 1])
    for name in ("ticket-engine-mail", "ticket-engine-console"):
        expected = {key: value for key, value in template["applications", name].items() if key != "uniqueName"}
        assert _without_host(sent["applications", name]) == _without_host(expected)
    for name, subject in (("app", "app-principal"), ("sign-in", "sign-in-principal")):
        credential = sent["federatedIdentityCredentials", name]
        expected = template["federatedIdentityCredentials", name]
        assert credential["issuer"] == "https://login.microsoftonline.com/tenant-1/v2.0"
        assert credential["subject"] == subject
        assert credential["audiences"] == expected["audiences"]
        assert credential["description"] == expected["description"]
    assert {"appRoleAssignmentRequired": True} in sent.values()
    (assigned,) = desk.called("az", "rest", "--method", "post")
    assert json.loads(assigned[assigned.index("--body") + 1])["principalId"] == "person-9"


def _key(properties: dict[str, Any]) -> str:
    name = properties.get("uniqueName") or properties.get("name", "").rpartition("/")[2]
    return str(name or properties.get("appId"))


def _without_host(body: dict[str, Any]) -> Any:
    return json.loads(re.sub(r"https://[^/]+/", "https://host/", json.dumps(body)))


def test_sending_and_other_organisations_are_asked_for_only_by_choice(desk: Any) -> None:
    send = "258f6531-6087-4cc4-bb90-092c5fb3ed3f"
    desk.run("infra/entra/register", *GROUP, "--az")
    assert send not in str(desk.calls)
    assert "AzureADMultipleOrgs" not in str(desk.calls)
    desk.run("infra/entra/register", *GROUP, "--az", "--send", "--multi-tenant")
    assert send in str(desk.calls)
    assert "AzureADMultipleOrgs" in str(desk.calls)


def test_no_registration_gets_a_secret(desk: Any) -> None:
    desk.run("infra/entra/register", *GROUP, "--az")
    assert not re.search(r"(?i)addPassword|passwordCredentials|credential reset|secret", str(desk.calls))


def test_a_role_that_is_held_is_not_assigned_again(desk: Any) -> None:
    desk.run("infra/entra/register", *GROUP, "--az", ASSIGNED="assignment-1")
    assert desk.called("az", "rest", "--method", "post") == []


def test_who_may_not_register_is_told_whom_to_ask(desk: Any) -> None:
    done = desk.run("infra/entra/register", *GROUP, "--az", GRAPH_REFUSES="1")
    assert done.returncode == 1
    assert "Application Developer" in done.stderr


def test_what_is_built_here_is_published_and_nothing_else_that_begins_with_a_dot() -> None:
    patterns = [each.rstrip("/") for each in (ROOT / ".funcignore").read_text().split()]
    assert not any(fnmatch.fnmatch(".python_packages", each) for each in patterns)
    others = {each.name for each in ROOT.iterdir() if each.name.startswith(".")} - {".python_packages"}
    tools = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split() if line.startswith(".")}
    for name in (others | tools) - {".python_packages"}:
        assert any(fnmatch.fnmatch(name, each) for each in patterns), name


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="Azure runs 3.13")
def test_the_app_starts_from_what_is_built_here(desk: Any) -> None:
    # Packages for Linux on x86-64, without the folders that .funcignore takes away, and nothing else on the path.
    (desk.folder / "bin/python3.13").symlink_to(sys.executable)
    environment = {name: value for name, value in os.environ.items() if name.lower().startswith(("pip_", "http"))}
    config = Path.home() / ".config/pip/pip.conf"
    done = subprocess.run(
        [desk.folder / "infra/build"],
        capture_output=True,
        text=True,
        env={**environment, **desk.environment, "HOME": str(Path.home()), "PIP_CONFIG_FILE": str(config)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packages = desk.folder / ".python_packages/lib/site-packages"
    ignored = {each.rstrip("/") for each in (ROOT / ".funcignore").read_text().split()}
    for folder in sorted(packages.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name in ignored:
            shutil.rmtree(folder)
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(packages)!r}]; import function_app, msal, flask; "
        "import azure.data.tables, azure.identity, azure.keyvault.secrets, azure.storage.blob; "
        "print(len(function_app.app.get_functions()), azure.identity.__file__)"
    )
    base = Path(sys.base_prefix) / "bin/python3.13"
    said = subprocess.check_output([base, "-I", "-c", code], text=True).split()
    assert int(said[0]) > 0
    assert said[1].startswith(str(packages))
