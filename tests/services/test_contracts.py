"""Tariffs and contracts: what may be put, what holds when, and what was known then."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from measured import Clock, open_store, put_home, us

from statistics_manager_service.errors import BadInput, Conflict, NotFound
from statistics_manager_service.services.prices.contracts import (
    STANDARD_POWERS_KVA,
    Contract,
    Contracts,
    contracts_of,
    contracts_of_each,
    standard_power_kva,
)
from statistics_manager_service.services.prices.tariffs import Tariffs, no_tariff
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate
from statistics_manager_service.tariffs.shipped import shipped_ids

PLAIN: dict[str, Any] = {
    "id": "plain", "title": "Plain", "currency": "EUR", "time_zone": "Europe/Lisbon", "valid": {"from": "2020-01-01"},
    "components": [{"id": "energy", "kind": "energy", "price": "0.15"}],
}  # fmt: skip
#: A table whose first price names other powers than the second.
TABLED: dict[str, Any] = {
    **PLAIN, "id": "tabled", "parameters": {"power_kva": 6.9, "social": False, "zone": "A"},
    "components": [
        *PLAIN["components"],
        {
            "id": "power", "kind": "fixed", "basis": "per_day",
            "price": {
                "dated": [
                    {"from": "2020-01-01", "price": {"table": "power_kva", "values": {"6.9": 1}}},
                    {"from": "2025-01-01", "price": {"table": "power_kva", "values": {"6.90": 1, "10.35": 2}}},
                ]
            },
        },
        {
            "id": "relief", "kind": "credit", "basis": "per_day", "when": {"parameter": "social"},
            "price": {"table": "zone", "values": {"A": 1, "B": 2}},
        },
    ],
}  # fmt: skip


class Desk:
    """The registers over a store, and a clock."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock = store, Clock("2026-03-01")
        self.tariffs = Tariffs(store, self.clock)
        self.contracts = Contracts(store, self.tariffs, self.clock)
        self.home = put_home(store, "home1", timezone="Europe/Lisbon")
        for document in (PLAIN, TABLED):
            self.tariffs.put(document["id"], document)

    def put(self, *contracts: dict[str, Any]) -> None:
        self.contracts.put("home1", {"contracts": list(contracts)})

    def of(self, household: str = "home1", until_us: int | None = None) -> list[Contract]:
        with self.store.reading() as view:
            home = view.household(household)
            assert home is not None
            return contracts_of(view, home, until_us)

    def faults(self, *contracts: dict[str, Any]) -> list[tuple[str, str]]:
        with pytest.raises(BadInput) as refused:
            self.put(*contracts)
        return [(one.where, one.why) for one in refused.value.faults]


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Iterator[Desk]:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    store = open_store(url)
    yield Desk(store)
    store.close()


@pytest.fixture
def each_desk(database_url: str) -> Iterator[Desk]:
    store = open_store(database_url)
    yield Desk(store)
    store.close()


def contract(tariff: str = "plain", begin: str = "2025-01-01", end: str | None = None, **more: Any) -> dict[str, Any]:
    return {"tariff": tariff, "from": begin, "to": end, **more}


# --- tariffs ----------------------------------------------------------------------------------------------------------


def test_a_tariff_is_found_as_it_was_put_and_the_same_again_makes_no_revision(each_desk: Desk) -> None:
    first = each_desk.tariffs.get("plain")
    assert (first.source, first.told_us, first.document) == ("stored", us("2026-03-01"), PLAIN)
    each_desk.clock.set("2026-03-02")
    assert each_desk.tariffs.put("plain", {"tariff": {**PLAIN}}) == (first, False)
    changed, made = each_desk.tariffs.put("plain", {**PLAIN, "version": 2})
    assert (changed.told_us, made) == (us("2026-03-02"), False)
    assert each_desk.tariffs.get("plain", us("2026-03-01T23:00")) == first
    assert each_desk.tariffs.get("plain", us("2026-03-02")) == changed
    with pytest.raises(NotFound, match="there is no tariff 'plain'"):
        each_desk.tariffs.get("plain", us("2026-02-28"))


def test_a_document_may_leave_out_the_id_under_which_it_is_put(desk: Desk) -> None:
    known, made = desk.tariffs.put("mine", {name: value for name, value in PLAIN.items() if name != "id"})
    assert made
    assert known.document["id"] == "mine"


