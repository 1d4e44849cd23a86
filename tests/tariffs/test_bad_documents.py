"""What is wrong with a tariff document is refused before it is kept: all of it at once, and where."""

from __future__ import annotations

from typing import Any

import pytest
from billing_of import small

from statistics_manager_service.errors import BadInput
from statistics_manager_service.tariffs.reading import DEEPEST, MOST_PARTS, read_tariff
from statistics_manager_service.tariffs.shipped import shipped_document

ENERGY: dict[str, Any] = {"id": "e", "kind": "energy", "price": "0.1"}
FEE: dict[str, Any] = {"id": "fee", "kind": "fixed", "basis": "per_month", "price": "5"}
TWO = [{"period": "A", "from": "08:00", "to": "22:00"}, {"period": "B"}]


def faults(told: Any) -> dict[str, str]:
    """Where a document is wrong, and why."""
    with pytest.raises(BadInput) as refused:
        read_tariff(told)
    return {one.where: one.why for one in refused.value.faults}


def with_price(price: Any, **others: Any) -> dict[str, Any]:
    return small({**ENERGY, "price": price}, **others)


def with_schedule(schedule: Any, **calendars: Any) -> dict[str, Any]:
    return small(ENERGY, calendars={"schedules": {"s": schedule}, **calendars})


def with_tax(tax: Any, **others: Any) -> dict[str, Any]:
    return small({**ENERGY, "tax": "t"}, taxes={"t": tax}, **others)


def with_peak(**others: Any) -> dict[str, Any]:
    peak = {"id": "p", "kind": "peak", "price": "10", **others}
    return small(peak, calendars={"schedules": {"s": TWO}})


