"""What a deployment may be, proven over the predicted resources of each parameter file."""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from ticket_engine import settings
from ticket_engine.settings import Settings

ROOT = Path(__file__).parents[2]

# Source: Microsoft, "Azure built-in roles".
ROLES = {
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "19e7f393-937e-4f77-808e-94535e297925": "Storage Queue Data Reader",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
}
APP_ROLES = {
    ("storageAccounts/sthost", "Storage Blob Data Owner"),
    ("storageAccounts/sthost", "Storage Queue Data Contributor"),
    ("storageAccounts/sthost", "Storage Table Data Contributor"),
    ("storageAccounts/stdata", "Storage Table Data Contributor"),
    ("containers/mail", "Storage Blob Data Contributor"),
    ("vaults/kv-", "Ticket Engine secret keeper"),
    ("components/appi-", "Monitoring Metrics Publisher"),
}
OPERATOR_ROLES = {
    ("storageAccounts/stdata", "Storage Table Data Contributor"),
    ("containers/mail", "Storage Blob Data Contributor"),
    ("vaults/kv-", "Ticket Engine secret keeper"),
    ("storageAccounts/sthost", "Storage Queue Data Reader"),
}
# What the platform itself reads; docs/settings.md says what each is for.
PLATFORM_SETTINGS = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "WEBSITE_AUTH_AAD_ALLOWED_TENANTS",
}


def grants(deployment: Any) -> list[tuple[str, str, str]]:
    """Principal, scope and role of each assignment; the scope's last part without its unique end."""
    custom = {
        each["id"]: each["properties"]["roleName"] for each in deployment.of("Microsoft.Authorization/roleDefinitions")
    }
    found = []
    for each in deployment.of("Microsoft.Authorization/roleAssignments"):
        values = each["properties"]
        scope = "/".join(each["id"].partition("/providers/Microsoft.Authorization/")[0].split("/")[-2:])
        scope = re.sub(r"(?<=sthost|stdata)\w{13}$|(?<=kv-)\w{13}$", "", scope)
        scope = re.sub(r"(?<=appi-)\w{13}$", "", scope)
        role = values["roleDefinitionId"]
        name = ROLES.get(role.rpartition("/")[2]) or custom[role].partition(" (")[0]
        principal = values["principalId"]
        known = re.search(r"userAssignedIdentities/(id-[a-z-]+)-\w{13}'", principal)
        found.append((known[1] if known else principal, scope, name))
    return found


def test_the_apps_identity_has_exactly_these_roles(deployment: Any) -> None:
    held = [(scope, role) for principal, scope, role in grants(deployment) if principal == "id-app"]
    assert set(held) == APP_ROLES
    assert len(held) == len(APP_ROLES)


def test_operators_have_exactly_these_roles(production: Any) -> None:
    operator = "00000000-0000-0000-0000-000000000000"
    held = [(scope, role) for principal, scope, role in grants(production) if principal == operator]
    assert set(held) == OPERATOR_ROLES
    assert len(held) == len(OPERATOR_ROLES)


def test_nobody_else_has_a_role(deployment: Any) -> None:
    assert {each[0] for each in grants(deployment)} <= {"id-app", "00000000-0000-0000-0000-000000000000"}


def test_the_secret_keeper_can_neither_purge_nor_take_a_backup(deployment: Any) -> None:
    role = deployment.one("Microsoft.Authorization/roleDefinitions")["properties"]
    (permission,) = role["permissions"]
    assert permission == {
        "actions": [],
        "notActions": [],
        "dataActions": [
            f"Microsoft.KeyVault/vaults/secrets/{each}"
            for each in ("getSecret/action", "setSecret/action", "readMetadata/action", "delete", "recover/action")
        ],
        "notDataActions": [],
    }
    assert role["assignableScopes"] == [
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-ticket-engine"
    ]


