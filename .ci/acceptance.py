"""Runs the acceptance beside the project, if it is there, against the service on SQLite and on PostgreSQL."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers import PostgresServer, RunningService  # noqa: E402 - from the tests

RUNNER = ROOT.parent / "shared" / "acceptance" / "run.py"


def accept(url: str) -> int:
    """Start the service on a store, run the acceptance; its exit code."""
    with RunningService({"DATABASE_URL": url}) as service:
        print(f"acceptance on {url.split(':')[0]}", flush=True)
        return subprocess.run([sys.executable, str(RUNNER), service.url, "--jwt-key", service.key]).returncode


def main() -> int:
    if not RUNNER.is_file():
        print("no acceptance run is beside the project")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        failed = accept(f"sqlite:///{folder}/statistics.sqlite3")
    with PostgresServer() as server:
        failed |= accept(server.create_database())
    return failed


if __name__ == "__main__":
    sys.exit(main())
