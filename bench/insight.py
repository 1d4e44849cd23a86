"""Balance and carbon of a full home, from the store to JSON bytes, beside pandas on ready frames of quarter-hours."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.homes import START_S, YEAR_S, ZONE
from bench.report import Line, paired, shown_s
from bench.stores import make, now_us
from statistics_manager_service.api.encoding import JSON, encode
from statistics_manager_service.bootstrap import asking_of, households_of
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, WireReadings
from statistics_manager_service.core.units import MILLI, QUARTER_S, S_PER_HOUR, US_PER_HOUR, US_PER_S
from statistics_manager_service.demo.physics import (
    car_w,
    day_rngs,
    heat_pump_w,
    household_w,
    outdoor_celsius,
    run_battery,
    solar_w,
)
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, keep
from statistics_manager_service.storage.database import SqlStore

HOME = "full"
_QUARTERS_PER_HOUR = S_PER_HOUR // QUARTER_S
_EF_PV_G_PER_KWH = 41.0
_YEAR = ("2022-01-01", "2023-01-01")
_FRESH = 5
_DEVICES = ("ev", "heat_pump", "kitchen")


def measure(folder: pathlib.Path) -> list[Line]:
    """A year of a home of eight channels by month: all measures of balance, attribution, battery and carbon."""
    store, frame = _filled(folder)
    asking, number = asking_of(store), households_of(store).get(HOME).household_no
    balance = measures_of(Family.BALANCE, Family.ATTRIBUTION, Family.BATTERY)
    carbon = tuple(one for one in measures_of(Family.CARBON) if one != "emissions_device")
    lines = []
    cases: tuple[tuple[str, tuple[str, ...], Callable[[], object], float | None], ...] = (
        ("balance, attribution, battery", balance, lambda: _balance(frame), None),
        ("carbon", carbon, lambda: _carbon(frame), None),
        ("all of them", (*balance, *carbon), lambda: (_balance(frame), _carbon(frame)), 15e-3),
    )
    for what, measures, reference, goal_s in cases:
        question = Question(",".join(measures), *_YEAR, "monthly")

        def ask(question: Question = question) -> bytes:
            return encode([asking.statistics(HOME, question)], JSON)

        ours, theirs = paired(ask, reference, 20)
        goal = "" if goal_s is None else f"≤ {shown_s(goal_s)}"
        met = None if goal_s is None else ours <= goal_s
        title = f"8 channels: {what} ({len(measures)} measures)"
        lines.append(Line(title, shown_s(ours), f"pandas {shown_s(theirs)}", theirs / ours, goal, met))

        def ask_anew(question: Question = question) -> bytes:
            with store.writing() as view:
                view.begin_changes([number])
            return encode([asking.statistics(HOME, question)], JSON)

        anew, theirs = paired(ask_anew, reference, _FRESH)
        lines.append(Line(f"{title}, after a change", shown_s(anew), f"pandas {shown_s(theirs)}", theirs / anew))
    store.close()
    return lines


def _filled(folder: pathlib.Path) -> tuple[SqlStore, pd.DataFrame]:
    """A home with PV, battery and three devices, a grid's hourly intensity, and both as a frame of quarter-hours."""
    days = np.arange(START_S // 86_400, (START_S + YEAR_S) // 86_400, dtype=np.int64)
    rngs = day_rngs(7, days)
    sun = _wh(solar_w(days, rngs, 5200, 41.2))
    heat = _wh(heat_pump_w(outdoor_celsius(days, rngs), 190))
    car = _wh(car_w(days, rngs, 3600))
    kitchen = _wh(household_w(days, rngs, 20, 120))
    battery = run_battery(sun, _wh(household_w(days, rngs, 180, 650)) + heat + car + kitchen, 9600, 900, 0.9)
    columns = {
        ("grid", "energy_import"): battery.import_wh,
        ("grid", "energy_export"): battery.export_wh,
        ("pv", "energy_production"): sun,
        ("battery", "energy_charge"): battery.charge_wh,
        ("battery", "energy_discharge"): battery.discharge_wh,
        **{(name, "energy_consumption"): one for name, one in zip(_DEVICES, (car, heat, kitchen), strict=True)},
    }
    store, recorder = make(folder / "insight.sqlite3", [HOME])
    households_of(store).patch(HOME, {"country": "PT", "battery_capacity_kwh": 9.6}, by_service=True)
    at_us = (START_S + np.arange(len(sun) + 1, dtype=np.int64) * QUARTER_S) * US_PER_S
    for (meter, quantity), wh in columns.items():
        value = np.concatenate(([0.0], np.cumsum(np.rint(wh))))
        recorder.record([WireReadings(HOME, meter, quantity, Kind.REGISTER, "Wh", at_us, value, where=HOME)])
    hours = len(sun) // _QUARTERS_PER_HOUR
    g_per_kwh = np.round(np.random.default_rng(8).normal(180, 40, hours).clip(20), 1)
    told = [
        ToldIntensity(START_S * US_PER_S + i * US_PER_HOUR, US_PER_HOUR, round(one * MILLI), MEASURED)
        for i, one in enumerate(g_per_kwh.tolist())
    ]
    with store.writing() as view:
        keep(view, "PT", "bench", Method(), told, now_us())
    frame = pd.DataFrame(
        {quantity if meter not in _DEVICES else meter: np.rint(wh) / 1000 for (meter, quantity), wh in columns.items()},
        index=pd.to_datetime(at_us[:-1], unit="us", utc=True).tz_convert(ZONE),
    )
    frame["g_per_kwh"] = np.repeat(g_per_kwh, _QUARTERS_PER_HOUR)
    return store, frame


def _wh(power_w: Float64) -> Float64:
    return np.rint(power_w.reshape(-1) / _QUARTERS_PER_HOUR)


def _balance(frame: pd.DataFrame) -> pd.DataFrame:
    """Sums and rates of the flows, and who fed whom, in floats; no store, no ledger of the battery."""
    i, x, p, b_in, b_out = (
        frame[f"energy_{name}"] for name in ("import", "export", "production", "charge", "discharge")
    )
    load = i + p + b_out - x - b_in
    out = pd.DataFrame({"load": load, "import": i, "export": x, "production": p})
    self_p, out_b = (p - x).clip(lower=0), (b_out - (x - p).clip(lower=0)).clip(lower=0)
    share = (b_in / (load + b_in)).fillna(0)
    for name, column in (("grid", i), ("production", self_p), ("battery", out_b)):
        out[f"{name}_to_battery"] = column * share
        out[f"{name}_to_home"] = column * (1 - share)
    out["untracked"] = load - frame[list(_DEVICES)].sum(axis=1)
    sums = out.resample("MS").sum()
    sums["self_consumption_rate"] = (sums["production"] - sums["export"]) / sums["production"]
    sums["self_sufficiency_rate"] = 1 - sums["import"] / sums["load"]
    return sums


def _carbon(frame: pd.DataFrame) -> pd.DataFrame:
    """Emissions in floats, of an intensity that is known everywhere."""
    i, x, p = (frame[f"energy_{name}"] for name in ("import", "export", "production"))
    ci = frame["g_per_kwh"]
    out = pd.DataFrame(
        {
            "import": i * ci,
            "avoided_self_consumption": (p - x).clip(lower=0) * (ci - _EF_PV_G_PER_KWH),
            "avoided_export": x * (ci - _EF_PV_G_PER_KWH),
            "load": i + p + frame["energy_discharge"] - x - frame["energy_charge"],
        }
    )
    sums = out.resample("MS").sum()
    sums["per_kwh"] = sums["import"] / sums["load"]
    return sums