def test_an_identity_that_may_not_grant_roles_can_deploy(predict: Callable[[str], Any]) -> None:
    kinds = {each["type"] for each in predict("param assignRoles = false\n").resources}
    assert not any(kind.startswith("Microsoft.Authorization/") for kind in kinds)


def test_storage_takes_no_keys_and_shows_nothing(deployment: Any) -> None:
    for account in deployment.of("Microsoft.Storage/storageAccounts"):
        values = account["properties"]
        assert values["allowSharedKeyAccess"] is False
        assert values["allowBlobPublicAccess"] is False
        assert values["allowCrossTenantReplication"] is False
        assert values["isLocalUserEnabled"] is False
        assert values["minimumTlsVersion"] == "TLS1_2"
        assert values["supportsHttpsTrafficOnly"] is True
        assert values["networkAcls"]["bypass"] == "AzureServices"
    for container in deployment.of("Microsoft.Storage/storageAccounts/blobServices/containers"):
        assert container["properties"]["publicAccess"] == "None"


def test_telemetry_takes_no_keys(deployment: Any) -> None:
    assert deployment.one("Microsoft.Insights/components")["properties"]["DisableLocalAuth"] is True
    workspace = deployment.one("Microsoft.OperationalInsights/workspaces")
    assert workspace["properties"]["features"]["disableLocalAuth"] is True
    assert deployment.one("Microsoft.Insights/components")["properties"]["WorkspaceResourceId"] == workspace["id"]


def test_no_password_publishes_the_app(deployment: Any) -> None:
    policies = deployment.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {each["name"].rpartition("/")[2]: each["properties"]["allow"] for each in policies} == {
        "ftp": False,
        "scm": False,
    }


def test_nothing_asks_for_a_key_or_holds_one(deployment: Any) -> None:
    text = json.dumps(deployment.resources) + json.dumps(deployment.outputs)
    for word in ("listKeys", "listAccountSas", "AccountKey=", "SharedAccessSignature", "listSecrets", "primaryKey"):
        assert word.lower() not in text.lower()
    for name in deployment.settings:
        assert not re.search(r"(?i)secret|password|_key$|accesskey", name)


def test_the_vault_goes_by_roles_and_keeps_what_is_deleted(deployment: Any) -> None:
    values = deployment.one("Microsoft.KeyVault/vaults")["properties"]
    assert values["enableRbacAuthorization"] is True
    assert values["enableSoftDelete"] is True
    assert values["enablePurgeProtection"] is True
    assert values["softDeleteRetentionInDays"] == 90
    assert "accessPolicies" not in values


