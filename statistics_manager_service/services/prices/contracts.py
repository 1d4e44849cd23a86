"""Contracts of households: which tariff holds when, for what they take from the grid and for what they give to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Household, Store
from statistics_manager_service.services.prices.price_rows import ContractsRow, PriceRows
from statistics_manager_service.services.prices.tariff_documents import plain_document, plain_number
from statistics_manager_service.services.prices.tariffs import Tariffs, no_tariff
from statistics_manager_service.tariffs.document import Capacity, Tariff
from statistics_manager_service.tariffs.prices import NAME, ParameterValue
from statistics_manager_service.tariffs.reading import where_of
from statistics_manager_service.tariffs.resolving import NoPrice, changes_of, holds, prices_of, resolve
from statistics_manager_service.tariffs.terms import BOTH, EXPORT, IMPORT, parameters_of

MOST_CONTRACTS: Final = 200
#: Of FlexiHome's types of tariff, the shipped Portuguese tariff.
DEFAULTS: Final = {"simple": "pt-btn-simples", "bi-hourly": "pt-btn-bi-horario", "tri-hourly": "pt-btn-tri-horario"}
#: The powers that are contracted in Portuguese low voltage.
STANDARD_POWERS_KVA: Final = (
    *(Decimal(text) for text in ("1.15", "2.3", "3.45", "4.6", "5.75", "6.9", "10.35", "13.8", "17.25", "20.7")),
    *(Decimal(text) for text in ("27.6", "34.5", "41.4")),
)
#: Above it only the tri-hourly tariff is sold.
_MOST_OF_ALL_TYPES_KVA: Final = Decimal("20.7")
_USUAL_POWER_KVA: Final = Decimal("6.9")
_POWER: Final = "contracted_power_kva"
_LONGEST_TEXT: Final = 200
_SHOWN: Final = 80
_WORDS: Final = {IMPORT: "energy from the grid", EXPORT: "energy to the grid", BOTH: "energy from and to the grid"}
_TYPES: Final = {bool: "true or false", Decimal: "a number", str: "a text"}


@dataclass(frozen=True, slots=True)
class Contract:
    """A tariff that holds for a household. flow: `import`, `export` or `both`.

    from_us ≤ instant < to_us; to_us None: until further notice. parameters: those that the contract tells; the others
    have the tariff's defaults.
    """

    tariff_id: str
    flow: str
    from_us: int
    to_us: int | None
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True, slots=True)
class KnownContracts:
    """The contracts of a household, as they were put. told_us: None where none were.

    is_default: the household has none of its own, and they follow from its settings.
    """

    household: Household
    contracts: Sequence[Mapping[str, Any]]
    told_us: int | None
    is_default: bool


# --- what a body may tell ---------------------------------------------------------------------------------------------


def _check_moment(text: str) -> str:
    try:
        parse_moment(text, "UTC", "at")
    except BadInput as error:
        raise ValueError(error.faults[0].why) from error
    return text


def _parameter(told: Any) -> ParameterValue:
    if isinstance(told, bool):
        return told
    if isinstance(told, int | float | Decimal) and not isinstance(plain_number(number := Decimal(str(told))), str):
        return number
    if isinstance(told, str) and len(told) <= _LONGEST_TEXT:
        return told
    raise ValueError(
        f"it must be true, false, a number (of at most 15 digits), or a text of {_LONGEST_TEXT} letters at most"
    )


Moment = Annotated[str, AfterValidator(_check_moment)]
Parameter = Annotated[bool | Decimal | str, BeforeValidator(_parameter)]


class ToldContract(BaseModel):
    """A contract: one tariff for some time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tariff: str = Field(pattern=NAME, description="Id of a tariff, stored or shipped.", examples=["pt-btn-simples"])
    flow: Literal["both", "import", "export"] = Field(
        "both", description="What it is for: energy from the grid, energy to it, or both."
    )
    begin: Moment = Field(
        alias="from", description="Date of the household's zone, or date-time; included.", examples=["2025-01-01"]
    )
    end: Moment | None = Field(
        None, alias="to", description="The same, not included; null: until further notice.", examples=["2026-01-01"]
    )
    parameters: dict[str, Parameter] = Field(
        {}, max_length=50, description="Facts about the contract, by the tariff's names for them; else its defaults.",
        examples=[{"contracted_power_kva": 6.9}],
    )  # fmt: skip


class ToldContracts(BaseModel):
    """All contracts of a household, in place of those before. At any instant one at most holds for each flow."""

    model_config = ConfigDict(extra="forbid", strict=True)

    contracts: list[ToldContract] = Field(max_length=MOST_CONTRACTS)


