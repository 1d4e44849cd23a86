"""The commands. Settings come from the environment, as those of the service."""

from __future__ import annotations

import time
from typing import Annotated

import jwt
import typer
from rich.console import Console
from rich.progress import Progress

from statistics_manager_service import bootstrap
from statistics_manager_service.cli.carbon import carbon_app
from statistics_manager_service.cli.demo import demo
from statistics_manager_service.cli.eventing import events_app
from statistics_manager_service.cli.explaining import explain
from statistics_manager_service.cli.importing import import_file
from statistics_manager_service.cli.jobs import forecast, job_app
from statistics_manager_service.cli.money import cost, statement
from statistics_manager_service.cli.openapi import openapi
from statistics_manager_service.cli.opening import existing_store, settings
from statistics_manager_service.cli.prices import prices_app
from statistics_manager_service.cli.pulling import pull_app
from statistics_manager_service.cli.tariffs import tariff_app
from statistics_manager_service.core.units import S_PER_HOUR
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.groups.checking import check_sums, forget_all_sums
from statistics_manager_service.services.telemetry.verifying import rebuild as rebuild_store
from statistics_manager_service.services.telemetry.verifying import verify as verify_store
from statistics_manager_service.storage import migrate as migrations

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Energy statistics of homes.")
token_app = typer.Typer(no_args_is_help=True, help="Tokens of devices and of the service.")
app.add_typer(token_app, name="token")
app.command("demo")(demo)
app.command("import")(import_file)
app.command("openapi")(openapi)
app.command("forecast")(forecast)
app.command("cost")(cost)
app.command("statement")(statement)
app.command("explain")(explain)
app.add_typer(job_app, name="job")
app.add_typer(events_app, name="events")
app.add_typer(pull_app, name="pull")
app.add_typer(prices_app, name="prices")
app.add_typer(carbon_app, name="carbon")
app.add_typer(tariff_app, name="tariff")

LONGEST_LABEL = 128
Household = Annotated[str, typer.Option(help="Id of the household.")]
OnlyHousehold = Annotated[str | None, typer.Option(help="This household alone.")]


@app.command()
def serve() -> None:
    """Start the service (as `python -m statistics_manager_service` does)."""
    bootstrap.serve(settings())


@app.command()
def migrate(
    distribute: Annotated[bool, typer.Option(help="Shard the bulk tables over a Citus cluster, too.")] = False,
) -> None:
    """Bring the store's tables up to date."""
    url = settings().store_url
    migrations.migrate(url)
    if distribute:
        migrations.distribute(url)
    print("The store is up to date.")


@app.command()
def verify(household: OnlyHousehold = None) -> None:
    """Work everything out anew from the readings and compare. Exit code 1 where something differs."""
    store = existing_store(household)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=None)
        found = verify_store(store, household, lambda: progress.advance(task))
    if household is None:
        found.differences += check_sums(store)
    print(
        f"{found.households} households, {found.channels} channels, {found.readings} readings, {found.days} day "
        f"profiles: {len(found.differences)} differences"
    )
    for text in found.differences[:100]:
        print(f"  {text}")
    if found.differences:
        raise typer.Exit(1)


@app.command()
def rebuild(household: OnlyHousehold = None) -> None:
    """Derive everything anew from the readings, and store it."""
    store = existing_store(household)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuilding", total=None)
        count = rebuild_store(store, bootstrap.recorder_of(store), household, lambda: progress.advance(task))
    if household is None:
        forget_all_sums(store)
    print(f"{count} channels are rebuilt.")


@token_app.command("create")
def create_token(
    household: Household,
    write: Annotated[bool, typer.Option(help="It may write the household's readings.")] = False,
    label: Annotated[str, typer.Option(help="A name for people, up to 128 characters.")] = "",
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires.")] = None,
) -> None:
    """Make a device token. It is printed this once; only its hash is stored."""
    if len(label) > LONGEST_LABEL:
        raise StatisticsError(f"the label has {len(label)} characters; it may have up to {LONGEST_LABEL}")
    tokens = bootstrap.device_tokens_of(existing_store())
    text, token = tokens.create(household, may_write=write, label=label, lifetime_days=days)
    print(text)
    print(f"id {token.token_id}: keep the text above, it is not shown again", file=typer.get_text_stream("stderr"))


@token_app.command("list")
def list_tokens(household: Household) -> None:
    """The device tokens of a household."""
    for token in bootstrap.device_tokens_of(existing_store()).list(household):
        state = "revoked" if token.revoked_us is not None else "valid"
        print(f"{token.token_id}  {'write' if token.may_write else 'read '}  {state}  {token.label}")


@token_app.command("revoke")
def revoke_token(household: Household, token_id: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Revoke a device token."""
    bootstrap.device_tokens_of(existing_store()).revoke(household, token_id)
    print("The token is revoked.")


@token_app.command("service")
def service_token(hours: Annotated[float, typer.Option(min=0.01, help="Hours until it expires.")] = 1.0) -> None:
    """Sign a token of the service itself with JWT_SIGN_KEY."""
    key = settings().jwt_sign_key
    if key is None or not key.get_secret_value():
        raise StatisticsError("JWT_SIGN_KEY is not set: there is no key to sign with")
    print(sign(key.get_secret_value(), {"sub": "command-line", "scope": "service"}, hours))


def sign(key: str, claims: dict[str, str], hours: float) -> str:
    """An HS512 token of some claims."""
    now_s = int(time.time())
    return jwt.encode({**claims, "iat": now_s, "exp": now_s + int(hours * S_PER_HOUR)}, key, algorithm="HS512")
