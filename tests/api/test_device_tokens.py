"""Device tokens: what they may do, for whom, until when, and what is kept of them."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from homes import WRITE, Api, Home, channel, expect_error, new_id

from statistics_manager_service.bootstrap import open_store
from statistics_manager_service.services.accounts.tokens import Tokens
from statistics_manager_service.settings import Settings

DAY_US = 86_400_000_000
#: 0.4 kWh from 10:00 to 11:00.
LINES = """energy,household={} energyImported=100000 1715335200000000000
energy,household={} energyImported=100400 1715338800000000000"""


def write_lines(api: Api, household: str, authorization: str) -> httpx.Response:
    lines = LINES.replace("{}", household)
    return api.call("POST", WRITE, content=lines, token=None, headers={"Authorization": authorization})


def everything_stored(api: Api) -> str:
    """The text of every cell of the store."""
    engine = sa.create_engine(api.service.settings["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        cells = [str(tuple(row)) for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
    engine.dispose()
    return "\n".join(cells)


def test_the_secret_is_told_once_and_its_hash_alone_is_stored(each_home: Home) -> None:
    api = each_home.api
    made = each_home.device(write=True, label="hub in the cellar", lifetime_days=30)
    _, token_id, secret = made["token"].split("_", 2)
    assert len(secret) >= 40
    told = api.get(f"{each_home.path}/tokens")
    assert told.json()["tokens"] == [{k: v for k, v in made.items() if k != "token"}]
    assert (made["id"], made["label"], made["write"], made["revoked"]) == (token_id, "hub in the cellar", True, None)
    stored = everything_stored(api)
    assert token_id in stored
    assert secret not in stored


def test_a_writing_device_writes_readings_and_lines_by_either_word(each_home: Home) -> None:
    api, token = each_home.api, each_home.device(write=True)["token"]
    assert each_home.post(channel(), token=token).json()["accepted"] == 9
    csv = f"household,meter,quantity,unit,at,value\n{each_home.id},grid,voltage,V,2024-05-10T10:00:00Z,230\n"
    answer = api.call("POST", "/readings", content=csv, token=token, headers={"Content-Type": "text/csv"})
    assert answer.json()["accepted"] == 1
    for word in ("Token", "Bearer", "token", "bearer"):
        home = Home(api)
        assert write_lines(api, home.id, f"{word} {home.device(write=True)['token']}").status_code == 204
        assert home.values(group_by="total") == [Decimal("0.4")]


def test_a_device_reads_its_own_home(home: Home) -> None:
    home.write()
    for wanted in ({}, {"write": True}):
        token = home.device(**wanted)["token"]
        answer = home.api.get(f"{home.path}/last", token=token)
        assert answer.json()["channels"][0]["value"] == 100.8


def test_a_reading_device_may_not_write(each_home: Home) -> None:
    token = each_home.device()["token"]
    told = expect_error(each_home.post(channel(), token=token), 403, "forbidden")
    assert "--write" in told["error"], "what would be right is named"
    answer = write_lines(each_home.api, each_home.id, f"Token {token}")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert each_home.values() == [None, None]


def test_a_device_may_not_write_for_another_home(each_api: Api) -> None:
    own, other = Home(each_api), Home(each_api)
    token = own.device(write=True)["token"]
    expect_error(other.post(channel(), token=token), 403, "forbidden")
    mixed = "household,meter,quantity,unit,at,value\n" + "".join(
        f"{one.id},grid,voltage,V,2024-05-10T10:00:00Z,230\n" for one in (own, other)
    )
    answer = each_api.call("POST", "/readings", content=mixed, token=token, headers={"Content-Type": "text/csv"})
    expect_error(answer, 403, "forbidden")
    assert write_lines(each_api, other.id, f"Token {token}").status_code == 403
    for one in (own, other):
        assert one.api.get(f"{one.path}/last").json()["channels"] == [], "nothing of a mixed body is kept"


def test_a_device_may_not_write_by_the_key_of_another_homes_dongle(each_api: Api) -> None:
    key = new_id()
    own, other = Home(each_api), Home(each_api, api_key=key)
    authorization = f"Token {own.device(write=True)['token']}"
    answer = each_api.call(
        "POST", WRITE, content=f"{key} energyImported=1 1715335200000000000", token=None,
        headers={"Authorization": authorization},
    )  # fmt: skip
    assert answer.status_code == 403
    assert each_api.get(f"{other.path}/last").json()["channels"] == []


@pytest.mark.parametrize("wanted", [{}, {"write": True}])
def test_a_device_may_not_change_settings_nor_make_tokens(home: Home, wanted: dict[str, Any]) -> None:
    token = home.device(**wanted)["token"]
    for method, path, body in (
        ("PATCH", home.path, {"country": "PT"}),
        ("PUT", home.path, {}),
        ("DELETE", home.path, None),
        ("POST", f"{home.path}/tokens", {"write": True}),
        ("GET", f"{home.path}/tokens", None),
        ("PUT", f"{home.path}/meters/grid", {"quantity": "energy_import"}),
    ):
        expect_error(home.api.call(method, path, json=body, token=token), 403, "forbidden")


def test_a_revoked_token_is_refused_from_then_on_and_stays_in_the_list(each_home: Home) -> None:
    api, made, other = each_home.api, each_home.device(write=True), each_home.device(write=True)
    assert each_home.post(channel(), token=made["token"]).status_code == 200
    assert api.call("DELETE", f"{each_home.path}/tokens/{made['id']}").status_code == 204
    told = expect_error(each_home.post(channel(), token=made["token"]), 401, "not_authenticated")
    assert "revoked" in told["error"]
    assert write_lines(api, each_home.id, f"Token {made['token']}").status_code == 401
    assert each_home.post(channel(), token=other["token"]).status_code == 200
    listed = {one["id"]: one["revoked"] for one in api.get(f"{each_home.path}/tokens").json()["tokens"]}
    assert listed[made["id"]] is not None
    assert listed[other["id"]] is None
    assert api.call("DELETE", f"{each_home.path}/tokens/{made['id']}").status_code == 204


def test_a_token_is_refused_once_it_has_expired(each_home: Home) -> None:
    store = open_store(Settings(database_url=each_home.api.service.settings["DATABASE_URL"], jwt_sign_key="k" * 64))
    now_us = time.time_ns() // 1000
    texts = {}
    for name, made_us in (("expired", now_us - DAY_US - 1_000_000), ("valid", now_us - DAY_US // 2)):
        tokens = Tokens(store, lambda made_us=made_us: made_us, None, "HS512", 0)
        texts[name], _ = tokens.create(each_home.id, may_write=True, label=name, lifetime_days=1)
    store.close()
    told = expect_error(each_home.post(channel(), token=texts["expired"]), 401, "not_authenticated")
    assert "expired" in told["error"]
    assert each_home.post(channel(), token=texts["valid"]).status_code == 200


def test_a_wrong_secret_opens_nothing(home: Home) -> None:
    token = home.device(write=True)["token"]
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (changed, token[:-1], token + "A", token.rsplit("_", 1)[0], token.upper(), token.replace("smd_", "")):
        expect_error(home.post(channel(), token=wrong), 401, "not_authenticated")


def test_the_token_of_another_home_can_not_be_revoked_by_guessing_its_path(api: Api) -> None:
    own, other = Home(api), Home(api)
    made = own.device(write=True)
    expect_error(api.call("DELETE", f"{other.path}/tokens/{made['id']}"), 404, "not_found")
    expect_error(api.call("DELETE", f"{own.path}/tokens/0000"), 404, "not_found")
    assert own.post(channel(), token=made["token"]).status_code == 200


def test_the_tokens_of_an_erased_home_are_gone_even_if_its_name_comes_back(each_home: Home) -> None:
    api, token = each_home.api, each_home.device(write=True)["token"]
    assert api.call("DELETE", each_home.path).status_code == 204
    expect_error(each_home.post(channel(), token=token), 401)
    assert api.call("PUT", each_home.path, json={}).status_code == 201
    expect_error(each_home.post(channel(), token=token), 401)
    assert api.get(f"{each_home.path}/tokens").json()["tokens"] == []


def test_a_token_of_an_unknown_home_is_not_made(api: Api) -> None:
    expect_error(api.post(f"/households/{new_id()}/tokens", {"write": True}), 404, "not_found")
