"""Insights as JSON values. NaN is written as null by the encoder."""

from __future__ import annotations

import math
from typing import Any

from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.day_times import clock_labels
from statistics_manager_service.core.degree_days import Regression
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.load import PERCENTS, QUANTILE_METHOD, AverageDay
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import MILLI, QUARTER_S, QUARTER_US
from statistics_manager_service.core.voltage_quality import (
    FREQUENCY_BANDS,
    LEAST_VALID_SHARE,
    VOLTAGE_BANDS,
    Bands,
    Judged,
)
from statistics_manager_service.services.insight.degree_days import DegreeDays, Normalised
from statistics_manager_service.services.insight.heat_maps import HeatMap
from statistics_manager_service.services.insight.loads import COS_PHI, ContractedUse, LoadFigures, Peak, ReadEvery
from statistics_manager_service.services.insight.voltages import (
    WHY_INDICATIVE,
    Extreme,
    Quality,
    VoltageQuality,
    Week,
    limits_v,
)

#: Digits of what is told: milliwatts, millivolts, millidegrees, watt-hours; and of ratios.
_MILLI, _RATIO = 3, 6


def _rounded(value: float | None, digits: int = _MILLI) -> float | None:
    return None if value is None or math.isnan(value) else round(value, digits)


def _column(values: Float64, digits: int = _MILLI) -> Float64:
    return values.round(digits)


def load_json(found: LoadFigures) -> dict[str, Any]:
    """Load figures."""
    question, zone = found.question, found.zone
    return {
        "household": found.home.household.id,
        "timezone": zone,
        "start": question.time.start,
        "end": question.time.end,
        "of": question.energy,
        "meter": question.meter,
        "interval": "PT15M",
        "coverage": _rounded(found.coverage, _RATIO),
        "estimated": _rounded(found.estimated, _RATIO),
        "quarters": {
            "all": found.counted.all,
            "measured": found.counted.measured,
            "estimated": found.counted.estimated,
            "partial": found.counted.partial,
            "unknown": found.counted.unknown,
            "negative": found.counted.negative,
        },
        "why_unknown": found.why_unknown,
        "peak": _peak_json(zone, found.peaks[0]) if found.peaks else None,
        "highest": [_peak_json(zone, one) for one in found.peaks],
        "mean_w": _rounded(found.mean_w),
        "load_factor": _rounded(found.load_factor, _RATIO),
        "base_load": {
            "percentile_5_w": _rounded(found.base_load_w),
            "night_median_w": _rounded(found.night_median_w),
            "definition": "5th percentile of the measured quarter-hours; median of those from 02:00 to 05:00",
        },
        "percentiles": {
            "method": QUANTILE_METHOD,
            "percent": list(PERCENTS),
            "power_w": [_rounded(one) for one in found.percentiles_w],
        },
        "duration_curve": {
            "share_of_time": _column(found.curve.share, _RATIO),
            "power_w": _column(found.curve.power_w),
        },
        "average_days": {
            "times": clock_labels(),
            "weekday": _average_day_json(found.weekday),
            "weekend": _average_day_json(found.weekend),
            "weekend_is": "Saturday and Sunday; holidays are not told apart",
        },
        "contracted_power": None if found.contracted is None else _contracted_json(zone, found.contracted),
        "why_no_contracted_power": found.why_not_contracted,
        "readings": [_read_every_json(one) for one in found.read_every],
        "notes": found.notes,
    }


def _peak_json(zone: str, one: Peak) -> dict[str, Any]:
    return {
        "power_w": _rounded(one.power_w),
        "start": civil_label(zone, one.at_us),
        "end": civil_label(zone, one.at_us + QUARTER_US),
    }


def _average_day_json(one: AverageDay) -> dict[str, Any]:
    return {"days": one.days, "power_w": _column(one.power_w), "quarters": one.quarters}


