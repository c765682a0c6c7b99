"""The adapters to Table Storage, blob storage and Key Vault, and all of them together: ``Stores``."""

from ticket_engine.store.stores import Stores

__all__ = ["Stores"]
