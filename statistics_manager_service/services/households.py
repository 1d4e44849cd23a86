"""Households, their meters and meter events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from statistics_manager_service.core.civil import check_zone, parse_moment
from statistics_manager_service.core.names import check_name, has_control
from statistics_manager_service.core.quantities import BOUNDS_MILLI, QUANTITIES, UNITS, Dimension, Kind
from statistics_manager_service.core.units import EARLIEST_READING_US, MILLI, S_PER_DAY, US_PER_DAY
from statistics_manager_service.errors import BadInput, Conflict, Fault, Forbidden, NotFound, UnknownHousehold
from statistics_manager_service.services.carbon.carbon_rows import SOURCE_PATTERN
from statistics_manager_service.services.ports import (
    DEFAULT_GAP_LIMIT_S,
    Channel,
    Household,
    MeterEvent,
    ReadView,
    Store,
    WriteView,
)

_COLUMNS = set(Household._fields) - {"household_no", "id", "more"}


class Refolder(Protocol):
    """What corrects and folds a channel anew."""

    def refold(self, view: WriteView, household: Household, channel: Channel) -> Channel:
        """Correct and fold the whole channel; the channel as it is then."""
        ...


def _without_control(text: str) -> str:
    """Text that every store can hold. Raises ValueError."""
    if has_control(text):
        raise ValueError("control characters, such as NUL or a line break, can't be in it")
    return text


def _existing_zone(name: str) -> str:
    try:
        check_zone(name)
    except BadInput as error:
        raise ValueError(error.faults[0].why) from error
    return name


def _civil_date(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text[:40]!r} is no date such as 2024-01-31")


BillingDate = Annotated[str, AfterValidator(_civil_date)]
PlainText = Annotated[str, AfterValidator(_without_control)]
Zone = Annotated[str, AfterValidator(_existing_zone)]


class HouseholdSettings(BaseModel):
    """The settings of a household."""

    model_config = ConfigDict(extra="forbid", strict=True)

    timezone: Zone = Field("UTC", description="IANA zone of its civil days.", examples=["Europe/Lisbon"])
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$", description="ISO 3166 code.", examples=["PT"])
    zone: PlainText | None = Field(None, max_length=64, description="Price and carbon zone.", examples=["PT"])
    api_key: PlainText | None = Field(
        None, min_length=1, max_length=128, description="Key of its dongle; one household's."
    )
    meter_id: PlainText | None = Field(
        None, min_length=1, max_length=128, description="Id of its smart meter; one household's."
    )
    register_unit: Literal["Wh", "kWh", "MWh"] = Field("Wh", description="Unit of registers that tell none.")
    billing_day: int = Field(1, ge=1, le=31, description="Day of the month on which a bill begins.")
    billing_dates: list[BillingDate] | None = Field(
        None,
        max_length=600,
        description="Dates on which bills begin, where they follow no day of the month; they win over billing_day.",
        examples=[["2024-01-04", "2024-02-06", "2024-03-05"]],
    )
    contracted_power_kva: float | None = Field(None, gt=0, le=100_000, description="Contracted power, kVA.")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="ISO 4217 code.", examples=["EUR"])
    postal_code: PlainText | None = Field(None, max_length=16, description="Postal code.")
    tarif_type: Literal["simple", "bi-hourly", "tri-hourly"] | None = Field(
        None, description="FlexiHome's tariff type."
    )
    name: PlainText | None = Field(None, max_length=128, description="A name for people.")
    battery_capacity_kwh: float | None = Field(
        None, gt=0, le=100_000, description="What its battery can store and give, kWh."
    )
    battery_efficiency: float | None = Field(
        None, gt=0, le=1, description="Of what its battery takes, the share that it gives; worked out unless told."
    )
    nominal_voltage_v: float | None = Field(
        None, ge=50, le=1_000, description="Nominal voltage that its voltage is judged by, V; 230 unless told."
    )
    temperature_meter: PlainText | None = Field(
        None, max_length=64, description="The meter whose `temperature` is the one outside."
    )
    carbon_source: str | None = Field(
        None, pattern=f"^{SOURCE_PATTERN}$", description="Source of the intensities that its emissions are of."
    )
    carbon_boundary: Literal["lifecycle", "direct"] | None = Field(
        None, description="Whether its emissions are over the life cycle, or of the stack alone."
    )


def _known_quantity(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"{name[:60]!r} is no quantity; there are {', '.join(QUANTITIES)}")
    return name


def _read_from_register(name: str) -> str:
    if Kind.REGISTER not in QUANTITIES[_known_quantity(name)].kinds:
        raise ValueError(f"{name[:60]!r} is not read from a register")
    return name


def _moment(text: str) -> str:
    try:
        parse_moment(text, "UTC", "at")
    except BadInput as error:
        raise ValueError(error.faults[0].why) from error
    return text


class MeterChannel(BaseModel):
    """What a meter measures: one quantity in one kind. Kind and unit are the quantity's usual ones where not told."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_default=True)

    quantity: Annotated[str, AfterValidator(_known_quantity)] = Field(
        description="Such as energy_import.", examples=["energy_import"]
    )
    kind: Literal["register", "interval", "sample"] | None = Field(
        None, description="The quantity's usual one if absent."
    )
    unit: str | None = Field(None, description="The unit of modulus, resolution and events.", examples=["kWh"])
    modulus: float | None = Field(None, gt=0, description="Reading at which the register begins again from 0.")
    max_power_w: float | None = Field(
        None, gt=0, le=BOUNDS_MILLI[Dimension.POWER] / MILLI, description="The most that the connection carries, W."
    )
    resolution: float | None = Field(None, gt=0, description="One step of the last digit.")
    gap_limit_s: int = Field(
        DEFAULT_GAP_LIMIT_S, gt=0, le=366 * S_PER_DAY, description="Readings at most this far apart count as measured."
    )

    @field_validator("kind")
    @classmethod
    def _kind_of_quantity(cls, kind: str | None, told: ValidationInfo) -> str | None:
        quantity = QUANTITIES.get(told.data.get("quantity", ""))
        if quantity is None:  # which is a fault of its own
            return kind
        if kind is not None and kind not in quantity.kinds:
            raise ValueError(f"{quantity.name} is told by kind {' or '.join(quantity.kinds)}")
        return kind or quantity.kinds[0].value

    @field_validator("unit")
    @classmethod
    def _unit_of_quantity(cls, unit: str | None, told: ValidationInfo) -> str | None:
        quantity = QUANTITIES.get(told.data.get("quantity", ""))
        if quantity is None:
            if unit is not None and not any(unit in units for units in UNITS.values()):
                raise ValueError(f"{unit[:20]!r} is no unit")
            return unit
        if unit is not None and unit not in UNITS[quantity.dimension]:
            allowed = ", ".join(UNITS[quantity.dimension])
            raise ValueError(f"{unit[:20]!r} is no unit of {quantity.name}; allowed are {allowed}")
        return unit or quantity.unit

    @field_validator("modulus", "resolution")
    @classmethod
    def _of_a_register(cls, value: float | None, told: ValidationInfo) -> float | None:
        quantity, kind, unit = (told.data.get(name) for name in ("quantity", "kind", "unit"))
        if value is None or quantity is None or kind is None or unit is None:
            return value
        dimension = QUANTITIES[quantity].dimension
        if kind != Kind.REGISTER or value * UNITS[dimension][unit] > BOUNDS_MILLI[dimension]:
            raise ValueError("only a register has it, and no more than a register can show")
        return value


