"""Octopus's unit rates: pages of JSON, the CSV of Agile, and the API that answers them."""

from __future__ import annotations

import gzip
import json
import pathlib
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from measured import us
from upstream_server import UpstreamServer

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.octopus import Octopus, decode_agile_csv, decode_rates
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions

ANY = PriceOptions()
HALF_US = 2 * QUARTER_US
TARIFF = "E-1R-AGILE-24-10-01-C"
PATH = f"/v1/products/AGILE-24-10-01/electricity-tariffs/{TARIFF}/standard-unit-rates/"
DAY = PriceOptions(start_us=us("2024-10-27"), end_us=us("2024-10-28"))


def rate(begin: str | None, end: str | None, inc: Any = 21.0, exc: Any = 20.0, **more: Any) -> dict[str, Any]:
    told = {"value_exc_vat": exc, "value_inc_vat": inc, "valid_from": begin, "valid_to": end, "payment_method": None}
    return told | more


def page(*rates: Any, following: str | None = None) -> bytes:
    return json.dumps({"count": 9, "next": following, "previous": None, "results": list(rates)}).encode()


def faults(body: bytes, options: PriceOptions = ANY) -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        decode_rates(body, options)
    return {one.where: one.why for one in told.value.faults}


# --- pages ------------------------------------------------------------------------------------------------------------


def test_half_hours_are_read_exactly_and_put_in_order() -> None:
    body = (
        b'{"count": 2, "next": null, "previous": null, "results": ['
        b'{"value_exc_vat": 14.67, "value_inc_vat": 15.403500000000001, "valid_from": "2024-10-27T00:30:00Z",'
        b' "valid_to": "2024-10-27T01:00:00Z", "payment_method": null},'
        b'{"value_exc_vat": -3.0, "value_inc_vat": -3.15, "valid_from": "2024-10-27T00:00:00Z",'
        b' "valid_to": "2024-10-27T00:30:00Z", "payment_method": null}]}'
    )
    told = decode_rates(body, ANY)
    assert (told.unit, told.market_time_zone, told.interval_s) == ("GBp/kWh", "Europe/London", 1800)
    assert told.prices == [
        ToldPrice(us("2024-10-27"), HALF_US, Decimal("-3.15")),
        ToldPrice(us("2024-10-27T00:30:00"), HALF_US, Decimal("15.403500000000001")),
    ]
    without = decode_rates(body, PriceOptions(with_vat=False))
    assert [one.value for one in without.prices] == [Decimal("-3.0"), Decimal("14.67")]


def test_a_rate_that_holds_long_becomes_half_hours_within_the_bounds() -> None:
    told = decode_rates(page(rate("2024-10-27T10:00:00Z", None), rate(None, "2024-10-27T10:00:00Z", 7)), DAY)
    assert len(told.prices) == 48
    assert [one.value for one in told.prices] == [7] * 20 + [21] * 28
    assert (told.prices[0].start_us, told.prices[-1].start_us) == (us("2024-10-27"), us("2024-10-27T23:30:00"))
    assert told.holes == 0


def test_a_rate_without_end_needs_an_end_of_what_is_wanted() -> None:
    assert faults(page(rate("2024-10-27T00:00:00Z", None))) == {
        "results[0].valid_to": "the rate is without one; tell the end of what is wanted"
    }
    assert "results[0].valid_from" in faults(page(rate(None, "2024-10-27T00:00:00Z")))


def test_a_rate_of_centuries_is_refused_and_not_unrolled() -> None:
    assert "40 years" in faults(page(rate("1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z")))["results[0]"]
    told = decode_rates(page(rate("1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z")), DAY)
    assert len(told.prices) == 48


def test_of_two_ways_to_pay_direct_debit_counts_unless_another_is_told() -> None:
    begin, end = "2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z"
    body = page(
        rate(begin, end, 25, payment_method="NON_DIRECT_DEBIT"), rate(begin, end, 24, payment_method="DIRECT_DEBIT")
    )
    assert [one.value for one in decode_rates(body, ANY).prices] == [24]
    other = PriceOptions(payment_method="NON_DIRECT_DEBIT")
    assert [one.value for one in decode_rates(body, other).prices] == [25]


def test_one_half_hour_told_twice_counts_once_and_with_two_prices_is_refused() -> None:
    begin, end = "2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z"
    assert len(decode_rates(page(rate(begin, end), rate(begin, end)), ANY).prices) == 1
    assert faults(page(rate(begin, end, 1), rate(begin, end, 2))) == {
        "2024-10-27T00:00:00Z": "two prices are told of it, 1 and 2"
    }


def test_a_page_that_names_another_says_so() -> None:
    told = decode_rates(page(rate("2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z"), following="https://x/?p=2"), DAY)
    assert told.notes == ("the file is one page of several: its `next` names another one",)


