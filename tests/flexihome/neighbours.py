"""FlexiHome's forecast service, as far as the statistics manager asks it: a small real server."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import psycopg
from hub import Bucket, iso
from upstream_server import UpstreamServer

SUFFIX = "_consumption"


@dataclass(frozen=True)
class Form:
    """How a household's forecast is told."""

    units: str = "kW"
    step: timedelta = timedelta(minutes=15)


class ForecastService:
    """Forecasts of every installation and day, in the form that is wanted of a household."""

    def __init__(self, server: UpstreamServer) -> None:
        self.server = server
        self.forms: dict[str, Form] = {}
        server.answers("/get-forecast", self._answer)

    def power_w(self, household: str, moment: datetime) -> int:
        """The mean power of the step that begins at a moment: any, but always the same of a household and moment."""
        told = f"{household}|{iso(moment)}".encode()
        return 150 + int.from_bytes(hashlib.sha256(told).digest()[:2]) % 1800

    def kwh(self, household: str, bucket: Bucket) -> Fraction:
        """The energy of a bucket, whose edges lie on steps."""
        step = self.forms.get(household, Form()).step
        hours, moment, total = Fraction(step // timedelta(minutes=1), 60), bucket.start, Fraction(0)
        while moment < bucket.end:
            total += self.power_w(household, moment) * hours / 1000
            moment += step
        return total

    def _answer(self, query: Mapping[str, str], _headers: Mapping[str, str]) -> Any:
        assert set(query) == {"start_date", "end_date", "installation_code"}
        assert query["installation_code"].endswith(SUFFIX)
        household = query["installation_code"].removesuffix(SUFFIX)
        form = self.forms.get(household, Form())
        moment, end = (_instant(query[name]) for name in ("start_date", "end_date"))
        values = []
        while moment < end:
            power_w = self.power_w(household, moment)
            values.append({"timestamp": iso(moment), "value_p": power_w / 1000 if form.units == "kW" else power_w})
            moment += form.step
        return {"data": [{"units_p": form.units, "values": values}]}


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert moment.tzinfo is not None
    return moment.astimezone(UTC)


class Sentinel:
    """The sentinel API's forecasts of carbon intensity, hourly, in two runs of which the later one counts.

    silent_on: starts of days of which it knows nothing.
    """

    def __init__(self, server: UpstreamServer) -> None:
        self.server = server
        self.silent_on: set[datetime] = set()
        server.answers("/data/inesctec/forecast/co2-intensity", self._answer)

    def grams(self, moment: datetime, run: int = 1) -> float:
        """The intensity of the hour from a moment on: any, but always the same of a moment."""
        return 60 + int(moment.timestamp()) // 3600 * 29 % 1700 / 10 + 300 * (1 - run)

    def issued(self, day: datetime, run: int = 1) -> datetime:
        """When the runs of a day are made: at 10:00 and 16:00 of the day before."""
        return day.replace(hour=0) - timedelta(hours=14 - 6 * run)

    def _answer(self, query: Mapping[str, str], _headers: Mapping[str, str]) -> Any:
        assert query["geo_id"] == "1"
        start, end = (_instant(query[name]) for name in ("start_date", "end_date"))
        if start in self.silent_on:
            return {"data": [], "next_url": None, "process_time": 0.01, "rc": 0}
        hours = range((end - start) // timedelta(hours=1))
        data = [
            {
                "datetime": iso(moment),
                "request": iso(self.issued(start, run)),
                "value": self.grams(moment, run),
                "unit": "gCO2eq/kWh",
                "quality": "forecast",
                "updated_at": iso(self.issued(start, run) + timedelta(minutes=5)),
            }
            for run in (1, 0)
            for moment in (start + i * timedelta(hours=1) for i in hours)
        ]
        return {"data": data, "next_url": None, "process_time": 0.01, "rc": 0}


class AccountDatabase:
    """The account manager's database, as far as the table of withdrawn tokens. url: of SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._run("CREATE TABLE token_blacklist (id INTEGER, token TEXT NOT NULL)", ())

    def withdraw(self, token: str) -> None:
        """What the account manager does when a user logs out."""
        mark = "%s" if self.url.startswith("postgresql") else "?"
        self._run(f"INSERT INTO token_blacklist (id, token) VALUES (1, {mark})", (token,))

    def _run(self, statement: str, values: tuple[str, ...]) -> None:
        if self.url.startswith("postgresql"):
            with psycopg.connect(self.url) as connection:
                connection.execute(statement, values)
        else:
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as store:
                store.execute(statement, values)
                store.commit()
