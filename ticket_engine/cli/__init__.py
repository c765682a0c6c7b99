"""The operator's command line, ``ticket-engine``, working on storage and Key Vault by the person's identity."""


def main() -> None:
    """Run the command line; the entry point of the extra ``cli``."""
    try:
        from ticket_engine.cli.app import app
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: pip install 'ticket-engine[cli]'") from None
    app.main(prog_name="ticket-engine")