def _validated(body: Any) -> ToldContracts:
    if not isinstance(body, dict):
        raise BadInput.of([Fault("body", "the body must be a JSON object with `contracts`")])
    try:
        return ToldContracts.model_validate(body)
    except ValidationError as error:
        faults = [
            Fault(where_of(one["loc"]), one["msg"].removeprefix("Value error, "))
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise BadInput.of(faults) from error


# --- what holds -------------------------------------------------------------------------------------------------------


def contracts_of(view: PriceRows, household: Household, until_us: int | None = None) -> list[Contract]:
    """The contracts of a household, ordered by when they begin; as they were known at an instant. Where it has none of
    its own, the one that follows from its settings, if any."""
    return _contracts(household, view.contracts(household.household_no, until_us))


def contracts_of_each(view: PriceRows, households: Sequence[Household]) -> list[list[Contract]]:
    """The same of many households."""
    rows = view.contracts_of([one.household_no for one in households])
    return [_contracts(one, rows.get(one.household_no)) for one in households]


def _contracts(household: Household, row: ContractsRow | None) -> list[Contract]:
    if row is None or not row.contracts:
        return _default(household)
    found = [_contract(ToldContract.model_validate(one), household.timezone) for one in row.contracts]
    return sorted(found, key=lambda one: (one.from_us, one.flow))


def _contract(told: ToldContract, zone: str) -> Contract:
    from_us = parse_moment(told.begin, zone, "from")
    to_us = None if told.end is None else parse_moment(told.end, zone, "to")
    return Contract(told.tariff, told.flow, from_us, to_us, told.parameters)


def _default(household: Household) -> list[Contract]:
    """FlexiHome's settings as a contract, for all time."""
    tariff_id = DEFAULTS.get(household.more.get("tarif_type", ""))
    if tariff_id is None:
        return []
    power_kva = standard_power_kva(household.contracted_power_kva)
    if power_kva > _MOST_OF_ALL_TYPES_KVA:
        tariff_id = DEFAULTS["tri-hourly"]
    return [Contract(tariff_id, IMPORT, 0, None, {_POWER: power_kva})]


def standard_power_kva(told_kva: float | None) -> Decimal:
    """The smallest standard power that is no less than the one told, the usual one where none is told."""
    wanted = _USUAL_POWER_KVA if told_kva is None else Decimal(repr(told_kva))
    return next((power for power in STANDARD_POWERS_KVA if power >= wanted), STANDARD_POWERS_KVA[-1])


class Contracts:
    """The register of contracts."""

    def __init__(self, store: Store, tariffs: Tariffs, now_us: Callable[[], int]) -> None:
        self._store, self._tariffs, self._now_us = store, tariffs, now_us

    def get(self, household_id: str, as_of: str | None = None) -> KnownContracts:
        """The contracts of a household, or those known at a date or date-time. Raises NotFound, BadInput."""
        with self._store.reading() as view:
            household = known_household(view, household_id)
            until_us = None if as_of is None else parse_moment(as_of, household.timezone, "as_of")
            return _known(household, view.contracts(household.household_no, until_us))

    def put(self, household_id: str, body: Any) -> tuple[KnownContracts, bool]:
        """Replace the contracts of a household; they, and whether it had none before. The same again makes no revision.

        Raises NotFound, BadInput with all faults: unknown tariffs and parameters, contracts that overlap.
        """
        told = _validated(body)
        with self._store.writing() as view:
            household = known_household(view, household_id)
            view.begin_changes([household.household_no])
            household = known_household(view, household_id)  # as it is now that nobody else changes it
            faults = list(self._faults(view, household, told.contracts))
            if faults:
                raise BadInput.of(faults)
            known = view.contracts(household.household_no)
            kept = [_plain(one) for one in told.contracts]
            if known is not None and list(known.contracts) == kept:
                return _known(household, known), False
            now_us = self._now_us()
            row = ContractsRow(
                household.household_no, now_us if known is None else max(now_us, known.told_us + 1), kept
            )
            view.put_contracts(row)
            return _known(household, row), known is None

    def _faults(self, view: PriceRows, household: Household, told: Sequence[ToldContract]) -> list[Fault]:
        faults: list[Fault] = []
        timed: list[tuple[int, Contract]] = []
        for i, one in enumerate(told):
            contract = _contract(one, household.timezone)
            faults += _faults_of_time(contract, f"contracts[{i}]")
            inforce = self._tariffs.in_force(view, one.tariff)
            if inforce is None:
                faults.append(Fault(f"contracts[{i}].tariff", no_tariff(one.tariff)))
            else:
                faults += faults_of_parameters(inforce.tariff, contract, f"contracts[{i}].parameters")
            if contract.to_us is None or contract.from_us < contract.to_us:
                timed.append((i, contract))
        return faults + _faults_of_overlaps(timed)


def _known(household: Household, row: ContractsRow | None) -> KnownContracts:
    if row is not None and row.contracts:
        return KnownContracts(household, row.contracts, row.told_us, is_default=False)
    default = [
        {
            "tariff": one.tariff_id,
            "flow": one.flow,
            "from": None,
            "to": None,
            "parameters": plain_document(one.parameters),
        }
        for one in _default(household)
    ]
    return KnownContracts(household, default, None if row is None else row.told_us, is_default=bool(default))


def _plain(told: ToldContract) -> dict[str, Any]:
    """A contract as it is kept: its parameters as JSON holds them, its moments as they were told."""
    document: dict[str, Any] = plain_document(told.model_dump(by_alias=True))
    return document


# --- what is wrong with contracts -------------------------------------------------------------------------------------


def _faults_of_time(contract: Contract, where: str) -> list[Fault]:
    faults = [
        Fault(f"{where}.{name}", "a contract begins and ends at a whole quarter of an hour")
        for name, at_us in (("from", contract.from_us), ("to", contract.to_us or 0))
        if at_us % QUARTER_US
    ]
    if contract.to_us is not None and contract.to_us <= contract.from_us:
        faults.append(Fault(f"{where}.to", "it must be after `from`"))
    return faults


def _faults_of_overlaps(timed: Sequence[tuple[int, Contract]]) -> list[Fault]:
    """Contracts of which two hold at an instant for the same flow."""
    faults = []
    for (i, one), (j, other) in itertools.combinations(timed, 2):
        shares_flow = one.flow == other.flow or BOTH in (one.flow, other.flow)
        begin_us = max(one.from_us, other.from_us)
        if shares_flow and all(each.to_us is None or begin_us < each.to_us for each in (one, other)):
            flow = one.flow if other.flow == BOTH else other.flow
            why = f"it holds for {_WORDS[flow]} at {iso_label(begin_us)}, and so does contracts[{i}]"
            faults.append(Fault(f"contracts[{j}]", why))
    return faults


def faults_of_parameters(tariff: Tariff, contract: Contract, where: str) -> list[Fault]:
    """What is wrong with the parameters that a contract tells: names, types, and values without a price."""
    faults = []
    for name, value in contract.parameters.items():
        if name not in tariff.parameters:
            there = ", ".join(tariff.parameters) or "none"
            faults.append(Fault(f"{where}.{name}", f"tariff {tariff.id} has no such parameter; there are {there}"))
        elif type(value) is not type(tariff.parameters[name]):
            wanted = _TYPES[type(tariff.parameters[name])]
            faults.append(Fault(f"{where}.{name}", f"it must be {wanted}, such as {tariff.parameters[name]}"))
        elif isinstance(value, Decimal) and value < 0 and name in _powers(tariff):
            faults.append(Fault(f"{where}.{name}", f"{value} is no contracted power: it can't be negative"))
    if faults:
        return faults
    parameters = parameters_of(tariff, contract.parameters)
    unused = {
        f"components[{i}]"
        for i, one in enumerate(tariff.components)
        if one.when is not None and not holds(one.when, parameters)
    }
    prices = [price for place, price in prices_of(tariff) if place.partition(".")[0] not in unused]
    whys: dict[str, None] = {}
    for day in _days_of_prices(tariff, contract):
        for price in prices:
            try:
                resolve(price, parameters, day)
            except NoPrice as error:
                whys[str(error)] = None
    return [Fault(where, f"tariff {tariff.id}: {why}") for why in whys]


def _powers(tariff: Tariff) -> set[str]:
    """The parameters that tell a contracted power."""
    return {one.of for one in tariff.components if isinstance(one, Capacity)}


def _days_of_prices(tariff: Tariff, contract: Contract) -> list[date]:
    """Of each stretch of a tariff's validity that a contract touches and in which prices stay, the first day."""
    zone = tariff.time_zone
    begins = sorted({tariff.valid.begin, *(day for day in changes_of(tariff) if day > tariff.valid.begin)})
    ends = [*begins[1:], tariff.valid.end]
    return [
        begin
        for begin, end in zip(begins, ends, strict=True)
        if (end is None or midnight_us(zone, end) > contract.from_us)
        and (contract.to_us is None or midnight_us(zone, begin) < contract.to_us)
        and (tariff.valid.end is None or begin < tariff.valid.end)
    ]
