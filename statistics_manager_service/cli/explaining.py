"""`statistics-manager explain`: what is behind a number, for people, as JSON, and as the text that is digested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from statistics_manager_service.bootstrap.explaining import explaining_of
from statistics_manager_service.cli.opening import existing_store
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.asking import Question

#: Members that are told in lines of their own.
_HEAD: Final = ("household", "measure", "meter", "start", "end", "timezone", "value", "unit", "coverage", "estimated")
_INDENT: Final = "  "


def explain(
    household: Annotated[str, typer.Argument(help="Id of the household.")],
    measure: Annotated[str, typer.Argument(help="One measure, such as energy_import.")],
    start: Annotated[str, typer.Argument(help="Civil date of its zone, or a date-time; included.")],
    end: Annotated[str, typer.Argument(help="The same; not included.")],
    meter: Annotated[str | None, typer.Option(help="One meter of the household.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA zone, in place of the household's.")] = None,
    as_of: Annotated[str | None, typer.Option(help="As it was known then.")] = None,
    carbon_source: Annotated[str | None, typer.Option(help="Emissions by this source's intensities.")] = None,
    carbon_boundary: Annotated[str | None, typer.Option(help="Emissions lifecycle or direct.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The whole answer, as the API tells it.")] = False,
    quarters: Annotated[
        Path | None, typer.Option(help="Write the canonical text into this file: its sha256sum is the digest.")
    ] = None,
) -> None:
    """Explain a number: its formula with the figures, readings, prices, factors, and a digest of all of it."""
    question = Question(
        measure, start, end, "total", timezone, meter, as_of=as_of, carbon_source=carbon_source,
        carbon_boundary=carbon_boundary,
    )  # fmt: skip
    found = explaining_of(existing_store(household)).explained(household, question)
    if quarters is not None:
        try:
            quarters.parent.mkdir(parents=True, exist_ok=True)
            quarters.write_bytes(found.text)
        except OSError as error:
            raise StatisticsError(f"{quarters} can't be written: {error.strerror}") from error
    if json:
        print(orjson.dumps(found.told, option=orjson.OPT_INDENT_2).decode())
        return
    for line in lines_of(found.told):
        print(line)


def lines_of(told: dict[str, Any]) -> list[str]:
    """An explanation as lines of text."""
    value = "unknown" if told["value"] is None else f"{told['value']} {told['unit']}"
    meter = f" of {told['meter']}" if "meter" in told else ""
    found = [
        f"{told['household']}: {told['measure']}{meter}, {told['start']} to {told['end']} {told['timezone']}",
        f"{value}   measured {told['coverage']:.1%}, estimated {told['estimated']:.1%}",
        told["formula_filled"],
        f"definition: {told['definition']['formula']} ({told['definition']['source']})",
        *(f"- {one}" for one in told.get("reasons", ())),
    ]
    for name, one in told.items():
        if name not in (*_HEAD, "formula_filled", "definition", "reasons", "digest") and one:
            found += [f"{name}:", *_nested(one, _INDENT)]
    return [*found, f"{told['digest']['algorithm']} {told['digest']['value']}"]


def _nested(told: Any, indent: str) -> list[str]:
    """Members and rows, each in a line, those inside them further in."""
    found: list[str] = []
    for name, one in told.items() if isinstance(told, dict) else enumerate(told, start=1):
        if isinstance(one, dict) and not any(isinstance(part, dict | list) for part in one.values()):
            found.append(f"{indent}{name}: " + ", ".join(f"{key} {_text(part)}" for key, part in one.items()))
        elif isinstance(one, dict | list):
            found += [f"{indent}{name}:", *_nested(one, indent + _INDENT)] if one else []
        else:
            found.append(f"{indent}{name}: {_text(one)}")
    return found


def _text(value: Any) -> str:
    return "unknown" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
