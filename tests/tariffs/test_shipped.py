"""The tariffs that come with the product: sound documents, with sources, and one price at each time of a whole year.

The windows below are written out from the rules of each country, not taken from the documents.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import NotFound
from statistics_manager_service.tariffs.clockwork import Clockwork
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.shipped import shipped_document, shipped_ids, shipped_tariff

YEAR = 2026
QUARTERS_PER_HOUR = 4
MON, FRI, SAT, SUN = 0, 4, 5, 6

Windows = dict[str, list[tuple[float, float]]]
#: Local time to the names of the periods whose windows hold: exactly one, where the windows are right.
Rule = Callable[[datetime], list[str]]

# Portugal: hours of the legal clock, by legal season -----------------------------------------------------------------

DAILY: dict[str, Windows] = {
    "winter": {
        "P": [(9, 10.5), (18, 20.5)],
        "C": [(8, 9), (10.5, 18), (20.5, 22)],
        "V": [(22, 24), (0, 8)],
    },
    "summer": {
        "P": [(10.5, 13), (19.5, 21)],
        "C": [(8, 10.5), (13, 19.5), (21, 22)],
        "V": [(22, 24), (0, 8)],
    },
}
WEEKLY: dict[tuple[str, str], Windows] = {
    ("weekday", "winter"): {"P": [(9.5, 12), (18.5, 21)], "C": [(7, 9.5), (12, 18.5), (21, 24)], "V": [(0, 7)]},
    ("weekday", "summer"): {"P": [(9.25, 12.25)], "C": [(7, 9.25), (12.25, 24)], "V": [(0, 7)]},
    ("saturday", "winter"): {"C": [(9.5, 13), (18.5, 22)], "V": [(0, 9.5), (13, 18.5), (22, 24)]},
    ("saturday", "summer"): {"C": [(9, 14), (20, 22)], "V": [(0, 9), (14, 20), (22, 24)]},
    ("sunday", "winter"): {"V": [(0, 24)]},
    ("sunday", "summer"): {"V": [(0, 24)]},
}


def holding(windows: Windows, at: datetime) -> list[str]:
    hour = at.hour + at.minute / 60
    return [period for period, times in windows.items() for begin, end in times if begin <= hour < end]


def legal_season(at: datetime) -> str:
    return "summer" if at.dst() else "winter"


def tri_daily(at: datetime) -> list[str]:
    return holding(DAILY[legal_season(at)], at)


def tri_weekly(at: datetime) -> list[str]:
    kind = {SAT: "saturday", SUN: "sunday"}.get(at.weekday(), "weekday")
    return holding(WEEKLY[kind, legal_season(at)], at)


def bi(tri: Rule) -> Rule:
    return lambda at: ["V" if period == "V" else "FV" for period in tri(at)]


# Spain: 2.0TD, with the nine national holidays that have a fixed date and no substitute ------------------------------

SPANISH_HOLIDAYS = [(1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25)]
SPANISH_WEEKDAY: Windows = {"P1": [(10, 14), (18, 22)], "P2": [(8, 10), (14, 18), (22, 24)], "P3": [(0, 8)]}


def spanish(at: datetime) -> list[str]:
    if at.weekday() in (SAT, SUN) or (at.month, at.day) in SPANISH_HOLIDAYS:
        return ["P3"]
    return holding(SPANISH_WEEKDAY, at)


# Great Britain, the Nordics ------------------------------------------------------------------------------------------


def economy_7(at: datetime) -> list[str]:
    return holding({"night": [(0.5, 7.5)], "day": [(0, 0.5), (7.5, 24)]}, at.astimezone(UTC))


def go(at: datetime) -> list[str]:
    return holding({"night": [(0.5, 5.5)], "day": [(0, 0.5), (5.5, 24)]}, at)


def norwegian_network(at: datetime) -> list[str]:
    return holding({"day": [(6, 22)], "night": [(0, 6), (22, 24)]}, at)


def norwegian_tax(at: datetime) -> list[str]:
    return ["winter" if at.month <= 3 else "rest"]


#: Of 2026: holidays that are no Saturday or Sunday, and the eves of Midsummer, Christmas and New Year.
SWEDISH_DAYS_OFF = [(1, 1), (1, 6), (4, 3), (4, 6), (5, 1), (5, 14), (6, 19), (12, 24), (12, 25), (12, 31)]


def swedish_working_hours(at: datetime) -> list[str]:
    is_off = at.weekday() in (SAT, SUN) or (at.month, at.day) in SWEDISH_DAYS_OFF
    if is_off or not 7 <= at.hour < 19:
        return ["other"]
    return ["winter" if at.month in (11, 12, 1, 2, 3) else "summer"]


RULES: dict[tuple[str, str], Rule] = {
    ("pt-btn-bi-horario", "bi_diario"): bi(tri_daily),
    ("pt-btn-bi-horario-semanal", "bi_semanal"): bi(tri_weekly),
    ("pt-btn-tri-horario", "tri_diario"): tri_daily,
    ("pt-btn-tri-horario-semanal", "tri_semanal"): tri_weekly,
    ("pt-indexado-omie", "bi_diario"): bi(tri_daily),
    ("pt-indexado-omie", "bi_semanal"): bi(tri_weekly),
    ("pt-indexado-omie", "tri_diario"): tri_daily,
    ("pt-indexado-omie", "tri_semanal"): tri_weekly,
    ("es-20td", "energy"): spanish,
    ("es-pvpc", "energy"): spanish,
    ("gb-economy-7", "economy_7"): economy_7,
    ("gb-go", "go"): go,
    ("no-effekt", "network"): norwegian_network,
    ("no-effekt", "tax"): norwegian_tax,
    ("se-effekt-seom", "working_hours"): swedish_working_hours,
}

#: Hours of 2026. Portugal's are known from elsewhere; the others are counted by hand: 2026 has 261 weekdays, six of
#: them holidays of a fixed date in Spain, ten off in Sweden (103 left from November to March, 148 from April on).
HOURS: dict[tuple[str, str], dict[str, float]] = {
    ("pt-btn-tri-horario", "tri_diario"): {"V": 3650, "C": 3650, "P": 1460},
    ("pt-btn-bi-horario", "bi_diario"): {"V": 3650, "FV": 5110},
    ("pt-btn-tri-horario-semanal", "tri_semanal"): {"V": 3959, "C": 3796, "P": 1005},
    ("pt-btn-bi-horario-semanal", "bi_semanal"): {"V": 3959, "FV": 4801},
    ("es-20td", "energy"): {"P1": 8 * 255, "P2": 8 * 255, "P3": 8760 - 16 * 255},
    ("es-pvpc", "energy"): {"P1": 8 * 255, "P2": 8 * 255, "P3": 8760 - 16 * 255},
    ("gb-economy-7", "economy_7"): {"night": 7 * 365, "day": 17 * 365},
    ("gb-go", "go"): {"night": 5 * 365, "day": 19 * 365},
    ("no-effekt", "network"): {"day": 16 * 365, "night": 8 * 365},
    ("no-effekt", "tax"): {"winter": 90 * 24 - 1, "rest": 275 * 24 + 1},
    ("se-effekt-seom", "working_hours"): {"winter": 12 * 103, "summer": 12 * 148, "other": 8760 - 12 * 251},
}


@cache
def local_quarters(zone: str) -> list[datetime]:
    """The quarter-hours of the civil year, by the local clock."""
    tz = ZoneInfo(zone)
    at, end = datetime(YEAR, 1, 1, tzinfo=tz).astimezone(UTC), datetime(YEAR + 1, 1, 1, tzinfo=tz).astimezone(UTC)
    found = []
    while at < end:
        found.append(at.astimezone(tz))
        at += timedelta(minutes=15)
    return found


@cache
def shipped_periods(tariff_id: str, schedule: str) -> list[str | None]:
    """The period that the shipped schedule gives each quarter-hour of the civil year."""
    tariff = shipped_tariff(tariff_id)
    clockwork = Clockwork(tariff.calendars, tariff.time_zone)
    first_us = midnight_us(tariff.time_zone, date(YEAR, 1, 1))
    count = (midnight_us(tariff.time_zone, date(YEAR + 1, 1, 1)) - first_us) // QUARTER_US
    names: list[str | None] = [*clockwork.periods(schedule), None]
    return [names[label] for label in clockwork.labels(schedule, first_us // QUARTER_US, count).tolist()]


def by_day(tariff_id: str, schedule: str) -> dict[date, Counter[str | None]]:
    """How many quarter-hours each period has on each civil day."""
    days: dict[date, Counter[str | None]] = {}
    local = local_quarters(shipped_tariff(tariff_id).time_zone)
    for at, period in zip(local, shipped_periods(tariff_id, schedule), strict=True):
        days.setdefault(at.date(), Counter())[period] += 1
    return days


# --- documents --------------------------------------------------------------------------------------------------------


def test_all_the_tariffs_that_people_can_choose_by_name_are_there() -> None:
    promised = {
        "pt-btn-simples", "pt-btn-bi-horario", "pt-btn-tri-horario", "pt-btn-bi-horario-semanal",
        "pt-btn-tri-horario-semanal", "pt-indexado-omie", "pt-excedente-omie", "pt-excedente-fixo", "es-20td",
        "es-pvpc", "de-standard", "de-dynamisch", "de-14a-modul2", "gb-agile", "gb-go", "gb-economy-7", "nl-dynamisch",
        "be-vlaanderen-capaciteit", "no-effekt", "se-effekt-partille",
    }  # fmt: skip
    assert promised <= set(shipped_ids())
    assert shipped_ids() == sorted(shipped_ids())


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_a_shipped_document_is_a_tariff_under_its_file_name_and_survives_json(tariff_id: str) -> None:
    tariff = shipped_tariff(tariff_id)
    assert tariff.id == tariff_id
    assert read_tariff(json.loads(json.dumps(shipped_document(tariff_id))), tariff_id) == tariff
    assert shipped_tariff(tariff_id) is tariff


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_a_shipped_document_tells_where_its_figures_come_from_and_what_is_unchecked(tariff_id: str) -> None:
    tariff = shipped_tariff(tariff_id)
    description = tariff.description or ""
    assert tariff.title and tariff.country and tariff.sources
    assert all(one.what and one.source for one in tariff.sources)
    assert any(one.checked != "unchecked" for one in tariff.sources) or tariff_id == "de-standard"
    assert any(one.checked == "unchecked" for one in tariff.sources) == ("Unchecked:" in description)


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_a_shipped_document_names_each_parameter_and_each_series_that_it_needs(tariff_id: str) -> None:
    tariff = shipped_tariff(tariff_id)
    assert not [name for name in (*tariff.parameters, *tariff.series) if name not in (tariff.description or "")]


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_a_number_that_a_contract_may_tell_is_a_number_of_the_right_kind(tariff_id: str) -> None:
    for name, value in shipped_tariff(tariff_id).parameters.items():
        has_unit = "_per_" in name or name.endswith(("_kva", "_kw", "_share"))
        assert has_unit == isinstance(value, Decimal), name


def test_whoever_changes_a_document_changes_it_for_nobody_else() -> None:
    first = shipped_document("pt-btn-simples")
    assert first is not None
    first["components"].clear()
    first["id"] = "mine"
    again = shipped_document("pt-btn-simples")
    assert again is not None and again["id"] == "pt-btn-simples" and again["components"]


def test_a_tariff_that_is_not_shipped_is_none_or_not_found() -> None:
    assert shipped_document("pt-btn-quadri") is None
    assert shipped_document("../tariffs/pt-btn-simples") is None
    with pytest.raises(NotFound, match="pt-btn-quadri"):
        shipped_tariff("pt-btn-quadri")


# --- a whole year, quarter-hour by quarter-hour -----------------------------------------------------------------------


def test_each_shipped_schedule_has_windows_of_its_own_here() -> None:
    shipped = {(one, name) for one in shipped_ids() for name in shipped_tariff(one).calendars.schedules}
    assert shipped == set(RULES)


@pytest.mark.parametrize(("tariff_id", "schedule"), RULES)
def test_each_quarter_of_2026_has_exactly_the_period_of_the_rules(tariff_id: str, schedule: str) -> None:
    local = local_quarters(shipped_tariff(tariff_id).time_zone)
    assert len(local) == 8760 * QUARTERS_PER_HOUR
    expected = [RULES[tariff_id, schedule](at) for at in local]
    assert {len(one) for one in expected} == {1}
    periods = shipped_periods(tariff_id, schedule)
    wrong = [(at, one, told) for at, one, told in zip(local, expected, periods, strict=True) if one != [told]]
    assert not wrong


@pytest.mark.parametrize(("tariff_id", "schedule"), RULES)
def test_no_two_windows_hold_at_the_same_time_where_the_first_does_not_win(tariff_id: str, schedule: str) -> None:
    tariff = shipped_tariff(tariff_id)
    first_day = (date(YEAR, 1, 1) - date(1970, 1, 1)).days
    _, claims = Clockwork(tariff.calendars, tariff.time_zone).table(schedule, first_day, 365)
    if tariff.calendars.schedules[schedule].overlaps == "refused":
        assert int(claims.max()) == 1
    else:
        assert tariff_id == "se-effekt-seom"


@pytest.mark.parametrize(("tariff_id", "schedule"), HOURS)
def test_the_periods_of_2026_have_the_hours_that_are_known(tariff_id: str, schedule: str) -> None:
    hours = {name: n / QUARTERS_PER_HOUR for name, n in Counter(shipped_periods(tariff_id, schedule)).items()}
    assert hours == HOURS[tariff_id, schedule]


@pytest.mark.parametrize(
    ("tariff_id", "schedule"), [("pt-btn-bi-horario", "bi_diario"), ("pt-btn-tri-horario", "tri_diario")]
)
def test_the_daily_cycle_keeps_its_windows_on_days_of_23_and_25_hours(tariff_id: str, schedule: str) -> None:
    days = by_day(tariff_id, schedule)
    for day, counts in days.items():
        expected = {date(2026, 3, 29): (36, 92), date(2026, 10, 25): (44, 100)}.get(day, (40, 96))
        assert (counts["V"], counts.total()) == expected, day


@pytest.mark.parametrize("tariff_id", ["es-20td", "es-pvpc"])
def test_good_friday_is_a_day_like_others_in_spain_and_the_fixed_holidays_are_not(tariff_id: str) -> None:
    days = by_day(tariff_id, "energy")
    assert days[date(2026, 4, 3)] == {"P1": 32, "P2": 32, "P3": 32}
    assert days[date(2026, 4, 2)] == {"P1": 32, "P2": 32, "P3": 32}  # Maundy Thursday is no national holiday either
    for month, day in SPANISH_HOLIDAYS:
        assert days[date(2026, month, day)] == {"P3": 96}


def test_economy_7_has_seven_hours_of_each_utc_day_by_a_clock_without_summer_time() -> None:
    local = local_quarters("Europe/London")
    night = [at for at, one in zip(local, shipped_periods("gb-economy-7", "economy_7"), strict=True) if one == "night"]
    assert set(Counter(at.astimezone(UTC).date() for at in night).values()) == {28}
    july = [at for at in night if at.date() == date(2026, 7, 1)]
    assert (july[0].strftime("%H:%M"), july[-1].strftime("%H:%M")) == ("01:30", "08:15")
    january = [at for at in night if at.date() == date(2026, 1, 15)]
    assert (january[0].strftime("%H:%M"), january[-1].strftime("%H:%M")) == ("00:30", "07:15")


def test_go_follows_the_local_clock_so_that_nights_of_clock_changes_are_shorter_and_longer() -> None:
    days = by_day("gb-go", "go")
    short, long = date(2026, 3, 29), date(2026, 10, 25)
    assert (days[short]["night"], days[long]["night"]) == (16, 24)
    assert {counts["night"] for day, counts in days.items() if day not in (short, long)} == {20}


def test_midsummer_eve_of_any_year_is_no_working_day_in_sweden() -> None:
    tariff = shipped_tariff("se-effekt-seom")
    clockwork = Clockwork(tariff.calendars, tariff.time_zone)
    other = clockwork.periods("working_hours").index("other")
    for eve in (date(2025, 6, 20), date(2026, 6, 19), date(2027, 6, 25), date(2028, 6, 23), date(2029, 6, 22)):
        first = midnight_us("Europe/Stockholm", eve - timedelta(days=1)) // QUARTER_US
        labels = clockwork.labels("working_hours", first, 2 * 96)
        assert int(np.count_nonzero(labels[:96] != other)) == 48
        assert int(np.count_nonzero(labels[96:] != other)) == 0


# --- the page that tells of them --------------------------------------------------------------------------------------

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "tariffs-shipped.md"


def told_number(value: bool | Decimal | str) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_the_page_tells_each_tariff_with_its_parameters_series_and_validity(tariff_id: str) -> None:
    tariff = shipped_tariff(tariff_id)
    (row,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{tariff_id}` |")]
    until = f"to {tariff.valid.end}" if tariff.valid.end else "on"
    assert f"| {tariff.valid.begin} {until} |" in row
    told = dict(re.findall(r"`(\w+)` ([\w.-]+)", row.split("|")[4]))
    assert told == {name: told_number(value) for name, value in tariff.parameters.items()}
    assert re.findall(r"`(\w+)`", row.split("|")[5]) == list(tariff.series)


def test_the_page_tells_no_tariff_that_is_not_shipped() -> None:
    told = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == shipped_ids()
