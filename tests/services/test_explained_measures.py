"""Every measure is explained, and its number follows from the explanation alone."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
import pytest
import recomputed
from explained_homes import FIRST, LAST, explained, full_home
from metered_homes import Desk

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.explainers import explainers
from statistics_manager_service.core.definitions import DEFINITIONS, Family
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.explaining.explaining import MOST_DAYS, Explanation
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.prices.tariffs import Tariffs

#: Sums of whole milliwatt-hours, nanograms or billionths: exact. The others are quotients of such, floats at the end.
EXACT = (Family.QUANTITY, Family.ATTRIBUTION, Family.SHARING, Family.BATTERY)
OF_ONE_METER = {"emissions_device": "ev"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, sqlite_template: pathlib.Path) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("explained") / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    found = full_home(f"sqlite:///{path}")
    yield found
    found.store.close()


def parsed(found: Explanation) -> dict[str, Any]:
    """The answer as a client reads it, its decimals as they stand in the text."""
    told: dict[str, Any] = json.loads(orjson.dumps(found.told), parse_float=Decimal)
    return told


def test_each_measure_has_an_explainer_of_its_own(desk: Desk) -> None:
    intensities = bootstrap.grid_intensities(bootstrap.Settings())
    bills = Bills(Tariffs(desk.store, bootstrap.now_us))
    made = explainers(bills, intensities, BalanceSheets(), BatteryBooks(), bootstrap.now_us)
    told = {measure for one in made for measure in one.measures}
    assert set(DEFINITIONS) - told == set()


@pytest.mark.parametrize("measure", DEFINITIONS)
def test_the_number_follows_from_its_explanation_alone(desk: Desk, measure: str) -> None:
    found = explained(desk, measure, meter=OF_ONE_METER.get(measure))
    told = parsed(found)
    assert told["value"] is not None, told.get("reasons")
    assert told["formula_filled"].startswith(f"{measure} = "), told["formula_filled"]
    assert told["readings"] or measure == "carbon_intensity", "nothing is said of readings"
    number = Fraction(recomputed.number(told))
    exact = DEFINITIONS[measure].family in EXACT and DEFINITIONS[measure].adds_up and measure.startswith("energy_")
    tolerance = 0 if exact else max(abs(Fraction(told["value"])) / 10**9, Fraction(1, 10**6))
    assert abs(number - Fraction(told["value"])) <= tolerance, (float(number), told["value"])
    assert told["digest"]["value"] == hashlib.sha256(found.text).hexdigest()
    assert f"measure {measure}\n" in found.text.decode()


@pytest.mark.parametrize("measure", DEFINITIONS)
def test_a_home_that_tells_nothing_is_explained_as_well(desk: Desk, measure: str) -> None:
    bootstrap.households_of(desk.store).put("empty", {"timezone": "Europe/Lisbon"})
    if measure == "emissions_device":  # it needs a device to name
        with pytest.raises(BadInput):
            explained(desk, measure, household="empty")
        return
    told = parsed(explained(desk, measure, household="empty"))
    if measure == "carbon_intensity":  # the grid's, which no reading tells
        assert told["value"] is not None
        return
    assert told["value"] is None
    assert told["reasons"]
    assert told["formula_filled"].startswith(f"{measure} is not known")
    assert told["definition"]["formula"] == DEFINITIONS[measure].formula


@pytest.mark.parametrize("measure", DEFINITIONS)
def test_the_number_is_that_of_the_statistics(desk: Desk, measure: str) -> None:
    meter = OF_ONE_METER.get(measure)
    question = Question(measure, "2026-01-02", "2026-01-05", "total", meter=meter)
    statistics = bootstrap.asking_of(desk.store).statistics("home1", question)
    told = explained(desk, measure, "2026-01-02", "2026-01-05", meter=meter).told
    assert told["value"] == float(statistics.columns[0].value[0])
    assert told["coverage"] == float(statistics.columns[0].coverage[0])


def test_devices_are_explained_by_the_mix_of_the_home(desk: Desk) -> None:
    for measure in ("energy_grid_to_home", "energy_production_to_home", "energy_battery_to_home", "energy_unmetered"):
        told = parsed(explained(desk, measure, meter="ev"))
        assert recomputed.number(told) == Fraction(told["value"])


def test_of_more_quarter_hours_than_are_listed_the_text_gives_the_number(desk: Desk) -> None:
    found = explained(desk, "energy_grid_to_home", FIRST, LAST)
    told = parsed(found)
    assert "rows" not in told["attribution"]["quarters"]
    flows: dict[str, dict[str, int]] = {}
    for line in found.text.decode().splitlines():
        kind, *rest = line.split()
        if kind == "quarter" and rest[1] not in ("ev", "fridge"):
            flows.setdefault(rest[3], {})[rest[0].removeprefix("energy_")] = int(rest[4])
    nothing = dict.fromkeys(("import", "production", "discharge", "export", "charge"), 0)
    parts = [recomputed.shared({**nothing, **one}) for one in flows.values()]
    assert sum(one["grid", "home"] for one in parts) == Fraction(told["value"]) * 10**6


def test_the_import_of_a_month_has_the_grams_of_its_quarter_hours(desk: Desk) -> None:
    """The text alone gives the grams: energy by the quarter-hour, and the intensity that holds in each."""
    found = explained(desk, "emissions_import", FIRST, LAST)
    lines = [line.split() for line in found.text.decode().splitlines()]
    intensities = sorted((one[2], one[3]) for one in lines if one[0] == "intensity")
    total = 0
    for one in lines:
        if one[0] == "quarter":
            mg = [mg for at, mg in intensities if at <= one[4]][-1]
            total += int(one[5]) * int(mg)
    assert Fraction(total, 10**9) == Fraction(Decimal(str(found.told["value"])))
    steps = {one["told_by"] for one in found.told["factors"]["by_step"]}
    assert steps == {"measured", "same_hour_mean"}
    days = found.told["factors"]["same_hour_mean"]["days"]
    assert days["count"] >= 3 * 4


def test_what_is_not_known_of_all_flows_is_left_out_and_shown(desk: Desk) -> None:
    told = explained(desk, "energy_consumption", "2025-12-30", "2026-01-02").told
    assert told["quarters"]["missing"] == 2 * 96
    assert told["quarters"]["left_out"] == {"count": 0, "first": []}


def test_nothing_of_another_home_is_told_of_a_share(desk: Desk) -> None:
    found = explained(desk, "energy_shared_consumption")
    told = orjson.dumps(found.told).decode() + found.text.decode()
    assert "home2" not in told
    assert {one["meter"] for one in found.told["readings"]} == {"grid"}


def test_all_faults_are_told_at_once(desk: Desk) -> None:
    with pytest.raises(BadInput) as error:
        explained(desk, "energy_import,energy_export", "2026-01-02", "2026-01-01", as_of="soon", timezone="Mars")
    assert [one.where for one in error.value.faults] == ["measure", "timezone", "end", "as_of"]


def test_a_time_that_is_too_long_is_refused(desk: Desk) -> None:
    with pytest.raises(BadInput, match=f"at most {MOST_DAYS} days"):
        explained(desk, "energy_import", "2020-01-01", "2026-01-01")
    with pytest.raises(NotFound):
        explained(desk, "energy_import", household="nobody")
