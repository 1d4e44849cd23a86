"""FlexiHome's forecast service: the power that a household will take, and where measured power is posted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.power_curve import step_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.forecasts.forecasting import PowerCurve

#: The most that a home may take, W: what is above is no home's, or in another unit than is said.
_MOST_W: Final = 1_000_000.0
_W_OF: Final = {"kw": float(MILLI), "w": 1.0}
_IMPORT: Final = "A+"


def _instant_us(told: Any) -> int:
    """A date-time without an offset is UTC, as everywhere in FlexiHome."""
    try:
        return parse_moment(str(told), "UTC", "timestamp")
    except BadInput as error:
        raise ValueError(error.faults[0].why) from error


def _lower(told: Any) -> Any:
    return told.lower() if isinstance(told, str) else told


class _Value(BaseModel):
    timestamp: Annotated[int, BeforeValidator(_instant_us)]
    value_p: Annotated[float, Field(allow_inf_nan=False)] | None


class _Curve(BaseModel):
    units_p: Annotated[Literal["kw", "w"], BeforeValidator(_lower)]
    values: list[_Value]

    def power_w(self) -> dict[int, float]:
        """Known powers by their instants; of several of one instant the last."""
        factor = _W_OF[self.units_p]
        return {one.timestamp: one.value_p * factor for one in self.values if one.value_p is not None}


class _Forecast(BaseModel):
    data: list[_Curve]


def installation_of(household: str) -> str:
    """What the forecast service calls a household's consumption."""
    return f"{household}_consumption"


class ForecastService:
    """Asks the forecast service, and posts to it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def fetch(self, household: str, start_us: int, end_us: int) -> list[PowerCurve]:
        """The power that a household will take from start up to end; none where none is known.

        Each curve has the step of its own values, also of those outside the range; one of a single value that of all
        curves together. Raises Unavailable, also where the answer is nonsense; Declined.
        """
        query = {
            "start_date": iso_label(start_us),
            "end_date": iso_label(end_us),
            "installation_code": installation_of(household),
        }
        answer = self._upstream.get_json("/get-forecast", query)
        try:
            told = _Forecast.model_validate(answer)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise nonsense(self._upstream.name, why) from error
        curves = [curve for curve in (one.power_w() for one in told.data) if curve]
        largest_w = max((abs(power_w) for curve in curves for power_w in curve.values()), default=0)
        if largest_w > _MOST_W:
            raise nonsense(self._upstream.name, f"a power of {largest_w:g} W is no home's")
        try:
            found = _with_steps(curves)
        except ValueError as error:
            raise nonsense(self._upstream.name, str(error)) from error
        return [one for one in (curve.between(start_us, end_us) for curve in found) if len(one.at_us)]

    def post_measured(self, measured: Mapping[str, tuple[Int64, Float64]]) -> None:
        """Tell what households took: of each the instants, (n,) int64, and the mean power from then on, (n,) W.

        Raises Unavailable, Declined.
        """
        body = [
            {"installation_code": installation_of(household), "values": _values(at_us, power_w)}
            for household, (at_us, power_w) in measured.items()
        ]
        self._upstream.post_json("/forecast/measurements", {"measurements": body})


def _with_steps(curves: list[dict[int, float]]) -> list[PowerCurve]:
    found = []
    for curve in curves:
        at_us = np.array(sorted(curve), np.int64)
        neighbours_us = at_us if len(at_us) > 1 else np.array(sorted(set().union(*curves)), np.int64)
        found.append(PowerCurve(at_us, np.array([curve[at] for at in at_us.tolist()]), step_of(neighbours_us)))
    return found


def _values(at_us: Int64, power_w: Float64) -> list[dict[str, object]]:
    kilowatts = np.round(power_w / MILLI, 6).tolist()
    return [
        {"timestamp": label, "units": "kW", "value": value, "variable_name": _IMPORT}
        for label, value in zip(iso_labels(at_us, None), kilowatts, strict=True)
    ]
