"""How honest the range of a projected bill is: real homes, asked in months gone by, beside what these came to."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from live_home import LiveHome, new_store
from measured import us

from statistics_manager_service import bootstrap
from statistics_manager_service.ingest.presets import read_file
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.tariffs.shipped import shipped_document

#: The days of a month on which the projection is asked for, as they begin.
DAYS = (4, 11, 18, 25)
#: The range is of four draws in five: of all true bills about as many have to lie in it. Of one home there are a few
#: months, and the days of one month are wrong together, so that a single home can be far from that.
ALL_SHARE = (0.70, 0.90)
LEAST_OF_A_HOME = 0.5
#: Days of readings before the first month that is asked about.
WARM_UP_DAYS = 31


@dataclass(frozen=True)
class Case:
    """A home of a data set, and a shipped tariff, moved to where the home's data are."""

    path: str
    preset: str
    zone: str
    tariff: str
    most_error: float

    @property
    def name(self) -> str:
        """The file's."""
        return pathlib.Path(self.path).name.split(".")[0]

    @property
    def document(self) -> dict[str, Any]:
        """The tariff, valid and priced from long ago on."""
        text = json.dumps(shipped_document(self.tariff), default=str)
        begin = json.loads(text)["valid"]["from"]
        moved: dict[str, Any] = json.loads(text.replace(begin, "2010-01-01"))
        return {**moved, "id": f"moved-{self.tariff}"}


#: most_error: the median relative error of the middle that is let pass.
CASES = (
    Case("eredes_pt_15min/leituras.csv.gz", "e-redes", "Europe/Lisbon", "pt-btn-tri-horario", 0.12),
    Case("london_lcl_halfhour/MAC000002.csv.gz", "london", "Europe/London", "gb-economy-7", 0.08),
    Case("london_lcl_halfhour/MAC000009.csv.gz", "london", "Europe/London", "gb-economy-7", 0.08),
    Case("london_lcl_halfhour/MAC000026.csv.gz", "london", "Europe/London", "gb-economy-7", 0.12),
    Case(
        "slimmemeterportal_nl_15min/data_2023.csv.gz", "slimmemeterportal", "Europe/Amsterdam",
        "be-vlaanderen-capaciteit", 0.12,
    ),
    Case("p1mon_nl_registers/history_hour.csv.gz", "p1-monitor", "Europe/Amsterdam", "be-vlaanderen-capaciteit", 0.12),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A projection beside the truth, in the currency."""

    low: float
    middle: float
    high: float
    true: float

    @property
    def is_inside(self) -> bool:
        return self.low <= self.true <= self.high

    @property
    def error(self) -> float:
        return abs(self.middle - self.true) / self.true


def measured_home(case: Case, data: pathlib.Path, template: pathlib.Path, folder: pathlib.Path) -> LiveHome:
    made = LiveHome(new_store(template, folder), "2024-01-01", timezone=case.zone)
    for piece in read_file(data / case.path, case.preset, household=made.id, zone=case.zone):
        Recorder(made.store, bootstrap.now_us).record(piece.channels)
    made.sign({"tariff": case.document["id"], "from": "2010-01-01"}, case.document)
    return made


def months(home: LiveHome) -> Iterator[tuple[date, date]]:
    """The whole months that are measured, behind the warm-up: first days of each and of the next."""
    with home.store.reading() as view:
        household = view.household(home.id)
        assert household is not None
        channels = [one for one in view.channels(household.household_no) if one.quantity == "energy_import"]
    firsts = [one.first_us for one in channels if one.first_us is not None]
    lasts = [one.last_us for one in channels if one.last_us is not None]
    epoch = date(1970, 1, 1)
    first = epoch + timedelta(microseconds=min(firsts)) + timedelta(days=WARM_UP_DAYS)
    last_us = max(lasts) + 2 * 3_600_000_000
    begin = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    while us((end := (begin.replace(day=28) + timedelta(days=4)).replace(day=1)).isoformat()) <= last_us:
        yield begin, end
        begin = end


def asked(home: LiveHome) -> list[Found]:
    found = []
    for begin, end in months(home):
        home.clock.set(end.isoformat())
        true = home.statement(begin.isoformat(), end.isoformat())
        if true.measured + true.estimated < 0.99:
            continue
        for day in DAYS:
            one = home.projection(begin.replace(day=day).isoformat())
            found.append(Found(float(one.low), float(one.statement.gross), float(one.high), float(true.gross)))
    return found


def told(name: str, found: list[Found]) -> str:
    inside = np.mean([one.is_inside for one in found])
    errors = [one.error for one in found]
    width = np.median([(one.high - one.low) / one.true for one in found])
    return (
        f"{name}: {len(found)} projections, {inside:.0%} of the true bills in the range; error of the middle "
        f"{np.median(errors):.1%} (median), {np.mean(errors):.1%} (mean); width of the range {width:.0%} (median)"
    )


Measured = Callable[[Case, pathlib.Path], list[Found]]


@pytest.fixture(scope="module")
def measured(sqlite_template: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """What is found of a home; each is asked once."""
    kept: dict[Case, list[Found]] = {}

    def find(case: Case, data: pathlib.Path) -> list[Found]:
        if case not in kept:
            home = measured_home(case, data, sqlite_template, tmp_path_factory.mktemp("home"))
            kept[case] = asked(home)
            home.store.close()
        return kept[case]

    return find


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_middle_of_the_draws_is_near_the_true_bill(
    case: Case, shared_data: pathlib.Path, measured: Measured, record_property: Any
) -> None:
    found = measured(case, shared_data)
    record_property("figures", told(f"{case.name} under {case.tariff}", found))
    assert len(found) >= 16
    assert np.median([one.error for one in found]) <= case.most_error
    assert np.mean([one.is_inside for one in found]) >= LEAST_OF_A_HOME


def test_four_of_five_true_bills_lie_in_the_range(
    shared_data: pathlib.Path, measured: Measured, record_property: Any
) -> None:
    every = [one for case in CASES for one in measured(case, shared_data)]
    record_property("figures", told("all", every))
    assert ALL_SHARE[0] <= np.mean([one.is_inside for one in every]) <= ALL_SHARE[1]
