"""FlexiHome's forecast service, as far as the statistics manager asks it: a small real server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hub import Bucket, iso
from upstream_server import UpstreamServer

SUFFIX = "_consumption"


@dataclass(frozen=True)
class Form:
    """How a household's forecast is told."""

    units: str = "kW"
    step: timedelta = timedelta(minutes=15)


class ForecastService:
    """Forecasts of every installation and day, in the form that is wanted of a household."""

    def __init__(self, server: UpstreamServer) -> None:
        self.server = server
        self.forms: dict[str, Form] = {}
        server.answers("/get-forecast", self._answer)

    def power_w(self, household: str, moment: datetime) -> int:
        """The mean power of the step that begins at a moment: any, but always the same of a household and moment."""
        told = f"{household}|{iso(moment)}".encode()
        return 150 + int.from_bytes(hashlib.sha256(told).digest()[:2]) % 1800

    def kwh(self, household: str, bucket: Bucket) -> Fraction:
        """The energy of a bucket, whose edges lie on steps."""
        step = self.forms.get(household, Form()).step
        hours, moment, total = Fraction(step // timedelta(minutes=1), 60), bucket.start, Fraction(0)
        while moment < bucket.end:
            total += self.power_w(household, moment) * hours / 1000
            moment += step
        return total

    def _answer(self, query: Mapping[str, str], _headers: Mapping[str, str]) -> Any:
        assert set(query) == {"start_date", "end_date", "installation_code"}
        assert query["installation_code"].endswith(SUFFIX)
        household = query["installation_code"].removesuffix(SUFFIX)
        form = self.forms.get(household, Form())
        moment, end = (_instant(query[name]) for name in ("start_date", "end_date"))
        values = []
        while moment < end:
            power_w = self.power_w(household, moment)
            values.append({"timestamp": iso(moment), "value_p": power_w / 1000 if form.units == "kW" else power_w})
            moment += form.step
        return {"data": [{"units_p": form.units, "values": values}]}


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert moment.tzinfo is not None
    return moment.astimezone(UTC)
