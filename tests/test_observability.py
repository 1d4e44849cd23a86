"""Lines of the log: whatever is told in them, they are JSON, and telling never ends the work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_PROGRAM = """
import structlog
from statistics_manager_service.observability import configure_logging
configure_logging("INFO", {form!r})
log = structlog.get_logger()
log.warning("told", reason={text})
try:
    raise ValueError({text})
except ValueError:
    log.exception("failed")
"""


@pytest.mark.parametrize("text", [r'"half a \ud83d"', '"a\\0b"', '"zwei\\nZeilen"', "10**30", "{1: object()}"])
def test_every_line_is_json_whatever_it_quotes(text: str) -> None:
    program = _PROGRAM.format(form="json", text=text)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert told["event"] == "told"
    assert told["reason"]
    assert failed["event"] == "failed"
    assert "ValueError" in failed["exception"]
