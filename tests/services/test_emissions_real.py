"""Emissions of real homes by real grids, beside plain loops over the files themselves, equal to the last digit.

The half-hours of a home in London are of 2013, those of NESO's series of 2023: the home's are told of the same date and
hour ten years later (neither is a leap year). The hours of Spain's series are of 2020, E-REDES's home of 2024 and 2025:
the series is told of the same date and hour of those years, as a stand-in for the intensity of that home's grid.
"""

from __future__ import annotations

import csv
import gzip
import pathlib
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from measured import open_store, put_home

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, keep
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

LONDON, LISBON, MADRID = (ZoneInfo(f"Europe/{city}") for city in ("London", "Lisbon", "Madrid"))
HALF, HOUR, QUARTER = (timedelta(minutes=m) for m in (30, 60, 15))
BLANKS = [datetime(2023, 1, 26, 13, 30, tzinfo=UTC) + i * HALF for i in range(5)]
ZEROS = 5
Milliwh = dict[datetime, int]
Mg = dict[datetime, int]


def rows(path: pathlib.Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [{name.strip(): one.strip() for name, one in row.items()} for row in csv.DictReader(file)]


def us(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000


def london_home(data: pathlib.Path) -> Milliwh:
    """Half-hours of the first half of 2013, ten years later."""
    found = {}
    for row in rows(data / "london_lcl_halfhour" / "MAC000002.csv.gz"):
        at = datetime.fromisoformat(row["tstp"]).replace(year=2023, tzinfo=UTC)
        if at.month <= 6:
            found[at] = round(Fraction(row["energy(kWh/hh)"]) * 1_000_000)
    return found


def neso(data: pathlib.Path, column: str) -> Mg:
    told = rows(data / "neso_gb_carbon_halfhour" / "neso_national_intensity.csv.gz")
    return {datetime.fromisoformat(row["from"]): round(Fraction(row[column]) * 1_000) for row in told if row[column]}


def eredes_home(data: pathlib.Path) -> Milliwh:
    """Quarter-hours; rows tell their end by the clock, and of a label that stands twice the first is the first pass."""
    found, seen = {}, Counter[str]()
    for row in rows(data / "eredes_pt_15min" / "leituras.csv.gz"):
        label = f"{row['Data']} {row['Hora']}"
        end = datetime.strptime(label, "%Y/%m/%d %H:%M").replace(tzinfo=LISBON, fold=seen[label])
        seen[label] += 1
        found[end.astimezone(UTC) - QUARTER] = round(Fraction(row["Consumo registado, Ativa (kW)"]) * 250_000)
    return found


def spain(data: pathlib.Path) -> Mg:
    found = {}
    for row in rows(data / "es_generation_mix_carbon_hourly" / "ES_2020.csv.gz"):
        at = datetime.fromisoformat(row["UTC time"]).replace(tzinfo=UTC)
        if (at.month, at.day) != (2, 29):
            at = at.replace(year=2024 if at.month >= 9 else 2025)
            found[at] = round(Fraction(row["carbon_intensity"]) * 1_000)
    return found


def filled(url: str, zone: str, home: Milliwh, length: timedelta) -> SqlStore:
    store = open_store(url)
    put_home(store, timezone="UTC", country=zone)
    at = sorted(home)
    at_us, kwh = np.array([us(one) for one in at], np.int64), np.array([home[one] / 1_000_000 for one in at])
    lengths = np.full(len(at), round(length.total_seconds()) * 1_000_000, np.int64)
    told = WireReadings("home1", "grid", "energy_import", Kind.INTERVAL, "kWh", at_us, kwh, lengths)
    assert not Recorder(store, bootstrap.now_us).record([told]).refused
    return store


def tell(store: SqlStore, zone: str, source: str, method: Method, told: Mg, length: timedelta, kind: str) -> None:
    length_us = round(length.total_seconds()) * 1_000_000
    with store.writing() as view:
        keep(
            view, zone, source, method, [ToldIntensity(us(at), length_us, mg, kind) for at, mg in told.items()], 10**15
        )


def by_month(store: SqlStore, start: str, end: str) -> Column:
    question = Question("emissions_import", start, end, "monthly")
    return bootstrap.asking_of(store).statistics("home1", question).columns[0]


def nanograms(column: Column) -> list[int]:
    return [round(one * 1_000_000_000) for one in column.value]


def same_hour_mean(told: Mg, at: datetime, length: timedelta, zone: ZoneInfo) -> int:
    """What the civil hour had in the mean of the 28 civil days before, in whole mg/kWh, halves up."""
    day, hour = at.astimezone(zone).date(), at.astimezone(zone).hour
    values, days = [], set()
    for back in range(29 * int(timedelta(days=1) / length) + int(2 * HOUR / length)):
        before = at - back * length
        local = before.astimezone(zone)
        if local.hour == hour and 1 <= (day - local.date()).days <= 28 and before in told:
            values.append(told[before])
            days.add(local.date())
    assert len(days) >= 3
    return int(Fraction(sum(values), len(values)) + Fraction(1, 2))


def expected(home: Milliwh, told: Mg, otherwise: Callable[[datetime], int], length: timedelta) -> dict[int, int]:
    """{month: nanograms}; length: of the values of the series."""
    found: dict[int, int] = defaultdict(int)
    known = dict(told)
    for at, milliwh in home.items():
        begin = at - (at - datetime(2020, 1, 1, tzinfo=UTC)) % length
        if begin not in known:
            known[begin] = otherwise(begin)
        found[at.month] += milliwh * known[begin]
    return found


def test_a_home_in_london_by_nesos_half_hours(embedded_url: str, shared_data: pathlib.Path) -> None:
    home, told = london_home(shared_data), neso(shared_data, "actual")
    assert len(home) == len(told) + len(BLANKS) == 181 * 48
    assert sum(mg == 0 for mg in told.values()) == ZEROS  # implausible, but told: they count as they are
    store = filled(embedded_url, "GB", home, HALF)
    tell(store, "GB", "neso", Method(boundary="direct"), told, HALF, MEASURED)
    column = by_month(store, "2023-01-01", "2023-07-01")
    months = expected(home, told, lambda at: same_hour_mean(told, at, HALF, LONDON), HALF)
    assert nanograms(column) == [months[month] for month in range(1, 7)]
    # the five blank half-hours are told by the days before, and no others
    blank = sum(home[at] for at in BLANKS) / sum(one for at, one in home.items() if at.month == 1)
    assert column.shares["same_hour_mean"].tolist() == pytest.approx([blank, 0, 0, 0, 0, 0])
    assert column.more["carbon"]["mixed"] is False
    store.close()


def test_where_nothing_was_measured_a_forecast_counts_more_than_the_days_before(
    embedded_url: str, shared_data: pathlib.Path
) -> None:
    home, told, forecast = london_home(shared_data), neso(shared_data, "actual"), neso(shared_data, "forecast")
    store = filled(embedded_url, "GB", home, HALF)
    tell(store, "GB", "neso", Method(boundary="direct"), forecast, HALF, FORECAST)
    tell(store, "GB", "neso", Method(boundary="direct"), told, HALF, MEASURED)
    column = by_month(store, "2023-01-01", "2023-07-01")
    months = expected(home, told, lambda at: forecast[at], HALF)
    assert nanograms(column) == [months[month] for month in range(1, 7)]
    assert [one["step"] for one in column.more["carbon"]["steps"]] == ["measured", "forecast"]
    store.close()


@pytest.mark.parametrize(
    "missing", [date(2023, 3, 15), date(2023, 4, 2)], ids=["winter", "after the clocks went forth"]
)
def test_with_a_missing_day_the_days_before_tell_it_and_its_share_is_shown(
    missing: date, embedded_url: str, shared_data: pathlib.Path
) -> None:
    home, measured = london_home(shared_data), neso(shared_data, "actual")
    told = {at: mg for at, mg in measured.items() if at.date() != missing}
    assert len(measured) - len(told) == 48
    store = filled(embedded_url, "GB", home, HALF)
    tell(store, "GB", "neso", Method(boundary="direct"), told, HALF, MEASURED)
    column = by_month(store, "2023-01-01", "2023-07-01")
    months = expected(home, told, lambda at: same_hour_mean(told, at, HALF, LONDON), HALF)
    assert nanograms(column) == [months[month] for month in range(1, 7)]
    of_day = sum(one for at, one in home.items() if at.date() == missing)
    of_month = sum(one for at, one in home.items() if at.month == missing.month)
    assert column.shares["same_hour_mean"][missing.month - 1] == pytest.approx(of_day / of_month)
    blank = sum(home[at] for at in BLANKS)
    (share,) = [one["share"] for one in column.more["carbon"]["steps"] if one["step"] == "same_hour_mean"]
    assert share == round((of_day + blank) / sum(home.values()), 6)
    store.close()


def test_where_the_days_before_are_missing_too_the_annual_mean_of_another_method_is_said_to_be_in_it(
    embedded_url: str, shared_data: pathlib.Path
) -> None:
    home, measured = london_home(shared_data), neso(shared_data, "actual")
    told = {at: mg for at, mg in measured.items() if at.month != 1}  # January is not told at all
    store = filled(embedded_url, "GB", home, HALF)
    tell(store, "GB", "neso", Method(boundary="direct"), told, HALF, MEASURED)
    column = by_month(store, "2023-01-01", "2023-07-01")
    # Our World in Data has 237.58904 g/kWh of the United Kingdom in 2023
    months = expected(home, told, lambda _: 237_589, HALF)
    assert nanograms(column) == [months[month] for month in range(1, 7)]
    assert column.shares["country_annual"].tolist() == [1, 0, 0, 0, 0, 0]
    account = column.more["carbon"]
    assert account["mixed"] is True
    assert [(one["boundary"], one["scope"]) for one in account["methods"]] == [
        ("direct", "consumption"), ("lifecycle", "production"),
    ]  # fmt: skip
    store.close()


def test_a_home_of_e_redes_by_spains_hours(embedded_url: str, shared_data: pathlib.Path) -> None:
    home, told = eredes_home(shared_data), spain(shared_data)
    store = filled(embedded_url, "ES", home, QUARTER)
    tell(store, "ES", "uploaded", Method(scope="production"), told, HOUR, MEASURED)
    column = by_month(store, "2024-09-01", "2025-03-01")

    def never(at: datetime) -> int:
        raise AssertionError(at)

    months = expected(home, told, never, HOUR)
    assert nanograms(column) == [months[month] for month in (9, 10, 11, 12, 1, 2)]
    assert column.shares.keys() == {"measured"}
    assert round(column.total * 1e9) == sum(months.values())
    store.close()


def test_a_home_of_e_redes_with_a_missing_day(embedded_url: str, shared_data: pathlib.Path) -> None:
    missing = date(2024, 11, 20)
    home = eredes_home(shared_data)
    told = {at: mg for at, mg in spain(shared_data).items() if at.astimezone(MADRID).date() != missing}
    store = filled(embedded_url, "ES", home, QUARTER)
    tell(store, "ES", "uploaded", Method(scope="production"), told, HOUR, MEASURED)
    column = by_month(store, "2024-09-01", "2025-03-01")
    months = expected(home, told, lambda at: same_hour_mean(told, at, HOUR, MADRID), HOUR)
    assert nanograms(column) == [months[month] for month in (9, 10, 11, 12, 1, 2)]
    of_day = sum(one for at, one in home.items() if at.astimezone(MADRID).date() == missing)
    of_month = sum(one for at, one in home.items() if at.month == 11)
    assert column.shares["same_hour_mean"][2] == pytest.approx(of_day / of_month)
    store.close()
