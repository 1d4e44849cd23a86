"""Households that are asked about, with their channels; those asked about again are remembered until they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from statistics_manager_service.errors import UnknownHousehold
from statistics_manager_service.services.ports import Channel, Household, ReadView, State
from statistics_manager_service.services.remembering import Remembered

#: Some ten thousand homes of a few channels.
_MOST_KEPT_BYTES = 32 * 2**20
_HOUSEHOLD_BYTES, _CHANNEL_BYTES = 800, 700


class Home(NamedTuple):
    """A household and its channels, ordered by channel_no, as they are in a state of the store."""

    state: State
    household: Household
    channels: Sequence[Channel]


class Homes:
    """Homes by the ids of their households."""

    def __init__(self) -> None:
        self._kept: Remembered[Home] = Remembered(_MOST_KEPT_BYTES)

    def of(self, view: ReadView, household: str, state: State) -> Home:
        """The home of a household that is in a state."""
        home = self._kept.get(household, state)
        return home or self._loaded(view, {household: state})[household]

    def of_each(self, view: ReadView, households: Sequence[str]) -> list[Home]:
        """The homes of many households. Raises NotFound for those that are not there."""
        states = view.states_of(households)
        _refuse_unknown(households, states)
        found = {one: self._kept.get(one, state) for one, state in states.items()}
        loaded = self._loaded(view, {one: states[one] for one, home in found.items() if home is None})
        return [found[one] or loaded[one] for one in households]

    def _loaded(self, view: ReadView, states: dict[str, State]) -> dict[str, Home]:
        if not states:
            return {}
        known = view.households_by_id(list(states))
        channels = view.channels_of([one.household_no for one in known.values()])
        homes = {id: Home(states[id], one, channels[one.household_no]) for id, one in known.items()}
        for id, home in homes.items():
            self._kept.put(id, home.state, home, _HOUSEHOLD_BYTES + _CHANNEL_BYTES * len(home.channels))
        return homes


def known_state(view: ReadView, household: str) -> State:
    """The state that a household is in. Raises NotFound."""
    found = view.states_of([household])
    _refuse_unknown([household], found)
    return found[household]


def known_household(view: ReadView, household: str) -> Household:
    """The household. Raises NotFound."""
    return known_households(view, [household])[0]


def known_households(view: ReadView, households: Sequence[str]) -> list[Household]:
    """The households. Raises NotFound for those that are not there."""
    found = view.households_by_id(households)
    _refuse_unknown(households, found)
    return [found[one] for one in households]


def _refuse_unknown(households: Sequence[str], known: dict[str, Household] | dict[str, State]) -> None:
    unknown = [one for one in households if one not in known]
    if unknown:
        raise UnknownHousehold(unknown)
