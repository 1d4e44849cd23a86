"""Everything of a household as one file, and what corrections have replaced."""

from __future__ import annotations

import io
import json
import time
import zipfile
from decimal import Decimal
from typing import Any

import pyarrow.parquet
from homes import PARQUET, Home, channel, expect_error

AT = ["2024-05-10T10:00:00Z", "2024-05-10T10:15:00Z", "2024-05-10T10:30:00Z"]
INTERVALS = {"meter": "sm", "quantity": "energy_import", "kind": "interval", "unit": "kWh", "interval": "PT15M"}


def exported(home: Home, token: str = "service") -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/export", token=token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert len(answer.content) == int(answer.headers["content-length"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {
            name: json.loads(archive.read(name))
            if name.endswith(".json")
            else pyarrow.parquet.read_table(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
        }


def test_an_export_tells_settings_meters_events_and_tokens_without_secrets(each_home: Home) -> None:
    each_home.write()
    secret = each_home.device(write=True, label="hub")["token"]
    swap = {"kind": "swap", "quantity": "energy_import", "at": AT[1], "old_end": 100.1, "new_start": 0}
    each_home.api.post(f"{each_home.path}/meters/grid/events", swap)
    found = exported(each_home)
    assert found["household.json"]["id"] == each_home.id
    assert [(one["meter"], one["readings"]) for one in found["meters.json"]] == [("grid", 9)]
    assert [one["old_end"] for one in found["events.json"]] == [100.1]
    assert [one["label"] for one in found["tokens.json"]] == ["hub"]
    assert secret not in json.dumps(found["tokens.json"])