class SwapEvent(BaseModel):
    """A meter was swapped: the books go on across it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["swap"] = Field(description="A meter swap.")
    quantity: Annotated[str, AfterValidator(_read_from_register)] = Field(
        description="The register that began anew.", examples=["energy_import"]
    )
    at: Annotated[str, AfterValidator(_moment)] = Field(description="When.", examples=["2024-05-10T11:20:00Z"])
    old_end: float = Field(description="Last reading of the old meter, in the channel's unit.", examples=[1000.15])
    new_start: float = Field(description="First reading of the new meter.", examples=[5.0])


@dataclass(frozen=True, slots=True)
class PutResult:
    """A household after PUT, and whether it was made."""

    household: Household
    made: bool


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], body: Any) -> Model:
    """A request's body as its model. Raises BadInput with all faults."""
    if not isinstance(body, dict):
        raise BadInput.of([Fault("body", "the body must be a JSON object")])
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise BadInput.of(faults_of(error)) from error


def faults_of(error: ValidationError) -> list[Fault]:
    """Pydantic's errors as faults."""
    return [
        Fault(".".join(map(str, one["loc"])) or "body", one["msg"].removeprefix("Value error, "))
        for one in error.errors(include_url=False)
    ]


class Households:
    """The register of households."""

    def __init__(self, store: Store, refolder: Refolder, now_us: Callable[[], int]) -> None:
        self._store, self._refolder, self._now_us = store, refolder, now_us

    # --- households ---------------------------------------------------------------------------------------------------

    def get(self, household: str) -> Household:
        """A household. Raises NotFound."""
        with self._store.reading() as view:
            return _found(view, household)

    def page(self, after: str | None, limit: int) -> list[Household]:
        """Households in the order of their ids, after one of them."""
        with self._store.reading() as view:
            return view.households(after, limit)

    def put(self, household: str, body: Any) -> PutResult:
        """Make a household, or replace its settings. Raises BadInput, Conflict."""
        faults = check_name(household, "id")
        if faults:
            raise BadInput.of(faults)
        settings = validated(HouseholdSettings, body)
        with self._store.writing() as view:
            known = view.household(household)
            made = from_settings(household, 0 if known is None else known.household_no, settings)
            return PutResult(view.put_household(made), known is None)

    def patch(self, household: str, body: Any, *, by_service: bool) -> Household:
        """Change some settings. Only the service may change whose telemetry is the household's.

        Raises BadInput, Conflict, Forbidden, NotFound.
        """
        if not isinstance(body, dict):
            raise BadInput.of([Fault("body", "the body must be a JSON object")])
        taken = {"api_key", "meter_id"} & body.keys()
        if taken and not by_service:
            raise Forbidden(f"{' and '.join(sorted(taken))} can be changed by the service alone")
        with self._store.writing() as view:
            view.begin_changes([_found(view, household).household_no])
            known = _found(view, household)  # as it is now that nobody else changes it
            settings = validated(HouseholdSettings, {**settings_of(known), **body})
            return view.put_household(from_settings(household, known.household_no, settings))

    def delete(self, household: str) -> None:
        """Erase a household and everything of it. Raises NotFound, which is no reason to ask for it elsewhere."""
        with self._store.writing() as view:
            known = view.household(household)
            if known is None:
                raise NotFound(f"there is no household {household[:80]!r}")
            view.begin_changes([known.household_no])
            view.delete_household(known.household_no)

    # --- meters -------------------------------------------------------------------------------------------------------

    def channels(self, household: str, meter: str | None = None) -> list[Channel]:
        """The channels of a household, or of one of its meters. Raises NotFound, also where there is no such meter."""
        with self._store.reading() as view:
            found = view.channels(_found(view, household).household_no)
        if meter is None:
            return found
        mine = [channel for channel in found if channel.meter == meter]
        if not mine:
            raise NotFound(f"household {household} has no meter {meter[:80]!r}")
        return mine

    def declare(self, household: str, meter: str, body: Any) -> tuple[Channel, bool]:
        """Say what a meter measures; the channel, and whether it was made. What is stored is corrected anew.

        Raises BadInput, NotFound.
        """
        faults = check_name(meter, "meter")
        try:
            told = validated(MeterChannel, body)
        except BadInput as error:
            raise BadInput.of([*faults, *error.faults]) from error
        if faults:
            raise BadInput.of(faults)
        kind, unit = Kind(told.kind or ""), told.unit or ""
        factor = UNITS[QUANTITIES[told.quantity].dimension][unit]
        with self._store.writing() as view:
            owner = _found(view, household)
            view.begin_changes([owner.household_no])
            known = _channel_of(view, owner, meter, told.quantity, kind)
            channel = (known or Channel(owner.household_no, -1, meter, told.quantity, kind, unit))._replace(
                unit=unit,
                declared=True,
                modulus_milli=_milli(told.modulus, factor),
                max_power_w=told.max_power_w,
                resolution_milli=_milli(told.resolution, factor),
                gap_limit_s=told.gap_limit_s,
            )
            if known is None:
                return view.add_channel(channel), True
            return self._refolder.refold(view, owner, channel), False

    # --- events -------------------------------------------------------------------------------------------------------

    def events(self, household: str, meter: str) -> list[tuple[MeterEvent, str]]:
        """The events of a meter, each with the unit of its channel. Raises NotFound."""
        with self._store.reading() as view:
            owner = _found(view, household)
            channels = view.channels(owner.household_no)
            found = [event for event in view.meter_events(owner.household_no) if event.meter == meter]
        units = {channel.quantity: channel.unit for channel in channels if channel.meter == meter}
        return [(event, units.get(event.quantity, "kWh")) for event in found]

    def add_event(self, household: str, meter: str, body: Any) -> tuple[MeterEvent, str]:
        """Tell of a swap; what is stored is corrected anew. The event and its unit; told again, it is the same event.

        Raises BadInput, NotFound, Conflict where another swap of the register is at the same instant.
        """
        faults = check_name(meter, "meter")
        try:
            told = validated(SwapEvent, body)
        except BadInput as error:
            raise BadInput.of([*faults, *error.faults]) from error
        at_us = parse_moment(told.at, "UTC", "at")
        if not EARLIEST_READING_US <= at_us <= self._now_us() + US_PER_DAY:
            faults.append(Fault("at", "a swap lies between 2000-01-01 and a day from now, as readings do"))
        if faults:
            raise BadInput.of(faults)
        with self._store.writing() as view:
            owner = _found(view, household)
            view.begin_changes([owner.household_no])
            channel = _channel_of(view, owner, meter, told.quantity, Kind.REGISTER)
            if channel is None:
                channel = view.add_channel(
                    Channel(owner.household_no, -1, meter, told.quantity, Kind.REGISTER, owner.register_unit)
                )
            factor = UNITS[QUANTITIES[told.quantity].dimension][channel.unit]
            wanted = MeterEvent(owner.household_no, 0, meter, told.quantity, at_us, *_register_values(told, factor))
            known = _event_like(view, wanted)
            if known is not None:
                return known, channel.unit
            event = view.add_meter_event(wanted)
            self._refolder.refold(view, owner, channel)
            return event, channel.unit

    def delete_event(self, household: str, meter: str, event_no: int) -> None:
        """Undo an event; what is stored is corrected anew. Raises NotFound."""
        with self._store.writing() as view:
            owner = _found(view, household)
            view.begin_changes([owner.household_no])
            events = [e for e in view.meter_events(owner.household_no) if (e.event_no, e.meter) == (event_no, meter)]
            if not events:
                raise NotFound(f"meter {meter[:80]!r} of household {household} has no event {event_no}")
            view.delete_meter_event(owner.household_no, event_no)
            channel = _channel_of(view, owner, meter, events[0].quantity, Kind.REGISTER)
            if channel is not None:
                self._refolder.refold(view, owner, channel)


