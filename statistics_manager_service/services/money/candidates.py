"""Which tariffs are compared for a household: those that are named, or all of its country and currency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.names import has_control
from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.errors import Conflict, Fault
from statistics_manager_service.services.ports import Household, ReadView
from statistics_manager_service.services.prices.contracts import (
    Contract,
    Parameter,
    faults_of_parameters,
    standard_power_kva,
)
from statistics_manager_service.services.prices.tariffs import KnownTariff, Tariffs, no_tariff
from statistics_manager_service.tariffs.document import Energy, Tariff
from statistics_manager_service.tariffs.prices import NAME, ParameterValue
from statistics_manager_service.tariffs.reading import where_of
from statistics_manager_service.tariffs.terms import BOTH, EXPORT, IMPORT, parameters_of

MOST_CANDIDATES: Final = 50
_SHOWN: Final = 80
_PAGE: Final = 200
_POWER: Final = "contracted_power_kva"
#: In names of parameters that are prices or terms of one tariff, and no facts about a home.
_OF_A_TARIFF: Final = ("_per_", "_share")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A tariff as a household would have it. parameters: all that the tariff has."""

    tariff: Tariff
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tariff, or two, that a household could have. kept: its own contracts for what it gives to the grid, which it
    would keep."""

    id: str
    label: str
    imported: Chosen
    exported: Chosen | None = None
    kept: tuple[Contract, ...] = ()

    @property
    def currency(self) -> str:
        """The currency of the bill."""
        return self.imported.tariff.currency

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """As contracts that the household has had all along: so that what hangs on months or a year before is what it
        would be."""
        apart = self.exported is not None or bool(self.kept)
        found = [_held(self.imported, IMPORT if apart else BOTH), *self.kept]
        return (*found, _held(self.exported, EXPORT)) if self.exported is not None else tuple(found)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tariff that is not compared, and why."""

    tariff_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a household that tariffs ask for, and the time for which they are asked."""

    household: Household
    present: Sequence[Contract]
    gives: bool
    start_us: int
    end_us: int

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """Parameters that the household's contracts tell, those for what it takes before those for what it gives."""
        found: dict[str, ParameterValue] = {}
        now = [one for one in self.present if one.to_us is None or one.to_us >= self.end_us] or list(self.present[-1:])
        for one in sorted(now, key=lambda contract: contract.flow == EXPORT):
            found = {**one.parameters, **found}
        return found

    def chosen(self, tariff: Tariff, told: Mapping[str, ParameterValue]) -> Chosen:
        """A tariff with what is told of it; what is not, is as the household has it where that is a fact about the
        home, else as the tariff has it."""
        known = self.parameters
        power = self.household.contracted_power_kva
        if power is not None and _POWER not in known:
            known[_POWER] = standard_power_kva(power) if tariff.country == "PT" else Decimal(repr(power))
        facts = {
            name: value
            for name, value in known.items()
            if type(value) is type(tariff.parameters.get(name)) and not any(part in name for part in _OF_A_TARIFF)
        }
        return Chosen(tariff, parameters_of(tariff, {**facts, **told}))

    def faults(self, chosen: Chosen, told: Mapping[str, ParameterValue], where: str) -> list[Fault]:
        """What is wrong with the parameters of a tariff in the time."""
        of_names = faults_of_parameters(chosen.tariff, self._contract(chosen, told), where)
        return of_names or faults_of_parameters(chosen.tariff, self._contract(chosen, chosen.parameters), where)

    def _contract(self, chosen: Chosen, parameters: Mapping[str, ParameterValue]) -> Contract:
        return Contract(chosen.tariff.id, BOTH, self.start_us, self.end_us, parameters)


def _held(chosen: Chosen, flow: str) -> Contract:
    return Contract(chosen.tariff.id, flow, 0, None, chosen.parameters)


def prices_taking(tariff: Tariff) -> bool:
    """Whether a tariff is for what a home takes from the grid: it prices energy that is taken, or none at all."""
    flows = {one.flow for one in tariff.components if isinstance(one, Energy)}
    return IMPORT in flows or not flows


def prices_giving(tariff: Tariff) -> bool:
    """Whether a tariff prices what a home gives to the grid."""
    return any(isinstance(one, Energy) and one.flow == EXPORT for one in tariff.components)


