"""Sun, weather and habits, quarter-hour by quarter-hour: powers in W over whole UTC days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTERS_PER_DAY, QUARTERS_PER_HOUR

_HOURS = np.arange(QUARTERS_PER_DAY) / QUARTERS_PER_HOUR


def day_rngs(seed: int, days: Int64) -> list[np.random.Generator]:
    """A generator of random numbers for each day."""
    return [np.random.default_rng([seed, int(day)]) for day in days]


def day_of_year(days: Int64) -> Int64:
    """The day of the year, 0 to 365, of UTC days since 1970."""
    dates = days.astype("datetime64[D]")
    since: Int64 = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return since


def outdoor_celsius(days: Int64, rngs: list[np.random.Generator]) -> Float64:
    """Temperature of an Atlantic climate, (d, 96): a year's wave, a day's wave, weather."""
    year = 15.0 - 6.5 * np.cos(2 * np.pi * (day_of_year(days) - 20) / 365.25)
    weather = np.array([rng.normal(0, 2.2) for rng in rngs])
    wave = -4.0 * np.cos(2 * np.pi * (_HOURS - 15.5 + 12) / 24)
    out: Float64 = (year + weather)[:, None] + wave
    return out


def solar_w(days: Int64, rngs: list[np.random.Generator], peak_w: float, latitude: float) -> Float64:
    """PV power, (d, 96): the sun's height by the astronomical formula (Cooper 1969), clouds by chance."""
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day_of_year(days) + 1) / 365)
    hour_angle = np.radians(15) * (_HOURS + 0.125 - 12.5)
    lat = np.radians(latitude)
    height = np.sin(lat) * np.sin(declination)[:, None] + np.cos(lat) * np.cos(declination)[:, None] * np.cos(
        hour_angle
    )
    clear = np.clip(height, 0, None) ** 1.15
    sky = np.array([rng.beta(3.2, 1.4) for rng in rngs])[:, None]
    clouds = np.array([np.repeat(rng.uniform(0.75, 1.1, 24), QUARTERS_PER_HOUR) for rng in rngs])
    out: Float64 = peak_w * 0.86 * clear * np.clip(sky * clouds, 0.05, 1.0)
    return out


def household_w(days: Int64, rngs: list[np.random.Generator], base_w: float, scale: float) -> Float64:
    """What people switch on, (d, 96): a base, a fridge, mornings and evenings, more at weekends."""
    weekend = ((days + 3) % 7 >= 5)[:, None]
    morning = np.exp(-(((_HOURS - 7.75) / 1.1) ** 2)) * np.where(weekend, 0.6, 1.0)
    midday = np.exp(-(((_HOURS - 13.0) / 1.6) ** 2)) * np.where(weekend, 1.2, 0.5)
    evening = np.exp(-(((_HOURS - 20.25) / 1.9) ** 2)) * 1.6
    chance = np.array([rng.gamma(1.6, 0.6, QUARTERS_PER_DAY) for rng in rngs])
    out: Float64 = base_w + scale * (morning + midday + evening) * chance + 25 * chance
    return out


def heat_pump_w(celsius: Float64, demand_w_per_k: float) -> Float64:
    """Electric power of a heat pump, whose efficiency falls with the cold; off in warm weather."""
    heat = np.clip(17.0 - celsius, 0, None) * demand_w_per_k
    efficiency = np.clip(3.9 + 0.08 * (celsius - 7.0), 1.8, 5.5)
    return np.where(heat > 150, heat / efficiency, 0.0)


def car_w(days: Int64, rngs: list[np.random.Generator], charger_w: float) -> Float64:
    """Charging of a car, (d, 96): on most nights from 22:30 on until it is full."""
    out = np.zeros((len(days), QUARTERS_PER_DAY))
    for i, rng in enumerate(rngs):
        energy_wh = rng.uniform(4_000, 13_000) if rng.random() < 0.75 else 0.0
        quarters = min(int(energy_wh / (charger_w / QUARTERS_PER_HOUR)), QUARTERS_PER_HOUR)
        # the part before midnight; the rest of the night belongs to the next UTC day's first hours
        start = QUARTERS_PER_DAY - 6
        out[i, start : start + min(quarters, 6)] = charger_w
        rest = int(energy_wh / (charger_w / QUARTERS_PER_HOUR)) - 6
        if rest > 0:
            out[i, 4 : 4 + rest] = charger_w
    return out


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery between the sun and the house: what flows in and out, and the grid's share, (n,) watt-hours each."""

    charge_wh: Float64
    discharge_wh: Float64
    import_wh: Float64
    export_wh: Float64


def run_battery(sun_wh: Float64, load_wh: Float64, capacity_wh: float, most_wh: float, round_trip: float) -> Battery:
    """Store what is left of the sun, give it back when it is missed; one quarter-hour after another, in whole Wh."""
    charge, discharge = np.zeros_like(sun_wh), np.zeros_like(sun_wh)
    stored = capacity_wh / 2
    for i, surplus in enumerate((sun_wh - load_wh).tolist()):
        if surplus > 0:
            taken = float(int(min(surplus, most_wh, (capacity_wh - stored) / round_trip)))
            charge[i], stored = taken, stored + taken * round_trip
        else:
            given = float(int(min(-surplus, most_wh, stored)))
            discharge[i], stored = given, stored - given
    net = load_wh + charge - sun_wh - discharge
    return Battery(charge, discharge, np.clip(net, 0, None), np.clip(-net, 0, None))
