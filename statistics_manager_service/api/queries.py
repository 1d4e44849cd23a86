"""Queries: a model for each question, read in one go, so that all of its faults are told at once.

The fields of a model are checked by the services' own readers: what is told of a value is the same wherever it comes
from. The framework's way of reading a query would take the last of several values unsaid; here a value that can stand
once is refused where it stands twice, and a list may be told by commas and by repetition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import AfterValidator, BaseModel, ValidationError, ValidationInfo

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.running import services_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read

#: Of a parameter as it is told; a client may name it as it likes.
_LONGEST_NAME = 60
#: Fields that name households.
_USERS = {"user_id", "user_ids", "households"}
Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, when, and of how many households at most: what some values of a query depend on."""

    who: Caller
    now_us: int
    most_households: int


def asker_of(info: ValidationInfo) -> Asker:
    """Who asks, within a validator."""
    if not isinstance(info.context, Asker):
        raise TypeError("this model can only be read with its asker")
    return info.context


class Faulty(ValueError):
    """Carries the faults of a value through the validation, which goes on to the next one."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].why)
        self.faults = faults


def checked(read: Callable[[Value], object]) -> AfterValidator:
    """Has a reader look at a value, which stays as it was told. The reader raises BadInput."""

    def check(value: Value) -> Value:
        try:
            read(value)
        except BadInput as error:
            raise Faulty(*error.faults) from error
        return value

    return AfterValidator(check)


def moment(where: str) -> AfterValidator:
    """A date or a date-time. Which zone it is of does not matter to whether it is one."""
    return checked(lambda text: parse_moment(text, "UTC", where))


def names(where: str, what: str) -> AfterValidator:
    """Ids of a list, each once: at least one, and no more than the asker may name."""

    def check(texts: list[str], info: ValidationInfo) -> list[str]:
        found = list(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))
        most = asker_of(info).most_households
        if not found:
            raise Faulty(Fault(where, f"no {what} is named"))
        if len(found) > most:
            why = f"{len(found)} {what}s are named; at most {most} are answered at once"
            raise Faulty(Fault(where, why))
        return found

    return AfterValidator(check)


def _check_user(text: str) -> None:
    if not text.strip():
        raise BadInput.of([Fault("user_id", "no user is named")])


UserId = Annotated[str, checked(_check_user)]
UserIds = Annotated[list[str], names("user_ids", "user")]


def read_query(model: type[Model], query_string: bytes, asker: Asker | None = None) -> Model:
    """A query as its model. Raises BadInput with all faults.

    asker: for models whose fields depend on who asks.
    """
    told: dict[str, list[str]] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        told.setdefault(name, []).append(value)
    lists = _lists(model)
    # several values go on as a list, which no single value is: they are refused together with all that is wrong
    values = {name: some if name in lists or len(some) > 1 else some[0] for name, some in told.items()}
    try:
        return model.model_validate(values, context=asker)
    except ValidationError as error:
        raise BadInput.of(_faults(error, model)) from error


@lru_cache(maxsize=256)
def _lists(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if get_origin(field.annotation) is list)


def _faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    faults: list[Fault] = []
    for one in error.errors(include_url=False):
        where = str(one["loc"][0])
        cause = one.get("ctx", {}).get("error")
        if isinstance(cause, Faulty):
            faults += cause.faults
        elif isinstance(one["input"], list) and where in model.model_fields:
            faults.append(Fault(where, f"this stands {len(one['input'])} times; it can have one value"))
        else:
            faults.append(Fault(where[:_LONGEST_NAME] or '""', one["msg"]))
    return faults


def query(model: type[Model]) -> Any:
    """The dependency of an endpoint on its query. Who calls is found out first, and whether the household of the path
    may be read: strangers, and other households, are told nothing else."""

    async def read(request: Request, who: Annotated[Caller, Depends(caller)]) -> Model:
        household = request.path_params.get("household")
        if household is not None:
            require_read(who, household)
        services = services_of(request)
        asker = Asker(who, services.asking.now_us(), services.settings.max_households_per_query)
        asked = read_query(model, request.scope["query_string"], asker)
        for name in _USERS & model.model_fields.keys():
            told = getattr(asked, name)
            services.accounts.seen([told] if isinstance(told, str) else told)
        return asked

    return Depends(read)


def parameters(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a query's model as the parameters of an operation, for the OpenAPI document."""
    schema = model.model_json_schema()
    needed = schema.get("required", ())
    return {"parameters": [_parameter(name, one, name in needed) for name, one in schema["properties"].items()]}


def _parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    told = {key: value for key, value in schema.items() if key not in ("title", "description", "anyOf")}
    for one in schema.get("anyOf", ()):
        if one != {"type": "null"}:  # what may be left out: a query knows no null
            told |= one
    if told.get("default", ...) is None:
        del told["default"]
    out = {"name": name, "in": "query", "required": required, "schema": told}
    if "description" in schema:
        out["description"] = schema["description"]
    if told.get("type") == "array":
        out |= {"style": "form", "explode": False}  # by commas
    return out
