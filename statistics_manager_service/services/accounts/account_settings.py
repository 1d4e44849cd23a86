"""What FlexiHome's account manager tells of a user, as the settings of a household."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, Final

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.errors import Fault
from statistics_manager_service.services.households import (
    HouseholdSettings,
    PlainText,
    faults_of,
    from_settings,
    settings_of,
)
from statistics_manager_service.services.ports import Household, WriteView

_LOG = structlog.get_logger()
#: Whose telemetry is the household's is the account manager's own word, so `null` takes it away. Of the other settings
#: `null` means that it does not know them, and what an operator has set stays.
_IDENTITIES: Final = ("api_key", "meter_id")
_POWER: Final = re.compile(r"\s*(\d{1,9}(?:[.,]\d{1,9})?)\s*(kva|va|kw|w)?\s*", re.IGNORECASE)
_THOUSANDTHS: Final = ("va", "w")
_TARIFFS: Final = {"simple": "simple", "bihourly": "bi-hourly", "trihourly": "tri-hourly"}
_UTC: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Account:
    """A user. told: settings of a household, those that were told; None where it was told that there is none."""

    household: str
    told: Mapping[str, Any]


def _user_id(text: str) -> str:
    faults = check_name(text, "user_id")
    if faults:
        raise ValueError(faults[0].why)
    return text


def _text(told: Any) -> Any:
    """A number as the text that it is meant as; an empty text as none."""
    if isinstance(told, int) and not isinstance(told, bool):
        return str(told)
    return (told.strip() or None) if isinstance(told, str) else told


def _country(told: Any) -> Any:
    """The ISO 3166 code of a country that is told by its code or its English name."""
    told = _text(told)
    if not isinstance(told, str):
        return told
    return told.upper() if len(told) == 2 else _countries().get(told.casefold(), told)


def _tariff(told: Any) -> Any:
    told = _text(told)
    return _TARIFFS.get(re.sub(r"[-_ ]", "", told.lower()), told) if isinstance(told, str) else told


def _power_kva(told: Any) -> Any:
    """Contracted power that is told as a number of kVA, or as text such as "6.9 kVA" or "6,9kVA"."""
    if not isinstance(told, str) or not told.strip():
        return None if isinstance(told, str) else told
    match = _POWER.fullmatch(told)
    if match is None:
        raise ValueError("this is no power such as '6.9 kVA'")
    number = float(match[1].replace(",", "."))
    return number / MILLI if (match[2] or "").lower() in _THOUSANDTHS else number


Key = Annotated[Annotated[PlainText, Field(min_length=1, max_length=128)] | None, BeforeValidator(_text)]


class _Told(BaseModel):
    """The members that count. Others are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)

    user_id: Annotated[str, AfterValidator(_user_id)]
    api_key: Key = None
    meter_id: Key = None
    country: Annotated[Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None, BeforeValidator(_country)] = None
    postal_code: Annotated[Annotated[PlainText, Field(max_length=16)] | None, BeforeValidator(_text)] = None
    tarif_type: Annotated[
        Annotated[str, Field(pattern=r"^(simple|bi-hourly|tri-hourly)$")] | None, BeforeValidator(_tariff)
    ] = None
    contracted_power: Annotated[Annotated[float, Field(gt=0, le=100_000)] | None, BeforeValidator(_power_kva)] = None


_CAMEL: Final = {re.sub(r"_(\w)", lambda match: match[1].upper(), name): name for name in _Told.model_fields}


def read_account(told: Any) -> tuple[Account | None, list[Fault]]:
    """The account that an object tells, without the members that are wrong, and what is wrong with them.

    None where it does not tell whose account it is. Members are named as in `user_id` or as in `userId`.
    """
    if not isinstance(told, Mapping):
        return None, [Fault("user", "this is no JSON object")]
    values = {_CAMEL[name]: value for name, value in told.items() if name in _CAMEL}
    values |= {name: value for name, value in told.items() if name in _Told.model_fields}
    try:
        return _account(_Told.model_validate(values)), []
    except ValidationError as error:
        faults = faults_of(error)
    for name in {fault.where.split(".")[0] for fault in faults}:
        values.pop(name, None)
    return (_account(_Told.model_validate(values)) if "user_id" in values else None), faults


def _account(told: _Told) -> Account:
    values = told.model_dump(include=told.model_fields_set - {"user_id"})
    if "contracted_power" in values:
        values["contracted_power_kva"] = values.pop("contracted_power")
    return Account(told.user_id, values)


def with_account(household: str, known: Household | None, account: Account) -> Household:
    """The household, made or changed by what its account tells; what the account does not tell stays.

    A household whose country comes to be known has the time zone of that country's first zone in tzdata's list, if its
    own is still the default one.
    """
    settings = {} if known is None else settings_of(known)
    had_country = settings.get("country")
    for name, value in account.told.items():
        if value is not None:
            settings[name] = value
        elif name in _IDENTITIES:
            settings.pop(name, None)
    if had_country is None and settings.get("timezone", _UTC) == _UTC:
        settings["timezone"] = _first_zones().get(settings.get("country", ""), _UTC)
    number = 0 if known is None else known.household_no
    return from_settings(household, number, HouseholdSettings.model_validate(settings))


def write_account(view: WriteView, account: Account) -> Household:
    """Make the household of an account, or change it where it differs. Raises Conflict.

    A dongle or a meter that was another household's is taken from that one: it is the account manager's own word.
    """
    known = view.household(account.household)
    if known is not None and with_account(account.household, known, account) == known:
        return known
    if known is not None:  # others who change it wait from here on, so none of their changes is lost
        view.begin_changes([known.household_no])
        known = view.household(account.household)
    wanted = with_account(account.household, known, account)
    owner = None if wanted.api_key is None else view.household_by_api_key(wanted.api_key)
    if owner is not None and owner.id != wanted.id:
        view.put_household(owner._replace(api_key=None))
        _LOG.warning("dongle_moved", from_household=owner.id, to_household=wanted.id)
    owner = None if wanted.meter_id is None else view.household_by_meter_id(wanted.meter_id)
    if owner is not None and owner.id != wanted.id:
        view.put_household(owner._replace(meter_id=None))
        _LOG.warning("meter_moved", from_household=owner.id, to_household=wanted.id)
    return view.put_household(wanted)


@lru_cache(maxsize=1)
def _first_zones() -> dict[str, str]:
    """The first zone of each country."""
    return {row[0]: row[2] for row in reversed(_rows("zone.tab"))}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Codes by English names."""
    return {row[1].casefold(): row[0] for row in _rows("iso3166.tab")}


def _rows(name: str) -> list[list[str]]:
    text = resources.files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
