"""`statistics-manager openapi`: the API's description as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from statistics_manager_service import bootstrap
from statistics_manager_service.settings import Settings


def openapi(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; unless given, it is printed.")] = None,
) -> None:
    """Write the OpenAPI document of the API. Neither a store nor a key is needed."""
    described = bootstrap.create_app(Settings(trust_unauthenticated=True, database_url="sqlite://")).openapi()
    text = orjson.dumps(described, option=orjson.OPT_INDENT_2).decode()
    if file is None:
        print(text)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")
    print(f"{file}: {len(described['paths'])} paths")
