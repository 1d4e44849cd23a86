"""FlexiHome's forecast service: the power that a household will take, and where measured power is posted to."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, US_PER_S
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.forecasting import PowerCurve

#: The most that a home may take, W: what is above is no home's, or in another unit than is said.
_MOST_W: Final = 1_000_000.0
_W_OF: Final = {"kW": float(MILLI), "W": 1.0}
_IMPORT: Final = "A+"
_AT_ONCE: Final = 500


class _Value(BaseModel):
    timestamp: AwareDatetime
    value_p: Annotated[float, Field(allow_inf_nan=False)]


class _Curve(BaseModel):
    units_p: Literal["kW", "W"]
    values: list[_Value]


class _Forecast(BaseModel):
    data: list[_Curve]


def installation_of(household: str) -> str:
    """What the forecast service calls a household's consumption."""
    return f"{household}_consumption"


class ForecastService:
    """Asks the forecast service, and posts to it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def fetch(self, household: str, start_us: int, end_us: int) -> PowerCurve | None:
        """The power that a household will take from start up to end; None where none is known.

        Raises Unavailable, also where the answer is nonsense; Declined.
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
        found: dict[int, float] = {}
        for curve in told.data:
            for one in curve.values:
                found[round(one.timestamp.timestamp() * US_PER_S)] = one.value_p * _W_OF[curve.units_p]
        at_us = np.array(sorted(found), np.int64)
        power_w = np.array([found[at] for at in at_us.tolist()])
        if (np.abs(power_w) > _MOST_W).any():
            raise nonsense(self._upstream.name, f"a power of {np.abs(power_w).max():g} W is no home's")
        inside = (at_us >= start_us) & (at_us < end_us)
        return PowerCurve(at_us[inside], power_w[inside]) if inside.any() else None

    def post_measured(self, measured: dict[str, tuple[Int64, Float64]]) -> None:
        """Tell what households took: of each the instants, (n,) int64, and the mean power from then on, (n,) W.

        Raises Unavailable, Declined.
        """
        households = list(measured)
        for first in range(0, len(households), _AT_ONCE):
            body = [
                {"installation_code": installation_of(one), "values": _values(*measured[one])}
                for one in households[first : first + _AT_ONCE]
            ]
            self._upstream.post_json("/forecast/measurements", {"measurements": body})


def _values(at_us: Int64, power_w: Float64) -> list[dict[str, object]]:
    kilowatts = np.round(power_w / MILLI, 6).tolist()
    return [
        {"timestamp": label, "units": "kW", "value": value, "variable_name": _IMPORT}
        for label, value in zip(iso_labels(at_us, None), kilowatts, strict=True)
    ]
