"""Whatever is given to a reader of prices, it ends in prices in order, or in faults: never in another error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_entsoe import auction, document
from test_esios import archive, hour, indicator, value
from test_octopus import ROWS, page, rate

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.price_formats import PRICE_FORMATS
from statistics_manager_service.services.prices.told_prices import PriceOptions

MARGINAL = "MARGINALPDBC;\n" + "".join(f"2024;01;15;{n};{n},5;{n}.25;\n" for n in range(1, 25)) + "*\n"
TABLE = (
    "OMIE - x;;15/01/2024;y\n;"
    + ";".join(map(str, range(1, 25)))
    + ";\nPrecio marginal portugués (EUR/MWh);"
    + ";1,5" * 24
)
WHOLE = {
    "octopus": [page(rate("2024-10-27T00:00:00Z", "2024-10-27T02:00:00Z"), rate("2024-10-27T02:00:00Z", None))],
    "octopus-csv": [ROWS],
    "omie": [MARGINAL.encode(), TABLE.encode()],
    "entsoe": [document(auction([(1, 5), (4, "-2.5")]), auction([(1, 7)], currency="PLN"))],
    "esios": [archive(*(hour(n) for n in range(25))), indicator(value("2021-10-31T00:00:00+02:00"))],
    "csv": [b"start;price\n2024-01-01T00:00Z;1,5\n2024-01-01 01:00;-2\n", b"start,price\n31.12.2024 00:00,1.5\n"],
}
OPTIONS = PriceOptions(
    unit="EUR/MWh", zone="Europe/Madrid", country="pt", start_us=0, end_us=1_800_000_000_000_000, where={}
)
#: What bodies are mutated with: marks of the forms, and what numbers and dates trip over.
PIECES = [b";", b",", b".", b"\n", b'"', b"{", b"}", b"[", b"]", b"<", b">", b"&x;", b"0", b"9" * 30, b"-", b"1e999",
          b"null", b"true", b"NaN", b"\xff", b"\0", b"2024-02-30", b"9999-12-31T23:59:59Z", b"0000-00-00", b"T24:00",
          b"+99:99", b"<!DOCTYPE x>", "é²٣".encode(), b" " * 50, b"Infinity", b"\r"]  # fmt: skip


def ends_well(form: str, body: bytes) -> None:
    options = OPTIONS if form != "octopus-csv" else PriceOptions()
    try:
        told = PRICE_FORMATS[form].read(body, options)
    except BadInput as error:
        assert 0 < len(error.faults) <= 101
        assert all(fault.where and fault.why and len(fault.why) < 1_000 for fault in error.faults)
        return
    last_us = None
    for one in told.prices:
        assert one.value.is_finite()
        assert one.start_us % QUARTER_US == 0
        assert one.length_us // QUARTER_US in (1, 2, 4)
        assert last_us is None or last_us <= one.start_us
        last_us = one.start_us + one.length_us


@pytest.mark.parametrize("form", PRICE_FORMATS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_spoilt_body_ends_in_prices_or_in_faults(form: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(WHOLE[form]))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(body)))
        end = begin + data.draw(st.integers(0, 12))
        body = body[:begin] + data.draw(st.sampled_from([b"", *PIECES])) + body[end:]
    ends_well(form, body)


@pytest.mark.parametrize("form", PRICE_FORMATS)
@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=200))
def test_bytes_of_any_kind_end_in_prices_or_in_faults(form: str, body: bytes) -> None:
    ends_well(form, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["results", "PVPC", "indicator", "values", "value", "datetime", "geo_id", "Dia", "Hora", "PCB",
                         "value_inc_vat", "valid_from", "valid_to", "payment_method", "next", "message"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("form", ["octopus", "esios"])
@settings(max_examples=150, deadline=None)
@given(told=JSON)
def test_json_of_any_shape_ends_in_prices_or_in_faults(form: str, told: object) -> None:
    member = "results" if form == "octopus" else "PVPC"
    for body in (told, {member: told}, {member: [told]}, {"indicator": told}, {"indicator": {"values": [told]}}):
        ends_well(form, json.dumps(body).encode())
