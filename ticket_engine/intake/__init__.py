"""The poll cycle: list, fetch, parse, thread, commit, settle."""
