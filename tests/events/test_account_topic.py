"""From the account manager's topic on a real broker to what REST shows: registered, changed, erased."""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

from account_server import AccountServer, new_id
from kafka_server import KafkaServer
from test_end_to_end import System, eventually


def tell(system: System, household: str, event_type: str, **told: Any) -> None:
    """Send an account event, as FlexiHome's services do."""
    payload = {"eventId": str(uuid.uuid4()), "eventType": event_type, "payload": {"user_id": household, **told}}
    system.send("account", household.encode(), json.dumps({"payload": payload}).encode())


def test_account_events_register_change_and_erase_a_household(kafka: KafkaServer, tmp_path: pathlib.Path) -> None:
    household, witness = new_id(), new_id()
    with AccountServer() as server:
        settings = {"ACCOUNT_MANAGER_ENDPOINT": server.url, "FORECAST_DAILY": "false"}
        with System(kafka, f"sqlite:///{tmp_path / 'statistics.sqlite3'}", **settings) as system:

            def told() -> Any:
                """All that is told of the households that there are; asking for one by its id would ask for it."""
                return {one["id"]: one for one in system.api.get("/households").json()["households"]}

            tell(system, household, "UserRegisteredEvent", country="PT", contracted_power="6.9 kVA")
            found = eventually(lambda: told().get(household), "household")
            assert (found["timezone"], found["contracted_power_kva"]) == ("Europe/Lisbon", 6.9)

            tell(system, household, "UserSettingsChangedEvent", contracted_power="10.35 kVA")
            tell(system, household, "DongleAddedEvent", api_key="key1")
            assert eventually(lambda: told()[household].get("api_key"), "dongle") == "key1"
            assert told()[household]["contracted_power_kva"] == 10.35
            line = "key1 voltage=230 1715335200"
            assert system.service.call("POST", "/api/v2/write?precision=s", content=line).status_code == 204

            tell(system, household, "UserDeletedEvent")
            assert eventually(lambda: household not in told(), "erasure")
            tell(system, household, "UserSettingsChangedEvent", contracted_power="20.7 kVA")
            tell(system, witness, "UserForgotPasswordEvent")
            tell(system, household, "DongleAddedEvent", api_key="key1")
            eventually(lambda: len(server.asked_users()) == 2, "question for the erased household")
            tell(system, witness, "UserRegisteredEvent")
            eventually(lambda: witness in told(), "other household")
            assert household not in told()
            health = system.api.get("/health").json()
            assert health["events"]["set_aside"] == 0
