"""``python -m gateway``, and the ``gateway`` command: hands the process's environment to the command line."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; its exit code is the process's."""
    from gateway.cli import run

    sys.exit(run(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
