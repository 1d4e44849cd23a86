"""Tariffs, contracts and series of prices as the store keeps them: each revision stays, none replaces another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol


class TariffRow(NamedTuple):
    """A tariff document as it was put. told_us: when; of several the newest counts, the earlier stay as revisions."""

    tariff_id: str
    told_us: int
    document: Mapping[str, Any]


class ContractsRow(NamedTuple):
    """All contracts of a household as they were put at told_us: a list of objects, see services/prices/contracts.py."""

    household_no: int
    told_us: int
    contracts: Sequence[Mapping[str, Any]]


class PriceSeries(NamedTuple):
    """A named series of prices or of factors. `series_no` is the store's own key, 0 before it is stored.

    unit: of the values as they are told: `EUR/MWh`, `EUR/kWh`, `GBp/kWh`, …, or `1` for factors. interval_s: 900, 1800
    or 3600. market_time_zone: of the market's day (CET for OMIE), for people.
    """

    series_no: int
    name: str
    unit: str
    interval_s: int
    market_time_zone: str | None = None
    title: str | None = None
    source: str | None = None


class PriceDay(NamedTuple):
    """The 96 quarter-hours of a series' UTC day as known at told_us, packed (core/price_days.py)."""

    series_no: int
    day: int
    told_us: int
    body: bytes


class ToldPrice(NamedTuple):
    """A value of a series as it is told: from start_us for length_us, both whole quarter-hours, in the series' unit."""

    start_us: int
    length_us: int
    value: Decimal


class PriceRows(Protocol):
    """Reading of tariffs, contracts and series. `until_us`: only what was told until then, inclusive; None: all."""

    def prices_state(self) -> int:
        """How many times tariffs and series have changed: as long as it is the same, so are they (contracts are part
        of a household's state)."""
        ...

    def tariff(self, tariff_id: str, until_us: int | None = None) -> TariffRow | None:
        """The newest revision of a tariff."""
        ...

    def tariffs(self, after: str | None, limit: int) -> list[TariffRow]:
        """The newest revision of each, ordered by id, those whose id is greater than `after`."""
        ...

    def contracts(self, household_no: int, until_us: int | None = None) -> ContractsRow | None:
        """The newest contracts of a household."""
        ...

    def contracts_of(self, household_nos: Sequence[int]) -> dict[int, ContractsRow]:
        """The newest contracts of many households; those without any are left out."""
        ...

    def contract_revisions(self, household_no: int) -> list[ContractsRow]:
        """All contracts that a household has had, each time as they were put, the newest last."""
        ...

    def price_series(self, name: str) -> PriceSeries | None:
        """A series by its name."""
        ...

    def price_series_list(self, after: str | None, limit: int) -> list[PriceSeries]:
        """Ordered by name, those whose name is greater than `after`."""
        ...

    def price_days(self, series_no: int, first_day: int, last_day: int, until_us: int | None = None) -> list[PriceDay]:
        """Of each UTC day first … last, both included, the newest revision; ordered by day."""
        ...

    def price_span(self, series_no: int) -> tuple[int, int] | None:
        """The first and the last UTC day that a series has."""
        ...


class PriceWrites(PriceRows, Protocol):
    """Changes of tariffs, contracts and series, inside a write transaction. Those of tariffs and series count in
    `prices_state`."""

    def begin_price_changes(self) -> None:
        """Let no other writer change tariffs and series until the commit. Whoever decides by what is stored of them
        begins with it."""
        ...

    def put_tariff(self, row: TariffRow) -> None:
        """Keep a revision."""
        ...

    def put_contracts(self, row: ContractsRow) -> None:
        """Keep a revision. It is a change of the household: whoever makes it begins with `begin_changes`."""
        ...

    def put_price_series(self, series: PriceSeries) -> PriceSeries:
        """Insert, or update what is told of it; the series as stored."""
        ...

    def put_price_days(self, rows: Sequence[PriceDay]) -> None:
        """Keep revisions of days."""
        ...
