"""``python -m ticket_engine.cli``, where the entry point is not installed."""

from ticket_engine.cli import main

main()
