"""``python -m planner`` is the command ``planner``."""

import sys

from planner.errors import EXIT_INTERRUPTED

try:
    from planner.cli.main import run
except KeyboardInterrupt:
    # Ctrl-C while the modules are read.
    print("interrupted", file=sys.stderr)
    sys.exit(EXIT_INTERRUPTED)

if __name__ == "__main__":
    run()