def _found(view: ReadView, household: str) -> Household:
    found = view.household(household)
    if found is None:
        raise UnknownHousehold([household])
    return found


def _channel_of(view: ReadView, owner: Household, meter: str, quantity: str, kind: Kind) -> Channel | None:
    key = (meter, quantity, kind)
    return next((c for c in view.channels(owner.household_no) if (c.meter, c.quantity, c.kind) == key), None)


def _event_like(view: ReadView, wanted: MeterEvent) -> MeterEvent | None:
    """The event that tells the same. Raises Conflict where one tells another swap at the same instant."""
    key = (wanted.meter, wanted.quantity, wanted.at_us)
    same = [e for e in view.meter_events(wanted.household_no) if (e.meter, e.quantity, e.at_us) == key]
    if same and same[0]._replace(event_no=0) != wanted:
        raise Conflict(f"event {same[0].event_no} tells another swap at this instant; undo that first")
    return same[0] if same else None


def from_settings(household: str, household_no: int, settings: HouseholdSettings) -> Household:
    """The household of an id and a number (0: not stored yet) with settings."""
    values = settings.model_dump(exclude_none=True)
    more = {name: value for name, value in values.items() if name not in _COLUMNS}
    return Household(household_no, household, **{k: v for k, v in values.items() if k in _COLUMNS}, more=more)


def settings_of(household: Household) -> dict[str, Any]:
    """The settings of a household, those that are set."""
    values = {name: getattr(household, name) for name in sorted(_COLUMNS)}
    return {k: v for k, v in values.items() if v is not None} | dict(household.more)


def _register_values(told: SwapEvent, factor: int) -> tuple[int, int]:
    """The registers of a swap in milli-units. Raises BadInput."""
    bound = BOUNDS_MILLI[QUANTITIES[told.quantity].dimension]
    values = {"old_end": told.old_end * factor, "new_start": told.new_start * factor}
    outside = [name for name, value in values.items() if not abs(value) <= bound]
    if outside:
        raise BadInput.of([Fault(name, "more than any register can show") for name in outside])
    return round(values["old_end"]), round(values["new_start"])


def _milli(value: float | None, factor: int) -> int | None:
    return None if value is None else max(1, round(value * factor))