STEPS = [{"upto": "100", "price": "0.1"}, {"price": "0.2"}]
DATED = [{"from": "2020-01-01", "price": "0.1"}, {"from": "2021-01-01", "price": "0.2"}]
VALID_2020 = {"from": "2020-01-01", "to": "2022-01-01"}

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    # --- schedules ---
    "a hole": (
        with_schedule([{"period": "A", "from": "08:00", "to": "22:00"}]),
        {"calendars.schedules.s": "no window holds on wed 2020-01-01 from 00:00 to 08:00, and on 731 other days"},
    ),
    "a hole on one day of the week": (
        with_schedule([{"period": "A", "days": "mon-sat", "from": "00:00", "to": "24:00"}]),
        {"calendars.schedules.s": "no window holds on sun 2020-01-05 from 00:00 to 24:00"},
    ),
    "a hole behind midnight": (
        with_schedule(
            [
                {"period": "A", "days": "mon-fri", "from": "07:00", "to": "00:30"},
                {"period": "B", "from": "00:30", "to": "07:00"},
                {"period": "C", "days": ["sat", "sun"], "from": "07:00", "to": "24:00"},
            ]
        ),
        {"calendars.schedules.s": "no window holds on sun 2020-01-05 from 00:00 to 00:30"},
    ),
    "an overlap": (
        with_schedule(
            [{"period": "A", "from": "08:00", "to": "22:00"}, {"period": "B", "from": "21:45", "to": "08:00"}]
        ),
        {"calendars.schedules.s": "two windows hold on wed 2020-01-01 from 21:45 to 22:00"},
    ),
    "as many windows over each other as a byte can count": (
        with_schedule([{"period": "A", "from": "00:00", "to": "24:00"}] * 128),
        {"calendars.schedules.s": "two windows hold on wed 2020-01-01 from 00:00 to 24:00"},
    ),
    "an overlap from the day on which the windows change": (
        with_schedule(
            {
                "dated": [
                    {"from": "2020-01-01", "entries": TWO},
                    {"from": "2024-06-01", "entries": [TWO[0], TWO[0], TWO[1]]},
                ]
            }
        ),
        {"calendars.schedules.s": "two windows hold on sat 2024-06-01 from 08:00 to 22:00"},
    ),
    "a hole until the windows begin": (
        with_schedule({"dated": [{"from": "2020-02-01", "entries": TWO}]}),
        {"calendars.schedules.s.dated[0].from": "there are no windows from 2020-01-01 until 2020-02-01"},
    ),
    "windows in the wrong order": (
        with_schedule({"dated": [{"from": "2020-01-01", "entries": TWO}, {"from": "2020-01-01", "entries": TWO}]}),
        {"calendars.schedules.s.dated[1].from": "not after"},
    ),
    "windows and dated windows": (
        with_schedule({"entries": TWO, "dated": [{"from": "2020-01-01", "entries": TWO}]}),
        {"calendars.schedules.s": "`entries`, or `dated`"},
    ),
    "a season that there is not": (
        with_schedule([{"period": "A", "season": "winter", "from": "08:00"}, {"period": "B"}]),
        {"calendars.schedules.s[0].season": "there is no season 'winter'; there are: none"},
    ),
    "the same in a schedule that is an object": (
        with_schedule({"entries": [{"period": "A", "season": "winter", "from": "08:00"}, {"period": "B"}]}),
        {"calendars.schedules.s.entries[0].season": "there is no season 'winter'"},
    ),
    "holidays that there are not": (
        with_schedule({"holidays": "national", "entries": TWO}),
        {"calendars.schedules.s.holidays": "there is no set of holidays 'national'"},
    ),
    "holidays without a set": (
        with_schedule([{"period": "A", "days": ["sun", "holiday"]}, {"period": "B"}]),
        {"calendars.schedules.s[0].days": "names no set of `holidays`"},
    ),
    "a day that is none": (
        with_schedule([{"period": "A", "days": "mon-fry"}, {"period": "B"}]),
        {"calendars.schedules.s[0].days[0]": "'mon'"},
    ),
    "a time that is none": (
        with_schedule([{"period": "A", "from": "25:00"}, {"period": "B"}]),
        {"calendars.schedules.s[0].from": "'25:00' is no time of a day"},
    ),
    "a time inside of a quarter-hour": (
        with_schedule([{"period": "A", "from": "08:10"}, {"period": "B"}]),
        {"calendars.schedules.s[0].from": "not at a whole quarter"},
    ),
    "a window without length": (
        with_schedule([{"period": "A", "from": "08:00", "to": "08:00"}, {"period": "B"}]),
        {"calendars.schedules.s[0].to": "no length"},
    ),
    "a window that begins when the day is over": (
        with_schedule([{"period": "A", "from": "24:00", "to": "02:00"}, {"period": "B"}]),
        {"calendars.schedules.s[0].from": "before 24:00"},
    ),
    "more periods than a schedule can have": (
        with_schedule([{"period": f"P{i}"} for i in range(150)]),
        {"calendars.schedules.s": "at most 100 periods; this one has 150"},
    ),
    "a season of nothing": (
        with_schedule(TWO, season={"w": {}}),
        {"calendars.season.w": "`dst`, `months` or `dates`"},
    ),
    "a season without length": (
        with_schedule(TWO, season={"w": {"dates": [{"from": "03-01", "to": "03-01"}]}}),
        {"calendars.season.w.dates[0].to": "no length"},
    ),
    "a season of days that no year has": (
        with_schedule(TWO, season={"w": {"dates": [{"from": "02-30", "to": "13-01"}]}}),
        {
            "calendars.season.w.dates[0].from": "'02-30' is no day of a year",
            "calendars.season.w.dates[0].to": "'13-01' is no day of a year",
        },
    ),
    "a month that is none": (
        with_schedule(TWO, season={"w": {"months": [0, 13]}}),
        {"calendars.season.w.months[0]": "greater than or equal to 1", "calendars.season.w.months[1]": "12"},
    ),
    "holidays of a country that has none": (
        with_schedule(TWO, holidays={"h": {"of": {"library": "holidays", "country": "ZZ"}}}),
        {"calendars.holidays.h.of.country": "no holidays of ZZ"},
    ),
    "holidays of a part that a country has not": (
        with_schedule(TWO, holidays={"h": {"of": {"library": "holidays", "country": "ES", "subdivision": "QQ"}}}),
        {"calendars.holidays.h.of.subdivision": "ES has no subdivision 'QQ'"},
    ),
    "a clock that is none": (
        with_schedule({"clock": "sun", "entries": TWO}),
        {"calendars.schedules.s.clock": "'civil', 'utc' or 'standard'"},
    ),
    # --- names ---
    "a series that there is not": (
        with_price({"add": ["0.1", {"series": "omie"}]}, series={"epex": {}}),
        {"components[0].price.add[1].series": "there is no series 'omie'; there are: epex"},
    ),
    "a schedule that there is not": (
        with_price({"schedule": "s", "values": {"A": "1"}}),
        {"components[0].price.schedule": "there is no schedule 's'; there are: none"},
    ),
    "a period that there is not, and one without a price": (
        with_price({"schedule": "s", "values": {"A": "1", "C": "2"}}, calendars={"schedules": {"s": TWO}}),
        {
            "components[0].price.values.C": "there is no period 'C' in schedule s; there are: A, B",
            "components[0].price.values": "there is no price for period 'B'",
        },
    ),
    "a table by a parameter that there is not": (
        with_price({"table": "kva", "values": {"6.9": "1"}}),
        {"components[0].price.table": "there is no parameter 'kva'; there are: none"},
    ),
    "a table without the default": (
        with_price({"table": "kva", "values": {"3.45": "1"}}, parameters={"kva": 6.9}),
        {"components[0].price": "there is no price for kva = 6.9; there are 3.45"},
    ),
    "a table that tells a key twice": (
        with_price({"table": "kva", "values": {"6.9": "1", "6.90": "2"}}, parameters={"kva": 6.9}),
        {"components[0].price.values.6.90": "the same as '6.9'"},
    ),
    "a parameter that there is not": (
        with_price({"mul": [{"parameter": "kva"}, "2"]}),
        {"components[0].price.mul[0].parameter": "there is no parameter 'kva'"},
    ),
    "a parameter that is no number": (
        with_price({"parameter": "big"}, parameters={"big": True}),
        {"components[0].price.parameter": "the parameter 'big' is no number"},
    ),
    "a comparison with a parameter that there is not": (
        small({**ENERGY, "when": {"not": {"all": [{"parameter": "social"}]}}}),
        {"components[0].when.not.all[0].parameter": "there is no parameter 'social'"},
    ),
    "a comparison that has nothing to compare": (
        small({**ENERGY, "when": {"parameter": "kva"}}, parameters={"kva": 6.9}),
        {"components[0].when": "tell what to compare it with"},
    ),
    "a comparison by two ways": (
        small({**ENERGY, "when": {"parameter": "kva", "is": 6.9, "below": 7}}, parameters={"kva": 6.9}),
        {"components[0].when": "not by both"},
    ),
    "a tax that there is not": (
        small({**ENERGY, "tax": "vat"}, taxes={"iva": {"rate": "0.23"}}),
        {"components[0].tax": "there is no tax 'vat'; there are: iva"},
    ),
    "an id twice": (small(ENERGY, ENERGY), {"components[1].id": "also the id of components[0]"}),
    "a percentage of what there is not": (
        small(ENERGY, {"id": "p", "kind": "percentage", "rate": "0.1", "of": ["e", "x"]}),
        {"components[1].of[1]": "there is no component 'x'; there are: e, p"},
    ),
    "a percentage of something twice": (
        small(ENERGY, {"id": "p", "kind": "percentage", "rate": "0.1", "of": ["e", "e"]}),
        {"components[1].of[1]": "named twice"},
    ),
    "percentages of each other": (
        small(
            {"id": "p", "kind": "percentage", "rate": "0.1", "of": ["q"]},
            {"id": "q", "kind": "percentage", "rate": "0.1", "of": ["p"]},
        ),
        {"components[0].of[0]": "'q' must stand before 'p'"},
    ),
    "a percentage of itself": (
        small({"id": "p", "kind": "percentage", "rate": "0.1", "of": ["p"]}),
        {"components[0].of[0]": "'p' must stand before 'p'"},
    ),
    "a cap by what comes later": (
        small({**ENERGY, "flow": "export", "cap": {"of": ["fee"]}}, FEE),
        {"components[0].cap.of[0]": "'fee' must stand before 'e'"},
    ),
    "a cap of an import": (
        small(FEE, {**ENERGY, "cap": {"of": ["fee"]}}),
        {"components[1].cap": "only what is paid for an export"},
    ),
    "registers by a schedule that there is not": (
        small(ENERGY, metering={"netting": "P1Y", "by": "s"}),
        {"metering.by": "there is no schedule 's'"},
    ),
    "lines by a schedule that there is not": (
        small({**ENERGY, "split_by": "s"}),
        {"components[0].split_by": "there is no schedule 's'"},
    ),
    "capacity of a parameter that is no number": (
        small(
            {"id": "c", "kind": "capacity", "basis": "per_day", "of": "p", "price": "1"}, parameters={"p": "6.9 kVA"}
        ),
        {"components[0].of": "the parameter 'p' is no number"},
    ),
    # --- prices in time ---
    "a price that begins too late": (
        with_price({"dated": [{"from": "2020-03-01", "price": "1"}]}),
        {"components[0].price.dated[0].from": "there is no price from 2020-01-01, where the tariff begins"},
    ),
    "a price that ends too early": (
        with_price({"dated": [{"from": "2020-01-01", "to": "2021-01-01", "price": "1"}]}, valid=VALID_2020),
        {"components[0].price.dated[0].to": "no price from 2021-01-01 on, and the tariff is valid until 2022-01-01"},
    ),
    "a hole between prices": (
        with_price({"dated": [{**DATED[0], "to": "2020-12-31"}, DATED[1]]}),
        {"components[0].price.dated[0].to": "there is no price from 2020-12-31 until 2021-01-01"},
    ),
    "two prices at once": (
        with_price({"dated": [{**DATED[0], "to": "2021-01-02"}, DATED[1]]}),
        {"components[0].price.dated[0].to": "two prices hold from 2021-01-01 until 2021-01-02"},
    ),
    "prices in the wrong order": (
        with_price({"dated": [DATED[0], {**DATED[1], "from": "2019-01-01"}]}),
        {"components[0].price.dated[1].from": "2019-01-01 is not after 2020-01-01"},
    ),
    "a price that ends before it begins": (
        with_price({"dated": [DATED[0], {**DATED[1], "to": "2020-06-01"}]}),
        {"components[0].price.dated[1].to": "2020-06-01 is not after 2021-01-01"},
    ),
    "a rate that ends too early": (
        with_tax({"rate": {"dated": [{"from": "2020-01-01", "to": "2021-01-01", "price": "0.2"}]}}),
        {"taxes.t.rate.dated[0].to": "valid until further notice"},
    ),
    "a tariff that is never valid": (
        small(ENERGY, valid={"from": "2021-01-01", "to": "2021-01-01"}),
        {"valid.to": "2021-01-01 is not after 2021-01-01"},
    ),
    "a day that there is not": (
        small(ENERGY, valid={"from": "2021-02-29", "to": "2021-13-01"}),
        {"valid.from": "2021-02-29 is no day of the calendar", "valid.to": "2021-13-01 is no day"},
    ),
    "days outside the years": (
        small(ENERGY, valid={"from": "1969-12-31", "to": "9999-12-31"}),
        {"valid.from": "outside the years 1970 to 2199", "valid.to": "outside the years 1970 to 2199"},
    ),
    "a day that is a number": (small(ENERGY, valid={"from": 86400}), {"valid.from": "a date such as 2026-01-31"}),
    "a year of netting that begins on no day": (
        small(ENERGY, metering={"year_begins": "02-30"}),
        {"metering.year_begins": "'02-30' is no day of a year"},
    ),
    "a year of netting that begins on a leap day": (
        small(ENERGY, metering={"year_begins": "02-29"}),
        {"metering.year_begins": "not each year"},
    ),
    # --- tiers ---
    "tiers below zero": (
        with_price({"tiers": {"steps": [{"upto": "-5", "price": "1"}, {"price": "2"}]}}),
        {"components[0].price.tiers.steps[0].upto": "greater than 0"},
    ),
    "tiers that fall": (
        with_price({"tiers": {"steps": [{"upto": "5", "price": "1"}, {"upto": "5", "price": "1"}, {"price": "2"}]}}),
        {"components[0].price.tiers.steps[1].upto": "5 is not more than 5 of the step before it"},
    ),
    "tiers that end": (
        with_price({"tiers": {"steps": [{"upto": "5", "price": "1"}]}}),
        {"components[0].price.tiers.steps[0].upto": "the last step must be without end"},
    ),
    "tiers without end in the middle": (
        with_price({"tiers": {"steps": [{"price": "1"}, {"price": "2"}]}}),
        {"components[0].price.tiers.steps[0].upto": "only the last step is without end"},
    ),
    "tiers in a sum": (
        with_price({"add": ["1", {"tiers": {"steps": STEPS}}]}),
        {"components[0].price.add[1]": "tiers can stand alone or in the values of a schedule"},
    ),
    "tiers in tiers": (
        with_price({"tiers": {"steps": [{"price": {"tiers": {"steps": STEPS}}}]}}),
        {"components[0].price.tiers.steps[0].price": "tiers can stand alone"},
    ),
    "tiers in a schedule of a schedule": (
        with_price(
            {
                "schedule": "s",
                "values": {"A": "1", "B": {"schedule": "s", "values": {"A": "1", "B": {"tiers": {"steps": STEPS}}}}},
            },
            calendars={"schedules": {"s": TWO}},
        ),
        {"components[0].price.values.B.values.B": "tiers can stand alone"},
    ),
    "tiers of a fee": (
        small({**FEE, "price": {"tiers": {"steps": STEPS}}}),
        {"components[0].price": "only the price of a component of kind energy"},
    ),
    "a fee by the hour": (
        small({**FEE, "price": {"schedule": "s", "values": {"A": "1", "B": "2"}}}, calendars={"schedules": {"s": TWO}}),
        {"components[0].price": "only the price of a component of kind energy"},
    ),
    "a percentage by the hour": (
        small(ENERGY, {"id": "p", "kind": "percentage", "of": ["e"], "rate": {"series": "x"}}, series={"x": {}}),
        {"components[1].rate": "only the price of a component of kind energy"},
    ),
    # --- taxes ---
    "a rate in percent": (with_tax({"rate": "23"}), {"taxes.t.rate": "23 % is written 0.23"}),
    "a rate below zero, by which nothing can be divided": (
        with_tax({"rate": "-1", "included": True}),
        {"taxes.t.rate": "between 0 and 1"},
    ),
    "one rate among some": (
        with_tax(
            {"rate": {"if": {"parameter": "p"}, "then": "0.1", "else": {"constant": "10"}}}, parameters={"p": True}
        ),
        {"taxes.t.rate.else": "between 0 and 1"},
    ),
    "a rate that is worked out": (
        with_tax({"rate": {"add": ["0.1", "0.1"]}}),
        {"taxes.t.rate": "it is a number, or chosen by `table`, `if` or `dated`"},
    ),
    "a tax without a rate": (with_tax({}), {"taxes.t": "a `rate`, or a `threshold`"}),
    "a tax with a rate and a threshold": (
        with_tax({"rate": "0.1", "threshold": {"kwh": "100"}, "below": "0.1", "above": "0.2"}),
        {"taxes.t": "a `rate`, or a `threshold`"},
    ),
    "a rate below no threshold": (
        with_tax({"rate": "0.1", "below": "0.1"}),
        {"taxes.t.below": "belongs to a `threshold`"},
    ),
    "a condition of no threshold": (
        with_tax({"rate": "0.1", "when": {"parameter": "p"}}, parameters={"p": True}),
        {"taxes.t.when": "belongs to a `threshold`"},
    ),
    "a threshold without rates": (
        with_tax({"threshold": {"kwh": "100"}}),
        {"taxes.t.below": "a rate below", "taxes.t.above": "a rate below"},
    ),
    "a threshold below zero": (
        with_tax({"threshold": {"kwh": "-100"}, "below": "0.1", "above": "0.2"}),
        {"taxes.t.threshold.kwh": "can't be negative"},
    ),
    "a threshold that holds for some, without the rate of others": (
        with_tax(
            {"threshold": {"kwh": "100"}, "below": "0.1", "above": "0.2", "when": {"parameter": "p"}},
            parameters={"p": True},
        ),
        {"taxes.t.otherwise": "belong together"},
    ),
    "shares that are not all": (
        with_tax(
            {
                "threshold": {"kwh": "100", "share": {"A": "0.5", "B": "0.4"}, "schedule": "s"},
                "below": "0",
                "above": "0.2",
            },
            calendars={"schedules": {"s": TWO}},
        ),
        {
            "taxes.t.threshold.share": "together 1",
            "components[0].tax": "split the component by them",
        },
    ),
    "shares of no schedule": (
        with_tax({"threshold": {"kwh": "100", "share": {"A": "1"}}, "below": "0", "above": "0.2"}),
        {"taxes.t.threshold.schedule": "tell the schedule"},
    ),
    # --- peaks ---
    "a peak without a price": (
        small({"id": "p", "kind": "peak"}),
        {"components[0]": "a `price` per kW or `bands`"},
    ),
    "a peak with both": (with_peak(bands=[{"price": "1"}]), {"components[0]": "one of them"}),
    "weights of no schedule": (
        with_peak(weights={"A": "1"}),
        {"components[0]": "`schedule` and `weights` belong together"},
    ),
    "weights of periods that there are not": (
        with_peak(schedule="s", weights={"A": "-1", "C": "1"}),
        {
            "components[0].weights.A": "can't be negative",
            "components[0].weights.C": "there is no period 'C' in schedule s",
        },
    ),
    "a weight of a month below zero": (
        with_peak(monthly_weights=["1"] * 11 + ["-1"]),
        {"components[0].monthly_weights[11]": "can't be negative"},
    ),
    "bands that fall": (
        small(
            {
                "id": "p",
                "kind": "peak",
                "bands": [{"upto_kw": "5", "price": "1"}, {"upto_kw": "2", "price": "2"}, {"price": "3"}],
            }
        ),
        {"components[0].bands[1].upto_kw": "2 is not more than 5 of the band before it"},
    ),
    "bands that end": (
        small({"id": "p", "kind": "peak", "bands": [{"upto_kw": "5", "price": "1"}]}),
        {"components[0].bands[0].upto_kw": "each band but the last has an end"},
    ),
    # --- zones ---
    "a zone that is none": (small(ENERGY, time_zone="Europe/Lissabon"), {"time_zone": "no IANA time zone"}),
    "a zone of a market that is none": (
        with_price({"series": "x"}, series={"x": {"market_time_zone": "CET/x"}}),
        {"series.x.market_time_zone": "no IANA time zone"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_where_it_is_and_alone(name: str) -> None:
    told, expected = CASES[name]
    found = faults(told)
    assert set(found) == set(expected), found
    for where, why in expected.items():
        assert why in found[where]


def test_a_hole_and_an_overlap_of_one_schedule_are_both_told() -> None:
    told = with_schedule(
        [{"period": "A", "from": "00:00", "to": "13:00"}, {"period": "B", "from": "12:00", "to": "23:00"}]
    )
    with pytest.raises(BadInput) as refused:
        read_tariff(told)
    assert [one.why.split(" holds ")[0].split(" hold ")[0] for one in refused.value.faults] == [
        "no window",
        "two windows",
    ]


def test_all_faults_are_told_at_once() -> None:
    """Those of the form beside those of the sense: what can't be read keeps nothing else from being judged."""
    told = small(
        {**ENERGY, "tax": "vat", "price": {"schedule": "hole", "values": {"A": "1"}}},
        {"id": "fee", "kind": "fixed", "basis": "per_moon", "price": "1e99"},
        {"id": "p", "kind": "percentage", "rate": "0.1", "of": ["e", "fee", "none"]},
        {"id": "spot", "kind": "energy",
         "price": {"mul": [{"series": "omie"}, {"parameter": "k"}, {"parameter": "bad"}]}},
        {"id": "early", "kind": "energy", "price": {"tiers": {"steps": [{"upto": -1, "price": "1"}, {"price": "1"}]}}},
        {"id": "late", "kind": "fixed", "basis": "per_day", "price": {"dated": [{"from": "2025-02-30", "price": "1"}]}},
        calendars={
            "season": {"w": {"months": ["January"]}},
            "schedules": {
                "hole": [{"period": "A", "from": "08:00", "to": "9 o'clock"}],
                "fine": TWO,
                "s": [{"period": "A", "season": "x"}],
            },
        },
        taxes={"vat": {"rate": "twenty"}, "iva": {"rate": "21"}},
        parameters={"bad": None},
        colour="red",
    )  # fmt: skip
    assert set(faults(told)) == {
        "components[1].basis",
        "components[1].price",
        "components[2].of[2]",
        "components[3].price.mul[0].series",
        "components[3].price.mul[1].parameter",
        "components[4].price.tiers.steps[0].upto",
        "components[5].price.dated[0].from",
        "calendars.season.w.months[0]",
        "calendars.schedules.hole[0].to",
        "calendars.schedules.s[0].season",
        "taxes.vat.rate",
        "taxes.iva.rate",
        "parameters.bad",
        "colour",
    }


def test_what_cannot_be_read_makes_no_other_faults() -> None:
    """Here one thing alone is wrong, and much hangs on it."""
    hourly = {"schedule": "s", "values": {"A": "1", "B": "1"}}
    told = small(
        {**ENERGY, "price": {"dated": [{"from": "2030-01-01", "price": hourly}]}},
        valid={"from": "soon"},
        calendars={"schedules": {"s": {"dated": [{"from": "2030-01-01", "entries": TWO}]}}},
    )  # fmt: skip
    assert set(faults(told)) == {"valid.from"}
    told = with_price(
        {"schedule": "s", "values": {"A": "1", "B": {"parameter": "p"}}},
        parameters={"p": [1]},
        calendars={"schedules": {"s": [{"period": "A", "from": "8"}, {"period": "B"}]}},
    )
    assert set(faults(told)) == {"parameters.p", "calendars.schedules.s[0].from"}


@pytest.mark.parametrize(
    "number",
    ["NaN", "sNaN", "Infinity", "-inf", float("nan"), float("inf"), 1e300, "1e99", "9" * 25, "1" * 5000,
     "0." + "1" * 30,     10**30, 10**4000, True, "1_000", " 1", "1/2", "0x10", "١", "", None, [], ["1"], b"1"],
)  # fmt: skip
def test_a_price_is_a_number_of_a_size_that_prices_have(number: Any) -> None:
    assert set(faults(with_price(number))) == {"components[0].price"}
    assert set(
        faults(small({**FEE, "kind": "minimum", "price": "1"}, {**ENERGY, "price": {"mul": ["1", number]}}))
    ) == {"components[1].price.mul[1]"}


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 1e300, 10**25, 10**4000, None, [1], {}, "x" * 201])
def test_a_parameter_is_true_or_false_or_a_number_or_a_text(value: Any) -> None:
    assert set(faults(small(ENERGY, parameters={"p": value}))) == {"parameters.p"}


