"""What a body may tell of a group, its members, and how it shares production; and how that is told again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.sharing import SHARE_PARTS
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, LAST_DAY, GroupRow, MemberRow
from statistics_manager_service.services.households import BillingDate, PlainText, Zone
from statistics_manager_service.tariffs.reading import where_of

MOST_MEMBERS: Final = 20_000
_EPOCH: Final = date(1970, 1, 1)
_DECIMALS: Final = 9


def day_of(text: str | None, otherwise: int) -> int:
    """A civil date as days since 1970-01-01."""
    return otherwise if text is None else max(FIRST_DAY, (date.fromisoformat(text) - _EPOCH).days)


def civil_day(day: int) -> date:
    """The same the other way."""
    return _EPOCH + timedelta(days=day)


def date_of(day: int) -> str:
    """The same as text."""
    return civil_day(day).isoformat()


def _share(told: Any) -> Decimal:
    number = None if isinstance(told, bool) else told if isinstance(told, Decimal) else None
    if isinstance(told, int) and not isinstance(told, bool):
        number = Decimal(told)
    if isinstance(told, float):
        number = Decimal(repr(told))
    if number is None or not number.is_finite() or not 0 <= number <= 1:
        raise ValueError("a coefficient is a number from 0 to 1")
    if number.normalize().as_tuple().exponent < -_DECIMALS:  # type: ignore[operator] # of a finite number it is an int
        raise ValueError(f"a coefficient has {_DECIMALS} decimals at most")
    return number


_SHARE_SCHEMA: Final = {"type": "number", "minimum": 0, "maximum": 1}


class ToldShare(BaseModel):
    """A coefficient from a date on."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    begin: BillingDate | None = Field(None, alias="from", description="Civil date of the group's zone; null: always.")
    share: Annotated[Decimal, BeforeValidator(_share), WithJsonSchema(_SHARE_SCHEMA)] = Field(
        description="0 to 1, of up to nine decimals."
    )


def _shares(told: Any) -> Any:
    return told if isinstance(told, list) else [{"share": told}]


_SHARES_SCHEMA: Final = {
    "anyOf": [
        _SHARE_SCHEMA,
        {
            "type": "array",
            "minItems": 1,
            "maxItems": 400,
            "items": {
                "type": "object",
                "required": ["share"],
                "additionalProperties": False,
                "properties": {"from": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "share": _SHARE_SCHEMA},
            },
        },
    ]
}
Shares = Annotated[
    list[ToldShare],
    BeforeValidator(_shares),
    Field(min_length=1, max_length=400),
    WithJsonSchema(_SHARES_SCHEMA),
]


class ToldSource(BaseModel):
    """Energy that a member puts into the community."""

    model_config = ConfigDict(extra="forbid", strict=True)

    household: str = Field(description="A member.")
    measure: Literal["energy_export", "energy_production"] = Field(
        description="What it exports, or all that it produces.", examples=["energy_export"]
    )


class ToldSharing(BaseModel):
    """How a community shares what its sources make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sources: list[ToldSource] = Field(min_length=1, max_length=1000)
    rule: Literal["fixed", "proportional"] = Field(
        description="By coefficients, or in proportion to the members' import of the quarter-hour."
    )
    coefficients: dict[str, Shares] | None = Field(
        None,
        max_length=MOST_MEMBERS,
        description="Of `fixed`: each member's coefficient, or a list of them with the dates from which they hold.",
        examples=[{"home1": 0.4, "home2": [{"share": 0.2}, {"from": "2026-07-01", "share": 0.5}]}],
    )


class ToldMember(BaseModel):
    """A household, and when it is a member."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    household: str = Field(examples=["home1"])
    begin: BillingDate | None = Field(
        None,
        alias="from",
        description="Civil date of the group's zone, included; null: always.",
        examples=["2026-01-01"],
    )
    end: BillingDate | None = Field(None, alias="to", description="The same, not included; null: until further notice.")


