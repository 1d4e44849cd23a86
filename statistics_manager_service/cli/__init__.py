"""The command line: `statistics-manager`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from statistics_manager_service.cli.commands import app
from statistics_manager_service.errors import StatisticsError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error on purpose is a sentence and exit code 1, not a trace."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="statistics-manager")
    except StatisticsError as error:
        print(f"statistics-manager: {error.sentence}", file=sys.stderr)
        for fault in error.faults[1:20]:
            print(f"  {fault.where}: {fault.why}", file=sys.stderr)
        sys.exit(1)
