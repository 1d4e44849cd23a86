"""What a tariff document must fulfil beyond its form: names that exist, prices and rates that hold for all its time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.tariffs.clockwork import periods_of
from statistics_manager_service.tariffs.covering import faults_of_calendars
from statistics_manager_service.tariffs.document import Credit, Energy, Minimum, Peak, Percentage, Tariff, Tax
from statistics_manager_service.tariffs.prices import (
    Comparison,
    Constant,
    Dated,
    If,
    OfParameter,
    OfSeries,
    Price,
    Scheduled,
    Table,
    Tiered,
)
from statistics_manager_service.tariffs.resolving import (
    NoPrice,
    children_of,
    conditions_of,
    days_of_prices,
    holds,
    key_of,
    parts_of,
    prices_of,
    resolve,
)

_LEAP_DAY: Final = "02-29"


@dataclass(frozen=True, slots=True)
class Checked:
    """A tariff that is checked. unread: places of its document that could not be read, such as `taxes.energy`: what
    hangs on them is not judged."""

    tariff: Tariff
    unread: frozenset[str] = frozenset()

    def unknown(self, where: str, name: str, what: str, place: str, there: Iterable[Any]) -> Iterator[Fault]:
        """A fault for a name that is not among those of a place of the document."""
        if f"{place}.{name}" not in self.unread:
            known = ", ".join(map(str, there)) or "none"
            yield Fault(where, f"there is no {what} {name!r}; there are: {known}")

    def schedule(self, where: str, name: str) -> Iterator[Fault]:
        """A fault for a schedule that there is not."""
        schedules = self.tariff.calendars.schedules
        if name not in schedules:
            yield from self.unknown(where, name, "schedule", "calendars.schedules", schedules)

    def period(self, where: str, name: str, schedule: str) -> Iterator[Fault]:
        """A fault for a period that a schedule has not."""
        periods = periods_of(self.tariff.calendars.schedules[schedule])
        if name not in periods:
            yield Fault(where, f"there is no period {name!r} in schedule {schedule}; there are: {', '.join(periods)}")

    def parameter(self, where: str, name: str, *, is_number: bool) -> Iterator[Fault]:
        """A fault for a parameter that there is not, or that is no number."""
        told = self.tariff.parameters
        if name not in told:
            yield from self.unknown(where, name, "parameter", "parameters", told)
        elif is_number and (isinstance(told[name], bool) or not isinstance(told[name], Decimal)):
            yield Fault(where, f"the parameter {name!r} is no number")


def faults_of_tariff(tariff: Tariff, unread: Collection[str] = ()) -> list[Fault]:
    """All that is wrong with a tariff that has the right form. unread: places whose form was wrong; see Checked."""
    checked = Checked(tariff, frozenset(unread))
    faults: list[Fault] = []
    for check in (_of_validity, _of_names, _of_prices, _of_parameters, _of_components, _of_taxes):
        faults += check(checked)
    faults += faults_of_calendars(tariff, checked.unread)
    return faults or list(_of_defaults(checked))


def _of_validity(checked: Checked) -> Iterator[Fault]:
    tariff = checked.tariff
    zones = [("time_zone", tariff.time_zone)]
    for name, series in tariff.series.items():
        if series.market_time_zone is not None:
            zones.append((f"series.{name}.market_time_zone", series.market_time_zone))
    for where, zone in zones:
        try:
            check_zone(zone)
        except BadInput as error:
            yield Fault(where, error.faults[0].why)
    begin, end = tariff.valid.begin, tariff.valid.end
    if end is not None and end <= begin:
        yield Fault("valid.to", f"{end} is not after {begin}: the tariff would never be valid")
    if tariff.metering.year_begins == _LEAP_DAY:
        yield Fault("metering.year_begins", "not each year has this day")
    if tariff.metering.by is not None:
        yield from checked.schedule("metering.by", tariff.metering.by)


def _of_names(checked: Checked) -> Iterator[Fault]:
    tariff = checked.tariff
    seen: dict[str, int] = {}
    for i, one in enumerate(tariff.components):
        if one.id in seen:
            yield Fault(f"components[{i}].id", f"{one.id!r} is also the id of components[{seen[one.id]}]")
        seen.setdefault(one.id, i)
        if one.tax is not None and one.tax not in tariff.taxes:
            yield from checked.unknown(f"components[{i}].tax", one.tax, "tax", "taxes", tariff.taxes)
    for i, one in enumerate(tariff.components):
        of = one.of if isinstance(one, Percentage | Minimum) else None
        capped = one.cap.of if isinstance(one, Energy | Credit) and one.cap is not None else None
        for place, ids in (("of", of or []), ("cap.of", capped or [])):
            for j, id in enumerate(ids):
                where = f"components[{i}].{place}[{j}]"
                if id not in seen:
                    yield from checked.unknown(where, id, "component", "components", seen)
                elif seen[id] >= i:
                    yield Fault(where, f"{id!r} must stand before {one.id!r}, as it is worked out first")
                if id in ids[:j]:
                    yield Fault(where, f"{id!r} is named twice, and would count twice")


# --- prices -----------------------------------------------------------------------------------------------------------


def _of_prices(checked: Checked) -> Iterator[Fault]:
    tariff = checked.tariff
    for where, price in prices_of(tariff):
        component = tariff.components[int(where[11 : where.index("]")])] if where.startswith("components") else None
        hangs_on_hours = isinstance(component, Energy)
        for place, part in parts_of(price):
            at = where + place
            if isinstance(part, Scheduled):
                yield from _of_scheduled(checked, part, at)
            if isinstance(part, OfSeries) and part.series not in tariff.series:
                yield from checked.unknown(f"{at}.series", part.series, "series", "series", tariff.series)
            if isinstance(part, Tiered):
                yield from _of_tiers(part, at)
            if isinstance(part, Table):
                yield from _of_table(part, at)
            if isinstance(part, Dated):
                yield from _of_dated(checked, part, at)
            if isinstance(part, Scheduled | OfSeries | Tiered) and not hangs_on_hours:
                yield Fault(at, "only the price of a component of kind energy can hang on the hour or on the energy")
        yield from _of_inner_tiers(price, where, may=True)


def _of_scheduled(checked: Checked, part: Scheduled, at: str) -> Iterator[Fault]:
    schedules = checked.tariff.calendars.schedules
    yield from checked.schedule(f"{at}.schedule", part.schedule)
    if part.schedule not in schedules:
        return
    for name in part.values:
        yield from checked.period(f"{at}.values.{name}", name, part.schedule)
    for name in periods_of(schedules[part.schedule]):
        if name not in part.values:
            yield Fault(f"{at}.values", f"there is no price for period {name!r} of schedule {part.schedule}")


def _of_table(part: Table, at: str) -> Iterator[Fault]:
    seen: dict[Decimal | str, str] = {}
    for name in part.values:
        key = key_of(name)
        if key in seen:
            yield Fault(f"{at}.values.{name}", f"{name!r} is the same as {seen[key]!r}")
        seen.setdefault(key, name)


def _of_tiers(part: Tiered, at: str) -> Iterator[Fault]:
    steps = part.tiers.steps
    for i, step in enumerate(steps):
        where = f"{at}.tiers.steps[{i}].upto"
        before = steps[i - 1].upto if i else None
        if step.upto is None and i < len(steps) - 1:
            yield Fault(where, "only the last step is without end; tell up to how many kWh")
        if step.upto is not None and i == len(steps) - 1:
            yield Fault(where, "the last step must be without end, so that all energy is priced")
        if step.upto is not None and before is not None and step.upto <= before:
            yield Fault(where, f"{step.upto} is not more than {before} of the step before it")


def _of_inner_tiers(price: Price, at: str, *, may: bool, scheduled: bool = False) -> Iterator[Fault]:
    """Tiers stand alone, or in the values of one schedule."""
    if isinstance(price, Tiered) and not may:
        yield Fault(at, "tiers can stand alone or in the values of a schedule; make a component of them")
    for place, child, passes in _children(price):
        inner = may and passes and not (scheduled and isinstance(price, Scheduled))
        yield from _of_inner_tiers(child, at + place, may=inner, scheduled=scheduled or isinstance(price, Scheduled))


def _children(price: Price) -> Iterator[tuple[str, Price, bool]]:
    """The expressions right inside of one, and whether tiers can stand there."""
    passes = isinstance(price, Table | Scheduled | If | Dated)
    for place, child in children_of(price):
        yield place, child, passes


def _of_dated(checked: Checked, part: Dated, at: str) -> Iterator[Fault]:
    begin, end = checked.tariff.valid.begin, checked.tariff.valid.end
    is_valid_known = "valid" not in checked.unread
    if part.dated[0].begin > begin and is_valid_known:
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
        elif one.end is not None and after is None and (end is None or one.end < end) and is_valid_known:
            until = "further notice" if end is None else end
            yield Fault(f"{where}.to", f"there is no price from {one.end} on, and the tariff is valid until {until}")


# --- parameters -------------------------------------------------------------------------------------------------------


def _of_parameters(checked: Checked) -> Iterator[Fault]:
    tariff = checked.tariff
    for where, price in prices_of(tariff):
        for place, part in parts_of(price):
            if isinstance(part, OfParameter):
                yield from checked.parameter(f"{where}{place}.parameter", part.parameter, is_number=True)
            if isinstance(part, Table):
                yield from checked.parameter(f"{where}{place}.table", part.table, is_number=False)
    for i, component in enumerate(tariff.components):
        of = getattr(component, "of", None)
        if isinstance(of, str):
            yield from checked.parameter(f"components[{i}].of", of, is_number=True)
    for where, comparison in conditions_of(tariff):
        bounds = (comparison.below, comparison.above, comparison.at_least, comparison.at_most)
        is_number = any(one is not None for one in bounds)
        yield from checked.parameter(f"{where}.parameter", comparison.parameter, is_number=is_number)
        yield from _of_comparison(tariff, comparison, where, is_number)


def _of_comparison(tariff: Tariff, comparison: Comparison, where: str, is_number: bool) -> Iterator[Fault]:
    if comparison.equals is not None and is_number:
        yield Fault(where, "compare by `is`, or by below, above, at_least, at_most; not by both")
    is_bare = comparison.equals is None and not is_number
    if is_bare and not isinstance(tariff.parameters.get(comparison.parameter, True), bool):
        yield Fault(where, f"the parameter {comparison.parameter!r} is not true or false: tell what to compare it with")


def _of_defaults(checked: Checked) -> Iterator[Fault]:
    """Prices that there are not for the defaults of the parameters, such as a value that a table does not have."""
    tariff = checked.tariff
    if checked.unread:
        return
    unused = {
        f"components[{i}]"
        for i, one in enumerate(tariff.components)
        if one.when is not None and not holds(one.when, tariff.parameters)
    }
    found: dict[tuple[str, str], None] = {}
    for where, price in prices_of(tariff):
        if where.partition(".")[0] in unused:
            continue
        for day in days_of_prices(tariff):
            try:
                resolve(price, tariff.parameters, day)
            except NoPrice as error:
                found[where, str(error)] = None
    yield from (Fault(where, f"{why} (of the defaults in `parameters`)") for where, why in found)


# --- components and taxes ---------------------------------------------------------------------------------------------


def _of_components(checked: Checked) -> Iterator[Fault]:
    for i, one in enumerate(checked.tariff.components):
        at = f"components[{i}]"
        if isinstance(one, Energy):
            if one.split_by is not None:
                yield from checked.schedule(f"{at}.split_by", one.split_by)
            if one.cap is not None and one.flow != "export":
                yield Fault(f"{at}.cap", "only what is paid for an export can be capped")
        if isinstance(one, Peak):
            yield from _of_peak(checked, one, at)


def _of_peak(checked: Checked, one: Peak, at: str) -> Iterator[Fault]:
    if (one.price is None) == (one.bands is None):
        yield Fault(at, "a peak has a `price` per kW or `bands` of amounts, one of them")
    if (one.schedule is None) != (one.weights is None):
        yield Fault(at, "`schedule` and `weights` belong together")
    if one.schedule is not None:
        yield from checked.schedule(f"{at}.schedule", one.schedule)
    for name, weight in (one.weights or {}).items():
        if one.schedule in checked.tariff.calendars.schedules:
            yield from checked.period(f"{at}.weights.{name}", name, str(one.schedule))
        if weight < 0:
            yield Fault(f"{at}.weights.{name}", "a weight can't be negative")
    for i, weight in enumerate(one.monthly_weights or []):
        if weight < 0:
            yield Fault(f"{at}.monthly_weights[{i}]", "a weight can't be negative")
    for i, band in enumerate(one.bands or []):
        is_last = i == len(one.bands or []) - 1
        if (band.upto_kw is None) != is_last:
            yield Fault(f"{at}.bands[{i}].upto_kw", "each band but the last has an end")
        before = (one.bands or [])[i - 1].upto_kw if i else None
        if band.upto_kw is not None and before is not None and band.upto_kw <= before:
            yield Fault(f"{at}.bands[{i}].upto_kw", f"{band.upto_kw} is not more than {before} of the band before it")


def _of_taxes(checked: Checked) -> Iterator[Fault]:
    for name, tax in checked.tariff.taxes.items():
        at = f"taxes.{name}"
        if (tax.rate is None) == (tax.threshold is None):
            yield Fault(at, "a tax has a `rate`, or a `threshold` with `below` and `above`")
        for member in ("rate", "below", "above", "otherwise"):
            price = getattr(tax, member)
            if price is not None:
                yield from _of_rate(price, f"{at}.{member}", most=1)
        if tax.threshold is None:
            for member in ("below", "above", "when", "otherwise"):
                if getattr(tax, member) is not None:
                    yield Fault(f"{at}.{member}", "it belongs to a `threshold`, which this tax has not")
            continue
        yield from _of_rate(tax.threshold.kwh, f"{at}.threshold.kwh", most=None)
        for member in ("below", "above"):
            if getattr(tax, member) is None:
                yield Fault(f"{at}.{member}", "a threshold has a rate below and one above it")
        if (tax.when is None) != (tax.otherwise is None):
            yield Fault(f"{at}.otherwise", "`when` and `otherwise`, the rate where it does not hold, belong together")
        yield from _of_shares(checked, name, tax, f"{at}.threshold")


def _of_rate(price: Price, at: str, most: int | None) -> Iterator[Fault]:
    """What a tax is told by: numbers, chosen by conditions, tables and dates, so that its sense can be judged."""
    for place, part in parts_of(price):
        value = part.constant if isinstance(part, Constant) else part
        if isinstance(value, Decimal):
            if value < 0 or (most is not None and value > most):
                why = "it can't be negative" if most is None else "a rate is between 0 and 1: 23 % is written 0.23"
                yield Fault(at + place, why)
        elif not isinstance(value, Table | If | Dated | Scheduled | OfSeries | Tiered):  # the last are told elsewhere
            yield Fault(at + place, "it is a number, or chosen by `table`, `if` or `dated`")


def _of_shares(checked: Checked, name: str, tax: Tax, at: str) -> Iterator[Fault]:
    """Fixed shares of a threshold: over the periods of a schedule by which each component of the tax is told."""
    share = tax.threshold.share if tax.threshold is not None else None
    schedule = tax.threshold.schedule if tax.threshold is not None else None
    if not isinstance(share, dict):
        return
    if schedule is None:
        yield Fault(f"{at}.schedule", "tell the schedule whose periods the shares are of")
        return
    yield from checked.schedule(f"{at}.schedule", schedule)
    if schedule not in checked.tariff.calendars.schedules:
        return
    periods = periods_of(checked.tariff.calendars.schedules[schedule])
    if set(share) != set(periods):
        yield Fault(f"{at}.share", f"it must name each period of {schedule}: {', '.join(periods)}")
    if sum(share.values()) != 1 or min(share.values()) < 0:
        yield Fault(f"{at}.share", "shares are not negative, and together 1")
    for i, one in enumerate(checked.tariff.components):
        if one.tax == name and (not isinstance(one, Energy) or _labels(one) != {schedule}):
            why = f"the shares of tax {name} are of the periods of {schedule}: split the component by them (`split_by`)"
            yield Fault(f"components[{i}].tax", why)


def _labels(component: Energy) -> set[str | None]:
    """The schedules whose periods a component's lines can be of; None: a line of all hours."""
    if component.split_by is not None:
        return {component.split_by}
    found: set[str | None] = set()
    stack: list[Price] = [component.price]
    while stack:
        price = stack.pop()
        if isinstance(price, Table | If | Dated):
            stack += [child for _, child in children_of(price)]
        else:
            found.add(price.schedule if isinstance(price, Scheduled) else None)
    return found
