"""Homes of open data sets as quarter-hours, read by the service's own importers and folded by its own kernels."""

from __future__ import annotations

import csv
import gzip
import pathlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import local_instants_us
from statistics_manager_service.core.correction import RegisterLimits, correct_registers
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.lines import Lines, fold, interval_extents, interval_lines, register_lines
from statistics_manager_service.core.quantities import UNITS, Dimension, Kind
from statistics_manager_service.core.readings import Decoded, Float64, Int64, WireReadings
from statistics_manager_service.core.units import QUARTER_S, QUARTERS_PER_HOUR, US_PER_HOUR
from statistics_manager_service.ingest.presets import read_file

DATA: Final = pathlib.Path(__file__).resolve().parent.parent.parent / "shared" / "data"
_HOUR: Final = QUARTERS_PER_HOUR
_HALF_HOUR: Final = QUARTERS_PER_HOUR // 2
_LONDON: Final = "Europe/London"
_NL: Final = "Europe/Amsterdam"


@dataclass(frozen=True, slots=True)
class Source:
    """A home of a data set: which files, how they are read, and how many quarters one of its values covers.

    path: below the folder of data sets, may be a pattern. held_out: nothing of the forecaster was chosen by it.
    """

    home: str
    path: str
    preset: str
    zone: str
    quarters_per_value: int
    held_out: bool
    quantity: str = "energy_import"


@dataclass(frozen=True, slots=True)
class Home:
    """energy_milliwh: (n,) float64 from `first_quarter` on, NaN where not wholly measured."""

    source: Source
    first_quarter: int
    energy_milliwh: Float64


SOURCES: Final = (
    Source("MAC000002", "london_lcl_halfhour/MAC000002.csv.gz", "london", _LONDON, _HALF_HOUR, False),
    Source("MAC000003", "london_lcl_halfhour/MAC000003.csv.gz", "london", _LONDON, _HALF_HOUR, False),
    Source("MAC000009", "london_lcl_halfhour/MAC000009.csv.gz", "london", _LONDON, _HALF_HOUR, False),
    Source("MAC000015", "london_lcl_halfhour/MAC000015.csv.gz", "london", _LONDON, _HALF_HOUR, True),
    Source("MAC000026", "london_lcl_halfhour/MAC000026.csv.gz", "london", _LONDON, _HALF_HOUR, False),
    Source("E-REDES", "eredes_pt_15min/leituras.csv.gz", "e-redes", "Europe/Lisbon", 1, True),
    Source("EMO", "emo_nl_register/elec_2025.csv.gz", "emo", _NL, 1, False),
    Source("Slimme Meter", "slimmemeterportal_nl_15min/data_2023.csv.gz", "slimmemeterportal", _NL, 1, True),
    Source("P1 monitor", "p1mon_nl_registers/history_hour.csv.gz", "p1-monitor", _NL, _HOUR, False),
    Source("DSMR reader", "dsmr_reader_nl_hour/export_hour.csv.gz", "dsmr-reader", _NL, _HOUR, True),
    Source("Engie", "engie_nl_hourly/verbruiken_export.csv.gz", "engie", _NL, _HOUR, False),
    Source("Zonneplan", "zonneplan_nl_dynamic_tariff/export.csv.gz", "zonneplan", _NL, _HOUR, True),
    Source(
        "Enphase", "enphase_hourly_balance/custom_report.csv.gz", "enphase", _NL, _HOUR, False, "energy_consumption"
    ),
    Source("HUE", "hue_ca_hourly/Residential_1_2013.csv.gz", "hue", "America/Vancouver", _HOUR, True),
)

#: Homes of which there are less than five weeks: after a week a forecaster has to be of use already.
SHORT_SOURCES: Final = (
    Source("MAC000016", "london_lcl_halfhour/MAC000016.csv.gz", "london", _LONDON, _HALF_HOUR, True),
    Source("UCI", "uci_fr_household_1min/household_power_consumption.csv.gz", "uci", "Europe/Paris", 1, True),
    Source("Shelly", "shelly_em3_three_phase/em_data_phase*.csv.gz", "shelly", _NL, _HALF_HOUR, True),
)