def test_a_tariff_with_faults_is_refused_with_all_of_them_and_not_kept(desk: Desk) -> None:
    with pytest.raises(BadInput) as refused:
        desk.tariffs.put("bad", {**PLAIN, "id": "other", "currency": "euro", "colour": 1})
    assert {one.where for one in refused.value.faults} == {"id", "currency", "colour"}
    with pytest.raises(NotFound):
        desk.tariffs.get("bad")


def test_a_tariff_that_comes_with_the_product_is_not_shadowed(desk: Desk) -> None:
    with pytest.raises(Conflict, match="tariff pt-btn-simples comes with the product"):
        desk.tariffs.put("pt-btn-simples", {**PLAIN, "id": "pt-btn-simples"})
    assert desk.tariffs.get("pt-btn-simples").source == "shipped"


def test_pages_hold_stored_and_shipped_tariffs_in_one_order(each_desk: Desk) -> None:
    for name in ("a1", "zz"):
        each_desk.tariffs.put(name, {**PLAIN, "id": name})
    seen: list[tuple[str, str]] = []
    while True:
        page = each_desk.tariffs.page(seen[-1][0] if seen else None, 5)
        seen += [(one.tariff_id, one.source) for one in page]
        if len(page) < 5:
            break
    stored = {"a1": "stored", "plain": "stored", "tabled": "stored", "zz": "stored"}
    assert seen == sorted((dict.fromkeys(shipped_ids(), "shipped") | stored).items())


def test_a_tariff_in_force_is_the_same_object_until_it_is_put_anew(desk: Desk) -> None:
    with desk.store.reading() as view:
        first = desk.tariffs.in_force(view, "plain")
        shipped = desk.tariffs.in_force(view, "pt-btn-simples")
        assert desk.tariffs.in_force(view, "nothing") is None
        with pytest.raises(NotFound, match="there is no tariff 'nothing'"):
            desk.tariffs.tariff_of(view, "nothing")
    desk.tariffs.put("another", {**PLAIN, "id": "another"})
    with desk.store.reading() as view:
        assert desk.tariffs.in_force(view, "plain") is first
        assert desk.tariffs.in_force(view, "pt-btn-simples") is shipped
        assert desk.tariffs.in_force(view, "plain", us("2026-03-01")) is first
        assert desk.tariffs.in_force(view, "plain", us("2026-02-28")) is None
    desk.tariffs.put("plain", {**PLAIN, "version": 2})
    with desk.store.reading() as view:
        assert desk.tariffs.tariff_of(view, "plain").version == 2
        assert desk.tariffs.tariff_of(view, "plain", us("2026-03-01")).version == 1


# --- contracts --------------------------------------------------------------------------------------------------------


def test_contracts_hold_from_and_to_civil_dates_of_the_household_in_order(each_desk: Desk) -> None:
    each_desk.put(
        contract(begin="2025-07-01", flow="export"),
        contract("pt-btn-simples", "2025-07-01T12:00", None, flow="import", parameters={"contracted_power_kva": 10.35}),
        contract(begin="2025-01-01", end="2025-07-01T12:00:00+01:00", flow="import"),
    )
    assert each_desk.of() == [
        Contract("plain", "import", us("2025-01-01"), us("2025-07-01T11:00"), {}),
        Contract("plain", "export", us("2025-06-30T23:00"), None, {}),
        Contract("pt-btn-simples", "import", us("2025-07-01T11:00"), None, {"contracted_power_kva": Decimal("10.35")}),
    ]