def test_all_faults_of_a_page_are_named_with_where() -> None:
    found = faults(
        page(
            rate("2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z", "21"),
            rate("2024-10-27T00:07:00Z", "2024-10-27T00:30:00Z"),
            rate("2024-10-27T00:15:00Z", "2024-10-27T00:45:00Z"),
            rate("soon", "2024-10-27T00:30:00Z"),
            rate("2024-10-27T02:00:00Z", "2024-10-27T01:00:00Z"),
            rate("2024-10-27T03:00:00Z", "2024-10-27T03:30:00Z", True),
            rate("2024-10-27T04:00:00Z", "2024-10-27T04:30:00Z", 1e300),
            "a rate",
        )
    )
    assert list(found) == [
        "results[0].value_inc_vat", "results[1].valid_from", "results[2].valid_from", "results[2].valid_to",
        "results[3].valid_from", "results[4].valid_to", "results[5].value_inc_vat", "results[6].value_inc_vat",
        "results[7]",
    ]  # fmt: skip
    assert found["results[2].valid_from"] == "'2024-10-27T00:15:00Z' is not at a whole half-hour"


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [(b"<!DOCTYPE html><html>log in</html>", "body", "web page"), (b'{"results": [', "line 1, column 14", "no JSON"),
     (b"{}", "results", "missing"), (b'{"results": 5}', "results", "no list"), (b"[NaN]", "body", "no JSON"),
     (b"[" * 100_000, "body", "no JSON"), (b"\xff\xfe\x00", "body", "no JSON"), (b"", "line 1, column 1", "no JSON")],
)  # fmt: skip
def test_what_is_no_page_is_told(body: bytes, where: str, why: str) -> None:
    assert why in faults(body)[where]


# --- the CSV ----------------------------------------------------------------------------------------------------------


def test_a_year_of_agile_has_the_figures_of_its_publisher(shared_data: pathlib.Path) -> None:
    folder = shared_data / "octopus_agile_halfhour"
    expected = json.loads((folder / "expected.json").read_text())
    told = decode_agile_csv(gzip.decompress((folder / "agile_A_2020.csv.gz").read_bytes()), ANY)
    values = [one.value for one in told.prices]
    assert (len(values), told.holes, told.interval_s) == (expected["readings"], 0, 1800)
    assert float(sum(values) / len(values)) == pytest.approx(expected["mean"], abs=1e-6)
    assert float(sum(values) / 100) == pytest.approx(expected["flat_1kwh_per_halfhour_gbp"], abs=5e-5)
    assert sum(value < 0 for value in values) == expected["negative_slots"]
    least, most = (choose(told.prices, key=lambda one: one.value) for choose in (min, max))
    assert (float(least.value), float(most.value)) == (expected["min"][0], expected["max"][0])
    assert least.start_us == us(expected["min"][1][:19])
    assert most.start_us == us(expected["max"][1][:19])


ROWS = b"2024-10-27T00:30:00Z,01:30,C,London,10.5\n2024-10-27T01:00:00Z,01:00,C,London,-2\n"


def test_both_passes_of_the_autumn_hour_are_read() -> None:
    told = decode_agile_csv(ROWS, ANY)
    assert [(one.start_us, one.value) for one in told.prices] == [
        (us("2024-10-27T00:30:00"), Decimal("10.5")),
        (us("2024-10-27T01:00:00"), -2),
    ]


def test_of_several_regions_one_is_chosen() -> None:
    body = ROWS + ROWS.replace(b",C,London,10.5", b",A,Eastern_England,9").replace(b",C,London,-2", b",A,East,8")
    with pytest.raises(BadInput, match="several regions; tell which: 'C', 'A'"):
        decode_agile_csv(body, ANY)
    assert [one.value for one in decode_agile_csv(body, PriceOptions(column="A")).prices] == [9, 8]
    with pytest.raises(BadInput, match="no region 'P'"):
        decode_agile_csv(body, PriceOptions(column="P"))


def test_all_faults_of_a_csv_are_named_with_their_lines() -> None:
    body = ROWS + (
        b"2024-06-01T00:00:00Z,00:00,C,London,1\n2024-06-01T00:30:00Z,01:30,C,London,1p\n\n"
        b"2024-06-01 01:00,02:00,C,London\nstart,clock,region,name,price\n"
    )
    with pytest.raises(BadInput) as told:
        decode_agile_csv(body, ANY)
    why = {one.where: one.why for one in told.value.faults}
    assert list(why) == ["line 4", "line 6", "line 7", "line 3"]
    assert why["line 3"] == "the clock of Europe/London shows 01:00 then, not '00:00'; is the start in UTC?"
    assert why["line 6"].startswith("it has 4 cells")