# --- those that are named ---------------------------------------------------------------------------------------------


def _plain_text(text: str) -> str:
    if has_control(text):
        raise ValueError("control characters, such as NUL or a line break, can't be in it")
    return text


Label = Annotated[str, Field(min_length=1, max_length=_SHOWN), AfterValidator(_plain_text)]


class ToldTariff(BaseModel):
    """A tariff, with the parameters of the contract."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tariff: str = Field(pattern=NAME, description="Id of a tariff, stored or shipped.", examples=["pt-btn-simples"])
    parameters: dict[str, Parameter] = Field(
        {}, max_length=50, description="Those not told are the household's, where it tells them, or the tariff's."
    )


class ToldForBoth(ToldTariff):
    """One tariff for what is taken and given."""

    id: Label | None = Field(None, description="Its name in the answer.")


class ToldForEach(BaseModel):
    """A tariff for what is taken, and another for what is given."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Label | None = Field(None, description="Its name in the answer.")
    imported: ToldTariff = Field(alias="import")
    exported: ToldTariff | None = Field(None, alias="export")


def named_candidates(
    view: ReadView, tariffs: Tariffs, facts: Facts, told: Sequence[Any], faults: list[Fault]
) -> list[Candidate]:
    """The candidates of a body's `tariffs`; adds all that is wrong with them to the faults."""
    found: list[Candidate] = []
    for i, one in enumerate(told):
        where = f"tariffs[{i}]"
        before = len(faults)
        wanted = _validated(one, where, faults)
        if wanted is None:
            continue
        imported = _named(view, tariffs, facts, wanted[1], (f"{where}{wanted[0]}", prices_taking), faults)
        exported = None
        if wanted[2] is not None:
            exported = _named(view, tariffs, facts, wanted[2], (f"{where}.export", prices_giving), faults)
        if imported is not None and exported is not None and imported.tariff.currency != exported.tariff.currency:
            why = f"it is in {exported.tariff.currency}, and the one for the import in {imported.tariff.currency}"
            faults.append(Fault(f"{where}.export.tariff", why))
        if len(faults) == before and imported is not None:
            found.append(_candidate(imported, exported, wanted[3], found))
            if found[-1].currency != found[0].currency:
                why = f"it is in {found[-1].currency}, and others are in {found[0].currency}: compare them apart"
                faults.append(Fault(where, why))
    ids = [one.id for one in found]
    faults += [Fault("tariffs", f"two are named {id!r}") for id in dict.fromkeys(ids) if ids.count(id) > 1]
    return found


def _validated(
    told: Any, where: str, faults: list[Fault]
) -> tuple[str, ToldTariff, ToldTariff | None, str | None] | None:
    """Where the tariff for the import stands, it, the one for the export, and the candidate's name."""
    if not isinstance(told, dict) or ("tariff" in told) == bool({"import", "export"} & told.keys()):
        why = "it is an object with `tariff` for both flows, or with `import` and, if wished, `export`"
        faults.append(Fault(where, why))
        return None
    try:
        if "tariff" in told:
            both = ToldForBoth.model_validate(told)
            return "", both, None, both.id
        each = ToldForEach.model_validate(told)
        return ".import", each.imported, each.exported, each.id
    except ValidationError as error:
        faults += faults_at(error, where)
        return None


