"""Every error that the service raises on purpose, as one tree.

StatisticsError
├── Refused                 what the caller sent cannot be taken (permanent)
│   ├── BadInput            400, with every fault found
│   ├── NotAuthenticated    401
│   ├── Forbidden           403
│   ├── NotFound            404
│   │   └── UnknownHousehold
│   ├── Conflict            409
│   ├── TooLarge            413
│   ├── UnsupportedMedia    415
│   └── Declined            502, another service declined what it was asked (permanent)
└── Unavailable             503, a dependency is down: worth a retry
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input: where it is, and why it is wrong and what would be right."""

    where: str
    why: str


class StatisticsError(Exception):
    """Base of all errors that are raised on purpose. The text is one sentence for the caller."""

    code = "internal_error"
    status = 500

    def __init__(self, sentence: str, faults: Sequence[Fault] = (), code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.faults = tuple(faults)
        if code is not None:
            self.code = code


class Refused(StatisticsError):
    """What the caller sent cannot be taken; sending it again will not help."""


class BadInput(Refused):
    """The input is wrong; `faults` holds all that is wrong with it."""

    code = "bad_input"
    status = 400

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> BadInput:
        """An error that names the first fault in its sentence and carries all of them."""
        first = faults[0]
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        return cls(f"{first.where}: {first.why}{more}", faults)


class NotAuthenticated(Refused):
    """No token, or one that is not to be trusted."""

    code = "not_authenticated"
    status = 401


class Forbidden(Refused):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403


class NotFound(Refused):
    """There is no such thing."""

    code = "not_found"
    status = 404


class UnknownHousehold(NotFound):
    """There are no such households: `households` names them, so that they can be asked for elsewhere."""

    def __init__(self, households: Sequence[str], hint: str = "") -> None:
        named = ", ".join(repr(one[:80]) for one in households[:_MOST_NAMED])
        others = " and others" if len(households) > _MOST_NAMED else ""
        super().__init__(f"there is no household {named}{others}{hint}")
        self.households = tuple(households)


class Conflict(Refused):
    """It contradicts what is stored, such as an api_key that belongs to another household."""

    code = "conflict"
    status = 409


class TooLarge(Refused):
    """The body is over `max_body_bytes`."""

    code = "body_too_large"
    status = 413


class UnsupportedMedia(Refused):
    """The content type or encoding is not one that is read here."""

    code = "unsupported_media_type"
    status = 415


class Declined(Refused):
    """Another service answered that it will not do what it was asked; asking again will not help.

    answered: the status of its answer. told: the JSON of its body, None where it has none.
    """

    code = "upstream_declined"
    status = 502

    def __init__(self, sentence: str, answered: int, told: object = None) -> None:
        super().__init__(sentence)
        self.answered, self.told = answered, told


class Unavailable(StatisticsError):
    """A dependency is down or overloaded; the same request may succeed later."""

    code = "unavailable"
    status = 503

    def __init__(self, sentence: str, retry_after_s: int = 5) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s