def _contracted_json(zone: str, one: ContractedUse) -> dict[str, Any]:
    return {
        "contracted_power_kva": one.contracted_power_kva,
        "cos_phi": COS_PHI,
        "of": "energy_import",
        "coverage": _rounded(one.coverage, _RATIO),
        "peak": _peak_json(zone, one.peak),
        "utilisation": _rounded(one.utilisation, _RATIO),
        "above": [
            {
                "utilisation": above.utilisation,
                "quarters": above.quarters,
                "time_s": above.quarters * QUARTER_S,
                "share_of_measured_time": _rounded(above.share_of_time, _RATIO),
            }
            for above in one.above
        ],
    }


def _read_every_json(one: ReadEvery) -> dict[str, Any]:
    return {
        "meter": one.channel.meter,
        "quantity": one.channel.quantity,
        "kind": one.channel.kind,
        "mean_distance_s": _rounded(one.every_s),
    }


def heat_map_json(found: HeatMap) -> dict[str, Any]:
    """A heat map; its numbers are those of the statistics."""
    told, column, cal = found.statistics, found.statistics.columns[0], found.statistics.calendar
    repeated = found.repeated
    return {
        "household": told.household,
        "timezone": told.timezone,
        "start": told.start,
        "end": told.end,
        "measure": column.measure,
        **({} if column.meter is None else {"meter": column.meter}),
        "unit": column.unit,
        "step": told.group_by,
        "dates": found.dates,
        "times": found.times,
        "values": found.values,
        "total": column.total,
        "coverage": _rounded(_over_time(column.coverage, cal.edges_us), _RATIO),
        "estimated": _rounded(_over_time(column.estimated, cal.edges_us), _RATIO),
        "skipped": {"row": found.skipped[0], "column": found.skipped[1]},
        "repeated": {
            "row": found.repeated_at[0],
            "column": found.repeated_at[1],
            "start": iso_labels(cal.edges_us[repeated], cal.offset_s[repeated]) if len(repeated) else [],
            "values": column.value[repeated],
        },
    }


def _over_time(share: Float64, edges_us: Any) -> float:
    length = edges_us[1:] - edges_us[:-1]
    return float((share * length).sum() / length.sum())


def voltage_quality_json(found: VoltageQuality) -> dict[str, Any]:
    """What is said of voltages and frequencies."""
    question, zone = found.question, found.calendar.zone
    return {
        "household": found.home.household.id,
        "timezone": zone,
        "start": question.time.start,
        "end": question.time.end,
        "standard": "EN 50160:2022, low voltage",
        "indicative": True,
        "why_indicative": WHY_INDICATIVE,
        "interval": "PT15M",
        "least_samples": question.least_samples,
        "least_valid_share": LEAST_VALID_SHARE,
        "why_unknown": found.why_unknown,
        "nominal_voltage_v": found.nominal_voltage_v,
        "voltages": [
            {
                **_quality_json(zone, one, VOLTAGE_BANDS, "v"),
                "sags": one.sags,
                "swells": one.swells,
                "weeks": [_week_json(zone, week) for week in one.weeks],
            }
            for one in found.voltages
        ],
        "frequencies": [_quality_json(zone, one, FREQUENCY_BANDS, "hz") for one in found.frequencies],
    }


def _quality_json(zone: str, one: Quality, bands: Bands, unit: str) -> dict[str, Any]:
    extremes = ("lowest_mean", "highest_mean", "lowest_sample", "highest_sample")
    return {
        "meter": one.channel.meter,
        "quantity": one.channel.quantity,
        f"nominal_{unit}": one.nominal_milli / MILLI,
        f"bands_{unit}": limits_v(one.nominal_milli, bands),
        "allowed_share_outside_narrow": bands.allowed_share,
        "complies": one.complies,
        **_judged_json(one.whole),
        "not_judged": {
            "unknown": one.valid.unknown,
            "too_few_samples": one.valid.too_few_samples,
            "interrupted": one.valid.interrupted,
        },
        **{name: _extreme_json(zone, getattr(one, name), unit) for name in extremes},
    }


