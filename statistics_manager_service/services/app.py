"""What the transports need of the services, joined once by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from statistics_manager_service.core.readings import Decoded, RefusedLine, WireReadings
from statistics_manager_service.services.asking import Asking
from statistics_manager_service.services.households import Households
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.recording import Recorder
from statistics_manager_service.services.tokens import Tokens
from statistics_manager_service.settings import Settings


@dataclass(frozen=True, slots=True)
class AppServices:
    """The services, and the decoders of bodies by media type.

    decode_lines: body and precision of line protocol to readings, refused lines, and the number of lines.
    """

    settings: Settings
    store: Store
    store_is_embedded: bool
    households: Households
    tokens: Tokens
    recorder: Recorder
    asking: Asking
    decoders: dict[str, Callable[[bytes], Decoded]]
    decode_lines: Callable[[bytes, str], tuple[list[WireReadings], list[RefusedLine], int]]
