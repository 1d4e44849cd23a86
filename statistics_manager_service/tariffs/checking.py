"""What a tariff document must fulfil beyond its form: names that exist, schedules and rates without hole or overlap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.units import QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.tariffs.calendars import HOLIDAY, MINUTES_PER_QUARTER, WEEKDAYS, Schedule
from statistics_manager_service.tariffs.clockwork import NONE, Clockwork, periods_of
from statistics_manager_service.tariffs.document import Credit, Energy, Minimum, Peak, Percentage, Tariff
from statistics_manager_service.tariffs.prices import (
    Comparison,
    Dated,
    OfParameter,
    OfSeries,
    Scheduled,
    Table,
    Tiered,
)
from statistics_manager_service.tariffs.resolving import conditions_of, parts_of, prices_of

_EPOCH: Final = date(1970, 1, 1)
#: Days that are looked at for holes: more than a year, so that each holiday, season and change of the clock is there.
_DAYS_LOOKED_AT: Final = 2 * 366
_EARLIEST, _LATEST = date(1970, 1, 2), date(2200, 1, 1)


def faults_of_tariff(tariff: Tariff) -> list[Fault]:
    """All that is wrong with a tariff that has the right form."""
    faults: list[Fault] = []
    for check in (_of_validity, _of_names, _of_prices, _of_parameters, _of_components, _of_taxes, _of_calendars):
        faults += check(tariff)
    return faults


def _of_validity(tariff: Tariff) -> Iterator[Fault]:
    try:
        check_zone(tariff.time_zone)
    except BadInput as error:
        yield Fault("time_zone", error.faults[0].why)
    begin, end = tariff.valid.begin, tariff.valid.end
    if not _EARLIEST <= begin < _LATEST:
        yield Fault("valid.from", f"{begin} is outside the years 1970 to 2199")
    if end is not None and end <= begin:
        yield Fault("valid.to", f"{end} is not after {begin}: the tariff would never be valid")
    if tariff.metering.year_begins == "02-29":
        yield Fault("metering.year_begins", "not each year has this day")


def _of_names(tariff: Tariff) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for i, one in enumerate(tariff.components):
        if one.id in seen:
            yield Fault(f"components[{i}].id", f"{one.id!r} is also the id of components[{seen[one.id]}]")
        seen[one.id] = i
        if one.tax is not None and one.tax not in tariff.taxes:
            yield _unknown(f"components[{i}].tax", one.tax, "tax", tariff.taxes)
    for i, one in enumerate(tariff.components):
        named: list[tuple[str, list[str]]] = []
        if isinstance(one, Percentage | Minimum) and one.of is not None:
            named.append(("of", one.of))
        if isinstance(one, Energy | Credit) and one.cap is not None:
            named.append(("cap.of", one.cap.of))
        for place, ids in named:
            for j, id in enumerate(ids):
                where = f"components[{i}].{place}[{j}]"
                if id not in seen:
                    yield _unknown(where, id, "component", seen)
                elif seen[id] >= i:
                    yield Fault(where, f"{id!r} must stand before {one.id!r}, as it is worked out first")
    if tariff.metering.by is not None and tariff.metering.by not in tariff.calendars.schedules:
        yield _unknown("metering.by", tariff.metering.by, "schedule", tariff.calendars.schedules)


def _unknown(where: str, name: str, what: str, there: Any) -> Fault:
    known = ", ".join(map(str, there)) or "none"
    return Fault(where, f"there is no {what} {name!r}; there are: {known}")


def _of_prices(tariff: Tariff) -> Iterator[Fault]:
    for where, price in prices_of(tariff):
        is_rate = not where.startswith("components") or not where.endswith("price")
        component = tariff.components[int(where[11 : where.index("]")])] if where.startswith("components") else None
        hangs_on_hours = isinstance(component, Energy)
        for place, part in parts_of(price):
            at = where + place
            if isinstance(part, Scheduled):
                yield from _of_scheduled(tariff, part, at)
            if isinstance(part, OfSeries) and part.series not in tariff.series:
                yield _unknown(f"{at}.series", part.series, "series", tariff.series)
            if isinstance(part, Tiered):
                yield from _of_tiers(part, at, place)
            if isinstance(part, Dated):
                yield from _of_dated(tariff, part, at)
            if isinstance(part, Scheduled | OfSeries | Tiered) and (is_rate or not hangs_on_hours):
                yield Fault(at, "only the price of a component of kind energy can hang on the hour or on the energy")


def _of_scheduled(tariff: Tariff, part: Scheduled, at: str) -> Iterator[Fault]:
    schedules = tariff.calendars.schedules
    if part.schedule not in schedules:
        yield _unknown(f"{at}.schedule", part.schedule, "schedule", schedules)
        return
    periods = periods_of(schedules[part.schedule])
    for name in part.values:
        if name not in periods:
            yield _unknown(f"{at}.values.{name}", name, f"period in schedule {part.schedule}", periods)
    for name in periods:
        if name not in part.values:
            yield Fault(f"{at}.values", f"there is no price for period {name!r} of schedule {part.schedule}")


def _of_tiers(part: Tiered, at: str, place: str) -> Iterator[Fault]:
    steps = part.tiers.steps
    if any(word in place for word in (".add", ".mul", ".min", ".max", ".tiers")):
        yield Fault(at, "tiers can stand alone or in the values of a schedule; make a component of them")
    for i, step in enumerate(steps):
        before = steps[i - 1].upto if i else None
        if step.upto is None and i < len(steps) - 1:
            yield Fault(f"{at}.tiers.steps[{i}].upto", "only the last step is without end; tell up to how many kWh")
        if step.upto is not None and i == len(steps) - 1:
            yield Fault(
                f"{at}.tiers.steps[{i}].upto", "the last step must be without end, so that all energy is priced"
            )
        if step.upto is not None and before is not None and step.upto <= before:
            yield Fault(f"{at}.tiers.steps[{i}].upto", f"{step.upto} is not more than {before} of the step before it")


def _of_dated(tariff: Tariff, part: Dated, at: str) -> Iterator[Fault]:
    begin, end = tariff.valid.begin, tariff.valid.end
    if part.dated[0].begin > begin:
        why = f"there is no price from {begin}, where the tariff begins to be valid, until {part.dated[0].begin}"
        yield Fault(f"{at}.dated[0].from", why)
    for i, one in enumerate(part.dated):
        after = part.dated[i + 1] if i + 1 < len(part.dated) else None
        where = f"{at}.dated[{i}]"
        if after is not None and after.begin <= one.begin:
            yield Fault(f"{at}.dated[{i + 1}].from", f"{after.begin} is not after {one.begin} of the price before it")
        elif one.end is not None and one.end <= one.begin:
            yield Fault(f"{where}.to", f"{one.end} is not after {one.begin}")
        elif one.end is not None and after is not None and one.end < after.begin:
            yield Fault(f"{where}.to", f"there is no price from {one.end} until {after.begin}")
        elif one.end is not None and after is not None and one.end > after.begin:
            yield Fault(f"{where}.to", f"two prices hold from {after.begin} until {one.end}")
        elif one.end is not None and after is None and (end is None or one.end < end):
            until = "further notice" if end is None else end
            yield Fault(f"{where}.to", f"there is no price from {one.end} on, and the tariff is valid until {until}")


def _of_parameters(tariff: Tariff) -> Iterator[Fault]:
    def check(where: str, name: str, *, is_number: bool) -> Iterator[Fault]:
        if name not in tariff.parameters:
            yield _unknown(where, name, "parameter", tariff.parameters)
        elif is_number and (
            isinstance(tariff.parameters[name], bool) or not isinstance(tariff.parameters[name], Decimal)
        ):
            yield Fault(where, f"the parameter {name!r} is no number")

    for where, price in prices_of(tariff):
        for place, part in parts_of(price):
            if isinstance(part, OfParameter):
                yield from check(f"{where}{place}.parameter", part.parameter, is_number=True)
            if isinstance(part, Table):
                yield from check(f"{where}{place}.table", part.table, is_number=False)
    for i, component in enumerate(tariff.components):
        of = getattr(component, "of", None)
        if isinstance(of, str):
            yield from check(f"components[{i}].of", of, is_number=True)
    for where, comparison in conditions_of(tariff):
        bounds = (comparison.below, comparison.above, comparison.at_least, comparison.at_most)
        is_number = any(one is not None for one in bounds)
        yield from check(f"{where}.parameter", comparison.parameter, is_number=is_number)
        yield from _of_comparison(tariff, comparison, where, is_number)


def _of_comparison(tariff: Tariff, comparison: Comparison, where: str, is_number: bool) -> Iterator[Fault]:
    if comparison.equals is not None and is_number:
        yield Fault(where, "compare by `is`, or by below, above, at_least, at_most; not by both")
    is_bare = comparison.equals is None and not is_number
    if is_bare and not isinstance(tariff.parameters.get(comparison.parameter, True), bool):
        yield Fault(where, f"the parameter {comparison.parameter!r} is not true or false: tell what to compare it with")


def _of_components(tariff: Tariff) -> Iterator[Fault]:
    schedules = tariff.calendars.schedules
    for i, one in enumerate(tariff.components):
        at = f"components[{i}]"
        if isinstance(one, Energy):
            if one.split_by is not None and one.split_by not in schedules:
                yield _unknown(f"{at}.split_by", one.split_by, "schedule", schedules)
            if one.cap is not None and one.flow != "export":
                yield Fault(f"{at}.cap", "only what is paid for an export can be capped")
        if isinstance(one, Peak):
            yield from _of_peak(tariff, one, at)


def _of_peak(tariff: Tariff, one: Peak, at: str) -> Iterator[Fault]:
    if (one.price is None) == (one.bands is None):
        yield Fault(at, "a peak has a `price` per kW or `bands` of amounts, one of them")
    if (one.schedule is None) != (one.weights is None):
        yield Fault(at, "`schedule` and `weights` belong together")
    if one.schedule is not None and one.schedule not in tariff.calendars.schedules:
        yield _unknown(f"{at}.schedule", one.schedule, "schedule", tariff.calendars.schedules)
    elif one.schedule is not None:
        periods = periods_of(tariff.calendars.schedules[one.schedule])
        for name, weight in (one.weights or {}).items():
            if name not in periods:
                yield _unknown(f"{at}.weights.{name}", name, f"period in schedule {one.schedule}", periods)
            if weight < 0:
                yield Fault(f"{at}.weights.{name}", "a weight can't be negative")
    for i, band in enumerate(one.bands or []):
        is_last = i == len(one.bands or []) - 1
        if (band.upto_kw is None) != is_last:
            yield Fault(f"{at}.bands[{i}].upto_kw", "each band but the last has an end")
        before = (one.bands or [])[i - 1].upto_kw if i else None
        if band.upto_kw is not None and before is not None and band.upto_kw <= before:
            yield Fault(f"{at}.bands[{i}].upto_kw", f"{band.upto_kw} is not more than {before} of the band before it")


def _of_taxes(tariff: Tariff) -> Iterator[Fault]:
    for name, tax in tariff.taxes.items():
        at = f"taxes.{name}"
        if (tax.rate is None) == (tax.threshold is None):
            yield Fault(at, "a tax has a `rate`, or a `threshold` with `below` and `above`")
        if tax.threshold is None:
            continue
        for member in ("below", "above"):
            if getattr(tax, member) is None:
                yield Fault(f"{at}.{member}", "a threshold has a rate below and one above it")
        if tax.when is not None and tax.otherwise is None:
            yield Fault(f"{at}.otherwise", "tell the rate where the condition does not hold")
        share = tax.threshold.share
        if isinstance(share, dict):
            yield from _of_shares(tariff, share, tax.threshold.schedule, f"{at}.threshold")


def _of_shares(tariff: Tariff, share: dict[str, Decimal], schedule: str | None, at: str) -> Iterator[Fault]:
    schedules = tariff.calendars.schedules
    if schedule is None or schedule not in schedules:
        yield _unknown(f"{at}.schedule", schedule or "", "schedule", schedules)
        return
    if set(share) != set(periods_of(schedules[schedule])):
        yield Fault(
            f"{at}.share", f"it must name each period of {schedule}: {', '.join(periods_of(schedules[schedule]))}"
        )
    if sum(share.values()) != 1 or min(share.values()) < 0:
        yield Fault(f"{at}.share", "shares are not negative, and together 1")


def _of_calendars(tariff: Tariff) -> Iterator[Fault]:
    calendars = tariff.calendars
    well_named = True
    for name, schedule in calendars.schedules.items():
        at = f"calendars.schedules.{name}"
        found = list(_of_schedule_names(tariff, schedule, at))
        well_named &= not found
        yield from found
    for name, season in calendars.season.items():
        if season.dst is None and season.months is None and season.dates is None:
            yield Fault(f"calendars.season.{name}", "a season has `dst`, `months` or `dates`")
    try:
        check_zone(tariff.time_zone)
    except BadInput:
        return
    if well_named and _EARLIEST <= tariff.valid.begin < _LATEST:
        clockwork = Clockwork(calendars, tariff.time_zone)
        for name, schedule in calendars.schedules.items():
            yield from _of_coverage(tariff, clockwork, name, schedule)


def _of_schedule_names(tariff: Tariff, schedule: Schedule, at: str) -> Iterator[Fault]:
    calendars = tariff.calendars
    if (schedule.entries is None) == (schedule.dated is None):
        yield Fault(at, "a schedule has `entries`, or `dated` lists of them")
    if schedule.holidays is not None and schedule.holidays not in calendars.holidays:
        yield _unknown(f"{at}.holidays", schedule.holidays, "set of holidays", calendars.holidays)
    for i, part in enumerate(schedule.dated or []):
        if i == 0 and part.begin > tariff.valid.begin:
            yield Fault(f"{at}.dated[0].from", f"there are no windows from {tariff.valid.begin} until {part.begin}")
        if i and part.begin <= (schedule.dated or [])[i - 1].begin:
            yield Fault(f"{at}.dated[{i}].from", "it is not after the one before it")
    for place, entry in _entries(schedule):
        for season in entry.season or []:
            if season not in calendars.season:
                yield _unknown(f"{at}{place}.season", season, "season", calendars.season)
        if entry.days is not None and HOLIDAY in entry.days and schedule.holidays is None and len(entry.days) <= 7:
            yield Fault(f"{at}{place}.days", "the schedule names no set of `holidays`, so no day is one")
        if entry.begin is not None and entry.begin == entry.end:
            yield Fault(f"{at}{place}.to", "the window has no length; a whole day is written from 00:00 to 24:00")


def _entries(schedule: Schedule) -> Iterator[tuple[str, Any]]:
    if schedule.entries is not None:
        yield from ((f"[{i}]", entry) for i, entry in enumerate(schedule.entries))
    for i, part in enumerate(schedule.dated or []):
        yield from ((f".dated[{i}].entries[{j}]", entry) for j, entry in enumerate(part.entries))


def _of_coverage(tariff: Tariff, clockwork: Clockwork, name: str, schedule: Schedule) -> Iterator[Fault]:
    """Holes and overlaps, looked for day by day: two years from the beginning, and from each change of the windows."""
    at = f"calendars.schedules.{name}"
    begins = {tariff.valid.begin, *(part.begin for part in schedule.dated or [] if part.begin >= tariff.valid.begin)}
    found: dict[str, Fault] = {}
    for begin in sorted(begins):
        days = _DAYS_LOOKED_AT
        if tariff.valid.end is not None:
            days = max(1, min(days, (tariff.valid.end - begin).days))
        table, claims = clockwork.table(name, (begin - _EPOCH).days, days)
        for kind, bad, why in (
            ("hole", table == NONE, "no window holds"),
            ("overlap", (claims > 1) & (schedule.overlaps == "refused"), "two windows hold"),
        ):
            if bad.any() and kind not in found:
                found[kind] = Fault(at, f"{why} {_first_stretch(bad, begin)}{_hint(kind)}")
    yield from found.values()


def _hint(kind: str) -> str:
    if kind == "hole":
        return "; an entry with a period alone, as the last of the list, holds wherever no other does"
    return "; if the first of the list is to win, say `overlaps: first_wins`"


def _first_stretch(bad: Any, begin: date) -> str:
    day = int(np.flatnonzero(bad.any(axis=1))[0])
    slots = np.flatnonzero(bad[day])
    stop = int(slots[0])
    while stop < QUARTERS_PER_DAY and bad[day, stop]:
        stop += 1
    on = begin + timedelta(days=day)
    others = int(bad.any(axis=1).sum()) - 1
    more = f", and on {others} other days" if others else ""
    return f"on {WEEKDAYS[on.weekday()]} {on} from {_clock(int(slots[0]))} to {_clock(stop)}{more}"


def _clock(quarter: int) -> str:
    return f"{quarter * MINUTES_PER_QUARTER // 60:02d}:{quarter * MINUTES_PER_QUARTER % 60:02d}"
