"""Load, voltage quality and degree days of real homes, beside plain loops over the files themselves."""

from __future__ import annotations

import csv
import gzip
import json
import pathlib
import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from measured import open_store, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.day_times import clock_labels
from statistics_manager_service.core.degree_days import Regression
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.ingest.presets import read_file
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.degree_days import DegreeDayQuestion, DegreeDaysOfHomes
from statistics_manager_service.services.insight.heat_maps import HeatMapQuestion, HeatMaps
from statistics_manager_service.services.insight.loads import LoadQuestion, Loads
from statistics_manager_service.services.insight.voltages import VoltageQuestion, Voltages
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore


def rows_of(path: pathlib.Path, delimiter: str = ",") -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def eredes(path: pathlib.Path) -> list[tuple[datetime, float]]:
    """When the clock of Lisbon showed the start of each quarter-hour, and its power in kW. Rows tell the end by the
    clock: on the day that has a second pass from 01:00 to 02:00, what ends at its beginning began at 01:45 of the
    first."""
    out, last_of_first_pass = [], datetime(2024, 10, 27, 0, 45)
    for row in rows_of(path):
        at = datetime.strptime(row["Data"] + row["Hora"], "%Y/%m/%d%H:%M") - timedelta(minutes=15)
        if at == last_of_first_pass and any(one == at for one, _ in out[-3:]):
            at += timedelta(hours=1)
        out.append((at, float(row["Consumo registado, Ativa (kW)"])))
    return out


def home_of(url: str, path: pathlib.Path, preset: str, zone: str, **settings: Any) -> SqlStore:
    store = open_store(url)
    put_home(store, timezone=zone, **settings)
    for piece in read_file(path, preset, household="home1", zone=zone):
        assert not Recorder(store, bootstrap.now_us).record(piece.channels).refused
    return store


def record(
    store: SqlStore, quantity: str, unit: str, at_us: list[int], value: list[float], meter: str = "grid"
) -> None:
    told = WireReadings(
        "home1", meter, quantity, Kind.SAMPLE, unit, np.array(at_us, np.int64), np.array(value, np.float64)
    )
    assert not Recorder(store, bootstrap.now_us).record([told]).refused


def test_the_load_of_a_portuguese_home_is_that_of_its_file(embedded_url: str, shared_data: pathlib.Path) -> None:
    """A row is a quarter-hour of the clock, labelled with its end; the portal's own greatest power is told beside."""
    folder = shared_data / "eredes_pt_15min"
    told = json.loads((folder / "expected.json").read_text())
    begins, kw = zip(*eredes(folder / "leituras.csv.gz"), strict=True)
    store = home_of(embedded_url, folder / "leituras.csv.gz", "e-redes", "Europe/Lisbon", contracted_power_kva=6.9)
    found = Loads(store).of("home1", LoadQuestion(AskedTime("2024-09-13", "2025-03-01"), "energy_import"))

    assert found.counted.measured == len(kw) == told["readings"]
    assert (found.counted.all, found.counted.unknown) == (16228, 0)
    assert found.peaks[0].power_w == told["max_kw"] * 1000
    assert found.peaks[0].at_us == us("2025-01-20T09:30")  # the label is 09:45; Lisbon's winter is UTC
    assert [one.power_w for one in found.peaks] == pytest.approx([1000 * one for one in sorted(kw)[:-11:-1]])
    assert found.mean_w == pytest.approx(1000 * statistics.fmean(kw))
    assert found.load_factor == pytest.approx(statistics.fmean(kw) / max(kw))
    assert found.percentiles_w == pytest.approx((1000 * np.percentile(kw, [5, 10, 25, 50, 75, 90, 95, 99])).tolist())
    assert found.base_load_w == found.percentiles_w[0]
    night = [one for at, one in zip(begins, kw, strict=True) if 2 <= at.hour < 5]
    assert found.night_median_w == pytest.approx(1000 * statistics.median(night))
    falling = sorted(kw, reverse=True)
    for share, power_w in zip(found.curve.share.tolist(), found.curve.power_w.tolist(), strict=True):
        reached = sum(1000 * one >= power_w - 1e-6 for one in falling)
        assert reached >= share * len(kw) - 1e-6
        higher = sum(1000 * one > power_w + 1e-6 for one in falling)
        assert higher < share * len(kw) + 1e-6 or power_w == pytest.approx(1000 * falling[0])

    by_slot: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for at, one in zip(begins, kw, strict=True):
        by_slot[at.weekday() >= 5, f"{at:%H:%M}"].append(1000 * one)
    for of_weekends, day in ((False, found.weekday), (True, found.weekend)):
        slots = [by_slot[of_weekends, label] for label in clock_labels()]
        assert day.power_w == pytest.approx([statistics.fmean(one) for one in slots])
        assert day.quarters.tolist() == [len(one) for one in slots]
        assert day.days == len({at.date() for at in begins if (at.weekday() >= 5) == of_weekends})

    assert found.contracted is not None
    assert found.contracted.utilisation == pytest.approx(8.856 / 6.9)
    above = [sum(one > share * 6.9 for one in kw) for share in (0.8, 0.9, 1.0)]
    assert [one.quarters for one in found.contracted.above] == above
    assert above[2] > 0
    store.engine.dispose()


