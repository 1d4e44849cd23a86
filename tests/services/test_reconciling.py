"""Invoices beside our statements: which lines belong together, where they differ, by how much, and what explains it."""

from __future__ import annotations

import copy
import pathlib
import random
import shutil
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from measured import us
from metered_homes import DAY_AND_NIGHT, Desk, by_clock, energy, standing, surplus, tariff

from statistics_manager_service.api.statements import line_json
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.money.invoices import lines_of_invoice
from statistics_manager_service.services.money.reconciling import Pair, Reconciliation, summary_of
from statistics_manager_service.services.prices.tariff_documents import document_of_yaml
from statistics_manager_service.tariffs.statement import Statement

DOCUMENTS = pathlib.Path(__file__).parent.parent / "tariffs" / "documents"


@pytest.fixture
def desk(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> Iterator[Desk]:
    path = tmp_path / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    found = Desk(f"sqlite:///{path}")
    yield found
    found.store.close()


@pytest.fixture
def each_desk(database_url: str) -> Iterator[Desk]:
    found = Desk(database_url)
    yield found
    found.store.close()


def is_day(number: int) -> bool:
    """From 08:00 to 22:00 of UTC, which is Lisbon's winter time."""
    return 32 <= number % QUARTERS_PER_DAY < 88


def shared_out(start: str, end: str, day_wh: int, night_wh: int) -> Callable[[int], int]:
    """So much energy by day and by night, shared as evenly as whole watt-hours can be."""
    every = range(us(start) // QUARTER_US, us(end) // QUARTER_US)
    told: dict[int, int] = {}
    for total, mine in ((day_wh, [n for n in every if is_day(n)]), (night_wh, [n for n in every if not is_day(n)])):
        edges = [total * i // len(mine) for i in range(len(mine) + 1)]
        told |= {number: edges[i + 1] - edges[i] for i, number in enumerate(mine)}
    return lambda number: told.get(number, 0)


def line(label: str, **figures: Any) -> dict[str, Any]:
    return {"label": label, **figures}


def reconcile(desk: Desk, *lines: dict[str, Any], **more: Any) -> Reconciliation:
    body = {"start": "2026-01-01", "end": "2026-01-31T10:00:00Z", "lines": list(lines), **more}
    return desk.reconciling.reconcile("home1", body)


def verdicts(found: Reconciliation) -> dict[str, str]:
    return {one.label: one.verdict for one in found.pairs}


def pair(found: Reconciliation, label: str) -> Pair:
    return next(one for one in found.pairs if one.label == label)


def components(one: Pair) -> list[tuple[str, str | None]]:
    return [] if one.ours is None else [(each.component, each.period) for each in one.ours.lines]


def whats(one: Pair) -> list[str]:
    return [each.what for each in one.differences]


def explained(one: Pair) -> dict[str, tuple[float, float]]:
    return {each.by: (round(float(each.net), 4), round(float(each.gross), 4)) for each in one.explained_by}


# --- published bills --------------------------------------------------------------------------------------------------

#: The regulator's bill of 2026, as an invoice would show it.
A1 = [
    line("Energia fora de vazio", quantity=95.000, unit="kWh", unit_price=0.1988, net=18.89, tax_rate=0.06),
    line("Energia vazio", quantity=63.333, unit="kWh", unit_price=0.1087, net=6.88, tax_rate=0.06),
    line("Potência contratada: redes", quantity=30.417, unit="dias", unit_price=0.1718, net=5.23, tax_rate=0.06),
    line("Potência contratada: comercialização", quantity=30.417, unit="dias", unit_price=0.0199, net=0.61,
         tax_rate=0.23),
    line("Imposto especial de consumo", quantity=158.333, unit="kWh", unit_price=0.001, net=0.16, tax_rate=0.23),
    line("Contribuição audiovisual", net=2.85, tax_rate=0.06),
]  # fmt: skip


def having(desk: Desk, document: str, wh: Callable[[int], int], start: str, end: str) -> Desk:
    desk.measure("grid.import", start, end, wh)
    desk.tariffs.put(document, document_of_yaml((DOCUMENTS / f"{document}.yaml").read_text(encoding="utf-8")))
    desk.have({"tariff": document})
    return desk


@pytest.fixture
def a1(desk: Desk) -> Desk:
    """30 days and 10 hours at 3.45 kVA: 95 kWh by day, 63.333 kWh by night."""
    wh = shared_out("2026-01-01", "2026-01-31T10:00", 95_000, 63_333)
    return having(desk, "a1", wh, "2026-01-01", "2026-02-02")


def test_the_regulators_bill_of_2026_agrees_to_the_cent(each_desk: Desk) -> None:
    """ERSE: 36.82 EUR a month."""
    wh = shared_out("2026-01-01", "2026-01-31T10:00", 95_000, 63_333)
    having(each_desk, "a1", wh, "2026-01-01", "2026-02-02")
    found = reconcile(each_desk, *A1, total={"gross": 36.82}, currency="EUR")
    assert found.agrees, found
    assert [components(one) for one in found.pairs] == [
        [("energy", "FV")], [("energy", "V")], [("power_tar", None)], [("power_margin", None)], [("iec", None)],
        [("cav", None)],
    ]  # fmt: skip
    assert [(one.what, one.verdict) for one in found.totals] == [("net", "agrees"), ("tax", "agrees"),
                                                                 ("gross", "agrees")]  # fmt: skip
    assert (found.explained_by, found.inside) == ((), ())
    assert summary_of(found) == "The invoice agrees with our statement of 36.82 EUR, line by line."


def test_the_bill_of_2020_agrees_though_it_shows_power_as_one_and_energy_by_its_vat(desk: Desk) -> None:
    """ERSExplica: 160 kWh, of which 100 at 13 %, 36.43 EUR in all."""
    having(desk, "a3", shared_out("2020-12-01", "2020-12-31", 100_000, 60_000), "2020-12-01", "2021-01-02")
    found = reconcile(
        desk,
        line("Energia, taxa reduzida", quantity=100, unit="kWh", unit_price=0.1486, net=14.86, tax_rate=0.13),
        line("Energia", quantity=60, unit="kWh", unit_price=0.1486, net=8.92, tax_rate=0.23),
        line("Potência 3,45 kVA", quantity=30, unit="dias", unit_price=0.1660, net=4.98, tax=0.39),
        line("IEC", quantity=160, unit="kWh", net=0.16, tax=0.04),
        line("Contribuição Audio-Visual", gross=3.02),
        line("Taxa DGEG", gross=0.09),
        start="2020-12-01",
        end="2020-12-31",
        total={"net": 31.84, "gross": 36.43},
    )
    assert found.agrees, found
    assert components(pair(found, "Potência 3,45 kVA")) == [("power_tar", None), ("power_margin", None)]
    assert [one.ours.tax_rate for one in found.pairs[:2] if one.ours] == [Fraction("0.13"), Fraction("0.23")]


def invoice_of(statement: Statement, *, named: bool) -> list[dict[str, Any]]:
    """A statement's own lines as an invoice would tell them."""

    told = [line_json(statement.timezone, line) for period in statement.periods for line in period.lines]
    names = ("quantity", "unit", "unit_price", "net", "tax_rate", "tax", "gross")
    names += ("component", "period") if named else ()
    return [
        line(f"{one['title']} {one['period'] or ''}", **{name: one[name] for name in names if one[name] is not None})
        for one in told
    ]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    "id",
    [
        "pt-btn-simples", "pt-btn-tri-horario-semanal", "de-standard", "gb-economy-7", "nl-enkel", "es-20td",
        "be-vlaanderen-capaciteit", "se-effekt-seom",
    ],
)  # fmt: skip
def test_our_own_statement_told_in_any_order_agrees_line_by_line(desk: Desk, id: str, named: bool) -> None:
    desk.measure("grid.import", "2025-12-31", "2026-02-02", lambda n: 100 + n * n * 37 % 211)
    desk.have({"tariff": id})
    statement = desk.statement("2026-01-01", "2026-02-01", single=True)
    lines = invoice_of(statement, named=named)
    random.Random(7).shuffle(lines)
    found = reconcile(desk, *lines, end="2026-02-01", total={"gross": float(statement.gross)})
    assert found.agrees, [(one.label, one.verdict, whats(one)) for one in found.pairs if one.verdict != "agrees"]
    for one in found.pairs:
        assert one.ours is not None
        assert len(one.ours.lines) == 1
        (mine,) = one.ours.lines
        assert one.label == f"{mine.title} {mine.period or ''}"


# --- what differs -----------------------------------------------------------------------------------------------------


def changed(place: int, **figures: Any) -> list[dict[str, Any]]:
    """The regulator's bill with something else in one of its lines."""
    lines = copy.deepcopy(A1)
    lines[place] |= figures
    return lines


def test_a_wrong_price_is_named_and_explains_the_amount(a1: Desk) -> None:
    found = reconcile(a1, *changed(0, unit_price=0.2088, net=19.84), total={"gross": 37.82})
    one = pair(found, "Energia fora de vazio")
    assert (one.verdict, whats(one)) == ("differs", ["unit_price", "net"])
    assert one.differences[0].difference == Fraction("0.01")
    assert explained(one) == {"price": (0.95, 1.007)}
    assert one.explained_by[0].why == "0.2088 instead of 0.1988 for each kWh"
    assert {one.verdict for one in found.pairs[1:]} == {"agrees"}
    assert not found.agrees
    assert [(one.what, one.verdict) for one in found.totals][2] == ("gross", "differs")
    assert found.explained_by[0][0] == "price"
    assert sum(amount for _, amount in found.explained_by) == Fraction("37.82") - found.statement.gross
    assert summary_of(found) == (
        "The invoice is 1.00 EUR more than our 36.82 EUR; 1 line differs (Energia fora de vazio +1.01 EUR, by price)."
    )


def test_a_wrong_quantity_is_named_and_explains_the_amount(a1: Desk) -> None:
    found = reconcile(a1, *changed(1, quantity=83.333, net=9.06))
    one = pair(found, "Energia vazio")
    assert (one.verdict, whats(one)) == ("differs", ["quantity", "net"])
    assert explained(one) == {"quantity": (2.174, 2.3044)}
    assert one.explained_by[0].why == "83.333 kWh instead of 63.333"


def test_whole_kilowatt_hours_of_an_invoice_are_told_as_such(a1: Desk) -> None:
    one = pair(reconcile(a1, *changed(1, quantity=63, net=6.85)), "Energia vazio")
    assert (one.verdict, whats(one)) == ("differs", ["quantity", "net"])
    assert one.explained_by[0].why == "63 kWh instead of 63.333: rounded to a whole number"
    shown = pair(reconcile(a1, *changed(1, quantity=63)), "Energia vazio")
    assert shown.verdict == "agrees", "where the amount is ours, the quantity is only shown rounded"


def test_price_and_quantity_may_both_be_wrong_and_each_has_its_part(a1: Desk) -> None:
    one = pair(reconcile(a1, *changed(0, quantity=100, unit_price=0.2, net=20.00)), "Energia fora de vazio")
    assert whats(one) == ["quantity", "unit_price", "net"]
    assert explained(one) == {"quantity": (0.994, 1.0536), "price": (0.12, 0.1272)}


@pytest.mark.parametrize(
    ("figures", "by", "why"),
    [
        ({"quantity": 95, "net": 19.84}, "price", "0.208842 instead of 0.1988 for each kWh"),
        ({"unit_price": 0.1988, "net": 19.88}, "quantity", "100 instead of 95"),
        ({"net": 19.84}, "unknown", "the invoice tells neither quantity nor unit price"),
        (
            {"quantity": 95, "unit_price": 0.1988, "net": 19.84},
            "arithmetic",
            "the invoice's amount is not its quantity × its unit price",
        ),
    ],
)
def test_what_an_invoice_does_not_tell_is_concluded_where_it_can_be(
    a1: Desk, figures: dict[str, Any], by: str, why: str
) -> None:
    told = {"component": "energy", "period": "fv", "tax_rate": 0.06}
    (one, *_) = reconcile(a1, line("Energia", **told, **figures), *A1[1:]).pairs
    assert one.by_name
    assert [(each.by, each.why) for each in one.explained_by] == [(by, why)]


def test_lines_that_only_one_side_has_are_told_and_explain_the_total(a1: Desk) -> None:
    extra = line("Serviço de assistência", net=4.90, tax_rate=0.23)
    found = reconcile(a1, *A1[:5], extra, total={"gross": 39.83})
    assert verdicts(found) == dict.fromkeys((one["label"] for one in A1[:5]), "agrees") | {
        "Serviço de assistência": "only_invoice",
        "cav": "only_ours",
    }
    by = {by: round(float(amount), 2) for by, amount in found.explained_by}
    assert by == {"only_invoice": 6.03, "only_ours": -3.02, "rounding": 0.01}
    assert summary_of(found) == (
        "The invoice is 3.01 EUR more than our 36.82 EUR; 1 line is on the invoice alone (Serviço de assistência +6.03 "
        "EUR); 1 line is ours alone (cav -3.02 EUR)."
    )


# --- tax --------------------------------------------------------------------------------------------------------------

SPLIT = {
    "energy": {"threshold": {"kwh": 200, "per_days": 30}, "below": "0.06", "above": "0.23"},
    "vat": {"rate": "0.23"},
}


@pytest.fixture
def split(desk: Desk) -> Desk:
    """400 kWh in 30 days at 0.20, of which 200 are taxed by 6 %."""
    desk.measure("grid.import", "2026-01-01", "2026-02-02", shared_out("2026-01-01", "2026-01-31", 240_000, 160_000))
    desk.put(split=tariff(energy("0.20", tax="energy"), standing("0.30"), taxes=SPLIT))
    desk.have({"tariff": "split"})
    return desk


POWER = line("Standing charge", quantity=30, unit="days", unit_price=0.30, net=9.00, tax_rate=0.23)


def test_tax_on_the_wrong_share_is_explained_by_tax_and_by_nothing_else(split: Desk) -> None:
    found = reconcile(
        split,
        line("Energia 6%", quantity=100, unit="kWh", unit_price=0.20, net=20.00, tax_rate=0.06, tax=1.20),
        line("Energia 23%", quantity=300, unit="kWh", unit_price=0.20, net=60.00, tax_rate=0.23, tax=13.80),
        POWER,
        end="2026-01-31",
        total={"net": 89.00, "tax": 17.07, "gross": 106.07},
    )
    first, second, third = found.pairs
    assert (whats(first), whats(second), third.verdict) == (
        ["quantity", "net", "tax"], ["quantity", "net", "tax"], "agrees",
    )  # fmt: skip
    for one in (first, second):
        assert [(each.by, each.why) for each in one.explained_by] == [
            ("tax", "in all as much as ours, shared otherwise among the rates of tax")
        ]
    assert found.explained_by == (("tax", Fraction("3.4")),)
    assert [(one.what, one.verdict) for one in found.totals] == [
        ("net", "agrees"), ("tax", "differs"), ("gross", "differs"),
    ]  # fmt: skip
    assert found.inside == ()


def test_one_rate_on_energy_that_has_two_is_explained_by_tax(split: Desk) -> None:
    (one, _) = reconcile(
        split,
        line("Energia", quantity=400, unit="kWh", unit_price=0.20, net=80.00, tax_rate=0.06, tax=4.80),
        POWER,
        end="2026-01-31",
    ).pairs
    assert components(one) == [("energy", None), ("energy", None)]
    assert whats(one) == ["tax_rate", "tax"]
    assert explained(one) == {"tax": (0.0, -6.8)}
    assert one.explained_by[0].why == "all of it is taxed by 6 %; ours are 200 kWh by 6 % and 200 kWh by 23 %"


def test_another_rate_is_explained_by_tax(a1: Desk) -> None:
    one = pair(reconcile(a1, *changed(2, tax_rate=0.23, tax=1.20)), "Potência contratada: redes")
    assert whats(one) == ["tax_rate", "tax"]
    assert one.explained_by[0].why == "taxed by 23 % instead of 6 %"
    assert explained(one)["tax"][1] == pytest.approx(5.2256 * 0.17, abs=0.01)


# --- rounding ---------------------------------------------------------------------------------------------------------


def uneven(number: int) -> int:
    return 30 + number * number * 37 % 211


def by_hour(price: str, decimals: int, used: Callable[[int], int]) -> Decimal:
    """What software comes to that rounds each hour of the days of January 2026."""
    total = Decimal(0)
    step = Decimal(1).scaleb(-decimals)
    for hour in range(us("2026-01-01") // QUARTER_US, us("2026-02-01") // QUARTER_US, 4):
        wh = sum(used(number) for number in range(hour, hour + 4) if is_day(number))
        total += (Decimal(wh) / 1000 * Decimal(price)).quantize(step, ROUND_HALF_UP)
    return total


@pytest.mark.parametrize(("decimals", "used"), [(2, uneven), (3, lambda _: 7)])
def test_rounding_each_hour_as_other_software_does_is_found_out(
    desk: Desk, decimals: int, used: Callable[[int], int]
) -> None:
    desk.measure("grid.import", "2026-01-01", "2026-02-02", used)
    desk.put(two=tariff(energy(by_clock("0.1988", "0.1087")), calendars=DAY_AND_NIGHT))
    desk.have({"tariff": "two"})
    ours = desk.statement("2026-01-01", "2026-02-01").periods[0].lines
    theirs = by_hour("0.1988", decimals, used)
    assert abs(theirs - Decimal(str(float(ours[0].net)))) > Decimal("0.01"), "there is something to find out"
    (one, other) = reconcile(
        desk,
        line("Energia de dia", component="energy", period="day", quantity=float(ours[0].quantity), unit="kWh",
             unit_price=0.1988, net=str(theirs)),
        line("Energia de noite", component="energy", period="night", quantity=float(ours[1].quantity), unit="kWh",
             unit_price=0.1087, net=float(ours[1].net)),
        end="2026-02-01",
    ).pairs  # fmt: skip
    assert (one.verdict, other.verdict) == ("differs", "agrees")
    (why,) = one.explained_by
    assert why.by == "rounding"
    assert f"each hour is rounded to {decimals} decimals" in why.why
    assert why.net == Fraction(theirs) - ours[0].net


def test_a_meter_rent_that_is_rounded_each_hour_is_found_out(desk: Desk) -> None:
    """0.02976 EUR a day are 0.00124 an hour, and 0.001 where hours are rounded to three decimals: -19 %."""
    desk.measure("grid.import", "2026-01-01", "2026-02-02", uneven)
    desk.put(rent=tariff(energy(), {**standing("0.02976"), "id": "rent", "title": "Meter rent"}))
    desk.have({"tariff": "rent"})
    found = reconcile(
        desk,
        line("Aluguer do contador", quantity=31, unit="dias", unit_price=0.02976, net=0.74),
        end="2026-02-01",
    )
    one = pair(found, "Aluguer do contador")
    assert [each.by for each in one.explained_by] == ["rounding"]
    assert one.explained_by[0].why == (
        "it comes to 0.744 where each hour is rounded to 3 decimals; ours are rounded once"
    )


def test_a_few_cents_that_nothing_else_explains_are_rounding(a1: Desk) -> None:
    one = pair(
        reconcile(a1, *changed(5, quantity=1, unit="mês", unit_price=2.85, net=2.88)), "Contribuição audiovisual"
    )
    assert explained(one).keys() == {"rounding"}


# --- which lines belong together --------------------------------------------------------------------------------------


def test_the_two_halves_of_a_price_change_may_be_one_line_of_an_invoice(desk: Desk) -> None:
    prices = {"dated": [{"from": "2020-01-01", "price": "0.20"}, {"from": "2026-01-16", "price": "0.30"}]}
    desk.measure("grid.import", "2026-01-01", "2026-02-02", lambda _: 250)
    desk.put(dated=tariff(energy(prices), standing("0.30")))
    desk.have({"tariff": "dated"})
    whole = reconcile(desk, line("Energy", quantity=744, unit="kWh", net=187.20), POWER | {"quantity": 31, "net": 9.3},
                      end="2026-02-01")  # fmt: skip
    assert whole.agrees, whole.pairs
    assert [len(one.ours.lines) for one in whole.pairs if one.ours] == [2, 2]
    halves = reconcile(
        desk,
        line("Energy from 16 January", quantity=384, unit="kWh", unit_price=0.30, net=115.20),
        line("Energy until 15 January", quantity=360, unit="kWh", unit_price=0.20, net=72.00),
        end="2026-02-01",
    )
    assert [one.verdict for one in halves.pairs[:2]] == ["agrees", "agrees"]
    assert [len(one.ours.lines) for one in halves.pairs[:2] if one.ours] == [1, 1]


def test_a_line_that_names_what_we_have_not_is_the_invoices_alone(a1: Desk) -> None:
    found = reconcile(a1, line("Energia", component="energy", period="P", net=18.89), *A1[1:])
    assert found.pairs[0].verdict == "only_invoice"
    assert [one.label for one in found.pairs if one.verdict == "only_ours"] == ["energy FV"]


def test_each_of_our_lines_is_used_once(a1: Desk) -> None:
    found = reconcile(a1, A1[0], A1[0])
    assert [one.verdict for one in found.pairs[:2]] == ["agrees", "only_invoice"]
    used = [place for one in found.pairs if one.ours for place in one.ours.places]
    assert len(used) == len(set(used)) == 6


def test_other_units_are_converted(a1: Desk) -> None:
    lines = changed(0, quantity=0.095, unit="MWh", unit_price=198.8)
    lines[1] |= {"quantity": 63333, "unit": "Wh", "unit_price": 0.0001087}
    assert reconcile(a1, *lines).agrees


def test_a_wider_tolerance_lets_more_agree(a1: Desk) -> None:
    lines = changed(5, net=2.90)
    assert pair(reconcile(a1, *lines), "Contribuição audiovisual").verdict == "differs"
    assert pair(reconcile(a1, *lines, tolerance=0.05), "Contribuição audiovisual").verdict == "agrees"
    assert pair(reconcile(a1, *changed(5, net=2.8500001), tolerance=0), "Contribuição audiovisual").verdict == "differs"


def test_what_is_paid_for_export_is_negative_on_both_sides(desk: Desk) -> None:
    desk.measure("grid.import", "2026-01-01", "2026-02-02", lambda n: 250 if n % 2 else 0)
    desk.measure("grid.export", "2026-01-01", "2026-02-02", lambda n: 0 if n % 2 else 100)
    desk.put(both=tariff(energy("0.20"), surplus("0.05")))
    desk.have({"tariff": "both"})
    found = reconcile(
        desk,
        line("Excedente injetado", quantity=148.8, unit="kWh", net=-7.44),
        line("Consumo", quantity=372, unit="kWh", net=74.40),
        end="2026-02-01",
    )
    assert [components(one) for one in found.pairs] == [[("surplus", None)], [("energy", None)]]
    assert found.agrees


def test_several_billing_periods_are_one_unless_told_otherwise(desk: Desk) -> None:
    desk.measure("grid.import", "2026-01-01", "2026-03-02", lambda _: 250)
    desk.put(flat=tariff(energy("0.1655")))
    desk.have({"tariff": "flat"})
    body = {"lines": [line("Energy", net=1)], "start": "2026-01-01", "end": "2026-03-01"}
    one = desk.reconciling.reconcile("home1", body)
    several = desk.reconciling.reconcile("home1", {**body, "single": False})
    assert [len(found.statement.periods) for found in (one, several)] == [1, 2]
    assert sum(len(pair.ours.lines) for pair in several.pairs if pair.ours) == 2


# --- an invoice in itself ---------------------------------------------------------------------------------------------


def test_what_is_wrong_with_an_invoice_in_itself_is_named(a1: Desk) -> None:
    lines = changed(0, net=19.50, tax=1.13, gross=20.00)
    lines[4] |= {"tax": 0.40}
    found = reconcile(a1, *lines, total={"net": 35.00, "tax": 2.20, "gross": 40.00})
    assert [(one.where, one.why) for one in found.inside] == [
        ("lines[0]", "quantity × unit_price is 18.886, and net is 19.50"),
        ("lines[0]", "net × tax_rate is 1.17, and tax is 1.13"),
        ("lines[0]", "net and tax make 20.63, and gross is 20.00"),
        ("lines[4]", "net × tax_rate is 0.0368, and tax is 0.40"),
        ("total.net", "the lines make 35.23, and the total is 35.00"),
        ("total.tax", "the lines make 2.5679, and the total is 2.20"),
        ("total.gross", "the lines make 37.1679, and the total is 40.00"),
        ("total.gross", "net and tax make 37.20, and gross is 40.00"),
    ]
    assert summary_of(found).endswith("; in itself it has 8 faults.")


def test_figures_that_are_shown_rounded_are_no_fault(a1: Desk) -> None:
    told = line("Energia", quantity=63.33, unit="kWh", unit_price=0.1087, net=6.90)
    assert [one.where for one in reconcile(a1, told).inside] == ["lines[0]"], "6.8840, and 0.005 kWh make 0.0005"
    assert reconcile(a1, {**told, "net": 6.89}).inside == ()
    assert reconcile(a1, line("Energia", quantity=63.3, unit="kWh", unit_price=0.1087, net=6.897)).inside == ()


# --- what is refused, and what stands beside --------------------------------------------------------------------------


def faults(desk: Desk, body: Any) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        desk.reconciling.reconcile("home1", body)
    return [(one.where, one.why) for one in refused.value.faults]


def test_all_that_is_wrong_is_told_at_once(a1: Desk) -> None:
    told = faults(
        a1,
        {
            "start": "2026-02-30", "currency": "euro", "tolerance": "some", "colour": "red",
            "lines": [
                {"label": "", "net": "much"}, {"label": "x"}, {"label": "y", "net": 1, "tax_rate": 23},
                {"label": "z", "net": 1e12, "unit": "kWh" * 9}, "line",
            ],
            "total": {"brutto": 1},
        },
    )  # fmt: skip
    assert [where for where, _ in told] == [
        "start", "end", "currency", "lines[0].label", "lines[0].net", "lines[1]", "lines[2].tax_rate", "lines[3].unit",
        "lines[3].net", "lines[4]", "total.brutto", "tolerance", "colour",
    ]  # fmt: skip
    assert dict(told)["lines[1]"] == "a line has at least one of quantity, unit_price, net, tax, gross"


def test_a_time_that_cannot_be_is_told_beside_other_faults(a1: Desk) -> None:
    body = {"start": "2026-02-01", "end": "2026-01-01", "lines": []}
    assert [where for where, _ in faults(a1, body)] == ["lines", "end"]
    assert [where for where, _ in faults(a1, [])] == ["body"]


def test_an_invoice_in_another_currency_is_refused(a1: Desk) -> None:
    with pytest.raises(BadInput, match="the household's contracts are in EUR"):
        reconcile(a1, *A1, currency="USD")


def test_without_a_contract_there_is_nothing_to_set_beside(desk: Desk) -> None:
    with pytest.raises(NotFound, match="has no contract in this time"):
        reconcile(desk, *A1)
    with pytest.raises(NotFound):
        desk.reconciling.reconcile("nobody", {"start": "2026-01-01", "end": "2026-02-01", "lines": A1})


def test_how_well_our_side_is_known_stands_beside(desk: Desk) -> None:
    wh = shared_out("2026-01-01", "2026-01-31T10:00", 95_000, 63_333)
    having(desk, "a1", wh, "2026-01-01", "2026-01-16")
    found = reconcile(desk, *A1)
    assert found.statement.measured == pytest.approx(0.493, abs=0.001)
    assert any("readings are missing" in why for why in found.statement.provisional)


def test_figures_follow_from_each_other() -> None:
    from statistics_manager_service.services.money.invoices import ToldLine

    def known(**figures: Any) -> tuple[Fraction | None, ...]:
        (one,) = lines_of_invoice([ToldLine.model_validate({"label": "x", **figures})])
        return one.net_known, one.tax_known, one.gross_known

    assert known(net=10, tax_rate="0.23") == (10, Fraction("2.3"), Fraction("12.3"))
    assert known(gross="12.3", tax_rate="0.23") == (10, Fraction("2.3"), Fraction("12.3"))
    assert known(gross="12.3", tax="2.3") == (10, Fraction("2.3"), Fraction("12.3"))
    assert known(quantity=100, unit_price="0.1") == (10, None, None)
    assert known(gross=12) == (None, None, 12)
