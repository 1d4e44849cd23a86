"""Answers of the insight calls as they stand in the OpenAPI document, columns cut short."""

from __future__ import annotations

from typing import Any, Final

_TIME: Final = {"household": "home1", "timezone": "Europe/Lisbon", "start": "2024-01-01", "end": "2024-02-01"}
_PEAK: Final = {"power_w": 4180.0, "start": "2024-01-14T20:15:00+00:00", "end": "2024-01-14T20:30:00+00:00"}

LOAD_EXAMPLE: Final[dict[str, Any]] = {
    **_TIME,
    "of": "energy_consumption",
    "meter": None,
    "interval": "PT15M",
    "coverage": 0.998656,
    "estimated": 0.001344,
    "quarters": {"all": 2976, "measured": 2972, "estimated": 4, "partial": 0, "unknown": 0, "negative": 0},
    "why_unknown": None,
    "peak": _PEAK,
    "highest": [_PEAK],
    "mean_w": 512.3,
    "load_factor": 0.12256,
    "base_load": {
        "percentile_5_w": 96.0,
        "night_median_w": 118.0,
        "definition": "5th percentile of the measured quarter-hours; median of those from 02:00 to 05:00",
    },
    "percentiles": {
        "method": "linear between the order statistics: Hyndman & Fan 1996, type 7",
        "percent": [5, 10, 25, 50, 75, 90, 95, 99],
        "power_w": [96.0, 104.0, 140.0, 318.0, 640.0, 1210.0, 1840.0, 2960.0],
    },
    "duration_curve": {"share_of_time": [0.0, 0.5, 1.0], "power_w": [4180.0, 318.0, 72.0]},
    "average_days": {
        "times": ["00:00", "00:15"],
        "weekday": {"days": 23, "power_w": [201.4, 188.2], "quarters": [23, 23]},
        "weekend": {"days": 8, "power_w": [240.5, 221.0], "quarters": [8, 8]},
        "weekend_is": "Saturday and Sunday; holidays are not told apart",
    },
    "contracted_power": {
        "contracted_power_kva": 4.6,
        "cos_phi": 1.0,
        "of": "energy_import",
        "coverage": 0.998656,
        "peak": _PEAK,
        "utilisation": 0.908696,
        "above": [
            {"utilisation": 0.8, "quarters": 3, "time_s": 2700, "share_of_measured_time": 0.001009},
            {"utilisation": 0.9, "quarters": 1, "time_s": 900, "share_of_measured_time": 0.000336},
            {"utilisation": 1.0, "quarters": 0, "time_s": 0, "share_of_measured_time": 0.0},
        ],
    },
    "why_no_contracted_power": None,
    "readings": [
        {"meter": "grid", "quantity": "energy_import", "kind": "register", "mean_distance_s": 60.0},
    ],
    "notes": ["estimated quarter-hours are means over gaps, which hide peaks and lows: none of them counts"],
}
HEAT_MAP_EXAMPLE: Final[dict[str, Any]] = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "start": "2024-10-27",
    "end": "2024-10-28",
    "measure": "energy_import",
    "unit": "kWh",
    "step": "hourly",
    "dates": ["2024-10-27"],
    "times": ["00:00", "01:00", "02:00"],
    "values": [[0.21, 0.18, 0.17]],
    "total": 12.4,
    "coverage": 1.0,
    "estimated": 0.0,
    "skipped": {"row": [], "column": []},
    "repeated": {"row": [0], "column": [1], "start": ["2024-10-27T01:00:00+00:00"], "values": [0.19]},
}
_JUDGED: Final = {
    "quarters": 672,
    "valid": 671,
    "valid_share": 0.998512,
    "outside_narrow": 2,
    "outside_narrow_share": 0.002981,
    "outside_wide": 0,
}
VOLTAGE_EXAMPLE: Final[dict[str, Any]] = {
    **_TIME,
    "start": "2024-01-01",
    "end": "2024-01-08",
    "standard": "EN 50160:2022, low voltage",
    "indicative": True,
    "why_indicative": "EN 50160 judges 10-minute means …",
    "interval": "PT15M",
    "least_samples": 3,
    "least_valid_share": 0.9,
    "why_unknown": None,
    "nominal_voltage_v": 230.0,
    "voltages": [
        {
            "meter": "grid",
            "quantity": "voltage",
            "nominal_v": 230.0,
            "bands_v": {"narrow": [207.0, 253.0], "wide": [195.5, 253.0]},
            "allowed_share_outside_narrow": 0.05,
            "complies": True,
            **_JUDGED,
            "not_judged": {"unknown": 1, "too_few_samples": 0, "interrupted": 0},
            "lowest_mean": {"value_v": 205.9, "at": "2024-01-03T19:30:00+00:00", "exact": True},
            "highest_mean": {"value_v": 248.1, "at": "2024-01-06T13:00:00+00:00", "exact": True},
            "lowest_sample": {"value_v": 203.2, "at": "2024-01-03T19:37:00+00:00", "exact": True},
            "highest_sample": {"value_v": 249.0, "at": "2024-01-06T13:04:00+00:00", "exact": True},
            "sags": 3,
            "swells": 0,
            "weeks": [
                {
                    "start": "2024-01-01T00:00:00+00:00",
                    "end": "2024-01-08T00:00:00+00:00",
                    "complies": True,
                    **_JUDGED,
                }
            ],
        }
    ],
    "frequencies": [],
}
DEGREE_DAYS_EXAMPLE: Final[dict[str, Any]] = {
    **_TIME,
    "measure": "energy_consumption",
    "meter": None,
    "temperature_meter": "outdoor",
    "why_unknown": None,
    "rule": {"heating_base_c": 18.0, "heating_limit_c": 15.0, "cooling_base_c": 21.0, "cooling_limit_c": 24.0},
    "heating_degree_days": 231.4,
    "cooling_degree_days": 0.0,
    "days": {"all": 31, "temperature_known": 31, "energy_known": 31, "both_known": 31},
    "by_day": {
        "dates": ["2024-01-01"],
        "mean_temperature_c": [10.2],
        "known_share": [1.0],
        "heating_degree_days": [7.8],
        "cooling_degree_days": [0.0],
        "energy_kwh": [14.21],
    },
    "regression": {
        "formula": "energy = b(days) × days + b(heating_degree_days) × heating_degree_days",
        "observations": "daily",
        "n": 31,
        "coefficients": {
            "days": {"value": 5.9, "standard_error": 0.6, "unit": "kWh/d"},
            "heating_degree_days": {"value": 1.04, "standard_error": 0.08, "unit": "kWh/(K·d)"},
        },
        "r2": 0.853,
        "residual_standard_error_kwh": 0.91,
    },
    "why_no_regression": None,
    "normalised": {
        "formula": "base + (energy − base) × heating_degree_days_normal / heating_degree_days",
        "days": 31,
        "energy_kwh": 423.556,
        "base_kwh": 182.9,
        "heating_degree_days": 231.4,
        "heating_degree_days_normal": 250.0,
        "normal_is": "the mean of the same days of other years",
        "other_years": [2022, 2023],
        "energy_normalised_kwh": 442.9,
    },
    "why_not_normalised": None,
}