def test_the_heat_map_of_a_portuguese_home_has_every_row_of_its_file_once(
    embedded_url: str, shared_data: pathlib.Path
) -> None:
    folder = shared_data / "eredes_pt_15min"
    store = home_of(embedded_url, folder / "leituras.csv.gz", "e-redes", "Europe/Lisbon")
    maps = HeatMaps(bootstrap.asking_of(store))
    found = maps.of("home1", HeatMapQuestion(AskedTime("2024-10-20", "2024-11-03"), "energy_import"))
    passes: dict[datetime, list[float]] = defaultdict(list)
    for at, kw in eredes(folder / "leituras.csv.gz"):
        passes[at].append(kw / 4)
    twice = [at for at, some in passes.items() if len(some) == 2]
    for row, date in enumerate(found.dates):
        for column, label in enumerate(found.times):
            at = datetime.fromisoformat(f"{date}T{label}")
            assert any(found.values[row, column] == pytest.approx(one) for one in passes[at])
    values = found.statistics.columns[0].value[found.repeated]
    rows, columns = found.repeated_at
    assert [f"{found.dates[r]}T{found.times[c]}" for r, c in zip(rows, columns, strict=True)] == [
        f"{at:%Y-%m-%dT%H:%M}" for at in sorted(twice)
    ]
    for at, first, second in zip(sorted(twice), found.values[rows, columns], values, strict=True):
        assert sorted([first, second]) == pytest.approx(sorted(passes[at]))
    assert found.values.sum() + values.sum() == pytest.approx(found.statistics.columns[0].total)
    store.engine.dispose()


def test_half_hours_of_a_london_home_hide_peaks_and_that_is_said(embedded_url: str, shared_data: pathlib.Path) -> None:
    path = shared_data / "london_lcl_halfhour" / "MAC000002.csv.gz"
    rows = [row for row in rows_of(path) if "2013-01-07" <= row["tstp"] < "2013-02-04"]
    kwh = [float(row["energy(kWh/hh)"]) for row in rows]
    assert len(kwh) == 28 * 48
    store = home_of(embedded_url, path, "london", "Europe/London")
    found = Loads(store).of("home1", LoadQuestion(AskedTime("2013-01-07", "2013-02-04")))
    assert found.counted.measured == 2 * len(kwh)
    assert found.peaks[0].power_w == pytest.approx(2000 * max(kwh))
    assert found.load_factor == pytest.approx(statistics.fmean(kwh) / max(kwh))
    assert found.percentiles_w == pytest.approx(
        (2000 * np.percentile(np.repeat(kwh, 2), [5, 10, 25, 50, 75, 90, 95, 99])).tolist()
    )
    assert any("every 30 minutes" in one for one in found.notes)
    assert found.why_not_contracted == "the household has no contracted_power_kva"
    store.engine.dispose()


