"""Telemetry that is fetched from another store: in pages of time, recorded piece by piece, with a cursor for each
household.

Everything is safe to repeat, as readings that are known already change nothing: after a pull that was cut off, the same
one again makes up for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.readings import RefusedLine, TelemetrySeries, WireReadings
from statistics_manager_service.core.units import EARLIEST_READING_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.errors import BadInput, Fault, NotFound, Refused
from statistics_manager_service.services.events.events import Work, nothing
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Household, Store
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.telemetry import resolve_series

#: How far a pull goes back behind the cursor, for what had not arrived when it was last there.
OVERLAP_US: Final = US_PER_HOUR
#: The time that a page covers at first, and how short or long it may become.
_FIRST_PAGE_US: Final = US_PER_DAY
_SHORTEST_PAGE_US: Final = US_PER_HOUR
_LONGEST_PAGE_US: Final = 32 * US_PER_DAY
#: A page after one of fewer rows covers twice the time, after one of more rows half of it.
_FEW_ROWS: Final = 20_000
_MANY_ROWS: Final = 200_000
#: Refused rows that are told by name; of the others the number is.
MOST_NAMED: Final = 20
NO_SOURCE: Final = "INFLUX_URL is not set: there is no InfluxDB that telemetry could be fetched from"


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that tells no reading: which one it is, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a page. Each value of the series has a number of its own as its line."""

    rows: int
    series: Sequence[TelemetrySeries]
    refused: Sequence[RefusedRow]


class TelemetrySource(Protocol):
    """Where telemetry is fetched from. name: of the source and of the place in it, always the same for the same."""

    name: str

    def pieces(self, measurements: Sequence[str], start_us: int, end_us: int) -> Generator[Piece, None, None]:
        """What measurements have in start ≤ instant < end, as it comes, in pieces of a bounded number of rows.

        Raises Unavailable, Declined, behind any piece.
        """
        ...


@dataclass(slots=True)
class Pulled:
    """What became of the rows that were read; the first refused ones by name, and why."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    set_aside: int = 0
    refused: int = 0
    named: list[RefusedRow] = field(default_factory=list)

    def refuse(self, rows: Sequence[RefusedRow]) -> None:
        """Count refusals, and keep the first ones."""
        self.refused += len(rows)
        self.named += rows[: max(MOST_NAMED - len(self.named), 0)]

    def add(self, other: Pulled) -> None:
        """Count what became of other rows with these."""
        for name in ("rows", "accepted", "duplicates", "set_aside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refuse(other.named)
        self.refused += other.refused - len(other.named)


class Puller:
    """Fetches telemetry of households and records it. source: None where none is set up."""

    def __init__(
        self, store: Store, recorder: Recorder, source: TelemetrySource | None, now_us: Callable[[], int]
    ) -> None:
        self._store, self._recorder, self._source, self._now_us = store, recorder, source, now_us

    def pull_range(
        self,
        owner: Household,
        start_us: int,
        end_us: int,
        pulled: Pulled,
        on_page: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Fetch and record what is told of a household in start ≤ instant < end.

        pulled: counts, also where this ends in an error: what was recorded by then is kept. on_page: is told up to when
        everything is recorded. Raises Refused, NotFound where the household has no measurement, Unavailable, Declined.
        """
        source, measurements = self._checked(), measurements_of(owner)
        start_us = max(start_us, EARLIEST_READING_US)
        end_us = min(end_us, self._now_us() + US_PER_DAY)  # no reading is taken from further ahead
        page_us = _FIRST_PAGE_US
        while start_us < end_us:
            # a little rest, such as the end's own reading, is no page of its own
            until_us = end_us if end_us - start_us <= page_us * 5 // 4 else start_us + page_us
            before = pulled.rows
            with closing(source.pieces(measurements, start_us, until_us)) as pieces:
                for piece in pieces:
                    self._record(owner, piece, pulled)
            on_page(until_us)
            start_us = until_us
            page_us = _next_page_us(page_us, pulled.rows - before)

    def pull_on(self, owner: Household, since_us: int | None, until_us: int | None, pulled: Pulled) -> None:
        """Fetch and record what is told of a household, and move its cursor behind each page.

        since_us: from when; None: from some time before the cursor. until_us: None: until now. The cursor says up to
        when everything was fetched, so it stays where it is before a hole. Raises as `pull_range`, BadInput where it
        would end before it begins.
        """
        source, now_us = self._checked(), self._now_us()
        key = _cursor_key(source.name, measurements_of(owner))
        with self._store.reading() as view:
            cursor_us = view.pulled_until(owner.household_no, key)
        if since_us is None:
            if cursor_us is None:
                raise NotFound(f"household {owner.id} was never pulled as it is set up now; tell since when")
            since_us = cursor_us - OVERLAP_US
        end_us = now_us if until_us is None else until_us
        if end_us < since_us:
            raise BadInput.of(
                [Fault("until", f"{iso_label(end_us)} lies before the pull's beginning, {iso_label(since_us)}")]
            )
        joins = cursor_us is None or since_us <= cursor_us

        def move(done_us: int) -> None:
            if joins:  # what is told of times to come may not have been there yet
                self._move_cursor(owner, key, min(done_us, now_us))

        self.pull_range(owner, since_us, end_us, pulled, move)

    def _checked(self) -> TelemetrySource:
        if self._source is None:
            raise Refused(NO_SOURCE)
        return self._source

    def _record(self, owner: Household, piece: Piece, pulled: Pulled) -> None:
        pulled.rows += piece.rows
        pulled.refuse(piece.refused)
        with self._store.reading() as view:
            readings, nobodys, *_ = resolve_series(piece.series, view)
        mine = [one for one in readings if one.household == owner.id]
        pulled.refuse(_names(piece.series, [*nobodys, *_foreign(owner, readings)]))
        if mine:
            recorded = self._recorder.record(mine)
            pulled.accepted += recorded.accepted
            pulled.duplicates += recorded.duplicates
            pulled.set_aside += recorded.set_aside
            pulled.refuse(_names(piece.series, [RefusedLine(one.index, 1, one.reason) for one in recorded.refused]))

    def _move_cursor(self, owner: Household, key: str, until_us: int) -> None:
        with self._store.writing() as view:
            view.begin_changes([owner.household_no])  # so that it is not erased in between
            if known_household(view, owner.id).household_no == owner.household_no:
                view.move_cursor(owner.household_no, key, until_us)