def test_a_parameter_of_1_is_a_number_and_no_truth_value() -> None:
    read = read_tariff(small(ENERGY, parameters={"one": 1, "none": 0, "half": 0.5, "true": True, "text": "1"}))
    assert {name: type(value).__name__ for name, value in read.parameters.items()} == {
        "one": "Decimal", "none": "Decimal", "half": "Decimal", "true": "bool", "text": "str",
    }  # fmt: skip


def nested(depth: int) -> Any:
    price: Any = "0.1"
    for _ in range(depth):
        price = {"add": [price]}
    return price


@pytest.mark.parametrize("depth", [DEEPEST, 10_000])
@pytest.mark.parametrize("place", ["price", "when", "id", "days", "body", "put as"])
def test_what_is_nested_too_deeply_is_refused(depth: int, place: str) -> None:
    deep = nested(depth)
    told = {
        "price": small({**ENERGY, "price": deep}),
        "when": small({**ENERGY, "when": deep}),
        "id": {**small(ENERGY), "id": deep},
        "days": with_schedule([{"period": "A", "days": deep}]),
        "body": deep,
        "put as": {**small(ENERGY), "id": deep},
    }[place]
    with pytest.raises(BadInput) as refused:
        read_tariff(told, "mine" if place == "put as" else None)
    assert "nested more than 60 deep" in refused.value.sentence