class ToldGroup(BaseModel):
    """A group, in place of what was told of it before."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: PlainText = Field(min_length=1, max_length=200, examples=["Rua das Flores"])
    kind: Literal["group", "community"] = Field(
        "group", description="A group of homes, or an energy community, which can share production."
    )
    timezone: Zone = Field("UTC", description="IANA zone of its civil days; it can't be changed.")
    members: list[ToldMember] = Field(max_length=MOST_MEMBERS)
    sharing: ToldSharing | None = Field(None, description="Of a community: how it shares what is produced.")


def group_schema() -> dict[str, Any]:
    """The JSON Schema of a group, with the schemas of its members in their places."""
    schema = ToldGroup.model_json_schema()
    definitions = schema.pop("$defs")

    def inlined(told: Any) -> Any:
        if isinstance(told, list):
            return [inlined(one) for one in told]
        if not isinstance(told, dict):
            return told
        if "$ref" in told:
            beside = {name: one for name, one in told.items() if name != "$ref"}
            return inlined(definitions[told["$ref"].removeprefix("#/$defs/")] | beside)
        return {name: inlined(one) for name, one in told.items()}

    out: dict[str, Any] = inlined(schema)
    return out


@dataclass(frozen=True, slots=True)
class PlannedMember:
    """A member as told, in days."""

    household: str
    from_day: int
    to_day: int
    source: str | None = None
    coefficients: Sequence[Mapping[str, Any]] | None = None


@dataclass(slots=True)
class _Faults:
    found: list[Fault] = field(default_factory=list)

    def add(self, where: str, why: str) -> None:
        self.found.append(Fault(where, why))


def read_group(group: str, body: Any) -> tuple[ToldGroup, list[PlannedMember]]:
    """A group's body. Raises BadInput with all of its faults."""
    faults = _Faults(check_name(group, "id"))
    if not isinstance(body, dict):
        raise BadInput.of([*faults.found, Fault("body", "the body must be a JSON object with `title` and `members`")])
    try:
        told = ToldGroup.model_validate(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        found = [Fault(where_of(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in errors]
        raise BadInput.of([*faults.found, *found]) from error
    _check_members(told.members, faults)
    if told.sharing is not None:
        _check_sharing(told, told.sharing, faults)
    if faults.found:
        raise BadInput.of(faults.found)
    return told, _planned(told)


def _check_members(members: Sequence[ToldMember], faults: _Faults) -> None:
    seen: dict[str, int] = {}
    for i, one in enumerate(members):
        if one.household in seen:
            faults.add(f"members[{i}].household", f"members[{seen[one.household]}] is this household already")
        seen.setdefault(one.household, i)
        if one.begin is not None and one.end is not None and one.end <= one.begin:
            faults.add(f"members[{i}].to", "it must be after `from`")


def _check_sharing(told: ToldGroup, sharing: ToldSharing, faults: _Faults) -> None:
    members = {one.household for one in told.members}
    if told.kind != "community":
        faults.add("sharing", "a group shares no production; that is what kind `community` is for")
    sources = [one.household for one in sharing.sources]
    for i, source in enumerate(sources):
        if source not in members:
            faults.add(f"sharing.sources[{i}].household", "it is no member")
        elif sources.index(source) != i:
            faults.add(f"sharing.sources[{i}].household", "it stands here twice; a member is one source")
    coefficients = sharing.coefficients or {}
    if (sharing.rule == "fixed") != bool(coefficients):
        faults.add("sharing.coefficients", "rule `fixed` needs them, and `proportional` has none")
        return
    for household, shares in coefficients.items():
        where = f"sharing.coefficients.{household[:64]}"
        if household not in members:
            faults.add(where, "it is no member")
        begins = [day_of(one.begin, FIRST_DAY) for one in shares]
        if sorted(set(begins)) != begins:
            faults.add(where, "the dates must rise from one coefficient to the next; the first may have none")
    if not faults.found:
        _check_sums(told, coefficients, faults)


def _check_sums(told: ToldGroup, coefficients: Mapping[str, Sequence[ToldShare]], faults: _Faults) -> None:
    """At no time may the coefficients of those who are members then add up to more than one."""
    spans = {one.household: (day_of(one.begin, FIRST_DAY), day_of(one.end, LAST_DAY)) for one in told.members}
    begins = {day_of(one.begin, FIRST_DAY) for shares in coefficients.values() for one in shares}
    for day in sorted(begins | {span[0] for span in spans.values()}):
        total = sum(
            (share_on(plain_shares(shares), day) for household, shares in coefficients.items()
             if spans[household][0] <= day < spans[household][1]),
            0,
        )  # fmt: skip
        if total > SHARE_PARTS:
            over = Decimal(total) / SHARE_PARTS
            faults.add("sharing.coefficients", f"from {date_of(day)} on they add up to {over}, which is more than 1")
            return


def plain_shares(shares: Sequence[ToldShare]) -> list[dict[str, Any]]:
    """Coefficients as they are kept."""
    return [{"from": one.begin, "share": format(one.share.normalize(), "f")} for one in shares]


def share_on(coefficients: Sequence[Mapping[str, Any]], day: int) -> int:
    """The coefficient on a civil day, in parts of SHARE_PARTS; 0 before the first."""
    held = [one["share"] for one in coefficients if day_of(one["from"], FIRST_DAY) <= day]
    return parts_of_share(held[-1]) if held else 0


def parts_of_share(share: str) -> int:
    """A coefficient in parts of SHARE_PARTS, exactly."""
    return int(Decimal(share) * SHARE_PARTS)


def _planned(told: ToldGroup) -> list[PlannedMember]:
    sharing = told.sharing
    sources = {} if sharing is None else {one.household: one.measure for one in sharing.sources}
    coefficients = {} if sharing is None else sharing.coefficients or {}
    return [
        PlannedMember(
            one.household,
            day_of(one.begin, FIRST_DAY),
            day_of(one.end, LAST_DAY),
            sources.get(one.household),
            plain_shares(coefficients[one.household]) if one.household in coefficients else None,
        )
        for one in told.members
    ]


# --- as it is told again ----------------------------------------------------------------------------------------------


def group_json(group: GroupRow, members: Iterable[MemberRow]) -> dict[str, Any]:
    """A group as it can be put."""
    members = sorted(members, key=lambda one: one.household)
    out: dict[str, Any] = {
        "id": group.id,
        "title": group.title,
        "kind": group.kind,
        "timezone": group.timezone,
        "members": [{"household": one.household, **span_json(one.from_day, one.to_day)} for one in members],
    }
    if group.rule is not None:
        sources = [{"household": one.household, "measure": one.source} for one in members if one.source]
        out["sharing"] = {"sources": sources, "rule": group.rule}
        if group.rule == "fixed":
            out["sharing"]["coefficients"] = {
                one.household: shares_json(one.coefficients) for one in members if one.coefficients
            }
    return out


def span_json(from_day: int, to_day: int) -> dict[str, str]:
    """When a member is one; without a bound where there is none."""
    begin = {} if from_day == FIRST_DAY else {"from": date_of(from_day)}
    return begin | ({} if to_day == LAST_DAY else {"to": date_of(to_day)})


def shares_json(coefficients: Sequence[Mapping[str, Any]]) -> Any:
    """Coefficients as they were told: a number where one holds always."""
    told = [
        {**({} if one["from"] is None else {"from": one["from"]}), "share": float(one["share"])} for one in coefficients
    ]
    return told[0]["share"] if len(told) == 1 and "from" not in told[0] else told
