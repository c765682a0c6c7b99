"""``python -m devcloud``: keep the cloud up, and print every address and key that a developer needs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devcloud.cloud import DevCloud
from devcloud.processes import ProcessFailedError
from ticket_engine.cli.session import ENV_FILE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m devcloud", description="A small cloud on your desk.")
    parser.add_argument(
        "--no-host", action="store_true", help="without the functions host, to run `func start` instead"
    )
    parser.add_argument(
        "--folder", type=Path, help="keep certificates, logs and mail here (default: a temporary folder)"
    )
    parser.add_argument(
        "--write-settings", type=Path, metavar="FILE", help="write the app settings as local.settings.json"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for a program")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with DevCloud(host=not options.no_host, folder=options.folder, say=console.print) as cloud:
            application = cloud.add_application()
            accounts = [cloud.add_account(name) for name in ("support", "billing")]
            facts = {
                "App": f"{cloud.app_url}/api/health",
                "Console": f"{cloud.console_url} (sign in as {cloud.operator.upn} or {cloud.agent.upn})",
                "Redirect URL": cloud.redirect_url,
                "Tenant id": cloud.tenant.id,
                "Client id": application.client_id,
                "Client secret": application.client_secret,
                "Accounts": ", ".join(accounts),
                "POP3": f"localhost:{cloud.mail.pop3_port}",
                "IMAP": f"localhost:{cloud.mail.imap_port}",
                "CA certificate": str(cloud.certificates.bundle),
                "Log of the app": str(cloud.host.log),
                "Command line": f"export {ENV_FILE}={cloud.write_env_file()}",
                **cloud.environment(),
            }
            if options.write_settings:
                values = {"FUNCTIONS_WORKER_RUNTIME": "python", **cloud.environment()}
                settings = {"IsEncrypted": False, "Values": values}
                options.write_settings.write_text(json.dumps(settings, indent=2) + "\n")
            if options.json:
                print(json.dumps(facts), flush=True)
            else:
                _show(facts)
            signal.pause()
    except KeyboardInterrupt:
        console.print("Stopped.")
    except ProcessFailedError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    return 0


def _show(facts: dict[str, str]) -> None:
    shown = Table(show_header=False, box=None)
    for name, value in facts.items():
        shown.add_row(name, value)
    Console(soft_wrap=True).print(shown)
    print("Ctrl-C stops everything.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