def test_what_was_exported_and_is_written_to_another_home_gives_the_same_statistics(each_home: Home) -> None:
    glitch = channel()
    glitch["value"][4] = 900.0
    each_home.post(glitch, {**INTERVALS, "at": AT, "value": [0.25, 0.5, 0.125]})
    each_home.post({"meter": "grid", "quantity": "voltage", "at": AT, "value": [230.1, 231.2, 229.9]})
    found = exported(each_home)
    assert found["readings/0001_energy_import_register.parquet"]["verdict"].to_pylist().count("glitch") == 1
    other = Home(each_home.api)
    for name, table in found.items():
        if not name.startswith("readings/"):
            continue
        place = table.column_names.index("household")
        moved = table.set_column(place, "household", [[other.id] * table.num_rows])
        sink = io.BytesIO()
        pyarrow.parquet.write_table(moved, sink)
        headers = {"Content-Type": PARQUET}
        answer = other.api.call("POST", "/readings", content=sink.getvalue(), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["refused"] == []
    assert other.everything() == each_home.everything()


def test_what_a_correction_replaced_is_told_with_the_instant_of_its_replacement(each_home: Home) -> None:
    each_home.write()
    each_home.post(channel(at=AT[1:2], value=[100.05]))
    each_home.post(channel(at=AT[1:2], value=[100.07]))
    answer = each_home.api.get(f"{each_home.path}/meters/grid/readings", {"revisions": "true"}).json()["channels"][0]
    assert answer["value"][1] == 100.07
    assert answer["revisions"]["at"] == AT[1:2] * 2
    assert answer["revisions"]["value"] == [100.1, 100.05]
    assert answer["revisions"]["replaced"] == sorted(answer["revisions"]["replaced"])
    assert "revisions" not in each_home.api.get(f"{each_home.path}/meters/grid/readings").json()["channels"][0]
    table = exported(each_home)["revisions/0001_energy_import_register.parquet"]
    assert table["value"].to_pylist() == [100.1, 100.05]


def test_statistics_are_those_of_the_last_value_alone(each_home: Home) -> None:
    each_home.write()
    each_home.post(channel(at=AT[1:2], value=[100.05]))
    other = Home(each_home.api)
    other.write(value=[100.0, 100.05, *channel()["value"][2:]])
    assert each_home.values(group_by="15_mins") == other.values(group_by="15_mins")


def test_a_home_without_readings_can_be_exported(home: Home) -> None:
    found = exported(home, home.token)
    documents = ["contracts", "events", "goals", "groups", "household", "meters", "tokens"]
    assert sorted(found) == [f"{one}.json" for one in documents]


def test_an_export_holds_each_revision_of_the_contracts(each_home: Home) -> None:
    first = {"tariff": "pt-btn-simples", "flow": "import", "from": "2025-01-01", "to": None, "parameters": {}}
    second = {**first, "tariff": "pt-btn-bi-horario", "parameters": {"contracted_power_kva": 10.35}}
    for one in (first, second):
        answer = each_home.api.call("PUT", f"{each_home.path}/contracts", json={"contracts": [one]})
        assert answer.status_code in (200, 201), answer.text
    found = exported(each_home, each_home.token)["contracts.json"]
    assert [one["contracts"] for one in found] == [[first], [second]]
    assert [one["told_at"] for one in found] == sorted(one["told_at"] for one in found)


def test_an_export_holds_each_revision_of_the_goals(each_home: Home) -> None:
    first = {"id": "less", "measure": "energy_import", "period": "month", "at_most": 250.0, "unit": "kWh"}
    for one in (first, {**first, "at_most": 200.0}):
        answer = each_home.api.call("PUT", f"{each_home.path}/goals", json={"goals": [one]})
        assert answer.status_code in (200, 201), answer.text
    found = exported(each_home, each_home.token)["goals.json"]
    assert [one["goals"] for one in found] == [[first], [{**first, "at_most": 200.0}]]


def test_a_device_can_t_have_everything(home: Home) -> None:
    device = home.device(write=True)["token"]
    expect_error(home.api.get(f"{home.path}/export", token=device), 403)
    expect_error(home.api.get("/households/nobody/export"), 404)


def test_energy_of_unknown_length_can_be_exported_and_read_again(each_home: Home) -> None:
    lines = "\n".join(
        f"e,household={each_home.id} meterPowerImported={kwh} {1715335200 + 300 * i}"
        for i, kwh in enumerate((0.1, 0.2, 0.4, 0.8))
    )
    answer = each_home.api.call("POST", "/api/v2/write?precision=s", content=lines)
    assert answer.status_code == 204, answer.text
    assert each_home.values(group_by="15_mins")[:2] == [Decimal("0.7"), Decimal("0.8")]
    table = exported(each_home)["readings/0001_energy_import_interval.parquet"]
    assert table["interval"].to_pylist() == ["unknown"] * 4
    other = Home(each_home.api)
    at, value = [str(one) for one in table["at"].to_pylist()], table["value"].to_pylist()
    told = {"meter": "grid", "quantity": "energy_import", "unit": "kWh", "interval": "unknown"}
    other.post({**told, "at": [one.replace(" ", "T") for one in at], "value": value})
    assert other.values(group_by="15_mins") == each_home.values(group_by="15_mins")


def test_an_export_holds_each_issue_of_a_forecast(each_home: Home) -> None:
    query = {"user_id": each_home.id, "start_date": "2024-05-10", "delivery_time": 15}
    assert each_home.api.call("POST", "/mock-consumption-curve-producer", params=query).status_code == 201
    until = time.monotonic() + 20
    while "forecasts.parquet" not in (found := exported(each_home)):
        assert time.monotonic() < until, "no forecast was made"
        time.sleep(0.1)
    table = found["forecasts.parquet"]
    told = each_home.api.get(f"{each_home.path}/forecast", {"start": "2024-05-10", "end": "2024-05-11"}).json()
    assert table.num_rows == 96
    assert set(table["source"].to_pylist()) == {"mock"}
    assert round(sum(table["energy_wh"].to_pylist()) / 1000, 6) == told["series"][0]["total"]
