"""Households, channels, meter events and device tokens: the same contract on both stores."""

from __future__ import annotations

from typing import Any

import pytest

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.errors import Conflict
from statistics_manager_service.services.ports import Channel, DeviceToken, Household, MeterEvent
from statistics_manager_service.storage.database import SqlStore

FULL = Household(
    0,
    "home1",
    timezone="Europe/Lisbon",
    country="PT",
    zone="PT",
    api_key="dongle-1",
    meter_id="PT0002",
    register_unit="kWh",
    billing_day=18,
    contracted_power_kva=6.9,
    currency="EUR",
    more={"name": "Casa São João", "postal_code": "4000-001", "nested": {"list": [1, 2.5, None, True]}},
)
MOST = 9_000_000_000_000_000
FULL_CHANNEL = Channel(
    0,
    0,
    "grid",
    "energy_import",
    Kind.REGISTER,
    "kWh",
    declared=True,
    modulus_milli=MOST,
    max_power_w=10350.5,
    resolution_milli=1_000,
    gap_limit_s=7200,
    first_us=1_700_000_000_000_001,
    last_us=1_800_000_000_999_999,
    last_value_milli=-MOST,
    reading_count=2**40,
    first_day=19_000,
    last_day=20_000,
    energy_milliwh=MOST,
    measured_s=2**33,
    estimated_s=2**34,
    sample_count=2**41,
    sample_sum_milli=-(2**60),
)


def put(store: SqlStore, *households: Household) -> list[Household]:
    with store.writing() as view:
        return [view.put_household(one) for one in households]


def test_a_household_is_read_as_it_was_put(store: SqlStore) -> None:
    (made,) = put(store, FULL)
    assert made == FULL._replace(household_no=made.household_no)
    assert made.household_no > 0
    with store.reading() as view:
        assert view.household("home1") == made
        assert view.household_by_api_key("dongle-1") == made
        assert view.household_by_meter_id("PT0002") == made


def test_a_household_with_nothing_set_has_the_defaults(store: SqlStore) -> None:
    (made,) = put(store, Household(0, "plain"))
    with store.reading() as view:
        assert view.household("plain") == Household(made.household_no, "plain")


@pytest.mark.parametrize("asked", ["nobody", "", "HOME1", "home1\0", "x" * 200, "'; --", "%", "Ä" * 100])
def test_a_household_that_is_not_there_is_none(store: SqlStore, asked: str) -> None:
    put(store, FULL)
    with store.reading() as view:
        assert view.household(asked) is None
        assert view.household_by_api_key(asked) is None
        assert view.household_by_meter_id(asked) is None
        assert view.households_by_id([asked]) == {}


def test_an_update_replaces_every_setting_and_keeps_the_number(store: SqlStore) -> None:
    (made,) = put(store, FULL)
    other = Household(made.household_no, "home1", timezone="Asia/Tokyo", more={"name": "moved"})
    assert put(store, other) == [other]
    with store.reading() as view:
        assert view.household("home1") == other
        assert view.household_by_api_key("dongle-1") is None


def test_households_by_id_are_those_that_there_are_however_many_are_asked_for(store: SqlStore) -> None:
    made = put(store, *(Household(0, f"h{i:04d}") for i in range(1000)))
    asked = [one.id for one in made] + ["nobody", "x" * 300, "nul\0"]
    with store.reading() as view:
        assert view.households_by_id(asked) == {one.id: one for one in made}
        assert view.households_by_id([]) == {}


def test_pages_of_households_are_ordered_by_id_and_leave_none_out(store: SqlStore) -> None:
    ids = ["b", "A", "a", "a-1", "a.1", "a1", "Z", "_x", "0", "aa", "a:b"]
    put(store, *(Household(0, one) for one in ids))
    seen: list[str] = []
    after = None
    while True:
        with store.reading() as view:
            page = view.households(after, 3)
        seen += [one.id for one in page]
        if len(page) < 3:
            break
        after = page[-1].id
    assert seen == sorted(ids)


@pytest.mark.parametrize("key", ["api_key", "meter_id"])
def test_a_key_that_belongs_to_another_household_is_a_conflict(store: SqlStore, key: str) -> None:
    (first, second) = put(store, Household(0, "a", **{key: "k"}), Household(0, "b"))
    with pytest.raises(Conflict, match=key), store.writing() as view:
        view.put_household(second._replace(**{key: "k"}))
    with pytest.raises(Conflict, match=key), store.writing() as view:
        view.put_household(Household(0, "c", **{key: "k"}))
    put(store, first._replace(**{key: "k"}))  # its own is none
    with store.reading() as view:
        assert [one.id for one in view.households(None, 9)] == ["a", "b"]
        assert view.household("b") == second


def test_an_api_key_that_is_anothers_meter_id_is_no_conflict(store: SqlStore) -> None:
    put(store, Household(0, "a", api_key="same"), Household(0, "b", meter_id="same"))


def test_a_household_made_twice_is_a_conflict_and_leaves_the_first(store: SqlStore) -> None:
    (made,) = put(store, FULL)
    with pytest.raises(Conflict), store.writing() as view:
        view.put_household(Household(0, "home1"))
    with store.reading() as view:
        assert view.household("home1") == made


def test_a_number_of_an_erased_household_is_never_used_again(store: SqlStore) -> None:
    (_, second) = put(store, Household(0, "a"), Household(0, "b"))
    with store.writing() as view:
        view.delete_household(second.household_no)
    (third,) = put(store, Household(0, "b"))
    assert third.household_no > second.household_no


