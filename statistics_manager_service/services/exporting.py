"""Everything that is stored of a household, to be handed to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from statistics_manager_service.core.blocks import Readings, unpack_blocks
from statistics_manager_service.core.grid import block_of
from statistics_manager_service.services.forecasts.forecast_rows import ForecastRow
from statistics_manager_service.services.forecasts.forecasting import MEASURE
from statistics_manager_service.services.groups.groups import Membership, memberships_of
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.insight.goal_rows import GoalsRow
from statistics_manager_service.services.ports import (
    Channel,
    DeviceToken,
    Household,
    MeterEvent,
    ReadView,
    Revision,
    Store,
)
from statistics_manager_service.services.prices.price_rows import ContractsRow

_BLOCKS_AT_ONCE = 256
_END_US = 2**62
_LAST_DAY = 10**6


@dataclass(frozen=True, slots=True)
class Export:
    """What is stored of a household, at one moment."""

    household: Household
    channels: Sequence[Channel]
    events: Sequence[MeterEvent]
    tokens: Sequence[DeviceToken]
    view: ReadView

    def readings(self, channel: Channel) -> Iterator[Readings]:
        """The readings of a channel in order of time, so many blocks at once that memory stays bounded."""
        if channel.first_us is None or channel.last_us is None:
            return
        first, last = block_of(channel.first_us), block_of(channel.last_us)
        for low in range(first, last + 1, _BLOCKS_AT_ONCE):
            high = min(low + _BLOCKS_AT_ONCE - 1, last)
            blocks = self.view.blocks(channel.household_no, channel.channel_no, low, high)
            yield from unpack_blocks([block.body for block in blocks])

    def forecasts(self) -> list[ForecastRow]:
        """All issues of forecasts, a row for each UTC day, the newest issue last."""
        return self.view.forecasts(self.household.household_no, MEASURE, 0, _LAST_DAY, _END_US)

    def contracts(self) -> list[ContractsRow]:
        """All contracts that it has had, each time as they were put, the newest last."""
        return self.view.contract_revisions(self.household.household_no)

    def goals(self) -> list[GoalsRow]:
        """All goals that it has had, each time as they were put, the newest last."""
        return self.view.goal_revisions(self.household.household_no)

    def memberships(self) -> list[Membership]:
        """The groups that it is in."""
        return memberships_of(self.view, self.household.household_no)

    def revisions(self, channel: Channel) -> list[Revision]:
        """The values that corrections have replaced."""
        return self.view.revisions(channel.household_no, channel.channel_no, -_END_US, _END_US)


@contextmanager
def opened_export(store: Store, household_id: str) -> Iterator[Export]:
    """All of a household, as of one look at the store. Raises NotFound."""
    with store.reading() as view:
        household = known_household(view, household_id)
        number = household.household_no
        yield Export(household, view.channels(number), view.meter_events(number), view.device_tokens(number), view)
