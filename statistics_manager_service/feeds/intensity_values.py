"""What the sources of carbon intensities have in common: how instants and values are read, and what is nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from statistics_manager_service.core.carbon import step_us
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.upstream import nonsense

Model = TypeVar("Model", bound=BaseModel)


def _instant_us(told: Any) -> int:
    """A date-time without an offset is UTC."""
    try:
        return parse_moment(str(told), "UTC", "datetime")
    except BadInput as error:
        raise ValueError(error.faults[0].why) from error


def _begin_us(told: Any) -> int:
    at_us = _instant_us(told)
    if at_us % QUARTER_US:
        raise ValueError("it is not at a whole quarter of an hour")
    return at_us


#: When something was issued; and when a value begins to count.
InstantUs = Annotated[int, BeforeValidator(_instant_us)]
BeginUs = Annotated[int, BeforeValidator(_begin_us)]
#: A JSON number: no text, no truth value.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def read(model: type[Model], answer: Any, upstream: str) -> Model:
    """An answer as its model. Raises Unavailable where it has not that form."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise nonsense(upstream, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def length_us(begins_us: Sequence[int], upstream: str) -> int:
    """How long values that begin at these instants count for. Raises Unavailable unless it is 15, 30 or 60 minutes."""
    try:
        return step_us(np.array(begins_us, np.int64))
    except ValueError as error:
        raise nonsense(upstream, str(error)) from error