def faults_at(error: ValidationError, where: str) -> Iterator[Fault]:
    """What is wrong with a part of a body that stands at a place."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        place = where_of(one["loc"])
        inner = "" if place == "body" else place if place.startswith("[") or not where else f".{place}"
        yield Fault(f"{where}{inner}"[:200] or "body", one["msg"].removeprefix("Value error, "))


def _named(
    view: ReadView,
    tariffs: Tariffs,
    facts: Facts,
    told: ToldTariff,
    needed: tuple[str, Any],
    faults: list[Fault],
) -> Chosen | None:
    where, is_for_it = needed
    inforce = tariffs.in_force(view, told.tariff)
    if inforce is None:
        faults.append(Fault(f"{where}.tariff", no_tariff(told.tariff)))
        return None
    if not is_for_it(inforce.tariff):
        taking = is_for_it is prices_taking
        why = "what is given to the grid alone: name it as `export`" if taking else "nothing that is given to the grid"
        faults.append(Fault(f"{where}.tariff", f"tariff {told.tariff} prices {why}"))
    chosen = facts.chosen(inforce.tariff, told.parameters)
    faults += facts.faults(chosen, told.parameters, f"{where}.parameters")
    return chosen


def _candidate(
    imported: Chosen, exported: Chosen | None, told_id: str | None, others: Sequence[Candidate]
) -> Candidate:
    id = told_id or " + ".join(one.tariff.id for one in (imported, exported) if one is not None)
    if told_id is None:
        taken = {one.id for one in others}
        id = next(one for one in (id, *(f"{id} ({n})" for n in range(2, MOST_CANDIDATES + 2))) if one not in taken)
    label = told_id or " + ".join(one.tariff.title or one.tariff.id for one in (imported, exported) if one is not None)
    return Candidate(id, label, imported, exported)


# --- all of a country -------------------------------------------------------------------------------------------------


def known_tariffs(tariffs: Tariffs, country: str) -> list[KnownTariff]:
    """All tariffs of a country, stored and shipped."""
    found: list[KnownTariff] = []
    after = None
    while True:
        page = tariffs.page(after, _PAGE)
        found += [one for one in page if one.document.get("country") == country]
        if len(page) < _PAGE:
            return found
        after = page[-1].tariff_id


def all_candidates(
    view: ReadView, tariffs: Tariffs, facts: Facts, known: Sequence[KnownTariff], currency: str | None
) -> tuple[list[Candidate], list[LeftOut]]:
    """All tariffs that could be a household's, and those left out. What it gives is priced by its own contract for that
    where it has one, else by each tariff for it alone."""
    taking, giving, left_out = [], [], []
    for one in known:
        try:
            inforce = tariffs.in_force(view, one.tariff_id)
        except Conflict as error:
            left_out.append(LeftOut(one.tariff_id, str(error)))
            continue
        if inforce is None:
            continue
        tariff = inforce.tariff
        currency = currency or tariff.currency
        chosen = facts.chosen(tariff, {})
        why = _why_not(view, facts, chosen, currency)
        if why is not None:
            left_out.append(LeftOut(tariff.id, why))
        elif prices_taking(tariff):
            taking.append(chosen)
        else:
            giving.append(chosen)
    kept = tuple(one for one in facts.present if one.flow == EXPORT)
    if kept or not facts.gives:
        whose = "the household's own contract for that is kept" if kept else "the household gives nothing"
        left_out += [LeftOut(one.tariff.id, f"it prices what is given to the grid; {whose}") for one in giving]
        giving = []
    found: list[Candidate] = []
    for each in taking:
        if kept and not prices_giving(each.tariff):
            found.append(Candidate(each.tariff.id, each.tariff.title or each.tariff.id, each, None, kept))
            continue
        alone = [None] if prices_giving(each.tariff) or not giving else giving
        for other in alone:
            found.append(_candidate(each, other, None, found))
    left_out += [LeftOut(one.id, f"more than {MOST_CANDIDATES} can be compared") for one in found[MOST_CANDIDATES:]]
    return found[:MOST_CANDIDATES], left_out


def _why_not(view: ReadView, facts: Facts, chosen: Chosen, currency: str) -> str | None:
    """Why a tariff is not among those that are compared unless it is named."""
    tariff = chosen.tariff
    if tariff.currency != currency:
        return f"it is in {tariff.currency}, and the household pays in {currency}"
    zone, valid = tariff.time_zone, tariff.valid
    if midnight_us(zone, valid.begin) > facts.start_us:
        return f"it is valid from {valid.begin.isoformat()}, after the time begins ({iso_label(facts.start_us)})"
    if valid.end is not None and midnight_us(zone, valid.end) < facts.end_us:
        return f"it is valid until {valid.end.isoformat()}, before the time ends ({iso_label(facts.end_us)})"
    names = [series.name or key for key, series in tariff.series.items()]
    unknown = [name for name in names if view.price_series(name) is None]
    if unknown:
        return f"it needs the series {', '.join(unknown)}, which nobody has told"
    if not any(isinstance(one, Energy) for one in tariff.components):
        return "it prices no energy, and is no whole bill"
    faults = facts.faults(chosen, {}, "parameters")
    return faults[0].why if faults else None
