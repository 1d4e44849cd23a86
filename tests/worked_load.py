"""The worked figures of load, voltage quality and degree days in docs/statistics.md."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar, parse_moment
from statistics_manager_service.core.day_times import clock_labels, day_times
from statistics_manager_service.core.degree_days import (
    Regression,
    cooling_degree_days,
    heating_degree_days,
    normal_of_days,
    normalised,
    regress,
)
from statistics_manager_service.core.load import (
    BASE_PERCENT,
    HIGH_PERCENT,
    BucketLoads,
    average_day,
    duration_curve,
    greatest_places,
)
from statistics_manager_service.core.units import QUARTERS_PER_HOUR, S_PER_HOUR
from statistics_manager_service.core.voltage_quality import FREQUENCY_BANDS, VOLTAGE_BANDS, Bands, judged


def _column(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([math.nan if one is None else one for one in values])


def worked_load(given: dict[str, Any]) -> dict[str, Any]:
    power_w = _column(given["power_w"])
    loads = BucketLoads(power_w, np.array([0, len(power_w)]))
    return {
        "mean_w": loads.mean_w[0],
        "peak_w": loads.peak_w[0],
        "peak_is_number": greatest_places(power_w, 1)[0],
        "load_factor": loads.load_factor[0],
        "base_load": loads.percentile(BASE_PERCENT)[0],
        "demand_p95": loads.percentile(HIGH_PERCENT)[0],
        "duration_curve_w": duration_curve(power_w, given["points"]).power_w.tolist(),
    }


def worked_contracted_power(given: dict[str, Any]) -> dict[str, Any]:
    import_w = _column(given["import_w"])
    loads = BucketLoads(import_w, np.array([0, len(import_w)]))
    contracted_w = given["contracted_power_kva"] * 1000 * given["cos_phi"]
    return {
        "contracted_power_utilisation": (loads.peak_w / contracted_w)[0],
        "time_above_contracted_power": loads.seconds_above(contracted_w)[0] / S_PER_HOUR,
        "quarters_above_80_percent": int((import_w > 0.8 * contracted_w).sum()),
    }


def _hours_of(given: dict[str, Any]) -> Any:
    zone = given["timezone"]
    moments = [parse_moment(str(given[name]), zone, name) for name in ("start", "end")]
    return calendar(zone, GroupBy.QUARTERS, *moments)


def worked_average_day(given: dict[str, Any]) -> dict[str, Any]:
    cal = _hours_of(given)
    times = day_times(cal.edges_us[:-1], cal.offset_s[:-1])
    day = average_day(np.repeat(_column(given["power_w"]), QUARTERS_PER_HOUR), times, of_weekends=True)
    at = {label: slot for slot, label in enumerate(clock_labels()) if label in ("00:45", "01:00", "02:00")}
    return {
        "power_w": {label: day.power_w[slot] for label, slot in at.items()},
        "quarters": {label: int(day.quarters[slot]) for label, slot in at.items()},
    }


def worked_heat_map(given: dict[str, Any]) -> dict[str, Any]:
    zone = given["timezone"]
    moments = [parse_moment(str(given[name]), zone, name) for name in ("start", "end")]
    cal = calendar(zone, GroupBy.HOURLY, *moments)
    times = day_times(cal.edges_us[:-1], cal.offset_s[:-1], S_PER_HOUR)
    kwh = _column(given["kwh"])
    return {
        "row": [kwh[~times.again & (times.slot == hour)].tolist() for hour in range(3)],
        "repeated": kwh[times.again].tolist(),
        "cells": int((~times.again).sum()),
    }


def _judged(given: dict[str, Any], unit: str, bands: Bands) -> dict[str, Any]:
    groups = given["means"]
    mean_milli = np.repeat(
        _column([None if one[unit] is None else one[unit] * 1000 for one in groups]), [one["count"] for one in groups]
    )
    found = judged(mean_milli, len(mean_milli), given[f"nominal_{unit}"] * 1000, bands)
    return {
        "N": found.valid,
        "N1": found.outside_narrow,
        "N2": found.outside_wide,
        "N1_share": found.outside_narrow / found.valid,
        "valid_share": found.valid_share,
        "complies": found.complies,
    }


def worked_voltage_week(given: dict[str, Any]) -> dict[str, Any]:
    return _judged(given, "v", VOLTAGE_BANDS)


def worked_voltage_week_cut_short(given: dict[str, Any]) -> dict[str, Any]:
    return _judged(given, "v", VOLTAGE_BANDS)


def worked_frequency(given: dict[str, Any]) -> dict[str, Any]:
    return _judged(given, "hz", FREQUENCY_BANDS)


def worked_degree_days(given: dict[str, Any]) -> dict[str, Any]:
    mean_c = _column(given["mean_c"])
    heating, cooling = heating_degree_days(mean_c), cooling_degree_days(mean_c)
    return {
        "heating_of_days": heating.tolist(),
        "cooling_of_days": cooling.tolist(),
        "heating_degree_days": np.nansum(heating),
        "cooling_degree_days": np.nansum(cooling),
        "days_known": int((~np.isnan(heating)).sum()),
    }


def worked_degree_day_regression(given: dict[str, Any]) -> dict[str, Any]:
    energy, heating = _column(given["energy_kwh"]), _column(given["heating_degree_days"])
    found = regress(energy, {"days": np.ones(len(energy)), "heating_degree_days": heating})
    assert isinstance(found, Regression)
    days, degree_days = found.coefficients["days"], found.coefficients["heating_degree_days"]
    return {
        "a_kwh_per_day": days.value,
        "b_kwh_per_kelvin_day": degree_days.value,
        "r2": found.r2,
        "standard_error_a": days.standard_error,
        "standard_error_b": degree_days.standard_error,
        "residual_standard_error": found.residual_standard_error,
        "n": found.n,
    }


def worked_weather_normalised_energy(given: dict[str, Any]) -> dict[str, Any]:
    hdd = given["heating_degree_days"]
    base = given["base_kwh_per_day"] * given["days"]
    return {
        "base_kwh": base,
        "normalised_kwh": normalised(given["energy_kwh"], base, hdd, given["heating_degree_days_normal"]),
    }


def worked_normal_degree_days(given: dict[str, Any]) -> dict[str, Any]:
    known = {(2, int(day)): list(years) for day, years in given["other_years_of_february"].items()}
    total, lacking = normal_of_days([(2, day) for day in given["days_of_february"]], known)
    return {"heating_degree_days_normal": total, "days_lacking": lacking}
