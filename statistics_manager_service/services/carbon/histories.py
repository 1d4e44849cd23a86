"""Histories of carbon intensities: kept stretch by stretch, and kept up to date beside the requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from statistics_manager_service.core.grid import quarter_after
from statistics_manager_service.core.units import QUARTER_US, S_PER_MINUTE, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.services.carbon.carbon import IntensitySource
from statistics_manager_service.services.carbon.intensities import Kept, ToldStretch, keep
from statistics_manager_service.services.ports import Store

_LOG = structlog.get_logger()
#: Nothing is asked for more often, nor sooner again after a failure.
_LEAST_REST_S: Final = S_PER_MINUTE


def keep_stretch(store: Store, zone: str, source: IntensitySource, stretch: ToldStretch, now_us: int) -> Kept:
    """Keep a stretch of what a source tells, in one transaction."""
    with store.writing() as view:
        return keep(view, zone, source.name, source.method, stretch.values, now_us)


class CarbonHistories:
    """Keeps yesterday and today (of UTC) of a source up to date, so that no question has to wait for it: of one zone,
    and of all zones of which the source has told.

    Of several processes one fetches a zone: it takes a lease for as long as what is fetched counts, which also keeps a
    service that is started again and again from asking each time.

    holder: different in each process. ttl_s: how long what is fetched counts.
    """

    def __init__(
        self, store: Store, source: IntensitySource, zone: str, ttl_s: float, holder: str, now_us: Callable[[], int]
    ) -> None:
        self._store, self._source, self._zone, self._holder, self._now_us = store, source, zone, holder, now_us
        self._ttl_us = round(max(ttl_s, _LEAST_REST_S) * US_PER_S)
        self._due_us: dict[str, int] = {}

    @property
    def rest_s(self) -> float:
        """How often there may be something to do."""
        return _LEAST_REST_S

    def step(self) -> int:
        """Fetch a zone whose time has come; 0 where there is none. Raises Unavailable where the store is down."""
        now_us = self._now_us()
        for zone in self._zones():
            if self._due_us.get(zone, now_us) > now_us:
                continue
            self._due_us[zone] = now_us + _LEAST_REST_S * US_PER_S
            if self._lease(zone, now_us, now_us + self._ttl_us):
                self._due_us[zone] = self._fetch(zone, now_us)
                return 1
        return 0

    def _zones(self) -> list[str]:
        with self._store.reading() as view:
            told = [one.zone for one in view.intensity_series() if one.source == self._source.name]
        return [zone for zone in dict.fromkeys([self._zone, *told]) if self._source.serves(zone)]

    def _lease(self, zone: str, now_us: int, until_us: int) -> bool:
        with self._store.writing() as view:
            return view.take_lease(f"carbon:{self._source.name}:{zone}", self._holder, now_us, until_us)

    def _fetch(self, zone: str, now_us: int) -> int:
        """Fetch a zone and keep it; when it is due again."""
        start_us, end_us = (now_us // US_PER_DAY - 1) * US_PER_DAY, quarter_after(now_us) * QUARTER_US
        accepted = 0
        try:
            for stretch in self._source.history(zone, start_us, end_us):
                accepted += keep_stretch(self._store, zone, self._source, stretch, self._now_us()).accepted
        except StatisticsError as error:
            _LOG.warning("carbon_history_not_fetched", source=self._source.name, zone=zone, reason=error.sentence)
            if not isinstance(error, Unavailable):
                return now_us + self._ttl_us
            retry_us = self._now_us() + max(error.retry_after_s, _LEAST_REST_S) * US_PER_S
            self._lease(zone, now_us, retry_us)  # another process may try then, too
            return retry_us
        _LOG.info("carbon_history_fetched", source=self._source.name, zone=zone, accepted=accepted)
        return now_us + self._ttl_us