# --- the API ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def octopus(server: UpstreamServer, **more: Any) -> Octopus:
    return Octopus(Upstream("Octopus", server.url, **{"timeout_s": 2, "attempts": 1, **more}))


def half_hours(first: int, count: int) -> list[dict[str, Any]]:
    """Rates of half-hours of the day, newest first, of as many pence as their number."""
    edges = [f"2024-10-27T{n // 2:02d}:{n % 2 * 30:02d}:00Z" for n in range(48)] + ["2024-10-28T00:00:00Z"]
    return [rate(edges[n], edges[n + 1], n) for n in reversed(range(first, first + count))]


def test_all_pages_of_a_tariff_are_fetched(server: UpstreamServer) -> None:
    def answer(query: Any, _: Any) -> bytes:
        number = int(query.get("page", 1))
        following = f"https://elsewhere.example{PATH}?page={number + 1}&page_size=1500" if number < 3 else None
        return page(*half_hours(48 - 16 * number, 16), following=following)

    server.answers(PATH, answer)
    told = octopus(server).fetch(TARIFF, DAY)
    assert [one.value for one in told.prices] == list(range(48))
    first, *others = [one.query for one in server.requests]
    assert first == {
        "page_size": "1500", "period_from": "2024-10-27T00:00:00Z", "period_to": "2024-10-28T00:00:00Z",
    }  # fmt: skip
    # the host that a page names is never asked: only the path and the query count
    assert [one["page"] for one in others] == ["2", "3"]


def test_pages_that_go_round_in_a_circle_are_nonsense(server: UpstreamServer) -> None:
    server.answers(
        PATH, lambda query, _: page(*half_hours(0, 1), following=f"{PATH}?page={int(query.get('page', 0)) ^ 1}")
    )
    with pytest.raises(Unavailable, match="go round in a circle"):
        octopus(server).fetch(TARIFF, DAY)
    assert len(server.requests) == 3


@pytest.mark.parametrize("following", ["/admin", "http://[", 5, ["x"], {"a": 1}, "https://x/v2/"])
def test_a_next_page_that_is_none_of_rates_is_not_asked_for(server: UpstreamServer, following: Any) -> None:
    server.answers(PATH, page(*half_hours(0, 1), following=following))
    with pytest.raises(Unavailable, match="answered nonsense: next"):
        octopus(server).fetch(TARIFF, DAY)
    assert len(server.requests) == 1


def test_the_two_registers_of_economy_7_have_rates_of_their_own(server: UpstreamServer) -> None:
    path = "/v1/products/VAR-22-11-01/electricity-tariffs/E-2R-VAR-22-11-01-A/night-unit-rates/"
    server.answers(path, page(rate("2024-10-01T00:00:00Z", None, 12.5)))
    told = octopus(server).fetch("E-2R-VAR-22-11-01-A", DAY, "night")
    assert {one.value for one in told.prices} == {Decimal("12.5")}
    with pytest.raises(BadInput, match="none of standard, day, night"):
        octopus(server).fetch("E-2R-VAR-22-11-01-A", DAY, "weekend")


@pytest.mark.parametrize("tariff", ["AGILE", "", "E-1R-AGILE-24-10-01-Z", "E-1R-../../x-A", "E-3R-AGILE-A", "e-1r-a-A"])
def test_a_code_that_is_none_of_a_tariff_is_refused_without_asking(server: UpstreamServer, tariff: str) -> None:
    with pytest.raises(BadInput, match="no code of a tariff such as"):
        octopus(server).fetch(tariff, DAY)
    assert server.requests == []


@pytest.mark.parametrize(
    "answer", ["<html>maintenance</html>", [], {"results": 3}, {"results": [{"value_inc_vat": "x"}]}, None]
)
def test_octopus_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, answer: Any) -> None:
    server.answers(PATH, answer)
    with pytest.raises(Unavailable, match="Octopus answered nonsense: "):
        octopus(server).fetch(TARIFF, DAY)


@pytest.mark.parametrize("way", ["truncated", "malformed", "wrong shape", "closed", "reset", "silent", "garbage"])
def test_octopus_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str) -> None:
    server.answers(PATH, page(*half_hours(0, 48)))
    one = octopus(server, timeout_s=0.4)
    assert len(one.fetch(TARIFF, DAY).prices) == 48, "it answers while it is well"
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        one.fetch(TARIFF, DAY)
    assert time.monotonic() - began < 5


def test_a_tariff_that_octopus_does_not_know_is_declined(server: UpstreamServer) -> None:
    with pytest.raises(Declined, match="status 404"):
        octopus(server).fetch(TARIFF, DAY)