def test_what_was_contracted_then_is_known_and_the_same_again_makes_no_revision(each_desk: Desk) -> None:
    each_desk.put(contract())
    before = each_desk.store.state_of("home1")
    each_desk.clock.set("2026-03-02")
    each_desk.put(contract())
    with each_desk.store.reading() as view:
        assert len(view.contract_revisions(each_desk.home.household_no)) == 1
    each_desk.put(contract("tabled"))
    assert [one.tariff_id for one in each_desk.of()] == ["tabled"]
    assert [one.tariff_id for one in each_desk.of(until_us=us("2026-03-01"))] == ["plain"]
    assert each_desk.of(until_us=us("2026-02-28")) == []
    assert each_desk.store.state_of("home1") != before
    known = each_desk.contracts.get("home1", "2026-03-01T12:00")
    assert [one["tariff"] for one in known.contracts] == ["plain"]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (contract(end="2025-06-01"), contract(begin="2025-06-01"), False),
        (contract(end="2025-06-01"), contract(begin="2025-05-31"), True),
        (contract(), contract(begin="2026-01-01"), True),
        (contract(flow="import"), contract(flow="export"), False),
        (contract(flow="import"), contract(flow="both", begin="2026-01-01"), True),
        (contract(flow="export", end="2025-02-01"), contract(flow="both", begin="2024-01-01", end="2025-01-02"), True),
        (contract(end="2025-06-01T00:00Z"), contract(begin="2025-06-01"), True),  # which begins an hour before
        (contract(end="2025-06-01T12:00"), contract(begin="2025-06-01T12:00"), False),
    ],
)  # fmt: skip
def test_at_any_instant_one_contract_at_most_holds_for_each_flow(
    desk: Desk, one: dict[str, Any], other: dict[str, Any], overlap: bool
) -> None:
    if not overlap:
        desk.put(one, other)
        assert len(desk.of()) == 2
        return
    for told in ((one, other), (other, one)):
        ((where, why),) = desk.faults(*told)
        assert where == "contracts[1]"
        assert "and so does contracts[0]" in why
    assert desk.of() == []


