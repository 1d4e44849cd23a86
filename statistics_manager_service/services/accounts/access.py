"""Who calls, and what they may do. Nothing is trusted by default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statistics_manager_service.errors import Forbidden


class Role(StrEnum):
    """The service itself, a household's user, or a household's device."""

    SERVICE = "service"
    HOUSEHOLD = "household"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `household` is None for the service. Only a device's token can carry `may_write`."""

    role: Role
    household: str | None = None
    may_write: bool = False

    @property
    def is_service(self) -> bool:
        """Whether the caller is the service itself."""
        return self.role is Role.SERVICE


SERVICE = Caller(Role.SERVICE)


def require_service(caller: Caller) -> None:
    """The service alone. Raises Forbidden."""
    if not caller.is_service:
        raise Forbidden("this is for the service's own tokens")


def require_read(caller: Caller, household: str) -> None:
    """The service, or the household itself. Raises Forbidden."""
    if not caller.is_service and caller.household != household:
        raise Forbidden("this token is for another household")


def require_settings(caller: Caller, household: str) -> None:
    """Changing a household's settings: the service, or the household's user. Raises Forbidden."""
    require_read(caller, household)
    if caller.role is Role.DEVICE:
        raise Forbidden("a device's token can't change settings")


def require_any_writing(caller: Caller) -> None:
    """Writing readings of some household: the service, or a device with the right to. Raises Forbidden."""
    if not caller.is_service and not caller.may_write:
        raise Forbidden("this token may not write readings; use a service token or a device's token made with --write")


def require_write(caller: Caller, household: str) -> None:
    """Writing readings of a household. Raises Forbidden."""
    require_any_writing(caller)
    require_read(caller, household)
