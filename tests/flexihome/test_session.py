"""A session of the mobile app, from its first screen to its last, against a running service whose home goes on living.

It calls as the app does: by its user's token alone, with dates as its language writes them; and it reads what it draws.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hems import BESIDE, CARBON, HISTORIC, REAL, UNITS, Hems, check_items, starts, values
from hub import DAY, QUARTER, HubHome, Telemetry, buckets, check, iso
from upstream_server import wait_until

MILLISECOND = timedelta(milliseconds=1)


def javascript(moment: datetime) -> str:
    """As toISOString writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class App:
    """The app of a logged-in user, and what it draws."""

    def __init__(self, hems: Hems, home: HubHome) -> None:
        self.home, self.client = home, hems.client(hems.token(sub=home.id))

    def tiles(self) -> dict[str, tuple[Decimal, str]]:
        """The first screen: the newest values with their units."""
        found = {}
        for path in HISTORIC:
            (one,) = self.client.get(f"{path}-last", {"user_ids": self.home.id})
            assert one["timestamp"] == iso(self.home.telemetry.at[-1])
            found[path] = (one["value"], one["units"])
        return found

    def chart(self, path: str, first: datetime, last: datetime, group_by: str) -> list[dict[str, Any]]:
        """A chart's bars."""
        query = {
            "user_ids": self.home.id,
            "start_date": javascript(first),
            "end_date": javascript(last),
            "group_by": group_by,
        }
        return self.client.metrics(path, query)

    def check_chart(self, path: str, first: datetime, last: datetime, group_by: str) -> list[Decimal | None]:
        """A chart whose bars are what the hub has measured; their values."""
        told, asked = self.chart(path, first, last, group_by), buckets(group_by, first, last)
        assert starts(told) == [iso(one.label) for one in asked]
        expected = self.home.telemetry.expected(path, asked)
        check(values(told), expected, UNITS[path])
        return values(told)


def test_a_session_of_the_app(hems: Hems) -> None:
    # the home has been measured for fourteen months, until a few minutes ago
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    end = now - now.minute % 15 * timedelta(minutes=1)
    today = now.replace(hour=0, minute=0)
    home = HubHome(hems, Telemetry(end - 420 * DAY, end), timezone="Europe/Lisbon", contracted_power_kva=6.9)
    app = App(hems, home)

    # the first screen
    assert app.tiles() == {path: (round(home.telemetry.newest(path), 2), UNITS[path]) for path in HISTORIC}

    # yesterday by quarters of an hour, every kind of chart
    for path in HISTORIC:
        bars = app.check_chart(path, today - DAY, today - MILLISECOND, "15_mins")
        assert len(bars) == 96
        assert None not in bars

    # today, whose end is not told: up to now
    told = app.client.metrics(
        "energy-consumption",
        {"user_ids": home.id, "start_date": javascript(today), "group_by": "15_mins"},
    )
    assert starts(told)[0] == iso(today)
    passed = (datetime.now(UTC) - today) // QUARTER + 1
    assert len(told) in (passed - 1, passed), "one bar for each quarter of the day so far"

    # a month by its days, a year by its months; the parts are the whole
    month = (today.replace(day=1) - DAY).replace(day=1)
    month_end = today.replace(day=1) - MILLISECOND
    for path in ("energy-consumption", "energy-injection"):
        days = app.check_chart(path, month, month_end, "daily")
        (whole,) = app.check_chart(path, month, month_end, "monthly")
        assert whole is not None
        assert abs(sum((one for one in days if one is not None), Decimal(0)) - whole) <= Decimal("0.005") * 32
        year = app.check_chart(path, (month - 330 * DAY).replace(day=1), month_end, "monthly")
        assert len(year) in (11, 12)
        assert year[-1] == whole

    # the forecast of today, which the energy manager asked for, beside what was measured so far
    hems.manager.post("trigger-computed-forecast-producer", {"user_id": home.id, "forecast_day": javascript(today)})
    query = {"start_date": javascript(today), "end_date": javascript(today + DAY - MILLISECOND), "group_by": "hourly"}
    wait_until(lambda: app.client.get(BESIDE, query)[0]["forecast"] != [], what="the forecast of today")
    (beside,) = app.client.get(BESIDE, query)
    assert beside["user_id"] == home.id
    assert len(beside["forecast"]) == 24
    check_items(beside["forecast"], "energy", "kWh")
    check_items(beside["real"], "energy", "kWh")
    (real,) = app.client.get(REAL, {"user_id": home.id, **query})
    assert real["real"] == beside["real"]

    # when is the grid clean?
    carbon = app.client.get(CARBON, {"forecast_day": javascript(today)})
    assert len(carbon) in (23, 24, 25)
    cleanest = min(carbon, key=lambda one: one["value"])
    assert cleanest["unit"] == "gCO₂eq/kWh"

    # the user logs out, which ends the token; a new one lets in again
    token = hems.token(sub=home.id, session="of the tablet")
    hems.accounts.withdraw(token)
    assert hems.client(token).refused(401, "voltage-last", {"user_ids": home.id})
    assert app.tiles()
