"""Bills, from the store to the statement, and of many homes at once, beside pandas on ready frames of quarter-hours."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd

from bench.homes import ZONE, readings, register
from bench.report import Line, paired, shown_s
from bench.stores import make, now_us
from statistics_manager_service.bootstrap import contracts_of, households_of, statements_of, tariffs_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_S, QUARTER_US, S_PER_DAY, US_PER_S
from statistics_manager_service.services.money.billing_periods import billing_periods
from statistics_manager_service.services.money.statements import Asked
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import keep_prices
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.tariffs.billing import Plan
from statistics_manager_service.tariffs.document import Cycle
from statistics_manager_service.tariffs.energy import no_series
from statistics_manager_service.tariffs.terms import TariffInForce, Term, parameters_of

#: 2026-01-01T00:00:00Z, in Lisbon's winter, and its year.
START_S, QUARTERS = 1_767_225_600, 365 * 96
MANY = 1000
_YEAR = Asked("2026-01-01", "2027-01-01")


def measure(folder: pathlib.Path) -> list[Line]:
    """A year of one home under two tariffs, and of many homes."""
    store, kwh = _filled(folder)
    statements = statements_of(store)
    frame = pd.DataFrame(
        {"kwh": kwh}, index=pd.to_datetime(START_S + QUARTER_S * np.arange(QUARTERS), unit="s", utc=True)
    )
    frame.index = frame.index.tz_convert(ZONE)
    lines = []
    cases: tuple[tuple[str, str, Callable[[], object], float], ...] = (
        ("a year, tri-hourly with VAT split", "regulated", lambda: _tri_hourly(frame), 5e-3),
        ("a year, dynamic by 15 minutes", "dynamic", lambda: _dynamic(frame), 8e-3),
    )
    for what, home, reference, goal_s in cases:
        ours, theirs = paired(lambda home=home: statements.statement(home, _YEAR), reference, 40)  # type: ignore[misc]
        goal = f"≤ {shown_s(goal_s)}"
        lines.append(Line(what, shown_s(ours), f"pandas {shown_s(theirs)}", theirs / ours, goal, ours <= goal_s))
    lines.append(_many(store, frame))
    return lines


def _filled(folder: pathlib.Path) -> tuple[SqlStore, np.ndarray]:  # type: ignore[type-arg]
    """Two homes of the same register, one by its settings under the regulated tariff, one under a dynamic contract."""
    store, recorder = make(folder / "money.sqlite3", ["regulated", "dynamic"])
    households_of(store).put("regulated", {"timezone": ZONE, "tarif_type": "tri-hourly", "contracted_power_kva": 6.9})
    contracts_of(store).put("dynamic", {"contracts": [{"tariff": "pt-indexado-omie", "from": "2026-01-01"}]})
    at_us, value_wh = register(3, START_S, QUARTER_S, QUARTERS + 1)
    recorder.record([readings(name, at_us, value_wh) for name in ("regulated", "dynamic")])
    rng = np.random.default_rng(5)
    for name, unit, values in (
        ("omie_pt", "EUR/MWh", np.round(rng.normal(70, 20, QUARTERS), 2)),
        ("pt_losses", "1", np.round(rng.normal(1.16, 0.02, QUARTERS), 4)),
    ):
        told = [
            ToldPrice((START_S + i * QUARTER_S) * US_PER_S, QUARTER_US, Decimal(str(value)))
            for i, value in enumerate(values.tolist())
        ]
        with store.writing() as view:
            keep_prices(view, PriceSeries(0, name, unit, QUARTER_S), told, now_us())
    return store, np.diff(value_wh) / 1000


def _periods(index: pd.DatetimeIndex) -> np.ndarray:  # type: ignore[type-arg]
    """Ponta 0, cheias 1, vazio 2 of the daily cycle, by the local clock and legal time."""
    minute = index.hour.to_numpy() * 60 + index.minute.to_numpy()
    summer = np.array([bool(one.dst()) for one in index[::96]]).repeat(96)[: len(index)]
    winter_peak = ((minute >= 540) & (minute < 630)) | ((minute >= 1080) & (minute < 1230))
    summer_peak = ((minute >= 630) & (minute < 780)) | ((minute >= 1170) & (minute < 1260))
    peak = np.where(summer, summer_peak, winter_peak)
    return np.where(peak, 0, np.where((minute >= 480) & (minute < 1320), 1, 2))


def _tri_hourly(frame: pd.DataFrame) -> pd.DataFrame:
    """Bills by month: periods by the clock, grouped, priced, VAT split at 200 kWh in 30 days, by floats."""
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    keyed = frame.assign(period=_periods(index), month=index.month)
    energy = keyed.groupby(["month", "period"])["kwh"].sum().unstack()
    return _with_tax(energy * [0.2495, 0.1690, 0.1087], energy, index)


def _with_tax(net: pd.DataFrame, energy: pd.DataFrame, index: pd.DatetimeIndex) -> pd.DataFrame:
    days = index.to_series().dt.normalize().groupby(index.month).nunique()
    share = (200 * days / 30 / energy.sum(axis=1)).clip(upper=1)
    gross = net.mul(1 + 0.06 * share + 0.23 * (1 - share), axis=0).round(2)
    fixed = (days * 0.3436 * 1.23 + days * 0.0223 * 1.23 + 0.07 * 1.23 + 2.85 * 1.06).round(2)
    excise = (energy.sum(axis=1) * 0.001 * 1.23).round(2)
    return gross.assign(fixed=fixed, excise=excise, total=gross.sum(axis=1) + fixed + excise)


def _dynamic(frame: pd.DataFrame) -> pd.DataFrame:
    """Bills by month at a price of each quarter-hour, by floats."""
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    price = (_PRICES + 0.012) * 1.16
    keyed = pd.DataFrame({"energy": frame["kwh"], "net": frame["kwh"] * price}, index=index)
    sums = keyed.groupby(index.month).sum()
    return _with_tax(sums[["net"]], sums[["energy"]], index)


_PRICES = np.random.default_rng(5).normal(0.07, 0.02, QUARTERS)


def _many(store: SqlStore, frame: pd.DataFrame) -> Line:
    """1,000 homes at once, from arrays, by the kernel."""
    rng = np.random.default_rng(6)
    energy: Int64 = rng.gamma(0.6, 150_000, (MANY, QUARTERS)).astype(np.int64)
    export = np.zeros_like(energy)
    plan = _plan(store)
    wide = pd.DataFrame(energy.T / 1e6, index=frame.index)

    def by_pandas() -> object:
        index = frame.index
        assert isinstance(index, pd.DatetimeIndex)
        sums = wide.groupby([index.month, _periods(index)]).sum()
        net = sums.mul(np.tile([0.2495, 0.1690, 0.1087], 12), axis=0)
        whole = sums.groupby(level=0).sum()
        days = index.to_series().dt.normalize().groupby(index.month).nunique()
        share = (1 / whole).mul(200 * days / 30, axis=0).clip(upper=1)
        by_month = net.groupby(level=0).sum()
        gross = by_month * (1 + 0.06 * share + 0.23 * (1 - share))
        return gross.add(days * 0.3659 * 1.23 + 0.07 * 1.23 + 2.85 * 1.06, axis=0).round(2)

    ours, theirs = paired(lambda: plan.bill_totals(energy, export), by_pandas, 3)
    return Line(
        f"{MANY:,} homes × a year, tri-hourly",
        shown_s(ours),
        f"pandas {shown_s(theirs)}",
        theirs / ours,
        "≤ 2 s",
        ours <= 2,
    )


def _plan(store: SqlStore) -> Plan:
    """The regulated tri-hourly tariff over the year, bill by bill."""
    with store.reading() as view:
        inforce = tariffs_of(store).in_force(view, "pt-btn-tri-horario")
    assert isinstance(inforce, TariffInForce)
    start_us, end_us = START_S * US_PER_S, (START_S + 365 * S_PER_DAY) * US_PER_S
    term = Term(inforce, "both", parameters_of(inforce.tariff, {}), start_us, end_us)
    periods = billing_periods(Household(0, "h", ZONE), Cycle(), start_us, end_us, cut=True)
    edges_us = np.arange(start_us, end_us + 1, QUARTER_US, dtype=np.int64)
    return Plan([term], periods, edges_us, no_series)
