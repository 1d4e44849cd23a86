"""Bad input: what is refused, how the refusal names what is wrong and what would be right, and that nothing is kept."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from homes import Api, Home, channel, expect_error, new_id

INTERVAL = {"kind": "interval", "interval": "PT15M"}


def without(name: str) -> dict[str, Any]:
    return {k: v for k, v in channel().items() if k != name}


#: What is wrong with a channel as a whole: the place that is named, and a word that says what would be right.
BAD_CHANNELS: dict[str, tuple[Any, str, str]] = {
    "more instants than values": (channel(value=[1]), "readings[0]", "as many"),
    "more values than instants": (channel(at=["2024-05-10T10:00:00Z"]), "readings[0]", "as many"),
    "no instants": (without("at"), "readings[0].at", "list"),
    "no values": (without("value"), "readings[0].value", "list"),
    "null instants": (channel(at=None), "readings[0].at", "list"),
    "an object of values": (channel(value={"0": 1}), "readings[0].value", "list"),
    "a text of instants": (channel(at="2024-05-10T10:00:00Z"), "readings[0].at", "list"),
    "no meter": (without("meter"), "readings[0].meter", "name of the meter"),
    "a number of a meter": (channel(meter=7), "readings[0].meter", "text"),
    "an empty meter": (channel(meter=""), "readings[0].meter", "1 to 64"),
    "a meter of 65 letters": (channel(meter="x" * 65), "readings[0].meter", "1 to 64"),
    "a meter with a slash": (channel(meter="a/b"), "readings[0].meter", "letters"),
    "a meter with a NUL": (channel(meter="a\0b"), "readings[0].meter", "letters"),
    "a meter with a line break": (channel(meter="grid\n"), "readings[0].meter", "letters"),
    "a meter of other letters": (channel(meter="compteur-é"), "readings[0].meter", "letters"),
    "a meter that turns the text around": (channel(meter="\u202egrid"), "readings[0].meter", "letters"),
    "no quantity": (without("quantity"), "readings[0].quantity", "energy_import"),
    "an unknown quantity": (channel(quantity="energy_drinks"), "readings[0].quantity", "energy_import"),
    "a quantity in capitals": (channel(quantity="ENERGY_IMPORT"), "readings[0].quantity", "energy_import"),
    "a list of quantities": (channel(quantity=["energy_import"]), "readings[0].quantity", "energy_import"),
    "an unknown unit": (channel(unit="furlong"), "readings[0].unit", "kWh"),
    "a unit of another dimension": (channel(unit="V"), "readings[0].unit", "kWh"),
    "a unit in small letters": (channel(unit="kwh"), "readings[0].unit", "kWh"),
    "power as the unit of a register": (channel(unit="W"), "readings[0].unit", "kWh"),
    "a number of a unit": (channel(unit=1000), "readings[0].unit", "kWh"),
    "an unknown kind": (channel(kind="rumour"), "readings[0].kind", "register"),
    "a kind that the quantity has not": (channel(kind="sample"), "readings[0].kind", "register"),
    "a register of voltage": (channel(quantity="voltage", unit="V"), "readings[0].kind", "sample"),
    "an object of a kind": (channel(kind={}), "readings[0].kind", "register"),
    "an interval without a length": (channel(kind="interval"), "readings[0].interval", "PT15M"),
    "an interval of no length": (channel(**{**INTERVAL, "interval": "PT0S"}), "readings[0].interval", "PT15M"),
    "an interval below 0": (channel(**{**INTERVAL, "interval": "-PT15M"}), "readings[0].interval", "PT15M"),
    "an interval of a word": (channel(**{**INTERVAL, "interval": "a while"}), "readings[0].interval", "PT15M"),
    "an interval of months": (channel(**{**INTERVAL, "interval": "P1M"}), "readings[0].interval", "PT15M"),
    "an interval of an age": (channel(**{**INTERVAL, "interval": "P99999999W"}), "readings[0].interval", "PT15M"),
    "an interval as a number": (channel(**{**INTERVAL, "interval": 900}), "readings[0].interval", "PT15M"),
    "an empty interval": (channel(**{**INTERVAL, "interval": ""}), "readings[0].interval", "PT15M"),
    "too few intervals": (channel(**{**INTERVAL, "interval": ["PT15M"]}), "readings[0].interval", "as many"),
    "an unknown stamp": (channel(**INTERVAL, stamp="middle"), "readings[0].stamp", "start or end"),
    "a number of a stamp": (channel(**INTERVAL, stamp=1), "readings[0].stamp", "start or end"),
    "a length of a register": (channel(interval="PT15M"), "readings[0].interval", "kind"),
    "a length of a voltage": (
        {k: v for k, v in channel(quantity="voltage", unit="V", interval="PT15M").items() if k != "kind"},
        "readings[0].kind",
        "sample",
    ),
    "a stamp of a register": (channel(stamp="end"), "readings[0].stamp", "kind"),
    "an unknown member": (channel(values=[1]), "readings[0].values", "no such member"),
    "a null channel": (None, "readings[0]", "meter, quantity"),
    "a list of a channel": ([1, 2], "readings[0]", "meter, quantity"),
    "a text of a channel": ("grid", "readings[0]", "meter, quantity"),
}


@pytest.mark.parametrize("what", BAD_CHANNELS)
def test_a_channel_that_is_wrong_as_a_whole_refuses_the_body(home: Home, what: str) -> None:
    bad, where, right = BAD_CHANNELS[what]
    before = home.everything()
    told = expect_error(home.post(bad, channel(meter="other")), 400, "bad_input")
    assert told["details"][0]["where"] == where
    assert right in told["details"][0]["why"]
    assert told["error"].startswith(where), "the sentence names the place"
    assert home.everything() == before, "nothing of the body is kept"


def test_all_faults_of_a_body_are_told_at_once(home: Home) -> None:
    bad = [channel(quantity="a", unit="b", kind="c"), channel(unit="V", stamp="x"), channel(meter="", extra=1)]
    body = {"household": "no name", "readings": bad, "more": 1}
    told = expect_error(home.api.post("/readings", body), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == {
        "household",
        "more",
        "readings[0].quantity",
        "readings[0].kind",
        "readings[1].unit",
        "readings[1].stamp",
        "readings[2].meter",
        "readings[2].extra",
    }


#: A single reading that can't be, as JSON text, and a word of the reason.
BAD_VALUES = {
    "a text": ('"100.4"', "not a number"),
    "true": ("true", "not a number"),
    "null": ("null", "not a number"),
    "a list": ("[1]", "not a number"),
    "an object": ("{}", "not a number"),
    "1e300": ("1e300", "more than any home"),
    "above the bound": ("9000000001", "more than any home"),
    "below the bound": ("-9000000001", "more than any home"),
    "an integer of 400 digits": ("9" * 300, "more than any home"),
}
BAD_INSTANTS = {
    "a word": ('"soon"', "no instant such as"),
    "an empty text": ('""', "no instant such as"),
    "a date": ('"2024-05-10"', "no instant such as"),
    "a day that is not": ('"2024-02-30T00:00:00Z"', "no instant such as"),
    "hour 25": ('"2024-05-10T25:00:00Z"', "no instant such as"),
    "an offset of 99 hours": ('"2024-05-10T10:00:00+99:00"', "no instant such as"),
    "year 99999": ('"99999-05-10T10:00:00Z"', "no instant such as"),
    "year 9999": ('"9999-12-31T23:59:59Z"', "years"),
    "year 0001": ('"0001-01-01T00:00:00Z"', "years"),
    "year 0001, east of Greenwich": ('"0001-01-01T00:00:00+14:00"', "years"),
    "before 1970": ("-1000000000", "years"),
    "before 2000": ('"1999-12-31T23:59:59Z"', "before 2000"),
    "year 2100": ('"2100-01-01T00:00:00Z"', "day ahead"),
    "milliseconds": ("1715335200000", "seconds"),
    "nanoseconds": ("1715335200000000000", "seconds"),
    "an integer of 40 digits": ("9" * 40, "seconds"),
    "true": ("true", "ISO 8601"),
    "null": ("null", "ISO 8601"),
    "a list": ("[]", "ISO 8601"),
}


def single(home: Home, at: str, value: str, **more: Any) -> Any:
    """The answer to one reading among two good ones, given as JSON texts."""
    told = channel(at=["AT", "2024-05-10T10:15:00Z"], value=["VALUE", 100.1], **more)
    text = json.dumps({"household": home.id, "readings": [told]}).replace('"AT"', at).replace('"VALUE"', value)
    return home.api.call("POST", "/readings", content=text.encode())


def expect_one_refused(answer: Any, word: str) -> None:
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["accepted"] == 1, "the good reading beside it is kept"
    assert [(one["where"], one["index"]) for one in told["refused"]] == [("readings[0]", 0)]
    assert word in told["refused"][0]["reason"]


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_value_that_can_not_be_is_refused_by_its_index(home: Home, what: str) -> None:
    value, word = BAD_VALUES[what]
    expect_one_refused(single(home, '"2024-05-10T10:00:00Z"', value), word)
    assert home.api.get(f"{home.path}/meters/grid/readings").json()["channels"][0]["value"] == [100.1]


@pytest.mark.parametrize("what", BAD_INSTANTS)
def test_an_instant_that_can_not_be_is_refused_by_its_index(home: Home, what: str) -> None:
    at, word = BAD_INSTANTS[what]
    expect_one_refused(single(home, at, "100"), word)
    assert len(home.api.get(f"{home.path}/meters/grid/readings").json()["channels"][0]["at"]) == 1


def test_readings_of_up_to_a_day_ahead_are_taken_and_later_ones_not(home: Home) -> None:
    now = int(time.time())
    assert home.write(at=[now + 86_000], value=[1])["accepted"] == 1
    expect_one_refused(single(home, str(now + 86_800), "100"), "day ahead")


@pytest.mark.parametrize(("quantity", "unit", "value"), [
    ("voltage", "V", 1e7), ("power_import", "MW", 2e3), ("temperature", "°C", -2e4), ("current", "A", 2e6),
])  # fmt: skip
def test_each_dimension_has_its_own_bound(home: Home, quantity: str, unit: str, value: float) -> None:
    told = home.write(quantity=quantity, kind="sample", unit=unit, at=[1715335200], value=[value])
    assert told["accepted"] == 0
    assert "more than any home" in told["refused"][0]["reason"]


#: Bodies that are no readings, and a word of what is said.
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "cut short": (b'{"household": "a", "readings": [', "JSON"),
    "two documents": (b'{"household": "a", "readings": []} {}', "JSON"),
    "NaN": (b'{"household": "a", "readings": [{"value": [NaN]}]}', "JSON"),
    "Infinity": (b'{"household": "a", "readings": [{"value": [Infinity]}]}', "JSON"),
    "1e999": (b'{"household": "a", "readings": [{"value": [1e999]}]}', "JSON"),
    "a comment": (b'{"household": "a" /* b */}', "JSON"),
    "a comma too many": (b'{"household": "a", "readings": [],}', "JSON"),
    "single quotes": (b"{'household': 'a'}", "JSON"),
    "not UTF-8": (b'{"household": "\xff\xfe"}', "JSON"),
    "UTF-16": ('{"household": "a"}'.encode("utf-16"), "JSON"),
    "a lone surrogate": (b'{"household": "\\ud800", "readings": []}', "JSON"),
    "an encoded surrogate": (b'{"household": "\xed\xa0\x80", "readings": []}', "JSON"),
    "nested lists": (b'{"household": "a", "readings": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "JSON"),
    "nested objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "JSON"),
    "no readings": (b'{"household": "a"}', "readings"),
    "no household": (b'{"readings": []}', "household"),
    "a number of a household": (b'{"household": 1, "readings": []}', "household"),
    "an empty household": (b'{"household": "", "readings": []}', "household"),
    "a household with a NUL": (b'{"household": "a\\u0000b", "readings": []}', "household"),
    "an object of readings": (b'{"household": "a", "readings": {}}', "readings"),
    "two households": (b'{"household": "a", "household": "b", "readings": []}', "twice"),
    "two lists of readings": (b'{"household": "a", "readings": [], "readings": []}', "twice"),
    "two lists of values": (b'{"household": "a", "readings": [{"value": [1], "at": [], "value": [2]}]}', "twice"),
    "a name written in two ways": (b'{"household": "a", "readings": [{"value": [1], "valu\\u0065": [2]}]}', "twice"),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_is_no_readings_is_refused(api: Api, what: str) -> None:
    body, word = BAD_BODIES[what]
    told = expect_error(api.call("POST", "/readings", content=body), 400, "bad_input")
    assert word in told["error"] + str(told["details"])


def test_words_of_a_body_may_stand_in_its_texts_too(home: Home) -> None:
    assert home.write(meter="value")["accepted"] == 9
    assert home.write(meter="at")["accepted"] == 9


def test_what_has_a_length_is_an_interval(api: Api) -> None:
    told, untold = Home(api), Home(api)
    told.write(kind="interval", interval="PT15M")
    body = {k: v for k, v in channel(interval="PT15M").items() if k != "kind"}
    assert untold.post(body).json()["accepted"] == 9
    assert untold.everything() == told.everything()


def test_readings_of_an_unknown_household_are_refused(api: Api) -> None:
    expect_error(api.post("/readings", {"household": new_id(), "readings": [channel()]}), 404, "not_found")


def test_no_readings_are_no_fault(home: Home) -> None:
    nothing = {"accepted": 0, "duplicates": 0, "set_aside": 0, "refused": []}
    assert home.post().json() == home.post(channel(at=[], value=[])).json() == nothing


def test_an_empty_list_of_readings_does_not_hide_an_unknown_household(home: Home) -> None:
    nobody = {"household": new_id(), "readings": []}
    expect_error(home.api.post("/readings", nobody), 404, "not_found")
    expect_error(home.api.post("/readings", nobody, token=home.device(write=True)["token"]), 403)


def test_very_many_refused_readings_are_counted_and_not_all_named(home: Home) -> None:
    at = [1_715_000_000 + i for i in range(5_000)]
    told = home.post(channel(at=at, value=[1e30] * 4_999 + [1.0])).json()
    assert (told["accepted"], len(told["refused"]), told["refused_more"]) == (1, 1_000, 3_999)
    assert [one["index"] for one in told["refused"]] == list(range(1_000))
