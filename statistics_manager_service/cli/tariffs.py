"""`statistics-manager tariff …`: tariff documents, checked, listed, shown, kept, made of evcc's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
import yaml

from statistics_manager_service import bootstrap
from statistics_manager_service.cli.opening import existing_store, store_to_fill
from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.prices.evcc_zones import EvccNames, tariff_from_evcc
from statistics_manager_service.services.prices.tariff_documents import document_of_yaml, plain_document
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.reading import read_tariff

tariff_app = typer.Typer(no_args_is_help=True, help="Tariffs: documents in JSON or YAML.")

_MOST_SHOWN: Final = 100
_PAGE: Final = 500
_LARGEST_FILE_BYTES: Final = 16 * 2**20

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The document, JSON or YAML.")]


@tariff_app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="The documents, JSON or YAML.")],
) -> None:
    """Check tariff documents, without a store. Names every fault and where it is; exit code 1 where there is any."""
    wrong = 0
    for path in files:
        try:
            tariff = read_tariff(_document(path))
        except BadInput as error:
            wrong += 1
            print(f"{path}: {len(error.faults)} {'fault' if len(error.faults) == 1 else 'faults'}")
            for fault in error.faults[:_MOST_SHOWN]:
                print(f"  {fault.where}: {fault.why}")
            if len(error.faults) > _MOST_SHOWN:
                print(f"  and {len(error.faults) - _MOST_SHOWN} more")
            continue
        print(f"{path}: tariff {tariff.id} is right; {_about(tariff)}")
    if wrong:
        raise typer.Exit(1)


def _about(tariff: Tariff) -> str:
    until = "" if tariff.valid.end is None else f" until {tariff.valid.end}"
    series = sorted({one.name or key for key, one in tariff.series.items()})
    named = f", by the series {', '.join(series)}" if series else ""
    count = len(tariff.components)
    components = "1 component" if count == 1 else f"{count} components"
    return f"{components}, {tariff.currency}, from {tariff.valid.begin}{until}{named}"


@tariff_app.command("list")
def list_tariffs() -> None:
    """All tariffs: id, whether it is stored or shipped with the product, title."""
    tariffs = Tariffs(existing_store(), bootstrap.now_us)
    after: str | None = None
    count = 0
    while True:
        page = tariffs.page(after, _PAGE)
        for one in page:
            print(f"{one.tariff_id}  {one.source}  {one.document.get('title') or ''}".rstrip())
        count += len(page)
        if len(page) < _PAGE:
            break
        after = page[-1].tariff_id
    print(f"{count} tariffs", file=typer.get_text_stream("stderr"))


@tariff_app.command("show")
def show(
    tariff_id: Annotated[str, typer.Argument(help="Its id.")],
    form: Annotated[Literal["yaml", "json"], typer.Option(help="yaml or json.")] = "yaml",
) -> None:
    """Print a tariff's document."""
    print(_printed(dict(Tariffs(existing_store(), bootstrap.now_us).get(tariff_id).document), form), end="")


@tariff_app.command("put")
def put(file: File) -> None:
    """Keep a tariff under the id that its document names. The same again changes nothing."""
    document = _document(file)
    tariff = read_tariff(document)
    _, is_new = Tariffs(store_to_fill(), bootstrap.now_us).put(tariff.id, document)
    print(f"tariff {tariff.id} is {'made' if is_new else 'kept'}")


@tariff_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of tariff documents."""
    print(json.dumps(Tariff.model_json_schema(by_alias=True), indent=2, ensure_ascii=False))


@tariff_app.command("from-evcc")
def from_evcc(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="evcc's YAML, whole or its tariffs.")],
    timezone: Annotated[str, typer.Option(help="Zone of evcc's clock, such as Europe/Berlin.")],
    part: Annotated[Literal["grid", "feedin"], typer.Option(help="grid or feedin.")] = "grid",
    tariff_id: Annotated[str | None, typer.Option("--id", help="Id of the tariff; evcc-grid unless given.")] = None,
    valid_from: Annotated[str | None, typer.Option(help="Date from which it is valid; this year's first.")] = None,
    currency: Annotated[str | None, typer.Option(help="Where evcc's file names none; EUR unless given.")] = None,
    form: Annotated[Literal["yaml", "json"], typer.Option(help="yaml or json.")] = "yaml",
) -> None:
    """Make a tariff document of evcc's tariff of type fixed, and print it."""
    check_zone(timezone)
    begin = valid_from or f"{datetime.now(UTC).year}-01-01"
    names = EvccNames(tariff_id or f"evcc-{part}", timezone, begin, currency)
    document = tariff_from_evcc(_document(file), names, part)
    read_tariff(document)
    print(_printed(document, form), end="")


def _document(path: Path) -> Any:
    """The plain values of a file of JSON or YAML. Raises BadInput."""
    body = path.read_bytes()
    if len(body) > _LARGEST_FILE_BYTES:
        raise BadInput.of([Fault("body", f"the file has more than {_LARGEST_FILE_BYTES} bytes")])
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput.of([Fault("body", f"this is no text in UTF-8: {error.reason}")]) from error
    if path.suffix.lower() != ".json":
        return document_of_yaml(text)
    try:
        return plain_document(json.loads(text, parse_float=Decimal))
    except json.JSONDecodeError as error:
        raise BadInput.of([Fault(f"line {error.lineno}", f"this is no JSON: {error.msg}")]) from error
    except (RecursionError, ValueError) as error:
        raise BadInput.of([Fault("body", "this is no JSON that can be read")]) from error


def _printed(document: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)
