"""The rules of ``specs check``: general laws of hardware, never by chip name."""
