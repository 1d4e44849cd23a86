"""What the transports need of the services, joined once by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from statistics_manager_service.core.readings import Decoded, RefusedLine, WireReadings
from statistics_manager_service.services.accounts.accounts import Accounts
from statistics_manager_service.services.accounts.tokens import Tokens
from statistics_manager_service.services.asking import Asking
from statistics_manager_service.services.balance.energy_flows import EnergyFlowsOfHomes
from statistics_manager_service.services.carbon.carbon import CarbonForecasts
from statistics_manager_service.services.events.producing import Producers
from statistics_manager_service.services.explaining.explaining import Explaining
from statistics_manager_service.services.groups.comparing_homes import HomesCompared
from statistics_manager_service.services.groups.group_statistics import GroupStatistics
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.groups.telling import Telling
from statistics_manager_service.services.households import Households
from statistics_manager_service.services.insight.data_quality import DataQuality
from statistics_manager_service.services.insight.degree_days import DegreeDaysOfHomes
from statistics_manager_service.services.insight.goal_progress import GoalsInTime
from statistics_manager_service.services.insight.goals import Goals
from statistics_manager_service.services.insight.heat_maps import HeatMaps
from statistics_manager_service.services.insight.loads import Loads
from statistics_manager_service.services.insight.records import Records
from statistics_manager_service.services.insight.voltages import Voltages
from statistics_manager_service.services.money.comparing import Comparing
from statistics_manager_service.services.money.live_costs import LiveCosts
from statistics_manager_service.services.money.reconciling import Reconciling
from statistics_manager_service.services.money.statements import Statements
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.kept_readings import KeptReadings
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.telemetry import Unknown
from statistics_manager_service.settings import Settings
from statistics_manager_service.tariffs.statement import Statement


@dataclass(frozen=True, slots=True)
class DecodedLines:
    """What a body of line protocol holds.

    count: its lines. any_foreign: whether lines were refused for they are of a household that the writer may not write
    for, or of none. unknown: whose lines were refused for they are nobody's.
    """

    readings: list[WireReadings]
    refused: list[RefusedLine]
    count: int
    any_foreign: bool
    unknown: Unknown


@dataclass(frozen=True, slots=True)
class AppServices:
    """The services, and the decoders of bodies by media type.

    renderers: of statements, by media type.
    decode_lines: a body of line protocol, its precision, and the one household that the writer may write for (None:
    all of them).
    begin, end: begin and end what runs beside the requests, in a process that serves. state_beside: its state, as
    {"kafka": "ok" | "down" | "unknown" | None, "events": counts}; raises Unavailable.
    """

    settings: Settings
    store: Store
    store_is_embedded: bool
    households: Households
    tokens: Tokens
    recorder: Recorder
    kept_readings: KeptReadings
    asking: Asking
    records: Records
    goals: Goals
    goals_in_time: GoalsInTime
    data_quality: DataQuality
    energy_flows: EnergyFlowsOfHomes
    explaining: Explaining
    producers: Producers
    accounts: Accounts
    carbon: CarbonForecasts
    groups: Groups
    group_statistics: GroupStatistics
    telling: Telling
    homes_compared: HomesCompared
    tariffs: Tariffs
    contracts: Contracts
    statements: Statements
    live_costs: LiveCosts
    comparing: Comparing
    reconciling: Reconciling
    loads: Loads
    heat_maps: HeatMaps
    voltages: Voltages
    degree_days: DegreeDaysOfHomes
    renderers: dict[str, Callable[[Statement], bytes]]
    decoders: dict[str, Callable[[bytes], Decoded]]
    decode_lines: Callable[[bytes, str, str | None], DecodedLines]
    begin: Callable[[], None]
    end: Callable[[], None]
    state_beside: Callable[[], dict[str, Any]]