def test_raw_mail_can_be_brought_back_and_ages(deployment: Any) -> None:
    service = deployment.one("Microsoft.Storage/storageAccounts/blobServices", "stdata")["properties"]
    assert service["isVersioningEnabled"] is True
    assert service["deleteRetentionPolicy"] == {"enabled": True, "days": 30}
    assert service["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 30}
    (rule,) = deployment.one("Microsoft.Storage/storageAccounts/managementPolicies")["properties"]["policy"]["rules"]
    actions = rule["definition"]["actions"]
    assert actions["version"] == {"delete": {"daysAfterCreationGreaterThan": 30}}
    assert actions["baseBlob"] == {"tierToCool": {"daysAfterModificationGreaterThan": 90}}


def test_raw_mail_is_deleted_only_where_somebody_said_after_how_long(chosen: Any) -> None:
    (rule,) = chosen.one("Microsoft.Storage/storageAccounts/managementPolicies")["properties"]["policy"]["rules"]
    assert rule["definition"]["actions"]["baseBlob"]["delete"] == {"daysAfterModificationGreaterThan": 400}


def test_logs_of_every_store_go_to_the_workspace(deployment: Any) -> None:
    workspace = deployment.one("Microsoft.OperationalInsights/workspaces")["id"]
    watched = {}
    for each in deployment.of("Microsoft.Insights/diagnosticSettings"):
        assert each["properties"]["workspaceId"] == workspace
        assert each["properties"]["metrics"][0]["enabled"] is True
        scope = each["id"].partition("/providers/Microsoft.Insights/")[0]
        watched[scope] = {log.get("category") or log["categoryGroup"] for log in each["properties"]["logs"]}
    stores = {
        each["id"]
        for each in deployment.resources
        if each["type"] == "Microsoft.KeyVault/vaults" or re.fullmatch(r".*/(blob|queue|table)Services", each["type"])
    }
    assert set(watched) == stores
    (vault,) = (logs for scope, logs in watched.items() if "/vaults/" in scope)
    assert vault == {"audit"}
    (mail,) = (logs for scope, logs in watched.items() if re.search(r"/stdata\w+/blobServices", scope))
    assert mail == {"StorageRead", "StorageWrite", "StorageDelete"}
    assert all("StorageDelete" in logs for scope, logs in watched.items() if "/storageAccounts/" in scope)


def test_the_app_gets_every_setting_that_it_reads_and_nothing_else(deployment: Any) -> None:
    assert set(deployment.settings) == {each.metadata["name"] for each in fields(Settings)} | PLATFORM_SETTINGS


def test_what_the_platform_sets_itself_is_left_to_it(deployment: Any) -> None:
    # Source: Microsoft, "Flex Consumption plan deprecations".
    assert not set(deployment.settings) & {
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "ENABLE_ORYX_BUILD",
        "WEBSITE_TIME_ZONE",
        "AzureWebJobsStorage",
    }


def test_settings_that_have_a_default_get_it(deployment: Any) -> None:
    # What only Azure knows is made up; schedules, durations and sizes are read by the code's own parsers.
    known = {each.metadata["name"]: each for each in fields(Settings)}
    values = {
        name: "https://example.net/"
        if value.startswith("[") and known[name].metadata["read"] is settings.parse_https_url
        else value
        for name, value in deployment.settings.items()
        if name in known
    }
    read = Settings.from_environment(values)
    for each in fields(Settings):
        if each.default is not MISSING and not values[each.metadata["name"]].startswith(("[", "https://example.net")):
            assert getattr(read, each.name) == each.default, each.metadata["name"]


def test_a_setting_can_be_changed_in_a_parameter_file(chosen: Any) -> None:
    assert chosen.settings["MAIL_POLL_SCHEDULE"] == "0 */2 * * * *"
    assert chosen.settings["TOKEN_ROTATE_AFTER"] == "1d"


def test_the_host_goes_to_its_storage_by_the_apps_identity(deployment: Any) -> None:
    values = deployment.settings
    assert values["AzureWebJobsStorage__credential"] == "managedidentity"
    for service in ("blob", "queue", "table"):
        assert f".outputs.{service}Endpoint.value" in values[f"AzureWebJobsStorage__{service}ServiceUri"]
        assert "'hostStorage-" in values[f"AzureWebJobsStorage__{service}ServiceUri"]
    for name in ("AzureWebJobsStorage__clientId", "AZURE_CLIENT_ID", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"):
        assert ".outputs.app.value.clientId" in values[name]
    assert ".outputs.signIn.value.clientId" in values["OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"]


def test_the_data_is_in_its_own_account(deployment: Any) -> None:
    for name in ("STORAGE_TABLES_URL", "STORAGE_BLOBS_URL"):
        assert "'dataStorage-" in deployment.settings[name]


def test_no_thread_of_an_instance_waits_while_there_are_messages(deployment: Any) -> None:
    # A batch is fetched when no more than the threshold are in hand: then every thread still has one.
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    assert int(deployment.settings["PYTHON_THREADPOOL_THREAD_COUNT"]) == queues["newBatchThreshold"] <= 32


def test_the_app_runs_on_flex_consumption_with_the_python_that_the_project_names(deployment: Any) -> None:
    plan = deployment.one("Microsoft.Web/serverfarms")
    assert plan["sku"] == {"tier": "FlexConsumption", "name": "FC1"}
    site = deployment.one("Microsoft.Web/sites")["properties"]
    runtime = site["functionAppConfig"]["runtime"]
    assert runtime["name"] == "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = re.search(r"Azure runs (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert named is not None
    assert runtime["version"] == named[1]
    assert project["project"]["requires-python"] == ">=3.11"
    # None of what Flex Consumption does not know.
    assert not set(site["siteConfig"]) & {"linuxFxVersion", "alwaysOn", "ftpsState", "cors", "functionAppScaleLimit"}
    assert site["httpsOnly"] is True
    assert site["siteConfig"]["minTlsVersion"] == "1.2"


def test_the_package_lies_in_the_hosts_storage_and_is_fetched_by_the_apps_identity(deployment: Any) -> None:
    storage = deployment.one("Microsoft.Web/sites")["properties"]["functionAppConfig"]["deployment"]["storage"]
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert "/id-app-" in storage["authentication"]["userAssignedIdentityResourceId"]
    container = storage["value"].rpartition("'")[0].rpartition("'")[2]
    assert container in deployment.children("Microsoft.Storage/storageAccounts/blobServices/containers", "sthost")


def test_every_queue_table_and_container_that_the_code_uses_is_made(deployment: Any) -> None:
    queues = set(settings.QUEUES) | set(settings.POISON_QUEUES)
    kind = "Microsoft.Storage/storageAccounts"
    assert deployment.children(f"{kind}/queueServices/queues", "sthost") == queues
    assert deployment.children(f"{kind}/tableServices/tables", "stdata") == set(settings.TABLES)
    assert deployment.children(f"{kind}/blobServices/containers", "stdata") == {settings.MAIL_CONTAINER}


def test_the_redirect_uri_is_the_callbacks_route(deployment: Any) -> None:
    source = (ROOT / "oauth_callback/__init__.py").read_text()
    route = re.search(r'@bp\.route\(route="([^"]+)"[^)]*\)\ndef oauth_callback\(', source)
    prefix = json.loads((ROOT / "host.json").read_text())["extensions"]["http"]["routePrefix"]
    assert route is not None
    assert f"format('https://{{0}}/{prefix}/{route[1]}'," in deployment.outputs["redirectUri"]


def test_the_private_variant_is_on_no_public_network(production: Any) -> None:
    for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        for each in production.of(kind):
            assert each["properties"]["publicNetworkAccess"] == "Disabled"
            assert each["properties"]["networkAcls"]["defaultAction"] == "Deny"
    for kind in ("Microsoft.OperationalInsights/workspaces", "Microsoft.Insights/components"):
        assert production.one(kind)["properties"]["publicNetworkAccessForIngestion"] == "Disabled"
    modes = production.one("Microsoft.Insights/privateLinkScopes")["properties"]["accessModeSettings"]
    assert modes["ingestionAccessMode"] == "PrivateOnly"


def test_only_the_site_of_the_private_variant_is_on_the_internet(production: Any) -> None:
    # Mailbox owners open the consent link from where they are.
    enabled = [
        each["type"]
        for each in production.resources
        if each.get("properties", {}).get("publicNetworkAccess") == "Enabled"
    ]
    assert enabled == ["Microsoft.Web/sites"]


def test_the_site_can_be_taken_off_the_internet_too(chosen: Any) -> None:
    assert chosen.one("Microsoft.Web/sites")["properties"]["publicNetworkAccess"] == "Disabled"
    assert '"publicNetworkAccess": "Enabled"' not in json.dumps(chosen.resources)
    endpoint = chosen.one("Microsoft.Network/privateEndpoints", "pe-func-")["properties"]
    assert endpoint["privateLinkServiceConnections"][0]["properties"]["groupIds"] == ["sites"]


def test_every_service_that_the_app_uses_has_a_private_endpoint_with_its_zone(production: Any) -> None:
    endpoints = {}
    for each in production.of("Microsoft.Network/privateEndpoints"):
        (connection,) = each["properties"]["privateLinkServiceConnections"]
        target = connection["properties"]["privateLinkServiceId"].rpartition("/")[2]
        endpoints[each["name"]] = (re.sub(r"\w{13}$", "", target), connection["properties"]["groupIds"][0])
    assert set(endpoints.values()) == {
        ("sthost", "blob"),
        ("sthost", "queue"),
        ("sthost", "table"),
        ("stdata", "blob"),
        ("stdata", "table"),
        ("kv-", "vault"),
        ("ampls-", "azuremonitor"),
    }
    zones = {each["id"] for each in production.of("Microsoft.Network/privateDnsZones")}
    linked = len(production.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks"))
    assert linked == len(zones)
    for group in production.of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups"):
        for config in group["properties"]["privateDnsZoneConfigs"]:
            assert config["properties"]["privateDnsZoneId"] in zones
        kind = endpoints[group["name"].partition("/")[0]][1]
        assert kind == "azuremonitor" or f"privatelink.{kind}" in json.dumps(group)


def test_the_app_reaches_everything_through_its_network(production: Any) -> None:
    site = production.one("Microsoft.Web/sites")["properties"]
    network = production.one("Microsoft.Network/virtualNetworks")
    assert site["virtualNetworkSubnetId"] == f"{network['id']}/subnets/app"
    assert site["outboundVnetRouting"] == {"allTraffic": True}
    subnets = {each["name"]: each["properties"] for each in network["properties"]["subnets"]}
    assert subnets["app"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert "natGateway" in subnets["app"]
    for each in subnets.values():
        assert each["defaultOutboundAccess"] is False
        assert "networkSecurityGroup" in each


def test_the_public_variant_has_no_network(development: Any) -> None:
    assert not any(each["type"].startswith("Microsoft.Network/") for each in development.resources)
    assert development.one("Microsoft.Web/sites")["properties"]["virtualNetworkSubnetId"] is None


def test_the_console_is_closed_until_it_is_registered(deployment: Any) -> None:
    assert not any(each["type"] == "Microsoft.Web/sites/config" for each in deployment.resources)


def test_the_consoles_sign_in_lets_through_only_what_needs_none(chosen: Any) -> None:
    values = chosen.one("Microsoft.Web/sites/config")["properties"]
    assert values["platform"]["enabled"] is True
    assert values["globalValidation"]["requireAuthentication"] is True
    assert tuple(values["globalValidation"]["excludedPaths"]) == settings.ANONYMOUS_PATHS
    entra = values["identityProviders"]["azureActiveDirectory"]
    assert entra["registration"]["clientId"] == "11111111-2222-3333-4444-555555555555"
    assert "clientSecret" not in entra["registration"]
    assert entra["registration"]["clientSecretSettingName"] == "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
    assert entra["validation"]["allowedAudiences"] == ["11111111-2222-3333-4444-555555555555"]
    assert "00000000-0000-0000-0000-000000000002" in entra["registration"]["openIdIssuer"]
    assert values["login"]["tokenStore"]["enabled"] is False


def test_two_deployments_fit_into_one_resource_group(development: Any, production: Any) -> None:
    # Both snapshots are of one group; endpoints and zones are the private one's own.
    assert not {each["id"] for each in development.resources} & {each["id"] for each in production.resources}


def test_a_vault_that_was_deleted_comes_back_when_asked(production: Any, chosen: Any) -> None:
    assert production.one("Microsoft.KeyVault/vaults")["properties"]["createMode"] == "default"
    assert chosen.one("Microsoft.KeyVault/vaults")["properties"]["createMode"] == "recover"


def test_names_are_short_enough_for_storage_and_vaults(deployment: Any) -> None:
    for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        assert all(3 <= len(each["name"]) <= 24 for each in deployment.of(kind))
    assert len(deployment.one("Microsoft.Web/sites")["name"]) <= 60


def test_every_resource_that_takes_tags_has_them(deployment: Any) -> None:
    untagged = {each["type"] for each in deployment.resources if "location" in each and "tags" not in each}
    assert untagged == set()
