"""Carbon intensities as the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from statistics_manager_service.core.readings import Int64

#: What a value is; an earlier word counts more where accounts are made.
MEASURED, ESTIMATED, FORECAST = "measured", "estimated", "forecast"
KINDS: Final = (MEASURED, ESTIMATED, FORECAST)


class Method(NamedTuple):
    """How an intensity is reckoned. Values of two methods are never mixed.

    basis: `average` (of the mix) or `marginal` (of the plant that moves). boundary: `lifecycle`, or `direct` (the
    stack). scope: `consumption` (with imports) or `production` (of the zone's own plants).
    """

    basis: str = "average"
    boundary: str = "lifecycle"
    scope: str = "consumption"


BASES: Final = ("average", "marginal")
BOUNDARIES: Final = ("lifecycle", "direct")
SCOPES: Final = ("consumption", "production")
#: How sources are named.
SOURCE_PATTERN: Final = r"[a-z][a-z0-9_]{0,31}"


class IntensitySeries(NamedTuple):
    """What one source tells of one zone by one method. `series_no` is the store's own key, 0 before it is stored."""

    series_no: int
    zone: str
    source: str
    basis: str
    boundary: str
    scope: str


class IntensityRow(NamedTuple):
    """The intensity of a time, in one issue. Instants are microseconds UTC, on quarter-hours.

    issued_us: when it was forecast, measured or told; no issue overwrites another. updated_us: when its source last
    touched it; of an issue that was told once more with another value, the issue that it names: issued_us is then when
    it was told so. quality: what the source says of it, if anything.
    """

    series_no: int
    start_us: int
    kind: str
    issued_us: int
    length_us: int
    intensity_mg_per_kwh: int
    updated_us: int
    quality: str | None = None


class IntensitySpan(NamedTuple):
    """From when to when a series has values, and how many, each issue counted."""

    first_us: int
    end_us: int
    number: int


class IntensityColumns(NamedTuple):
    """Intensities of a series as columns, (r,) int64 each, in no order: start, length and issue in microseconds,
    mg/kWh, and the place of the kind in KINDS."""

    start_us: Int64
    length_us: Int64
    issued_us: Int64
    intensity_mg_per_kwh: Int64
    kind: Int64


class IntensityRows(Protocol):
    """Reading of intensities."""

    def carbon_state(self) -> int:
        """How many times intensities have changed: as long as it is the same, so are they."""
        ...

    def intensity_series(self, zone: str | None = None) -> list[IntensitySeries]:
        """All series, of a zone or of all, oldest first."""
        ...

    def intensity_span(self, series_no: int) -> IntensitySpan | None:
        """How many values a series has, and from when to when; None where it has none."""
        ...

    def intensity_issues(self, series_no: int, start_us: int, end_us: int) -> list[IntensityRow]:
        """All issues of values that begin in start ≤ instant < end, ordered by issue."""
        ...

    def intensities(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> list[IntensityRow]:
        """Of values that begin in start ≤ instant < end, for each beginning and kind the newest issue (of those issued
        until an instant); ordered by issue, then beginning."""
        ...

    def intensity_columns(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> IntensityColumns:
        """The same values as columns, in no order."""
        ...


class IntensityWrites(IntensityRows, Protocol):
    """Changes of intensities, inside a write transaction. They count in `carbon_state`; what was told already and is
    the same does not."""

    def put_intensity_series(self, series: IntensitySeries) -> IntensitySeries:
        """The series as it is stored, made where it is not there."""
        ...

    def put_intensities(self, rows: Sequence[IntensityRow]) -> int:
        """Insert; what is there of the same beginning, kind and issue stays as it is. How many rows were new."""
        ...
