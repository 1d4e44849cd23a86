"""ENTSO-E's day-ahead prices: curve types, resolutions, auctions, currencies, unsafe and broken XML; fetching."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from measured import DAY_US, HOUR_US, us
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.bidding_zones import BIDDING_ZONES, COUNTRY_AREAS
from statistics_manager_service.feeds.entsoe import Entsoe, decode_a44
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions

ANY = PriceOptions()
NAMESPACE = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
PT = "10YPT-REN------W"
Points = Sequence[tuple[object, object]]


def auction(
    points: Points,
    begin: str = "2025-10-25T22:00Z",
    end: str = "2025-10-26T23:00Z",
    resolution: str = "PT60M",
    curve: str = "A03",
    currency: str = "EUR",
    zone: str = PT,
    contract: str = "A01",
    position: str | None = "1",
    measure: str = "MWH",
) -> str:
    sequence = (
        ""
        if position is None
        else "<classificationSequence_AttributeInstanceComponent.position>"
        f"{position}</classificationSequence_AttributeInstanceComponent.position>"
    )
    told = "".join(
        f"<Point><position>{n}</position><price.amount>{price}</price.amount></Point>" for n, price in points
    )
    return (
        f"<TimeSeries><mRID>1</mRID><businessType>A62</businessType><in_Domain.mRID>{zone}</in_Domain.mRID>"
        f"<contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>"
        f"<currency_Unit.name>{currency}</currency_Unit.name><price_Measure_Unit.name>{measure}</price_Measure_Unit.name>"
        f"{sequence}<curveType>{curve}</curveType><Period><timeInterval><start>{begin}</start><end>{end}</end>"
        f"</timeInterval><resolution>{resolution}</resolution>{told}</Period></TimeSeries>"
    )


def document(*auctions: str, kind: str = "A44") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<Publication_MarketDocument xmlns="{NAMESPACE}"><mRID>x</mRID><type>{kind}</type>\n'
        + "\n".join(auctions)
        + "</Publication_MarketDocument>"
    ).encode()


def acknowledgement(*reasons: tuple[str, str]) -> bytes:
    told = "".join(f"<Reason><code>{code}</code><text>{text}</text></Reason>" for code, text in reasons)
    name = "Acknowledgement_MarketDocument"
    return f'<{name} xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">{told}</{name}>'.encode()


NO_DATA = acknowledgement(("999", "No matching data found for Data item Energy Prices [12.1.D]"))


def hours(values: Sequence[object]) -> list[tuple[object, object]]:
    return list(enumerate(values, 1))


def faults(body: bytes, options: PriceOptions = ANY) -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        decode_a44(body, options)
    return {one.where: one.why for one in told.value.faults}


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_day_of_25_hours_is_read_exactly() -> None:
    told = decode_a44(document(auction(hours([f"{n}.10" for n in range(25)]))), ANY)
    begin = us("2025-10-25T22:00:00")
    assert told.prices == [ToldPrice(begin + n * HOUR_US, HOUR_US, Decimal(f"{n}.1")) for n in range(25)]
    assert (told.unit, told.market_time_zone, told.interval_s, told.notes) == ("EUR/MWh", "CET", 3600, ())
    assert str(told.prices[0].value) == "0.10"


@pytest.mark.parametrize(("resolution", "length_us"), [("PT15M", QUARTER_US), ("PT30M", 2 * QUARTER_US),
                                                       ("PT60M", HOUR_US), ("PT1H", HOUR_US)])  # fmt: skip
def test_positions_that_a_curve_a03_leaves_out_repeat_the_price_before(resolution: str, length_us: int) -> None:
    count = 23 * HOUR_US // length_us
    body = document(
        auction([(1, 5), (4, "-2.5"), (count - 1, 7)], "2026-03-28T23:00Z", "2026-03-29T22:00Z", resolution)
    )
    told = decode_a44(body, ANY)
    assert [one.value for one in told.prices] == [5] * 3 + [Decimal("-2.5")] * (count - 5) + [7] * 2
    assert {one.length_us for one in told.prices} == {length_us}
    assert told.prices[-1].start_us + length_us == us("2026-03-29T22:00:00")


def test_what_a_curve_a01_leaves_out_is_unknown_and_noted() -> None:
    told = decode_a44(document(auction([(1, 5), (4, 6), (5, 7)], curve="A01")), ANY)
    assert [(one.start_us - us("2025-10-25T22:00:00")) // HOUR_US for one in told.prices] == [0, 3, 4]
    assert told.holes == 1
    assert told.notes == ("TimeSeries[1]/Period[1]: 22 of 25 prices are not told",)


def test_days_in_any_order_become_one_series_within_the_bounds() -> None:
    later = auction([(1, 2)], "2026-01-02T23:00Z", "2026-01-03T23:00Z", "PT15M")
    sooner = auction([(1, 1)], "2026-01-01T23:00Z", "2026-01-02T23:00Z", "PT15M")
    told = decode_a44(document(later, sooner, sooner), ANY)
    assert [one.value for one in told.prices] == [1] * 96 + [2] * 96
    bounds = PriceOptions(start_us=us("2026-01-02T22:30:00"), end_us=us("2026-01-02T23:30:00"))
    assert [one.value for one in decode_a44(document(later, sooner), bounds).prices] == [1, 1, 2, 2]


def test_of_several_auctions_the_coupled_day_ahead_one_counts() -> None:
    body = document(
        auction([(1, 90)], position="2", resolution="PT15M"),
        auction([(1, 50)], position="1"),
        auction([(1, 70)], position=None, resolution="PT15M"),
        auction([(1, 80)], contract="A07", position=None),
    )
    told = decode_a44(body, ANY)
    assert [one.value for one in told.prices] == [50] * 25
    assert told.notes == ("3 of 4 TimeSeries are left out: of other auctions",)
    without = document(auction([(1, 80)], contract="A07"), auction([(1, 90)], position="2"))
    assert "none of them tells prices of the day-ahead auction" in faults(without)["TimeSeries"]
    assert "none of them" in faults(document())["TimeSeries"]


def test_of_several_currencies_the_unit_chooses() -> None:
    body = document(auction([(1, 400)], currency="PLN"), auction([(1, 95)], currency="EUR"))
    assert faults(body) == {"currency_Unit.name": "there are several; tell which currency, by the unit: EUR, PLN"}
    told = decode_a44(body, PriceOptions(unit="PLN/MWh"))
    assert (told.unit, told.prices[0].value) == ("PLN/MWh", 400)
    assert faults(body, PriceOptions(unit="BGN/MWh")) == {"currency_Unit.name": "there is no 'BGN'; there is: EUR, PLN"}
    assert "per MWh" in faults(body, PriceOptions(unit="EUR/kWh"))["unit"]


def test_of_two_resolutions_of_one_time_the_interval_chooses() -> None:
    body = document(auction([(1, 50)], position=None), auction([(1, 60)], position=None, resolution="PT15M"))
    assert faults(body) == {"resolution": "two resolutions tell of one time; tell which interval is wanted"}
    assert [len(decode_a44(body, PriceOptions(interval_s=s)).prices) for s in (900, 3600)] == [100, 25]
    assert "no TimeSeries has the interval" in faults(body, PriceOptions(interval_s=1800))["resolution"]


def test_hours_until_a_day_and_quarter_hours_from_then_on_are_one_series() -> None:
    body = document(
        auction([(1, 50)], "2025-09-29T22:00Z", "2025-09-30T22:00Z"),
        auction([(1, 60)], "2025-09-30T22:00Z", "2025-10-01T22:00Z", "PT15M"),
    )
    told = decode_a44(body, ANY)
    assert ([one.length_us for one in told.prices], told.holes) == ([HOUR_US] * 24 + [QUARTER_US] * 96, 0)


def test_of_several_zones_one_is_chosen_by_name_or_code() -> None:
    body = document(auction([(1, 1)]), auction([(1, 2)], zone=BIDDING_ZONES["ES"]))
    assert "tell which zone" in faults(body)["in_Domain.mRID"]
    assert decode_a44(body, PriceOptions(column="es")).prices[0].value == 2
    assert decode_a44(body, PriceOptions(column=PT)).prices[0].value == 1


# --- what is refused --------------------------------------------------------------------------------------------------


def test_all_faults_of_a_document_are_named_with_where() -> None:
    found = faults(
        document(
            auction([(2, 5)]),
            auction([(1, 5), (1, 6), (26, 7), ("x", 8), (2, "five"), (3, "")], curve="A01"),
            auction([(1, 5)], begin="2025-10-25T22:10Z", resolution="PT5M", measure="kWh", currency="€"),
            auction([(1, 5)], curve="A02"),
            auction([(1, 5)], end="2025-10-25T22:00Z"),
            auction([]),
        )
    )
    assert [*found] == [
        "TimeSeries[1]/Period[1]/Point[1]", "TimeSeries[2]/Period[1]/Point[2]/position",
        "TimeSeries[2]/Period[1]/Point[3]/position", "TimeSeries[2]/Period[1]/Point[4]/position",
        "TimeSeries[2]/Period[1]/Point[5]/price.amount", "TimeSeries[2]/Period[1]/Point[6]/price.amount",
        "TimeSeries[3]/price_Measure_Unit.name", "TimeSeries[3]/currency_Unit.name",
        "TimeSeries[3]/Period[1]/timeInterval/start", "TimeSeries[3]/Period[1]/resolution", "TimeSeries[4]/curveType",
        "TimeSeries[5]/Period[1]/timeInterval", "TimeSeries[6]/Period[1]",
    ]  # fmt: skip
    assert found["TimeSeries[2]/Period[1]/Point[3]/position"] == "'26' is none of 1 to 25, which the Period has"


def test_two_prices_of_one_time_are_refused() -> None:
    body = document(auction([(1, 5)]), auction([(1, 5), (3, 6)]))
    found = faults(body)
    assert found["2025-10-26T00:00:00Z"] == "two prices are told of it, 5 and 6"


def test_an_acknowledgement_tells_its_reasons() -> None:
    assert faults(NO_DATA) == {
        "Reason": "there are no prices, but the answer: 999 No matching data found for Data item Energy Prices [12.1.D]"
    }


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [(b"<!doctype html><html></html>", "body", "web page"), (b"", "line 1, column 1", "no XML"),
     (document(auction([(1, 5)]))[:-40], "line 3", "cut off"), (b"start,price\n", "line 1, column 1", "no XML"),
     (b"<a/>", "body", "this is 'a'"), (document(kind="A65"), "body", "this is 'Publication_MarketDocument A65'"),
     (b'<?xml version="1.0" encoding="klingon"?><a/>', "line 1", "")],
)  # fmt: skip
def test_what_is_no_document_is_told(body: bytes, where: str, why: str) -> None:
    ((at, told),) = faults(body).items()
    assert at.startswith(where)
    assert why in told


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    ['<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', "<!DOCTYPE x>", f'<!DOCTYPE x [<!ENTITY e0 "x">{BOMB}]>',
     '<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/hostname">]>',
     '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>'],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_no_document_type_is_read_whatever_it_declares(prolog: str, encoding: str) -> None:
    name = "Publication_MarketDocument"
    text = f"<?xml version='1.0' encoding='{encoding}'?>{prolog}<{name}>&e9;</{name}>"
    began = time.monotonic()
    assert list(faults(text.encode(encoding))) == ["DOCTYPE"]
    assert time.monotonic() - began < 5


def test_a_small_document_of_very_many_prices_is_refused() -> None:
    year = auction([(1, 5)], "2025-01-01T00:00Z", "2026-01-01T00:00Z", "PT15M")
    found = faults(document(*[year] * 30))
    assert any("more than 750000 prices" in why for why in found.values())
    assert (
        "up to a year"
        in faults(document(auction([(1, 5)], "1970-01-01T00:00Z", "2199-01-01T00:00Z", "PT15M")))[
            "TimeSeries[1]/Period[1]/timeInterval"
        ]
    )


# --- zones ------------------------------------------------------------------------------------------------------------

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"


@pytest.mark.parametrize("eic", {**BIDDING_ZONES, **COUNTRY_AREAS}.values())
def test_the_code_of_each_zone_has_the_right_check_character(eic: str) -> None:
    # ENTSO-E, "The Energy Identification Coding Scheme (EIC)", annex: weights 16 to 2, modulo 37
    total = sum(_ALPHABET.index(letter) * (16 - i) for i, letter in enumerate(eic[:15]))
    assert (len(eic), eic[15]) == (16, _ALPHABET[36 - (total - 1) % 37])


def test_no_two_zones_have_one_code() -> None:
    assert len(set(BIDDING_ZONES.values())) == len(BIDDING_ZONES)


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def entsoe(server: UpstreamServer, **more: Any) -> Entsoe:
    return Entsoe(Upstream("ENTSO-E", server.url, **{"timeout_s": 2, "attempts": 1, **more}), "/api", "secret-token")


def whole_days(request: Request) -> Answer:
    """A flat day of as many EUR as it is of January, for each day that the request touches, as ENTSO-E answers it."""
    begin, end = (
        us(datetime.strptime(request.query[name], "%Y%m%d%H%M").isoformat()) for name in ("periodStart", "periodEnd")
    )
    first, last = (begin + HOUR_US) // DAY_US, (end + HOUR_US - 1) // DAY_US
    days = [
        auction([(1, day - 19_722)], *(_label(edge * DAY_US - HOUR_US) for edge in (day, day + 1)), "PT60M")
        for day in range(first, last + 1)
    ]
    return Answer(document(*days), kind="application/xml")


def _label(at_us: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(at_us // 1_000_000))


def test_a_time_is_fetched_month_by_month_and_cut_to_what_is_wanted(server: UpstreamServer) -> None:
    server.answers_by("/api", whole_days)
    start_us, end_us = us("2024-01-01T12:00:00"), us("2024-02-05")
    pieces = list(entsoe(server).fetch("pt", ANY, start_us, end_us))
    prices = [price for one in pieces for price in one.prices]
    assert [one.start_us for one in prices] == list(range(start_us, end_us, HOUR_US))
    assert (prices[0].value, prices[-1].value) == (1, 36)  # the last hour is of the market's next day
    assert [one.query for one in server.requests] == [
        {
            "securityToken": "secret-token", "documentType": "A44", "in_Domain": PT, "out_Domain": PT,
            "contract_MarketAgreement.type": "A01", "periodStart": begin, "periodEnd": end,
        }
        for begin, end in (("202401011200", "202401311200"), ("202401311200", "202402050000"))
    ]  # fmt: skip


def test_where_nothing_is_known_yet_a_note_says_so(server: UpstreamServer) -> None:
    server.answers("/api", NO_DATA)
    (piece,) = entsoe(server).fetch(PT, ANY, us("2024-01-01"), us("2024-01-02"))
    assert (piece.prices, piece.notes) == (
        [], ("202401010000 to 202401020000 UTC: ENTSO-E has no prices (yet)",),
    )  # fmt: skip


def test_a_reason_to_decline_is_told(server: UpstreamServer) -> None:
    server.answers("/api", acknowledgement(("999", "Delivered time interval is not valid for this Data item.")), 400)
    with pytest.raises(Declined, match="declined what it was asked: 999 Delivered time interval is not valid"):
        list(entsoe(server).fetch("PT", ANY, us("2024-01-01"), us("2024-01-02")))
    server.answers("/api", "<html>bad request</html>", 400)
    with pytest.raises(Unavailable, match="this is a web page"):
        list(entsoe(server).fetch("PT", ANY, us("2024-01-01"), us("2024-01-02")))


@pytest.mark.parametrize("zone", ["PORTUGAL", "", "10YPT-REN", "10YPT-REN------W&documentType=A65"])
def test_an_unknown_zone_is_refused_without_asking(server: UpstreamServer, zone: str) -> None:
    with pytest.raises(BadInput, match="neither an EIC code nor one of: AT, BE"):
        list(entsoe(server).fetch(zone, ANY, us("2024-01-01"), us("2024-01-02")))
    assert server.requests == []


def test_a_choice_that_lacks_is_the_callers_fault(server: UpstreamServer) -> None:
    body = document(auction([(1, 400)], currency="PLN"), auction([(1, 95)], currency="EUR"))
    server.answers("/api", body)
    with pytest.raises(BadInput, match="tell which currency"):
        list(entsoe(server).fetch("PL", ANY, us("2025-10-26"), us("2025-10-27")))


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"", document(auction([(2, 5)])), b'{"a": 1}'])
def test_entsoe_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, body: bytes) -> None:
    server.answers("/api", body)
    with pytest.raises(Unavailable, match="ENTSO-E answered nonsense: ") as told:
        list(entsoe(server).fetch("PT", ANY, us("2024-01-01"), us("2024-01-02")))
    assert "secret-token" not in told.value.sentence


@pytest.mark.parametrize("way", ["truncated", "malformed", "wrong shape", "closed", "reset", "silent", "garbage", None])
def test_entsoe_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str | None) -> None:
    server.answers_by("/api", whole_days)
    one, time_of = entsoe(server, timeout_s=0.4), (us("2024-01-01"), us("2024-01-02"))
    assert [len(piece.prices) for piece in one.fetch("PT", ANY, *time_of)] == [24], "it answers while it is well"
    if way is None:
        server.fails(status=401)
    else:
        server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable) as told:
        list(one.fetch("PT", ANY, *time_of))
    assert time.monotonic() - began < 5
    assert "secret-token" not in told.value.sentence