def _judged_json(one: Judged) -> dict[str, Any]:
    share = one.outside_narrow / one.valid if one.valid else None
    return {
        "quarters": one.quarters,
        "valid": one.valid,
        "valid_share": _rounded(one.valid_share, _RATIO),
        "outside_narrow": one.outside_narrow,
        "outside_narrow_share": _rounded(share, _RATIO),
        "outside_wide": one.outside_wide,
    }


def _week_json(zone: str, one: Week) -> dict[str, Any]:
    return {
        "start": civil_label(zone, one.start_us),
        "end": civil_label(zone, one.end_us),
        "complies": one.judged.complies,
        **_judged_json(one.judged),
    }


def _extreme_json(zone: str, one: Extreme | None, unit: str) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        f"value_{unit}": round(one.value_milli / MILLI, _MILLI),
        "at": civil_label(zone, one.at_us),
        "exact": one.exact,
    }


def degree_days_json(found: DegreeDays) -> dict[str, Any]:
    """Degree days, the regression, the energy in normal weather."""
    question, days, rule = found.question, found.days, found.question.rule
    known = ~(days.heating != days.heating)
    return {
        "household": found.home.household.id,
        "timezone": found.calendar.zone,
        "start": question.time.start,
        "end": question.time.end,
        "measure": question.measure,
        "meter": question.meter,
        "temperature_meter": None if isinstance(found.channel, str) else found.channel.meter,
        "why_unknown": found.channel if isinstance(found.channel, str) else None,
        "rule": {
            "heating_base_c": rule.heating_base_c,
            "heating_limit_c": rule.heating_limit_c,
            "cooling_base_c": rule.cooling_base_c,
            "cooling_limit_c": rule.cooling_limit_c,
        },
        "heating_degree_days": _rounded(float(days.heating[known].sum())) if known.any() else None,
        "cooling_degree_days": _rounded(float(days.cooling[known].sum())) if known.any() else None,
        "days": {
            "all": len(days.dates),
            "temperature_known": int(known.sum()),
            "energy_known": int((days.energy_kwh == days.energy_kwh).sum()),
            "both_known": int(days.both.sum()),
        },
        "by_day": {
            "dates": [str(one) for one in days.dates],
            "mean_temperature_c": _column(days.temperatures.mean_c),
            "known_share": _column(days.temperatures.known_share, _RATIO),
            "heating_degree_days": _column(days.heating),
            "cooling_degree_days": _column(days.cooling),
            "energy_kwh": days.energy_kwh,
        },
        "regression": _regression_json(found.regression, question.step),
        "why_no_regression": found.regression if isinstance(found.regression, str) else None,
        "normalised": _normalised_json(found.normalised),
        "why_not_normalised": found.normalised if isinstance(found.normalised, str) else None,
    }


def _regression_json(one: Regression | str, step: str) -> dict[str, Any] | None:
    if isinstance(one, str):
        return None
    return {
        "formula": "energy = " + " + ".join(f"b({name}) × {name}" for name in one.coefficients),
        "observations": step,
        "n": one.n,
        "coefficients": {
            name: {
                "value": round(told.value, _RATIO),
                "standard_error": _rounded(told.standard_error, _RATIO),
                "unit": "kWh/d" if name == "days" else "kWh/(K·d)",
            }
            for name, told in one.coefficients.items()
        },
        "r2": _rounded(one.r2, _RATIO),
        "residual_standard_error_kwh": _rounded(one.residual_standard_error, _RATIO),
    }


def _normalised_json(one: Normalised | str) -> dict[str, Any] | None:
    if isinstance(one, str):
        return None
    return {
        "formula": "base + (energy − base) × heating_degree_days_normal / heating_degree_days",
        "days": one.days,
        "energy_kwh": _rounded(one.energy_kwh, _RATIO),
        "base_kwh": _rounded(one.base_kwh, _RATIO),
        "heating_degree_days": _rounded(one.heating),
        "heating_degree_days_normal": _rounded(one.heating_normal),
        "normal_is": "as it was told" if not one.of_other_years else "the mean of the same days of other years",
        "other_years": one.of_other_years,
        "energy_normalised_kwh": _rounded(one.normal_kwh, _RATIO),
    }
