"""Peak memory of this process, where the system tells it."""

from __future__ import annotations

import sys
from pathlib import Path

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak() -> None:
    """Start anew, where the system can; elsewhere the peak stays that of the whole process."""
    try:
        _RESET.write_text("5", encoding="ascii")
    except OSError:
        return


def peak_bytes() -> int | None:
    """Most memory resident since `reset_peak`; None where it is not known."""
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource  # noqa: PLC0415 (not on every system)
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