def test_the_peak_of_three_phases_is_that_of_their_sum(embedded_url: str, shared_data: pathlib.Path) -> None:
    """Ten-minute energies of three phases: two of them share each second quarter-hour's middle."""
    folder = shared_data / "shelly_em3_three_phase"
    slots: dict[int, float] = defaultdict(float)
    seen: set[tuple[str, str]] = set()
    store = open_store(embedded_url)
    put_home(store)
    for phase in "ABC":
        at_us, wh = [], []
        for row in rows_of(folder / f"em_data_phase{phase}.csv.gz"):
            label = row["Date/time UTC"]
            if (phase, label) in seen:
                continue
            seen.add((phase, label))
            at_us.append(us(label.replace(" ", "T")))
            wh.append(float(row[f"Active energy Wh ({phase})"]))
            slots[at_us[-1]] += wh[-1]
        told = WireReadings(
            "home1", f"phase_{phase.lower()}", "energy_import", Kind.INTERVAL, "Wh", np.array(at_us), np.array(wh),
            np.full(len(wh), 600_000_000),
        )  # fmt: skip
        assert not Recorder(store, bootstrap.now_us).record([told]).refused
    counts = defaultdict(int)
    for _, label in seen:
        counts[us(label.replace(" ", "T"))] += 1
    ten = 600_000_000
    means: dict[int, float] = {}
    for begin in range(us("2025-03-12"), us("2025-03-20"), 3 * ten):
        parts = [begin, begin + ten, begin + 2 * ten]
        if all(counts[one] == 3 for one in parts):
            first, middle, last = (slots[one] for one in parts)
            means[begin] = 4 * (first + middle / 2)
            means[begin + 900_000_000] = 4 * (last + middle / 2)
    assert len(means) > 500
    found = Loads(store).of("home1", LoadQuestion(AskedTime("2025-03-12", "2025-03-20")))
    assert found.counted.measured == len(means)
    peak = max(means, key=lambda at: means[at])
    assert (found.peaks[0].at_us, found.peaks[0].power_w) == (peak, pytest.approx(means[peak], abs=0.01))
    assert found.mean_w == pytest.approx(statistics.fmean(means.values()), abs=0.01)
    store.engine.dispose()