def read_home(source: Source, data: pathlib.Path = DATA) -> Home:
    """A home's energy by quarter-hours: the sum of its channels (of two tariffs, of three phases)."""
    pieces = []
    for path in sorted(data.glob(source.path)):
        if source.preset == "hue":
            pieces.append(Decoded([_hue(path, source.zone)], []))
        else:
            pieces += read_file(path, source.preset, household="home", zone=source.zone)
    channels = _channels(pieces, source.quantity)
    lines = [_lines(one) for one in channels]
    first = min(quarter_of(int(one.at_us[0])) for one in lines)
    count = max(quarter_after(int(one.at_us[-1])) for one in lines) - first
    total, is_known = np.zeros(count), np.zeros(count, np.bool_)
    for one in lines:  # of two tariffs' intervals only the one that runs has a value
        found = fold(one, np.array([first]), np.array([count]))
        whole = found.measured_s == QUARTER_S
        total[whole] += found.energy_milliwh[whole]
        is_known |= whole
    return Home(source, first, np.where(is_known, total, np.nan))


def _channels(pieces: list[Decoded], quantity: str) -> list[WireReadings]:
    """The channels of a quantity, each joined from the pieces of a file and in order of time."""
    found: dict[str, list[WireReadings]] = {}
    for piece in pieces:
        for one in piece.channels:
            if one.quantity == quantity:
                found.setdefault(one.meter, []).append(one)
    joined = []
    for parts in found.values():
        at_us, row = np.unique(np.concatenate([one.at_us for one in parts]), return_index=True)
        value = np.concatenate([one.value for one in parts])[row]
        if parts[0].interval_us is None:
            length_us = None
        else:
            length_us = np.concatenate([one.interval_us for one in parts if one.interval_us is not None])[row]
        first = parts[0]
        joined.append(
            WireReadings(
                "home", first.meter, quantity, first.kind, first.unit, at_us, value, length_us, first.stamp_end
            )
        )
    return joined


def _lines(channel: WireReadings) -> Lines:
    """The lines of a channel: registers corrected, intervals put end to end."""
    unit, offsets = str(channel.unit), np.array([0, len(channel.at_us)])
    if channel.kind is Kind.REGISTER:
        value = np.rint(channel.value * UNITS[Dimension.ENERGY][unit]).astype(np.int64)
        limits = [RegisterLimits()]
        corrected = correct_registers(channel.at_us, value, offsets, limits)
        return register_lines(channel.at_us, offsets, corrected, limits)
    length_us = channel.interval_us
    if length_us is None:
        raise ValueError(f"{channel.meter}: intervals without their length")
    if unit in UNITS[Dimension.ENERGY]:
        energy = channel.value * UNITS[Dimension.ENERGY][unit]
    else:
        energy = channel.value * UNITS[Dimension.POWER][unit] * length_us / US_PER_HOUR
    at_us: Int64 = channel.at_us - length_us if channel.stamp_end else channel.at_us
    return interval_lines(interval_extents(at_us, length_us, offsets), np.rint(energy).astype(np.int64), offsets)


def _hue(path: pathlib.Path, zone: str) -> WireReadings:
    """Hours by the wall clock, in three columns: date, hour, kWh; an hour that stands twice counts once."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [(row["date"].split("/"), int(row["hour"]), float(row["energy_kWh"])) for row in csv.DictReader(file)]
    wall = np.array([f"{year}-{int(month):02}-{int(day):02}T{hour:02}" for (month, day, year), hour, _ in rows])
    at_us, row = np.unique(local_instants_us(zone, wall.astype("datetime64[h]")), return_index=True)
    value = np.array([one for _, _, one in rows])[row]
    length_us = np.full(len(at_us), US_PER_HOUR)
    return WireReadings("home", "grid", "energy_import", Kind.INTERVAL, "kWh", at_us, value, length_us)
