"""FlexiHome's questions: one measure of several users over one period; the newest value of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.forecasts.forecasting import MEASURE, forecast_between
from statistics_manager_service.services.homes import known_household, known_households
from statistics_manager_service.services.measuring import Column, Measurer, columns_of_each, needed
from statistics_manager_service.services.ports import Household, ReadView, Store
from statistics_manager_service.services.telemetry.kept_readings import Newest, newest_of
from statistics_manager_service.services.totals import Totals


@dataclass(frozen=True, slots=True)
class Period:
    """The buckets of a query; a bucket that the range cuts is labelled by its whole self's start."""

    calendar: Calendar

    @property
    def labels_us(self) -> Int64:
        """Starts of the whole buckets, (n,) int64."""
        labels = self.calendar.edges_us[:-1].copy()
        labels[0] = self.calendar.whole_start_us
        return labels


class FlexiHome:
    """Answers of a store in FlexiHome's terms."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def columns(self, users: Sequence[str], measure: str, period: Period) -> Iterator[tuple[str, Column | None]]:
        """Each user's measure over the period; None where the user has no data. Raises NotFound."""
        with self._store.reading() as view:
            households = known_households(view, users)
            channels = view.channels_of([one.household_no for one in households])
            homes = [channels[one.household_no] for one in households]
            totals = Totals(view, period.calendar.edges_us)
            totals.fetch([one for home in homes for one in needed(home, [measure], None)])
            columns = columns_of_each(totals, homes, measure, None)
        for household, home, column in zip(households, homes, columns, strict=True):
            has_data = any(one.first_us is not None for one in home)
            yield household.id, column if has_data else None

    def beside(
        self, users: Sequence[str], period: Period, as_of_us: int | None
    ) -> Iterator[tuple[str, Float64 | None, Float64 | None]]:
        """Each user's forecast and measured energy over the period, kWh; None where nothing is known of it.

        as_of_us: forecasts issued later don't count; None: the newest of each quarter-hour do. Raises NotFound.
        """
        edges_us = period.calendar.edges_us
        with self._store.reading() as view:
            for household in known_households(view, users):
                energy_milliwh, _ = forecast_between(view, household.household_no, edges_us, as_of_us)
                yield (
                    household.id,
                    _unless_unknown(energy_milliwh / MILLIWH_PER_KWH),
                    _taken(view, household, period),
                )

    def taken(self, user: str, period: Period) -> Float64 | None:
        """A user's measured energy over the period, kWh; None where nothing is known of it. Raises NotFound."""
        with self._store.reading() as view:
            return _taken(view, known_household(view, user), period)

    def newest(self, users: Sequence[str], quantity: str, kind: Kind) -> Iterator[tuple[str, Newest | None]]:
        """Each user's newest value of a quantity; None where there is none. Raises NotFound."""
        with self._store.reading() as view:
            households = known_households(view, users)
            channels = view.channels_of([one.household_no for one in households])
        for household in households:
            found = [
                one
                for one in newest_of(channels[household.household_no])
                if one.channel.quantity == quantity and one.channel.kind is kind
            ]
            yield household.id, max(found, key=lambda one: one.at_us, default=None)


def _taken(view: ReadView, household: Household, period: Period) -> Float64 | None:
    totals = Totals(view, period.calendar.edges_us)
    return _unless_unknown(Measurer(totals, view.channels(household.household_no)).column(MEASURE, None).value)


def _unless_unknown(value: Float64) -> Float64 | None:
    return None if np.isnan(value).all() else value