def test_the_voltage_of_a_french_home_is_judged_as_a_plain_loop_judges_it(
    embedded_url: str, shared_data: pathlib.Path
) -> None:
    """Minutes of the clock of Paris in winter, so an hour ahead of UTC. Against 240 V it fails, against 230 V it does
    not."""
    minutes: list[tuple[datetime, float]] = []
    for row in rows_of(shared_data / "uci_fr_household_1min" / "household_power_consumption.csv.gz", ";"):
        if row["Voltage"] not in ("?", ""):
            at = datetime.strptime(row["Date"] + row["Time"], "%d/%m/%Y%H:%M:%S")
            minutes.append((at, float(row["Voltage"])))
    store = open_store(embedded_url)
    put_home(store, timezone="Europe/Paris")
    at_us = [us((at - timedelta(hours=1)).isoformat()) for at, _ in minutes]
    record(store, "voltage", "V", at_us, [volt for _, volt in minutes])

    by_quarter: dict[datetime, list[float]] = defaultdict(list)
    for at, volt in minutes:
        by_quarter[at.replace(minute=at.minute // 15 * 15)].append(volt)
    means = {at: statistics.fmean(some) for at, some in by_quarter.items() if len(some) >= 3}

    for nominal, least, greatest in ((230.0, 207.0, 253.0), (250.0, 225.0, 275.0), (265.0, 238.5, 291.5)):
        time = AskedTime("2006-12-11", "2007-01-15")
        answer = Voltages(store).of("home1", VoltageQuestion(time, nominal_voltage_v=nominal))
        (found,) = answer.voltages
        n1: dict[tuple[int, int], int] = defaultdict(int)
        n2: dict[tuple[int, int], int] = defaultdict(int)
        n: dict[tuple[int, int], int] = defaultdict(int)
        for at, mean in means.items():
            week = at.isocalendar()[:2]
            n[week] += 1
            n1[week] += not least <= mean <= greatest
            n2[week] += not nominal * 0.85 <= mean <= greatest
        weeks = sorted(n)
        assert [one.judged.valid for one in found.weeks] == [n[week] for week in weeks]
        assert [one.judged.outside_narrow for one in found.weeks] == [n1[week] for week in weeks]
        assert [one.judged.outside_wide for one in found.weeks] == [n2[week] for week in weeks]
        expected: list[bool | None] = []
        for week in weeks:
            if n2[week] or n1[week] > 0.05 * 672:
                expected.append(False)
            elif n[week] < 0.9 * 672:
                expected.append(None)
            else:
                expected.append(n1[week] <= 0.05 * n[week])
        assert [one.judged.complies for one in found.weeks] == expected
        volts = [volt for _, volt in minutes]
        assert found.sags == sum(min(some) < 0.9 * nominal for some in by_quarter.values())
        assert found.swells == sum(max(some) > 1.1 * nominal for some in by_quarter.values())
        assert found.lowest_sample is not None
        assert found.highest_sample is not None
        assert found.lowest_sample.value_milli == round(1000 * min(volts))
        assert found.lowest_sample.at_us == at_us[volts.index(min(volts))]
        assert found.highest_sample.value_milli == round(1000 * max(volts))
        assert found.highest_sample.at_us == at_us[volts.index(max(volts))]
        assert found.lowest_mean is not None
        assert found.lowest_mean.value_milli == pytest.approx(1000 * min(means.values()))
    store.engine.dispose()


def test_the_degree_days_of_a_dutch_home_and_what_hangs_on_them_are_those_of_a_plain_loop(
    embedded_url: str, shared_data: pathlib.Path
) -> None:
    path = shared_data / "slimmemeterportal_nl_15min" / "data_2023.csv.gz"
    store = home_of(embedded_url, path, "slimmemeterportal", "Europe/Amsterdam")
    hours: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    energy: dict[str, float] = defaultdict(float)
    at_us, degrees = [], []
    for row in rows_of(path):
        at = datetime.strptime(row["datum_tijd"], "%d-%m-%Y %H:%M:%S %z")
        begin = at - timedelta(minutes=15)
        # an interval that ends at the first label behind a change of the clock began before it, in the same day
        imported = row["levering_normaal"] or row["levering_laag"]
        energy[f"{begin:%Y-%m-%d}"] += float(imported.replace(",", "."))
        if row["buitentemperatuur"] != "-":
            celsius = float(row["buitentemperatuur"].replace(",", "."))
            at_us.append(round(at.timestamp() * 1_000_000))
            degrees.append(celsius)
            hours[f"{at:%Y-%m-%d}", at.hour, f"{at:%z}"].append(celsius)
    record(store, "temperature", "°C", at_us, degrees, meter="thermometer")

    by_day: dict[str, list[float]] = defaultdict(list)
    for (day, _, _), some in hours.items():
        by_day[day].append(statistics.fmean(some))
    mean = {day: statistics.fmean(some) for day, some in by_day.items() if len(some) >= 22}  # 0.9 of 23, 24 or 25
    heating = {day: 18 - one if one <= 15 else 0.0 for day, one in mean.items()}
    cooling = {day: one - 21 if one >= 24 else 0.0 for day, one in mean.items()}

    question = DegreeDayQuestion(AskedTime("2023-01-01", "2024-01-01"), "energy_import", hdd_normal=None)
    found = DegreeDaysOfHomes(store).of("home1", question)
    told = {str(day): one for day, one in zip(found.days.dates, found.days.heating.tolist(), strict=True)}
    known = {day: one for day, one in told.items() if not np.isnan(one)}
    assert set(known) == {day for day in heating if day < "2024"}
    assert known == pytest.approx({day: heating[day] for day in known})
    assert len(known) >= 360
    days = sorted(known)
    kwh = np.array([energy[day] for day in days])
    matrix = np.array([[1.0, heating[day], cooling[day]] for day in days])
    assert matrix[:, 2].any()
    solution, residual, _, _ = np.linalg.lstsq(matrix, kwh, rcond=None)
    regression = found.regression
    assert isinstance(regression, Regression)
    assert regression.n == len(days)
    names = ("days", "heating_degree_days", "cooling_degree_days")
    assert [regression.coefficients[name].value for name in names] == pytest.approx(solution.tolist())
    assert regression.r2 == pytest.approx(1 - residual[0] / ((kwh - kwh.mean()) ** 2).sum())
    variance = residual[0] / (len(days) - 3) * np.linalg.inv(matrix.T @ matrix)
    errors = [regression.coefficients[name].standard_error for name in names]
    assert errors == pytest.approx(np.sqrt(np.diag(variance)).tolist())
    assert solution[1] < 2 * np.sqrt(variance[1, 1])  # a home that is heated by gas
    assert "does not rise with heating degree days" in str(found.normalised)
    of_base = DegreeDayQuestion(AskedTime("2023-01-01", "2024-01-01"), "energy_import", base_kwh_per_day=4.0)
    lacking = f"{len(days)} of {len(days)} days have no temperature in any other year, and no hdd_normal is told"
    assert DegreeDaysOfHomes(store).of("home1", of_base).normalised == lacking

    # a winter that was a tenth colder
    winter = [day for day in days if day < "2023-02"]
    total = sum(heating[day] for day in winter)
    asked = DegreeDayQuestion(
        AskedTime("2023-01-01", "2023-02-01"), "energy_import", hdd_normal=1.1 * total, base_kwh_per_day=4.0
    )
    colder = DegreeDaysOfHomes(store).of("home1", asked).normalised
    assert not isinstance(colder, str), colder
    used = sum(energy[day] for day in winter)
    assert colder.normal_kwh == pytest.approx(4.0 * 31 + (used - 4.0 * 31) * 1.1)
    store.engine.dispose()
