"""The parts of the guides that are made from the code: ``script/docs`` writes them into ``docs/``."""