def measurements_of(owner: Household) -> tuple[str, ...]:
    """The measurements that tell of a household: its dongle's key, its smart meter's id. Raises NotFound."""
    found = tuple(dict.fromkeys(one for one in (owner.api_key, owner.meter_id) if one))
    if not found:
        raise NotFound(f"household {owner.id} has neither an api_key nor a meter_id, so no telemetry is told of it")
    return found


def _cursor_key(source: str, measurements: Sequence[str]) -> str:
    """What a cursor is kept under. With another place or other measurements there is none yet: what these have of the
    time before was not fetched."""
    told = "\n".join((source, *sorted(measurements)))
    return f"influxdb {hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _next_page_us(page_us: int, rows: int) -> int:
    """The time that the next page covers, after one of so many rows."""
    if rows < _FEW_ROWS:
        return min(page_us * 2, _LONGEST_PAGE_US)
    return max(page_us // 2, _SHORTEST_PAGE_US) if rows > _MANY_ROWS else page_us


def _foreign(owner: Household, readings: Sequence[WireReadings]) -> list[RefusedLine]:
    """What the tags of a household's measurement say of another one: nobody writes into another home so."""
    reason = f"it names another household than {owner.id}, whose measurement it is in"
    return [
        RefusedLine(line, 1, reason)
        for one in readings
        if one.household != owner.id and one.index is not None
        for line in one.index.tolist()
    ]


def _names(series: Sequence[TelemetrySeries], refused: Sequence[RefusedLine]) -> list[RefusedRow]:
    """Refused values by field and instant. Only the first ones are looked up."""
    wanted = {one.line for one in refused[:MOST_NAMED]}
    names = {
        line: f"{one.field} at {iso_label(at_us)}"
        for one in series if wanted
        for line, at_us in zip(one.line.tolist(), one.at_us.tolist(), strict=True)
        if line in wanted
    }  # fmt: skip
    return [RefusedRow(names.get(one.line, ""), one.reason) for one in refused]


class RealDataHandler:
    """Handles GetUserRealDataEvent {user_id, start_date, end_date}: fetches and records, page by page.

    The cursor stays: such an event tells its own time.
    """

    def __init__(self, store: Store, puller: Puller, now_us: Callable[[], int]) -> None:
        self._store, self._puller, self._now_us = store, puller, now_us

    def __call__(self, payload: Mapping[str, Any]) -> Work:
        """Fetch and record. What was recorded stays where it ends in an error, and is known the next time.

        Raises BadInput, NotFound, Refused, Unavailable, Declined.
        """
        household, start_us, end_us = self._read(payload)
        with self._store.reading() as view:
            owner = known_household(view, household)
        # with the reading of the end itself: a register's is what the last quarter-hour is known by
        self._puller.pull_range(owner, start_us, end_us + 1, Pulled())
        return nothing

    def _read(self, payload: Mapping[str, Any]) -> tuple[str, int, int]:
        """The household, start and end. Raises BadInput with all faults."""
        faults = []
        moments = {"end_date": self._now_us()}
        for name in ("user_id", "start_date", "end_date"):
            value = payload.get(name)
            if value is None and name == "end_date":
                continue
            if not isinstance(value, str):
                faults.append(Fault(name, "a text is expected"))
            elif name != "user_id":
                try:
                    moments[name] = parse_moment(value, "UTC", name)
                except BadInput as error:
                    faults += error.faults
        if not faults and moments["end_date"] < moments["start_date"]:
            faults.append(Fault("end_date", "the end lies before the start"))
        if faults:
            raise BadInput.of(faults)
        return str(payload["user_id"]), moments["start_date"], moments["end_date"]