def test_a_tree_that_is_as_deep_as_any_real_one_is_read() -> None:
    assert read_tariff(with_price(nested(20)))


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("components", small(*[ENERGY] * 10**6)),
        ("components[0].price.values", with_price({"table": "p", "values": {str(i): "1" for i in range(10**6)}})),
        ("calendars.schedules.s", with_schedule([{"period": "A"}] * 10**6)),
        ("body", {f"x{i}": 1 for i in range(10**6)}),
    ],
)
def test_a_million_entries_are_refused(where: str, told: dict[str, Any]) -> None:
    assert faults(told) == {where: f"with this, the tariff has more than {MOST_PARTS} parts"}


def test_references_that_unfold_to_billions_of_parts_are_refused() -> None:
    price: Any = "0.1"
    for _ in range(9):
        price = {"add": [price] * 20}
    (why,) = faults(with_price(price)).values()
    assert f"more than {MOST_PARTS} parts" in why


def test_a_document_that_contains_itself_is_refused() -> None:
    price: dict[str, Any] = {"add": ["0.1"]}
    price["add"].append(price)
    (why,) = faults(with_price(price)).values()
    assert "nested more than" in why


def test_more_digits_than_any_price_has_are_refused() -> None:
    (why,) = faults(with_price({"mul": [{"mul": ["1." + "3" * 22] * 20}] * 3})).values()
    assert "more than 1000 digits" in why