@pytest.mark.parametrize(
    ("told", "where", "why"),
    [
        (contract("nothing"), "contracts[0].tariff", "there is no tariff 'nothing'"),
        (contract("a b"), "contracts[0].tariff", "pattern"),
        (contract(flow="sideways"), "contracts[0].flow", "'both', 'import' or 'export'"),
        (contract(begin="2025-02-30"), "contracts[0].from", "no moment of the calendar"),
        (contract(begin="2025-01-01T00:10"), "contracts[0].from", "a whole quarter of an hour"),
        (contract(end="2025-01-01T00:15:01"), "contracts[0].to", "a whole quarter of an hour"),
        (contract(end="2025-01-01"), "contracts[0].to", "must be after `from`"),
        ({"tariff": "plain"}, "contracts[0].from", "required"),
        ({**contract(), "colour": 1}, "contracts[0].colour", "not permitted"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_contract_is_told_and_where(
    desk: Desk, told: dict[str, Any], where: str, why: str
) -> None:
    found = desk.faults(told)
    assert any(one == where and why in text for one, text in found), found
    assert desk.of() == []


@pytest.mark.parametrize(
    ("tariff", "told", "where", "why"),
    [
        ("plain", {"power_kva": 1}, ".power_kva", "has no such parameter; there are none"),
        ("tabled", {"x": 1}, ".x", "has no such parameter; there are power_kva, social, zone"),
        ("tabled", {"social": 1}, ".social", "it must be true or false, such as False"),
        ("tabled", {"power_kva": "6.9"}, ".power_kva", "it must be a number, such as 6.9"),
        ("tabled", {"power_kva": True}, ".power_kva", "it must be a number, such as 6.9"),
        ("tabled", {"zone": 1}, ".zone", "it must be a text, such as A"),
        ("tabled", {"power_kva": [1]}, ".power_kva", "it must be true, false, a number"),
        ("tabled", {"power_kva": float("nan")}, ".power_kva", "it must be true, false, a number"),
        ("tabled", {"power_kva": Decimal("6.90000000000000000001")}, ".power_kva", "it must be true, false, a number"),
        ("tabled", {"power_kva": 7}, "", "there is no price for power_kva = 7; there are 6.90, 10.35"),
        ("tabled", {"zone": "C", "social": True}, "", "there is no price for zone = C; there are A, B"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_told_and_what_would_be_right(
    desk: Desk, tariff: str, told: dict[str, Any], where: str, why: str
) -> None:
    found = desk.faults(contract(tariff, parameters=told))
    assert [(one, why in text) for one, text in found] == [(f"contracts[0].parameters{where}", True)], found


def test_only_prices_that_a_contract_has_are_looked_for(desk: Desk) -> None:
    desk.put(contract("tabled", parameters={"zone": "C"}))  # the price by zone is for others
    desk.put(contract("tabled", "2025-01-01", parameters={"power_kva": 10.35}))
    ((_, why),) = desk.faults(contract("tabled", "2024-12-31", parameters={"power_kva": 10.35}))
    assert "no price for power_kva = 10.35; there are 6.9" in why


def test_all_that_is_wrong_is_told_at_once(desk: Desk) -> None:
    found = desk.faults(contract("nothing"), contract("tabled", parameters={"x": 1}), contract(end="2024-01-01"))
    assert [where for where, _ in found] == [
        "contracts[0].tariff", "contracts[1].parameters.x", "contracts[2].to", "contracts[1]",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [None, [], {}, {"contracts": {}}, {"contracts": [7]}, {"contracts": [], "x": 1}])
def test_a_body_of_another_form_is_refused(desk: Desk, body: Any) -> None:
    with pytest.raises(BadInput):
        desk.contracts.put("home1", body)


def test_contracts_of_a_household_that_is_not_there_are_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.contracts.put("nobody", {"contracts": []})
    with pytest.raises(NotFound):
        desk.contracts.get("nobody")


# --- what follows from FlexiHome's settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tarif_type", "tariff"),
    [("simple", "pt-btn-simples"), ("bi-hourly", "pt-btn-bi-horario"), ("tri-hourly", "pt-btn-tri-horario")],
)
def test_a_household_without_contracts_has_that_of_its_tarif_type(desk: Desk, tarif_type: str, tariff: str) -> None:
    put_home(desk.store, "flexi", tarif_type=tarif_type, contracted_power_kva=5.0)
    assert desk.of("flexi") == [Contract(tariff, "import", 0, None, {"contracted_power_kva": Decimal("5.75")})]
    known = desk.contracts.get("flexi")
    expected = {
        "tariff": tariff,
        "flow": "import",
        "from": None,
        "to": None,
        "parameters": {"contracted_power_kva": 5.75},
    }
    assert (known.is_default, known.told_us, list(known.contracts)) == (True, None, [expected])
    desk.contracts.put("flexi", {"contracts": [contract()]})
    assert [one.tariff_id for one in desk.of("flexi")] == ["plain"]
    assert not desk.contracts.get("flexi").is_default
    desk.contracts.put("flexi", {"contracts": []})
    assert [one.tariff_id for one in desk.of("flexi")] == [tariff]


def test_a_household_without_contracts_and_tarif_type_has_none(desk: Desk) -> None:
    assert desk.of() == []
    known = desk.contracts.get("home1")
    assert (known.is_default, list(known.contracts)) == (False, [])


@pytest.mark.parametrize("power", STANDARD_POWERS_KVA)
@pytest.mark.parametrize("tarif_type", ["simple", "bi-hourly", "tri-hourly"])
def test_the_default_contracts_have_a_price_for_every_standard_power(
    desk: Desk, tarif_type: str, power: Decimal
) -> None:
    put_home(desk.store, "flexi", tarif_type=tarif_type, contracted_power_kva=float(power))
    (default,) = desk.of("flexi")
    desk.put(contract(default.tariff_id, "2025-01-01", "2027-01-01", parameters={"contracted_power_kva": float(power)}))
    assert default.parameters == {"contracted_power_kva": power}


@pytest.mark.parametrize(
    ("told", "meant"),
    [(None, "6.9"), (0.5, "1.15"), (6.9, "6.9"), (6.91, "10.35"), (3.45, "3.45"), (41.4, "41.4"), (100.0, "41.4")],
)
def test_a_power_that_is_none_of_the_standard_ones_counts_as_the_next_one(told: float | None, meant: str) -> None:
    assert standard_power_kva(told) == Decimal(meant)


def test_contracts_of_many_households_are_those_of_each(desk: Desk) -> None:
    names = ["home1", *(f"h{i}" for i in range(3))]
    homes = [desk.home, *(put_home(desk.store, name, tarif_type="simple") for name in names[1:])]
    desk.contracts.put("h1", {"contracts": [contract()]})
    each = [desk.of(name) for name in names]
    with desk.store.reading() as view:
        assert contracts_of_each(view, homes) == each
        assert contracts_of_each(view, []) == []


def test_of_a_misspelt_tariff_the_one_that_was_meant_is_told() -> None:
    assert "did you mean pt-btn-bi-horario?" in no_tariff("pt-btn-bihorario")
    assert no_tariff("x" * 500).startswith(f"there is no tariff '{'x' * 80}'")
