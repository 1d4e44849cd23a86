"""The folders say what a file may import: core ← tariffs ← services ← adapters ← bootstrap and the command line."""

from __future__ import annotations

import ast
import pathlib
import sys

import statistics_manager_service

PACKAGE = pathlib.Path(statistics_manager_service.__file__).parent
NAME = PACKAGE.name
#: What each part of the package may import of the others, beside itself; `errors` and `observability` are everybody's.
MAY_IMPORT = {
    "core": set(),
    "tariffs": {"core"},
    "services": {"core", "settings", "tariffs"},
    "storage": {"core", "services", "tariffs"},
    "ingest": {"core", "services", "tariffs"},
    "api": {"core", "services", "tariffs"},
    "feeds": {"core", "services", "tariffs"},
    "events": {"core", "services", "tariffs"},
    "demo": {"core", "services", "tariffs"},
    "statements": {"core", "tariffs"},
    "errors": set(),
    "settings": set(),
    "observability": set(),
    "bootstrap": {
        "core",
        "tariffs",
        "services",
        "storage",
        "ingest",
        "api",
        "feeds",
        "events",
        "statements",
        "settings",
    },
    "cli": {"core", "tariffs", "services", "storage", "ingest", "demo", "statements", "settings", "bootstrap"},
    "__main__": {"cli"},
    "__init__": set(),
}


def imports(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [
                f"{node.module}.{alias.name}" if node.module == NAME else str(node.module) for alias in node.names
            ]
    return found


def faults(part: str, source: str) -> list[str]:
    """The imports of a file that its part of the package may not have."""
    found = []
    for name in imports(source):
        top, *rest = name.split(".")
        if top == NAME:
            other = rest[0] if rest else "__init__"
            allowed = {part, "errors", "observability", "__version__"} | MAY_IMPORT[part]
            found += [] if other in allowed else [name]
        elif part in ("core", "errors") and top not in (*sys.stdlib_module_names, "numpy"):
            found.append(name)
    return found


def test_every_file_imports_only_what_its_layer_may() -> None:
    wrong = {}
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        bad = faults(part, path.read_text())
        if bad:
            wrong[str(path.relative_to(PACKAGE))] = bad
    assert not wrong


def test_the_walk_finds_a_core_that_reaches_out() -> None:
    bad = f"import requests\nfrom {NAME}.storage import schema\nfrom {NAME}.services.ports import Store\nimport numpy\n"
    assert faults("core", bad) == ["requests", f"{NAME}.storage", f"{NAME}.services.ports"]


def test_the_walk_finds_adapters_that_import_each_other() -> None:
    assert faults("api", f"from {NAME}.ingest.json_body import decode_json") == [f"{NAME}.ingest.json_body"]


def test_no_module_is_named_for_nothing() -> None:
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "manager", "mapper", "misc"}
