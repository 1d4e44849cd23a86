"""Carbon intensities of any CSV with a header, such as NESO's history (from, to, forecast, actual, index)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from statistics_manager_service.core.carbon import milligrams
from statistics_manager_service.feeds.price_values import Faults
from statistics_manager_service.feeds.timed_csv import TimedValue, WantedColumns, read_timed_csv
from statistics_manager_service.services.carbon.carbon_rows import MEASURED
from statistics_manager_service.services.carbon.intensities import ToldIntensity


@dataclass(frozen=True, slots=True)
class IntensityOptions:
    """What the caller tells of a CSV of intensities.

    grams: what one of its unit is in g/kWh. where: column → value that rows must have. zone: of labels without an
    offset. issued_us: when all of it was issued; None: when it is kept. zero_is_unknown: leave values of 0 out.
    """

    time_column: str
    value_column: str
    grams: float = 1
    kind: str = MEASURED
    where: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    interval_s: int | None = None
    decimal: Literal["point", "comma"] | None = None
    issued_us: int | None = None
    zero_is_unknown: bool = False


def decode_intensities(body: bytes, options: IntensityOptions, now_us: int) -> tuple[list[ToldIntensity], list[str]]:
    """The intensities of a CSV, ordered by their beginning, and notes for people. A row without a value is left out.

    Raises BadInput with all faults: what is no number or no grid's intensity, two values of one time, what was measured
    in the future.
    """

    def fault_of(value: Decimal) -> str | None:
        try:
            milligrams(float(value) * options.grams)
        except (ValueError, OverflowError) as error:
            return str(error)
        return None

    wanted = WantedColumns(
        options.time_column, options.value_column, "an intensity", fault_of, None, options.where, options.zone,
        options.interval_s, options.decimal,
    )  # fmt: skip
    faults = Faults()
    values, notes = read_timed_csv(body, wanted, faults)
    zeros = sum(one.value == 0 for one in values)
    if zeros and options.zero_is_unknown:
        values = [one for one in values if one.value]
        notes.append(f"intensities of 0, left out: {zeros}")
    elif zeros:
        notes.append(f"intensities of 0: {zeros}; where that means unknown, --zero-is-unknown leaves them out")
    values = _in_order(values, faults)
    if options.kind == MEASURED:
        for one in values:
            if one.start_us > now_us:
                faults.add(f"line {one.line}", "it lies in the future, where nothing has been measured yet")
    faults.raise_any()
    return [
        ToldIntensity(
            one.start_us, one.length_us, milligrams(float(one.value) * options.grams), options.kind, options.issued_us
        )
        for one in values
    ], notes


def _in_order(values: Sequence[TimedValue], faults: Faults) -> list[TimedValue]:
    """Values ordered by their beginning, one that is told twice once; a fault where two are told of one time."""
    found: list[TimedValue] = []
    for one in sorted(values, key=lambda value: value.start_us):
        last = found[-1] if found else None
        if last is None or last.start_us + last.length_us <= one.start_us:
            found.append(one)
        elif last[1:] != one[1:]:
            why = f"two intensities are told of its time, {last.value} (line {last.line}) and {one.value}"
            faults.add(f"line {one.line}", why)
    return found
