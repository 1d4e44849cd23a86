"""Meter swaps: the books go on across them, and undoing one leaves no trace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from homes import Home, channel, expect_error

AT = channel()["at"]
#: 100.0 to 100.3 of the old meter, which ended at 100.35 at 10:50; the new one began at 5.0: 5.1 to 5.5 from 11:00 on.
VALUE = [100.0, 100.1, 100.2, 100.3, 5.1, 5.2, 5.3, 5.4, 5.5]
SWAP: dict[str, Any] = {
    "kind": "swap",
    "quantity": "energy_import",
    "at": "2024-05-10T10:50:00Z",
    "old_end": 100.35,
    "new_start": 5.0,
}


def tell(home: Home, **more: Any) -> Any:
    return home.api.post(f"{home.path}/meters/grid/events", {**SWAP, **more})


def test_the_books_go_on_across_a_swap(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    made = tell(each_home)
    assert made.status_code == 201
    assert made.json() == {"id": made.json()["id"], **SWAP, "unit": "kWh"}
    # 0.35 of the old meter and 0.1 of the new one until 11:00; 0.4 of the new one after it
    assert each_home.values() == [Decimal("0.45"), Decimal("0.4")]
    assert each_home.ask("energy_import", "total")["series"][0]["total"] == Decimal("0.85")


@pytest.mark.parametrize("first", ["event", "readings"])
def test_it_does_not_matter_whether_the_swap_is_told_before_or_after_the_readings(each_home: Home, first: str) -> None:
    each_home.api.call("PUT", f"{each_home.path}/meters/grid", json={"quantity": "energy_import", "unit": "kWh"})
    steps = [lambda: tell(each_home), lambda: each_home.write(at=AT[:6], value=VALUE[:6]),
             lambda: each_home.write(at=AT[6:], value=VALUE[6:])]  # fmt: skip
    for step in steps if first == "event" else steps[::-1]:
        step()
    assert each_home.values() == [Decimal("0.45"), Decimal("0.4")]


@pytest.mark.parametrize("value", [VALUE, channel()["value"]])
def test_undoing_a_swap_leaves_the_statistics_bit_for_bit_as_they_were(each_home: Home, value: list[float]) -> None:
    each_home.write(at=AT, value=value)
    each_home.write(meter="pv", quantity="energy_production")
    before = each_home.everything()
    event = tell(each_home).json()["id"]
    assert each_home.everything() != before
    listed = each_home.api.get(f"{each_home.path}/meters/grid/events").json()["events"]
    assert [one["id"] for one in listed] == [event]
    answer = each_home.api.call("DELETE", f"{each_home.path}/meters/grid/events/{event}")
    assert answer.status_code == 204
    assert each_home.everything() == before
    assert each_home.api.get(f"{each_home.path}/meters/grid/events").json()["events"] == []


def test_two_swaps_are_told_and_undone_each_for_itself(each_home: Home) -> None:
    value = [100.0, 100.1, 5.1, 5.2, 5.3, 5.4, 900.1, 900.2, 900.3]
    each_home.write(at=AT, value=value)
    one = tell(each_home, at="2024-05-10T10:20:00Z", old_end=100.15, new_start=5.0).json()["id"]
    after_one = each_home.everything()
    two = tell(each_home, at="2024-05-10T11:20:00Z", old_end=5.45, new_start=900.0).json()["id"]
    # 0.15 + 0.3 until 11:00; 0.1 + 0.05 + 0.1 of 11:00 to 11:30, 0.2 to 12:00
    assert each_home.ask("energy_import", "total")["series"][0]["total"] == Decimal("0.9")
    each_home.api.call("DELETE", f"{each_home.path}/meters/grid/events/{two}")
    assert each_home.everything() == after_one
    assert one != two


def test_a_swap_of_one_channel_leaves_the_others_alone(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    each_home.write(quantity="energy_export")
    each_home.write(meter="pv", quantity="energy_production")
    before = [each_home.values(measure) for measure in ("energy_export", "energy_production")]
    tell(each_home)
    assert [each_home.values(measure) for measure in ("energy_export", "energy_production")] == before


def test_a_late_reading_beside_a_swap_is_counted_with_it(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    tell(each_home)
    each_home.write(at=["2024-05-10T10:55:00Z"], value=[5.02])
    assert each_home.values() == [Decimal("0.45"), Decimal("0.4")]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown kind": ({"kind": "repair"}, "kind"),
    "no kind": ({"kind": None}, "kind"),
    "an unknown quantity": ({"quantity": "gas"}, "quantity"),
    "a quantity without a register": ({"quantity": "voltage"}, "quantity"),
    "no quantity": ({"quantity": None}, "quantity"),
    "an instant of a word": ({"at": "yesterday"}, "at"),
    "an instant of epoch seconds": ({"at": 1715335200}, "at"),
    "a day that is not": ({"at": "2024-02-30"}, "at"),
    "year 9999": ({"at": "9999-01-01"}, "at"),
    "no instant": ({"at": None}, "at"),
    "a text of an end": ({"old_end": "100"}, "old_end"),
    "an end beyond any register": ({"old_end": 1e300}, "old_end"),
    "an end beyond any number": ({"old_end": 1.7e308}, "old_end"),
    "a start beyond any number": ({"new_start": -1.7e308}, "new_start"),
    "no start": ({"new_start": None}, "new_start"),
    "true": ({"new_start": True}, "new_start"),
    "an unknown member": ({"reason": "lightning"}, "reason"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_event_is_refused_and_changes_nothing(home: Home, what: str) -> None:
    wrong, where = WRONG[what]
    home.write(at=AT, value=VALUE)
    before = home.everything()
    told = expect_error(tell(home, **wrong), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]
    assert home.everything() == before
    assert home.api.get(f"{home.path}/meters/grid/events").json()["events"] == []


def test_all_faults_of_an_event_are_told_at_once(home: Home) -> None:
    told = expect_error(tell(home, quantity="gas", at="soon"), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == {"quantity", "at"}


@pytest.mark.parametrize("event", ["999999", "0", "-1", "9" * 40])
def test_an_event_that_is_not_there_can_not_be_undone(each_home: Home, event: str) -> None:
    each_home.write()
    path = f"{each_home.path}/meters/grid/events/{event}"
    expect_error(each_home.api.call("DELETE", path), 404, "not_found")


@pytest.mark.parametrize("event", ["one", "1.5", "%00", "１"])
def test_the_number_of_an_event_is_a_number(home: Home, event: str) -> None:
    answer = home.api.call("DELETE", f"{home.path}/meters/grid/events/{event}")
    assert answer.status_code in (400, 404)
    expect_error(answer, answer.status_code)


def test_an_event_of_another_home_or_meter_can_not_be_undone(home: Home) -> None:
    home.write(at=AT, value=VALUE)
    event = tell(home).json()["id"]
    other = Home(home.api)
    other.write()
    for path in (f"{other.path}/meters/grid", f"{home.path}/meters/pv"):
        expect_error(home.api.call("DELETE", f"{path}/events/{event}"), 404, "not_found")
    assert home.values() == [Decimal("0.45"), Decimal("0.4")]


def test_a_swap_that_is_told_again_is_the_same_swap(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    first, second = tell(each_home).json(), tell(each_home).json()
    assert second == first
    assert len(each_home.api.get(f"{each_home.path}/meters/grid/events").json()["events"]) == 1


def test_two_swaps_of_a_register_at_one_instant_contradict_each_other(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    number = tell(each_home).json()["id"]
    before = each_home.everything()
    told = expect_error(tell(each_home, new_start=4.0), 409, "conflict")
    assert f"event {number}" in told["error"]
    assert each_home.everything() == before


def test_the_number_of_a_swap_that_was_undone_is_not_given_again(each_home: Home) -> None:
    each_home.write(at=AT, value=VALUE)
    first = tell(each_home).json()["id"]
    events = f"{each_home.path}/meters/grid/events"
    assert each_home.api.call("DELETE", f"{events}/{first}").status_code == 204
    second = tell(each_home, new_start=4.0).json()["id"]
    assert second != first
    expect_error(each_home.api.call("DELETE", f"{events}/{first}"), 404)
    assert [one["id"] for one in each_home.api.get(events).json()["events"]] == [second]


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2199-01-01T00:00:00Z"])
def test_a_swap_lies_where_readings_may_lie(home: Home, at: str) -> None:
    told = expect_error(tell(home, at=at), 400)
    assert [one["where"] for one in told["details"]] == ["at"]


def test_all_that_is_wrong_with_a_swap_or_a_channel_is_told_at_once(home: Home) -> None:
    swap = {"kind": "s", "quantity": "warmth", "at": "x", "old_end": "a", "new_start": 1e300, "more": 1}
    told = expect_error(home.api.post(f"{home.path}/meters/grid/events", swap), 400)
    assert {"kind", "quantity", "at", "old_end", "more"} <= {one["where"] for one in told["details"]}
    declared = {"quantity": "warmth", "kind": "k", "unit": "zz", "modulus": -1, "gap_limit_s": 0}
    told = expect_error(home.api.call("PUT", f"{home.path}/meters/a%20b", json=declared), 400)
    assert {one["where"] for one in told["details"]} == {"meter", *declared}
