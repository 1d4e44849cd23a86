"""FlexiHome's account manager: a small real server that answers as it does, with faults on demand."""

from __future__ import annotations

import secrets
from typing import Any

from upstream_server import Answer, Request, UpstreamServer

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_id() -> str:
    """An id as FlexiHome makes them."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


class AccountServer(UpstreamServer):
    """Knows users by their ids. strict: one unknown user among several has all of them declined."""

    def __init__(self, *, strict: bool = False) -> None:
        super().__init__()
        self.users: dict[str, dict[str, Any]] = {}
        self.strict = strict
        self.answers_as_always()

    def answers_as_always(self) -> None:
        """Answer by its users."""
        self.answers_by("/user", self._user)
        self.answers("/user-list", lambda query, headers: list(self.users.values()))
        self.answers("/list-dongles", lambda query, headers: self._owners("api_key"))
        self.answers("/list-meter-ids", lambda query, headers: self._owners("meter_id"))

    def add(self, household: str | None = None, **told: Any) -> str:
        """A user, by the members that are told beside the usual ones; the id."""
        household = household or new_id()
        usual = {
            "user_id": household,
            "first_name": "Ana",
            "api_key": f"dongle-{household}",
            "meter_id": f"meter-{household}",
            "country": "PT",
            "postal_code": "4200-465",
            "tarif_type": "bi-hourly",
            "contracted_power": "6.9 kVA",
        }
        self.users[household] = usual | told
        return household

    def asked_users(self) -> list[str]:
        """The ids that were asked for, each as often as it was."""
        return [one for request in self.asked("/user") for one in request.query["user-ids"].split(",")]

    def _owners(self, name: str) -> list[dict[str, Any]]:
        return [{"user_id": id, name: told[name]} for id, told in self.users.items() if told.get(name)]

    def _user(self, request: Request) -> Answer:
        assert len(request.headers["x-correlation-id"]) == 36
        asked = request.query["user-ids"].split(",")
        found = [self.users[one] for one in asked if one in self.users]
        if not found or (self.strict and len(found) < len(asked)):
            return Answer({"error": "user not found"}, 404)
        return Answer(found)