def test_channels_are_numbered_by_household_and_read_as_they_were_added(store: SqlStore) -> None:
    (a, b) = put(store, Household(0, "a"), Household(0, "b"))
    plain = Channel(b.household_no, -1, "pv", "power_production", Kind.SAMPLE, "W")
    with store.writing() as view:
        first = view.add_channel(FULL_CHANNEL._replace(household_no=a.household_no))
        second = view.add_channel(FULL_CHANNEL._replace(household_no=a.household_no, kind=Kind.INTERVAL))
        third = view.add_channel(plain)
    assert [first.channel_no, second.channel_no, third.channel_no] == [1, 2, 1]
    assert third == plain._replace(channel_no=1)
    with store.reading() as view:
        assert view.channels(a.household_no) == [first, second]
        assert view.channels_of([b.household_no, a.household_no, 999]) == {
            a.household_no: [first, second],
            b.household_no: [third],
            999: [],
        }
        assert view.channels_of([]) == {}
        kinds = [type(one.kind) for one in view.channels(a.household_no)]
        assert kinds == [Kind, Kind]
        assert view.channels(a.household_no)[0].declared is True


def test_channels_of_a_thousand_households_are_found_at_once(store: SqlStore) -> None:
    made = put(store, *(Household(0, f"h{i}") for i in range(1000)))
    with store.writing() as view:
        for one in made[::100]:
            view.add_channel(Channel(one.household_no, -1, "m", "voltage", Kind.SAMPLE, "V"))
    numbers = [one.household_no for one in made]
    with store.reading() as view:
        found = view.channels_of(numbers)
    assert list(found) == numbers
    assert [no for no, channels in found.items() if channels] == numbers[::100]


def test_updated_channels_are_as_they_were_told_and_others_stay(store: SqlStore) -> None:
    (a,) = put(store, Household(0, "a"))
    empty = Channel(a.household_no, -1, "grid", "energy_import", Kind.REGISTER, "Wh")
    with store.writing() as view:
        one = view.add_channel(empty)
        two = view.add_channel(empty._replace(meter="pv"))
        three = view.add_channel(empty._replace(meter="ev"))
    full = FULL_CHANNEL._replace(household_no=a.household_no, channel_no=one.channel_no)
    renamed = two._replace(energy_milliwh=7, last_us=None)
    with store.writing() as view:
        view.update_channels([full, renamed])
        view.update_channels([])
    with store.reading() as view:
        assert view.channels(a.household_no) == [full, renamed, three]


def event_of(no: int, **more: Any) -> MeterEvent:
    return MeterEvent(no, 0, "grid", "energy_import", 1_700_000_000_000_000, -5, MOST, **more)


def test_meter_events_are_numbered_by_household_and_deleted_one_by_one(store: SqlStore) -> None:
    (a, b) = put(store, Household(0, "a"), Household(0, "b"))
    with store.writing() as view:
        first, second = (view.add_meter_event(event_of(a.household_no)) for _ in range(2))
        other = view.add_meter_event(event_of(b.household_no))
    assert [first.event_no, second.event_no, other.event_no] == [1, 2, 1]
    with store.reading() as view:
        assert view.meter_events(a.household_no) == [first, second]
        assert view.meter_events_of([a.household_no, b.household_no, 999]) == {
            a.household_no: [first, second],
            b.household_no: [other],
        }
        assert view.meter_events_of([]) == {}
    with store.writing() as view:
        view.delete_meter_event(a.household_no, 1)
        view.delete_meter_event(a.household_no, 77)
    with store.reading() as view:
        assert view.meter_events(a.household_no) == [second]
        assert view.meter_events(b.household_no) == [other]


def test_device_tokens_are_read_with_their_households_id_oldest_first(store: SqlStore) -> None:
    (a, b) = put(store, Household(0, "a"), Household(0, "b"))
    new = DeviceToken("t-new", a.household_no, "a", "f" * 64, True, "hub ☀", 2_000_000, expires_us=3_000_000)
    old = DeviceToken("t-old", a.household_no, "a", "e" * 64, False, "", 1_000_000)
    other = DeviceToken("t-b", b.household_no, "b", "d" * 64, False, "", 1_500_000)
    with store.writing() as view:
        for token in (new, old, other):
            view.add_device_token(token)
    with store.reading() as view:
        assert view.device_tokens(a.household_no) == [old, new]
        assert view.device_token("t-b") == other
        assert view.device_token("nobody") is None
        assert view.device_tokens(999) == []


@pytest.mark.parametrize("asked", ["x" * 5000, "", "'", "Ä"])
def test_a_token_id_that_no_token_has_is_none(store: SqlStore, asked: str) -> None:
    with store.reading() as view:
        assert view.device_token(asked) is None


def test_a_revoked_token_says_since_when_and_others_stay_valid(store: SqlStore) -> None:
    (a,) = put(store, Household(0, "a"))
    tokens = [DeviceToken(f"t{i}", a.household_no, "a", "0" * 64, True, "", i) for i in range(2)]
    with store.writing() as view:
        for token in tokens:
            view.add_device_token(token)
        view.revoke_device_token("t0", 1_900_000_000_000_000)
        view.revoke_device_token("nobody", 1)
    with store.reading() as view:
        assert view.device_tokens(a.household_no) == [tokens[0]._replace(revoked_us=1_900_000_000_000_000), tokens[1]]
