"""Explains a battery's books: what it took and gave, where that had come from, what it had cost."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.intensity_steps import step_name
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US
from statistics_manager_service.services.balance.batteries import BY_ORIGIN
from statistics_manager_service.services.balance.battery_books import (
    ORIGINS,
    BatteryBooks,
    Books,
    stored_change_milliwh,
)
from statistics_manager_service.services.balance.battery_prices import BatteryPrices
from statistics_manager_service.services.carbon.intensity_columns import Chosen, GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons, own_mg_per_kwh
from statistics_manager_service.services.explaining.attributions import RULE, told_home
from statistics_manager_service.services.explaining.channel_parts import channel_part
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import MOST_LISTED, exact_text, kwh, label
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME
from statistics_manager_service.services.explaining.tables import kwh_column, table_of

_NO_BATTERY: Final = "no channel tells of a battery"
_NO_STATE: Final = "no state_of_charge, or no battery_capacity_kwh, is told: the change is taken to be 0"
_NANO: Final = 10**9
_FIFO: Final = (
    "positions count what was charged since the battery's first quarter-hour; a discharge moves the position on by its "
    "energy / efficiency, at most to what is charged; what lies between two positions are the lots that left, oldest "
    "first. In a quarter-hour charge comes before discharge; what is more than the capacity is written off, oldest "
    "first: position_before is behind the position_after of the quarter-hour before",
    "of an origin there left the difference of its running sum over the lots at both positions, inside a lot "
    "floor(its energy of that origin × position inside the lot / lot)",
    "the discharge without of_unknown_origin is shared in proportion to what left of production, of grid, and of other "
    "origin, and what the home got in proportion to that: each share is floor(amount × running sum / sum) less the one "
    "before, the last gets the rest",
)


class BatteryAccounts:
    """Explains what a battery gave by origin, efficiency, cycles, content, price."""

    measures: Sequence[str] = measures_of(Family.BATTERY)

    def __init__(
        self, books: BatteryBooks, prices: BatteryPrices, intensities: GridIntensities, stored: StoredCarbons
    ) -> None:
        self._books, self._prices, self._intensities, self._stored = books, prices, intensities, stored

    def behind(self, about: About) -> Behind:
        """What is behind a measure of the battery."""
        books = self._books.of(about.view, about.home, about.way.until_us)
        if books is None:
            return Behind(f"{about.measure} is not known: {_NO_BATTERY}", reasons=[_NO_BATTERY])
        behind = told_home(about).behind()
        edges_us = np.array([about.start_us, about.end_us], np.int64)
        first, last = books.places(edges_us).tolist()
        told = _told(books, first, last)
        behind.more["battery"] = told
        behind.lines += _lines(books, first, last)
        if about.measure == "battery_efficiency":
            _add_states(about, behind, told, edges_us, books.capacity_milliwh)
        if about.measure == "battery_price_stored":
            self._add_price(about, books, told, first, last)
        if about.measure == "battery_carbon_stored":
            self._add_carbon(about, books, told, first, last)
        if about.value == about.value:  # known
            behind.filled = _filled(about, told)
        else:
            behind.filled = f"{about.measure} is not known"
            behind.reasons += _reasons(about, told, last > first)
        return behind

    def _add_price(self, about: About, books: Books, told: dict[str, Any], first: int, last: int) -> None:
        """What the energy that left had cost."""
        paid = self._prices.paid(about.view, about.home, books, about.way.until_us)
        given = books.given_by_origin
        known = int((given["production"] + given["grid"])[first:last].sum())
        nano = int(paid.nano[first:last].sum())
        told["price"] = {
            "currency": paid.currency,
            "cost_of_what_left": exact_text(Fraction(nano, _NANO)),
            "given_of_known_origin_kwh": kwh(known),
            "without_price_kwh": kwh(int(paid.unpriced_milliwh[first:last].sum())),
            **self._lots_prices(about, books, first, last),
            "how": "the price of what came from the grid is price_marginal of its quarter-hour, which leaves with its "
            "lot; production costs 0",
        }

    def _add_carbon(self, about: About, books: Books, told: dict[str, Any], first: int, last: int) -> None:
        """What the energy that left stood for."""
        wanted, until_us = self._intensities.wanted(about.home.household, about.way), about.way.until_us
        chosen = self._intensities.chosen(about.view, wanted, about.start_us, about.end_us, until_us)
        stored = self._stored.of(about.view, about.home, chosen, books.edges_us, until_us)
        nanograms, known = (
            (0, 0)
            if stored is None
            else (int(one[first:last].sum()) for one in (stored.nanograms, stored.told_milliwh))
        )
        told["carbon"] = {
            "zone": chosen.zone,
            "series": None if chosen.series is None else chosen.series.source,
            "method": chosen.method._asdict(),
            "grams_of_what_left": exact_text(Fraction(nanograms, _NANO)),
            "given_of_known_carbon_kwh": kwh(known),
            **self._lots_carbon(about, books, chosen, first, last),
            "how": "a lot's carbon is what came from the grid × its intensity + what came from production × its own "
            "factor, which leaves with the lot",
        }

    def _lots_prices(self, about: About, books: Books, first: int, last: int) -> dict[str, Any]:
        """What a kWh from the grid cost when each lot came that left."""
        rows = _rows_of_lots(books, first, last)
        if len(rows) > MOST_LISTED:
            return {}
        prices, _, _ = self._prices.prices(about.view, about.home, books, about.way.until_us)
        known = [None if np.isnan(one) else float(one) for one in prices[rows]]
        return {"lots": table_of(_starts(books, rows), {"price_of_grid_per_kwh": known})}

    def _lots_carbon(self, about: About, books: Books, chosen: Chosen, first: int, last: int) -> dict[str, Any]:
        """The intensities of the grid and of own production when each lot came that left."""
        rows = _rows_of_lots(books, first, last)
        if len(rows) > MOST_LISTED:
            return {}
        life = [int(one) // QUARTER_US for one in books.edges_us[[0, -1]]]
        told = self._intensities.told(about.view, chosen.zone, chosen.series, life[0], life[1], about.way.until_us)
        own = np.broadcast_to(own_mg_per_kwh(chosen, told), (len(told.step),))
        columns = {
            "grid_g_per_kwh": (told.mg_per_kwh[rows] / MILLI).tolist(),
            "step": [step_name(one) for one in told.step[rows].tolist()],
            "own_production_g_per_kwh": (own[rows] / MILLI).tolist(),
        }
        return {"lots": table_of(_starts(books, rows), columns)}


def _starts(books: Books, rows: Int64) -> Int64:
    """The starts of some quarter-hours, and an edge behind the last one."""
    return np.append(books.edges_us[rows], books.edges_us[-1])


def _rows_of_lots(books: Books, first: int, last: int) -> Int64:
    """The quarter-hours whose charge left in a time, or in part."""
    charged, left = books.ledger.charged_milliwh, books.ledger.left_milliwh
    some = (charged[1:] > left[first]) & (charged[:-1] < left[last]) & (np.diff(charged) > 0)
    rows: Int64 = np.flatnonzero(some)
    return rows


def _told(books: Books, first: int, last: int) -> dict[str, Any]:
    """The books at both ends of a time, and what happened in it."""
    some = slice(first, last)
    by_origin, to_home = books.discharge_by_origin, books.to_home_by_origin
    capacity = books.capacity_milliwh
    return {
        "life": {"from": label(books.edges_us[0]), "to": label(books.edges_us[-1])},
        "capacity_kwh": None if capacity is None else kwh(capacity),
        "efficiency": {
            "value": books.efficiency.value,
            "basis": str(books.efficiency.basis),
            "per_million": books.efficiency.ppm,
        },
        "rule": [*RULE[:3], *_FIFO],
        "start": _state(books, first),
        "end": _state(books, last),
        "charge_kwh": kwh(int(books.charge_milliwh[some].sum())),
        "discharge_kwh": kwh(int(books.discharge_milliwh[some].sum())),
        "discharge_by_origin_kwh": {one: kwh(int(by_origin[one][some].sum())) for one in ORIGINS},
        "to_home_kwh": kwh(int(sum(int(to_home[one][some].sum()) for one in ORIGINS))),
        "to_home_by_origin_kwh": {one: kwh(int(to_home[one][some].sum())) for one in ORIGINS},
        "quarters": _quarters(books, first, last),
        "lots": _lots(books, first, last),
    }


def _state(books: Books, place: int) -> dict[str, Any]:
    """The books at an edge."""
    ledger = books.ledger
    return {
        "at": label(books.edges_us[place]),
        "charged_so_far_kwh": kwh(ledger.charged_milliwh[place]),
        "left_of_it_kwh": kwh(ledger.left_milliwh[place]),
        "stored_before_losses_kwh": kwh(ledger.stored_milliwh[place]),
        "can_be_discharged_kwh": kwh(ledger.usable_milliwh[place]),
    }


def _quarters(books: Books, first: int, last: int) -> dict[str, Any]:
    some, ledger = slice(first, last), books.ledger
    to_home = books.to_home_by_origin
    columns: dict[str, Int64] = {
        "charge": books.charge_milliwh[some],
        "discharge": books.discharge_milliwh[some],
        "position_before": ledger.begins_milliwh[some],
        "position_after": ledger.left_milliwh[first + 1 : last + 1],
        "of_unknown_origin": ledger.unknown_milliwh[some],
        **{f"to_home_from_{one}": to_home[one][some] for one in ORIGINS},
    }
    return table_of(books.edges_us[first : last + 1], {name: kwh_column(one) for name, one in columns.items()})


def _lots(books: Books, first: int, last: int) -> dict[str, Any]:
    """The charge that left in a time: the quarter-hours in which it came, with its origins."""
    charged = books.ledger.charged_milliwh
    rows = _rows_of_lots(books, first, last)
    into = books.attribution.to("battery")
    told = {"count": len(rows)}
    if len(rows) > MOST_LISTED:
        return told
    return {
        **told,
        "list": [
            {
                "charged_at": label(books.edges_us[i]),
                "position_from_kwh": kwh(charged[i]),
                "position_to_kwh": kwh(charged[i + 1]),
                "from_production_kwh": kwh(into["production"][i]),
                "from_grid_kwh": kwh(into["grid"][i]),
                "from_battery_kwh": kwh(into["battery"][i]),
                "from_unmetered_kwh": kwh(into["unmetered"][i]),
            }
            for i in rows.tolist()
        ],
    }


def _lines(books: Books, first: int, last: int) -> list[str]:
    """The books at both ends, and what the battery gave the home by origin, for the canonical text."""
    ledger = books.ledger
    capacity = "null" if books.capacity_milliwh is None else str(books.capacity_milliwh)
    lines = [f"battery_settings {capacity} {books.efficiency.ppm}"]
    for name, place in (("start", first), ("end", last)):
        columns = (ledger.charged_milliwh, ledger.left_milliwh, ledger.usable_milliwh)
        lines.append(f"battery_{name} {' '.join(str(one[place]) for one in columns)}")
    parts = np.column_stack([books.to_home_by_origin[one][first:last] for one in ORIGINS])
    rows = np.flatnonzero(parts.any(axis=1))
    labels = iso_labels(books.edges_us[first:last][rows], None) if len(rows) else []
    told = zip(labels, parts[rows].tolist(), strict=True)
    lines += [f"battery_to_home {at} {' '.join(map(str, one))}" for at, one in told]
    return lines


def _add_states(
    about: About, behind: Behind, told: dict[str, Any], edges_us: Int64, capacity_milliwh: int | None
) -> None:
    """The state of charge at both ends: the mean of the quarter-hour before, or else of the one behind."""
    change = stored_change_milliwh(about.past, about.known.channels, edges_us, capacity_milliwh)
    told["stored_change_kwh"] = float(change[0]) / 1e6
    if capacity_milliwh is None or all(one.quantity != "state_of_charge" for one in about.known.channels):
        told["stored_change_note"] = (
            "no state_of_charge, or no battery_capacity_kwh, is told: the change is taken to be 0"
        )
    for one in about.known.channels:
        if one.quantity != "state_of_charge" or one.first_us is None:
            continue
        for at_us, which in ((about.start_us, "start"), (about.end_us, "end")):
            for begin_us, where in ((at_us - QUARTER_US, "before"), (at_us, "behind")):
                why = f"the state of charge in the quarter-hour {where} the {which}"
                part = channel_part(about.past, one, begin_us, begin_us + QUARTER_US, why, as_energy=False)
                if part.count:
                    behind.readings.append({"flow": f"state_of_charge_at_{which}", **part.told})
                    behind.lines += part.lines
                    break


def _filled(about: About, told: dict[str, Any]) -> str:
    measure = about.measure
    value = f"{number_text(about.value)} {about.column.unit}".removesuffix(" 1")
    if measure == "battery_cycles":
        return f"{measure} = {told['discharge_kwh']} kWh (discharge) / {told['capacity_kwh']} kWh (capacity) = {value}"
    if measure == "battery_efficiency":
        return (
            f"{measure} = {told['discharge_kwh']} (discharge) / ({told['charge_kwh']} (charge) − "
            f"{told['stored_change_kwh']} (more stored at the end)) = {value}, at most 1"
        )
    if measure == "battery_stored":
        end = told["end"]
        return (
            f"{measure} = ({end['charged_so_far_kwh']} (charged) − {end['left_of_it_kwh']} (left)) kWh × "
            f"{told['efficiency']['per_million']} / 1000000 = {value}, to a milliwatt-hour"
        )
    if measure == "battery_price_stored":
        price = told["price"]
        cost, given = price["cost_of_what_left"], price["given_of_known_origin_kwh"]
        return f"{measure} = {cost} {price['currency']} / {given} kWh = {value}"
    if measure == "battery_carbon_stored":
        carbon = told["carbon"]
        return f"{measure} = {carbon['grams_of_what_left']} g / {carbon['given_of_known_carbon_kwh']} kWh = {value}"
    if measure in BY_ORIGIN:
        return (
            f"{measure} = the part of {told['to_home_kwh']} kWh (given to the home) whose charge had come from "
            f"{BY_ORIGIN[measure]} = {value}"
        )
    return f"{measure} = {value}"


def _reasons(about: About, told: dict[str, Any], has_time: bool) -> list[str]:
    if not has_time:
        return [NOT_IN_TIME]
    if told["capacity_kwh"] is None and about.measure == "battery_cycles":
        return ["battery_capacity_kwh of the household is not told"]
    if about.measure == "battery_efficiency":
        return ["less than a full cycle was discharged, or nothing was charged"]
    return [] if about.column.lacks else ["the battery gave nothing of known origin"]