@pytest.mark.parametrize("body", [None, [], "tariff", 7, {"tariff": None}, {"tariff": []}, {"tariff": {"tariff": {}}}])
def test_a_body_that_is_no_tariff_is_refused(body: Any) -> None:
    assert faults(body)


def test_a_tariff_is_put_under_its_own_name() -> None:
    assert read_tariff(small(ENERGY), "small").id == "small"
    with pytest.raises(BadInput, match="it is put as 'other' and names itself 'small'"):
        read_tariff(small(ENERGY), "other")


@pytest.mark.parametrize("whole", ["calendars", "components", "taxes", "series", "parameters", "metering", "valid"])
def test_a_part_that_is_wrong_as_a_whole_hides_no_fault_elsewhere_and_breaks_nothing(whole: str) -> None:
    # which fault is looked at first hangs on the hashes of texts
    told = shipped_document("pt-btn-tri-horario")
    assert told is not None
    schedule = next(iter(told["calendars"]["schedules"]))
    told["calendars"]["schedules"][schedule][0]["to"] = {"id": 1}
    told["calendars"]["titles"] = 3
    count = len(told["components"])
    told["components"][-1]["price"] = {"foo": 1}
    told["taxes"]["normal"]["rate"] = "much"
    told[whole] = 3
    places = faults(told)
    assert whole in places
    assert {"taxes.normal.rate", f"components[{count - 1}].price"} & places.keys()
