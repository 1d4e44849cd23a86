"""`python -m bench [part …]`: prints each speed beside a reference of its run; `PARTS` are its parts."""

from __future__ import annotations

import pathlib
import platform
import sys
import tempfile

import numpy as np

from bench import answers, forecasts, groups, http, ingest, insight, money, size
from bench.report import print_lines

PARTS = ("ingest", "answers", "http", "size", "money", "insight", "groups", "forecasts")


def main(wanted: list[str]) -> None:
    """Measure the parts that are named, all unless any is."""
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        raise SystemExit(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    parts = wanted or PARTS
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, SQLite, one process; medians, in turns")
    with tempfile.TemporaryDirectory(prefix="statistics-bench-") as name:
        folder = pathlib.Path(name)
        if "ingest" in parts or "size" in parts:
            lines = ingest.measure(folder)
            if "ingest" in parts:
                print_lines("Ingest, durable: readings a second", lines)
        if {"answers", "http", "size"} & set(parts):
            store, held = answers.fill(folder)
            if "answers" in parts:
                print_lines("Answers, store to JSON bytes, warm", answers.measure(store, held))
            store.close()
            if "http" in parts:
                lines = http.measure(folder / "answers.sqlite3", "quarters", "2022-06-01", "2022-06-02")
                print_lines("HTTP: requests a second", lines)
        if "size" in parts:
            print_lines("Size on disk", size.measure(folder / "bulk.sqlite3", folder / "answers.sqlite3"))
        if "insight" in parts:
            print_lines("Balance and carbon, a year by month, store to JSON bytes, warm", insight.measure(folder))
        if "groups" in parts:
            print_lines("Groups, store to JSON bytes", groups.measure(folder))
        if "money" in parts:
            print_lines("Bills, store to statement, warm", money.measure(folder))
    if "forecasts" in parts:
        forecasts.show()


if __name__ == "__main__":
    main(sys.argv[1:])
