"""A home's emissions: laws over generated homes against a plain loop, and figures worked by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from carbon_homes import LIFECYCLE_MG, Loop, Made, emissions_of, in_store, nanograms, tell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from measured import quarter, us

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.definitions import DEFINITIONS, Family
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.carbon.carbon_rows import ESTIMATED, FORECAST, Method
from statistics_manager_service.services.carbon.emissions import Emissions
from statistics_manager_service.services.carbon.explained_factors import days_behind, factors_of
from statistics_manager_service.services.carbon.intensity_columns import GridIntensities
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.measuring import Column

ADDITIVE = tuple(one.name for one in DEFINITIONS.values() if one.family is Family.CARBON and one.adds_up)
OF_HOME = tuple(one for one in ADDITIVE if one != "emissions_device")
START = "2026-01-05"
DIRECT = Method(boundary="direct")
GROUPINGS = ["15_mins", "hourly", "daily", "monthly", "total"]
law = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def homes(draw: st.DrawFn, most_wh: int = 3_000) -> tuple[Made, list[dict[str, int]], list[int]]:
    """A home whose meters agree and whose battery gives no more than it was given; its flows; mg/kWh."""
    count = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    has_sun, has_battery = draw(st.booleans()), draw(st.booleans())
    content, rows = 0, []
    for _ in range(count):
        used = int(rng.integers(0, most_wh))
        made = int(rng.integers(0, most_wh)) * (rng.random() < 0.5) if has_sun else 0
        charge = int(rng.integers(0, most_wh)) if has_battery and rng.random() < 0.4 else 0
        discharge = int(rng.integers(0, content + 1)) if has_battery and not charge and rng.random() < 0.6 else 0
        content += charge - discharge
        both = int(rng.integers(0, 50)) if rng.random() < 0.1 else 0  # what came and went in one quarter-hour
        net = used + charge - made - discharge
        row = {"import": max(net, 0) + both, "export": max(-net, 0) + both, "ev": int(used * rng.random() / 2),
               "fridge": int(used * rng.random() / 2)}  # fmt: skip
        rows.append(row | ({"production": made} if has_sun else {}))
        if has_battery:
            rows[-1] |= {"charge": charge, "discharge": discharge}
    first = quarter(START) + draw(st.integers(0, 95))
    made_home = in_store(first, {name: [row[name] for row in rows] for name in rows[0]}, battery_efficiency=1.0)
    mg = rng.integers(0, 900_000, count).tolist()
    tell(made_home.store, first, mg)
    return made_home, rows, mg


def by_loop(rows: list[dict[str, int]], mg: list[int]) -> list[dict[str, Fraction]]:
    loop = Loop(Fraction(1), LIFECYCLE_MG)
    return [loop.quarter(row, one) for row, one in zip(rows, mg, strict=True)]


@law
@given(homes())
def test_what_is_of_meters_alone_is_that_of_a_plain_loop_to_the_nanogram(told: Any) -> None:
    made, rows, mg = told
    found = made.ask("emissions_import", "emissions_avoided_self_consumption", group_by="15_mins")
    for name, column in found.items():
        if "production" in rows[0] or name == "emissions_import":
            assert nanograms(column) == [one[name] for one in by_loop(rows, mg)]
        else:
            assert np.isnan(column.value).all()


@law
@given(homes())
def test_the_mix_is_that_of_a_plain_loop_but_for_the_rounding_of_parts_to_milliwatt_hours(told: Any) -> None:
    made, rows, mg = told
    expected = by_loop(rows, mg)
    # of each source a part is off by a milliwatt-hour at most, and what the battery had stored by as much
    off = 8 * max(*mg, LIFECYCLE_MG)
    for name in ("emissions_consumption", "emissions_avoided_export"):
        found = nanograms(made.ask(name)[name])[0]
        assert abs(found - sum(one[name] for one in expected)) <= off * len(rows)
    for device in ("ev", "fridge"):
        found = nanograms(made.ask("emissions_device", meter=device)["emissions_device"])[0]
        assert abs(found - sum(one[device] for one in expected)) <= off * len(rows)


@law
@given(homes(), st.sampled_from(GROUPINGS))
def test_any_grouping_adds_up(told: Any, group_by: str) -> None:
    made, _, _ = told
    fine, coarse = made.ask(*OF_HOME, group_by="15_mins"), made.ask(*OF_HOME, group_by=group_by)
    for name, column in coarse.items():
        assert sum(nanograms(column)) == sum(nanograms(fine[name]))
        if not np.isnan(column.total):
            assert round(column.total * 1e9) == sum(nanograms(column))


@law
@given(homes(), st.sampled_from(GROUPINGS))
def test_devices_and_the_untracked_rest_are_the_home(told: Any, group_by: str) -> None:
    made, _, _ = told
    found = made.ask("emissions_untracked", "emissions_consumption", group_by=group_by)
    parts = [found["emissions_untracked"]]
    parts += [
        made.ask("emissions_device", group_by=group_by, meter=one)["emissions_device"] for one in ("ev", "fridge")
    ]
    summed = np.sum([nanograms(one) for one in parts], axis=0).tolist()
    assert summed == nanograms(found["emissions_consumption"])


@law
@given(homes(), st.integers(2, 9))
def test_emissions_are_linear_in_energy(told: Any, times: int) -> None:
    made, rows, mg = told
    more = in_store(made.first, {name: [row[name] * times for row in rows] for name in rows[0]})
    tell(more.store, made.first, mg)
    for name in ("emissions_import", "emissions_avoided_self_consumption"):
        once, often = made.ask(name, group_by="hourly")[name], more.ask(name, group_by="hourly")[name]
        assert nanograms(often) == [times * one for one in nanograms(once)]
    assert more.ask("emissions_per_kwh")["emissions_per_kwh"].total == pytest.approx(
        made.ask("emissions_per_kwh")["emissions_per_kwh"].total, abs=1e-6, nan_ok=True
    )


@law
@given(homes())
def test_what_is_exported_or_avoided_is_never_taken_off_what_was_imported(told: Any) -> None:
    made, rows, mg = told
    import_alone = in_store(made.first, {"import": [row["import"] for row in rows]})
    tell(import_alone.store, made.first, mg)
    with_all, alone = (
        one.ask("emissions_import", group_by="15_mins")["emissions_import"] for one in (made, import_alone)
    )
    assert nanograms(with_all) == nanograms(alone)
    assert min(nanograms(with_all)) >= 0


@law
@given(homes())
def test_what_a_battery_gave_back_is_no_more_than_what_it_was_charged_with(told: Any) -> None:
    made, rows, mg = told
    home = nanograms(made.ask("emissions_consumption")["emissions_consumption"])[0]
    came = sum(
        row["import"] * 1000 * one + row.get("production", 0) * 1000 * LIFECYCLE_MG
        for row, one in zip(rows, mg, strict=True)
    )
    assert 0 <= home <= came


# --- the steps --------------------------------------------------------------------------------------------------------


@st.composite
def patchy_grids(draw: st.DrawFn) -> list[list[int | None]]:
    """40 days of a grid: measured, estimated and forecast values of each quarter-hour, some of none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shares = [draw(st.sampled_from([0.0, 0.3, 0.9])) for _ in range(3)]
    silent = draw(st.integers(0, 39))
    found: list[list[int | None]] = []
    for share in shares:
        told = [int(one) if rng.random() < share else None for one in rng.integers(0, 900_000, 40 * 96)]
        told[silent * 96 : (silent + 1) * 96] = [None] * 96
        found.append(told)
    return found


def told_by(kinds: list[list[int | None]], t: int) -> tuple[int, str] | None:
    for told, step in zip(kinds, ("measured", "estimated", "forecast"), strict=True):
        if told[t] is not None:
            return told[t] or 0, step
    return None


def by_fallback(kinds: list[list[int | None]], t: int, annual_mg: int) -> tuple[int, str]:
    """The intensity of a quarter-hour counted from a midnight of UTC, and its step, by a plain loop."""
    found = told_by(kinds, t)
    if found is not None:
        return found
    hour, day = t // 4 % 24, t // 96
    days, values = set(), []
    for before in range(max(0, day - 28), day):
        for k in range(before * 96 + hour * 4, before * 96 + hour * 4 + 4):
            one = told_by(kinds, k)
            if one is not None:
                days.add(before)
                values.append(one[0])
    if len(days) >= 3:
        mean = Fraction(sum(values), len(values))
        return int(mean + Fraction(1, 2)), "same_hour_mean"  # halves up
    return annual_mg, "country_annual"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(patchy_grids())
def test_each_quarter_hour_is_told_by_the_first_step_that_knows_it(kinds: list[list[int | None]]) -> None:
    # the zone's civil time is UTC in winter
    first, count = quarter("2026-01-01"), 40 * 96
    rng = np.random.default_rng(1)
    wh = rng.integers(0, 500, count).tolist()
    made = in_store(first, {"import": wh}, zone="PT")
    for kind, told in zip(("measured", ESTIMATED, FORECAST), kinds, strict=True):
        tell(made.store, first, told, kind=kind)
    expected = [by_fallback(kinds, t, 111_800) for t in range(count)]  # Portugal's mean of 2024, the nearest year
    column = made.ask("emissions_import", group_by="daily")["emissions_import"]
    for day in range(40):
        part = range(day * 96, (day + 1) * 96)
        assert nanograms(column)[day] == sum(wh[t] * 1000 * expected[t][0] for t in part)
        energy = sum(wh[t] for t in part)
        for step, shares in column.shares.items():
            assert shares[day] == pytest.approx(sum(wh[t] for t in part if expected[t][1] == step) / energy)
    told = {one["step"]: one["share"] for one in column.more["carbon"]["steps"]}
    whole = {step: sum(w for w, one in zip(wh, expected, strict=True) if one[1] == step) for step in told}
    assert told == {step: round(energy / sum(wh), 6) for step, energy in whole.items()}
    assert not column.lacks


def test_the_mean_of_the_hours_before_is_of_the_civil_hour_of_the_grids_own_time_zone() -> None:
    # clocks in Lisbon go forth on 2026-03-29: 18:00 is then 17:00 of UTC. On the days before, that hour had 200 g
    first = quarter("2026-03-20")
    mg: list[int | None] = [200_000 if t // 4 % 24 == 18 else 100_000 for t in range(9 * 96)] + [None] * 96
    made = in_store(first, {"import": [1000] * len(mg)}, zone="PT", timezone="Europe/Madrid")
    tell(made.store, first, mg)
    column = made.ask("emissions_import", group_by="15_mins")["emissions_import"]
    of_day = nanograms(column)[9 * 96 :]
    assert [t for t, one in enumerate(of_day) if one == 200_000 * 1_000_000] == [17 * 4 + k for k in range(4)]
    assert column.shares["same_hour_mean"][9 * 96 + 20] == 1.0


@pytest.mark.parametrize(("date", "year"), [("2001-06-01", 2001), ("2023-06-01", 2023), ("2026-06-01", 2024)])
def test_of_a_year_without_a_figure_the_nearest_one_counts_and_the_answer_names_it(date: str, year: int) -> None:
    made = in_store(quarter(date), {"import": [1000, 1000]})
    (step,) = made.ask("emissions_import")["emissions_import"].more["carbon"]["steps"]
    assert (step["step"], step["country"], step["year"], step["share"]) == ("country_annual", "PT", year, 1.0)
    assert step["licence"] == "CC-BY-4.0"
    assert (step["boundary"], step["scope"]) == ("lifecycle", "production")


def test_where_no_step_tells_anything_the_value_is_unknown_and_says_why() -> None:
    made = in_store(quarter(START), {"import": [1000, 1000, 0]}, country="BR")
    column = made.ask("emissions_import", group_by="15_mins")["emissions_import"]
    assert np.isnan(column.value).tolist() == [True, True, False]
    assert column.value[2] == 0  # nothing came in, so it stands for nothing
    assert [(lack.bucket, lack.share) for lack in column.lacks] == [(0, 1.0), (1, 1.0)]
    assert "no intensity of the zone BR" in column.lacks[0].why


@pytest.mark.parametrize("group_by", ["15_mins", "total"])
def test_a_total_of_which_nothing_is_known_is_unknown_however_it_is_grouped(group_by: str) -> None:
    made = in_store(quarter(START), {"import": [1000, 0], "export": [500, 0], "production": [900, 0]}, country="BR")
    for measure in ("emissions_import", "emissions_avoided_self_consumption", "emissions_avoided_export"):
        assert np.isnan(made.ask(measure, group_by=group_by)[measure].total)


def test_of_a_bucket_whose_intensity_is_partly_unknown_the_known_part_is_told_with_the_share_that_it_lacks() -> None:
    made = in_store(quarter(START), {"import": [300, 100]}, country="BR")
    tell(made.store, made.first, [100_000, None], zone="BR")
    column = made.ask("emissions_import")["emissions_import"]
    assert column.total == 30.0
    assert column.shares["unknown"][0] == 0.25
    assert [(lack.bucket, lack.share) for lack in column.lacks] == [(0, 0.25)]
    assert [one["step"] for one in column.more["carbon"]["steps"]] == ["measured", "unknown"]


def test_a_zero_that_a_source_told_is_a_value() -> None:
    made = in_store(quarter(START), {"import": [1000, 1000]})
    tell(made.store, made.first, [0, 100_000])
    column = made.ask("emissions_import", group_by="15_mins")["emissions_import"]
    assert column.value.tolist() == [0.0, 100.0]
    assert column.shares["measured"].tolist() == [1.0, 1.0]


# --- which series -----------------------------------------------------------------------------------------------------


def source_of(column: Column) -> tuple[str | None, str]:
    account = column.more["carbon"]
    return account["source"], account["boundary"]


def two_series(**settings: Any) -> Made:
    made = in_store(quarter(START), {"import": [1000, 1000], "export": [0, 0], "production": [500, 500]}, **settings)
    tell(made.store, made.first, [100_000, 100_000], source="first")
    tell(made.store, made.first, [50_000, 50_000], source="second", method=DIRECT)
    return made


def test_the_oldest_series_counts_and_a_question_or_a_setting_may_name_another() -> None:
    found = two_series().ask("emissions_import")["emissions_import"]
    assert (source_of(found), found.total) == (("first", "lifecycle"), 200.0)
    for way in ({"carbon_source": "second"}, {"carbon_boundary": "direct"}):
        asked = two_series().ask("emissions_import", **way)["emissions_import"]
        kept = two_series(**way).ask("emissions_import")["emissions_import"]
        assert (source_of(asked), asked.total) == (source_of(kept), kept.total) == (("second", "direct"), 100.0)
    # a question counts alone: a setting of the one does not narrow what is asked by the other
    for setting in ({"carbon_source": "first"}, {"carbon_boundary": "lifecycle"}):
        for way in ({"carbon_source": "second"}, {"carbon_boundary": "direct"}):
            found = two_series(**setting).ask("emissions_import", **way)["emissions_import"]
            assert source_of(found) == ("second", "direct")


def test_a_series_that_knows_nothing_of_the_time_steps_back_for_one_that_does() -> None:
    made = in_store(quarter(START), {"import": [1000]})
    tell(made.store, made.first - 96, [100_000], source="old")
    tell(made.store, made.first, [70_000], source="new")
    assert source_of(made.ask("emissions_import")["emissions_import"])[0] == "new"


def test_a_source_that_is_asked_for_and_that_the_zone_lacks_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadInput) as refused:
        two_series().ask("emissions_import", carbon_source="neso")
    (fault,) = refused.value.faults
    assert fault.where == "carbon_source"
    assert fault.why == (
        "the zone PT has no series of average intensities of neso; there are: first (lifecycle), second (direct)"
    )
    with pytest.raises(BadInput):
        two_series().ask("emissions_import", carbon_source="first", carbon_boundary="direct")


def test_a_setting_that_fits_no_series_leaves_the_annual_means() -> None:
    found = two_series(carbon_source="neso").ask("emissions_import")["emissions_import"]
    assert source_of(found) == (None, "lifecycle")
    assert [one["step"] for one in found.more["carbon"]["steps"]] == ["country_annual"]


def test_the_zone_is_that_of_the_household_or_its_country_or_the_settings() -> None:
    for settings_, zone in (({"zone": "ES", "country": "FR"}, "ES"), ({"zone": "a price zone", "country": "FR"}, "FR"),
                            ({"country": None}, "PT")):  # fmt: skip
        made = in_store(quarter(START), {"import": [1000]}, **settings_)
        assert made.ask("emissions_import")["emissions_import"].more["carbon"]["zone"] == zone


def test_an_annual_mean_of_another_method_than_the_series_is_said_to_be_mixed() -> None:
    made = in_store(quarter(START), {"import": [300, 100]}, zone="GB")
    tell(made.store, made.first, [100_000, None], zone="GB", source="neso", method=DIRECT)
    account = made.ask("emissions_import")["emissions_import"].more["carbon"]
    assert account["mixed"] is True
    assert account["methods"] == [
        {"basis": "average", "boundary": "direct", "scope": "consumption"},
        {"basis": "average", "boundary": "lifecycle", "scope": "production"},
    ]
    told = [(one["step"], one["share"], one["boundary"]) for one in account["steps"]]
    assert told == [("measured", 0.75, "direct"), ("country_annual", 0.25, "lifecycle")]
    tell(made.store, made.first, [None, 100_000], zone="GB", source="neso", method=DIRECT)
    assert made.ask("emissions_import")["emissions_import"].more["carbon"]["mixed"] is False


# --- avoided ----------------------------------------------------------------------------------------------------------


def test_the_figures_of_a_hand_calculation() -> None:
    made = in_store(quarter(START), {"import": [500, 200], "production": [300, 0], "export": [0, 0]})
    tell(made.store, made.first, [100_000, 200_000])
    assert made.ask("emissions_import")["emissions_import"].total == 90.0
    assert made.ask("emissions_avoided_self_consumption")["emissions_avoided_self_consumption"].total == 17.7
    tell(made.store, made.first, [100_000, 200_000], source="stack", method=DIRECT)
    direct = made.ask("emissions_avoided_self_consumption", carbon_boundary="direct")
    assert direct["emissions_avoided_self_consumption"].total == 30.0


def test_more_export_than_production_was_not_self_consumed_below_nothing() -> None:
    made = in_store(quarter(START), {"import": [0, 0], "production": [100, 300], "export": [200, 100]})
    tell(made.store, made.first, [100_000, 100_000])
    column = made.ask("emissions_avoided_self_consumption", group_by="15_mins")["emissions_avoided_self_consumption"]
    assert column.value.tolist() == [0.0, 11.8]


def test_export_avoids_what_the_marginal_plant_would_have_emitted_where_that_is_known() -> None:
    made = in_store(quarter(START), {"import": [0, 0], "production": [500, 500], "export": [400, 200]})
    tell(made.store, made.first, [100_000, 100_000])
    plain = made.ask("emissions_avoided_export", group_by="15_mins")["emissions_avoided_export"]
    assert plain.value.tolist() == [23.6, 11.8]
    tell(made.store, made.first, [900_000, 900_000], method=Method("marginal", "direct"))  # of another boundary
    tell(made.store, made.first, [400_000, None], method=Method(basis="marginal"))
    column = made.ask("emissions_avoided_export", group_by="15_mins")["emissions_avoided_export"]
    assert column.value.tolist() == [143.6, 11.8]
    account = column.more["carbon"]
    assert account["mixed"] is True
    assert [(one["step"], one["basis"], one["share"]) for one in account["steps"]] == [
        ("measured", "marginal", round(2 / 3, 6)), ("measured", "average", round(1 / 3, 6)),
    ]  # fmt: skip


def test_energy_that_was_in_a_battery_before_its_first_reading_has_no_known_carbon() -> None:
    made = in_store(
        quarter(START), {"import": [0, 500], "charge": [0, 0], "discharge": [500, 0]}, battery_efficiency=1.0
    )
    tell(made.store, made.first, [100_000, 100_000])
    column = made.ask("emissions_consumption")["emissions_consumption"]
    assert column.total == 50.0
    assert column.shares["unknown"][0] == 0.5
    assert "before its first reading" in column.lacks[0].why


def test_a_battery_passes_on_the_carbon_of_its_charge_divided_by_its_efficiency() -> None:
    # 1 kWh is charged at 100 g, 0.8 kWh comes back: all of the 100 g
    made = in_store(
        quarter(START), {"import": [1000, 0], "charge": [1000, 0], "discharge": [0, 800]}, battery_efficiency=0.8
    )
    tell(made.store, made.first, [100_000, 400_000])
    column = made.ask("emissions_consumption", group_by="15_mins")["emissions_consumption"]
    assert column.value.tolist() == [0.0, 100.0]
    assert column.shares["battery"].tolist()[1] == 1.0


# --- the grid ---------------------------------------------------------------------------------------------------------


def test_the_intensity_is_a_mean_over_the_time_up_to_now() -> None:
    made = in_store(quarter("2026-12-31"), {"import": [1] * 96})
    tell(made.store, made.first, [100_000] * 48 + [200_000] * 48 + [900_000] * 96)  # now is the end of the first day
    column = made.ask("carbon_intensity")["carbon_intensity"]
    assert column.total == 150.0
    assert column.coverage[0] == 1.0


def test_a_device_is_named_and_the_rest_is_of_the_home() -> None:
    made = in_store(quarter(START), {"import": [1000], "ev": [100], "fridge": [50]})
    with pytest.raises(BadInput) as refused:
        made.ask("emissions_device")
    assert refused.value.faults[0].why == (
        "emissions_device is of one device of the household: name its meter; its devices are ev, fridge"
    )
    with pytest.raises(BadInput, match="no device"):
        made.ask("emissions_device", meter="grid")


def test_what_was_known_at_an_instant_is_told_of_the_intensities_of_then() -> None:
    made = in_store(quarter(START), {"import": [1000]})
    tell(made.store, made.first, [100_000], issued_us=1_000)
    tell(made.store, made.first, [300_000], issued_us=2_000)
    assert made.ask("emissions_import")["emissions_import"].total == 300.0
    assert made.ask("emissions_import", until_us=1_999)["emissions_import"].total == 100.0
    before = made.ask("emissions_import", until_us=999)["emissions_import"]
    assert [one["step"] for one in before.more["carbon"]["steps"]] == ["country_annual"]


# --- edges ------------------------------------------------------------------------------------------------------------


def test_sums_that_need_more_than_64_bits_are_exact() -> None:
    count, wh, mg = 3_000, 2_100_000, 1_999_999
    made = in_store(quarter(START), {"import": [wh] * count})
    tell(made.store, made.first, [mg] * count)
    expected = count * wh * 1000 * mg
    assert expected > 2**63
    column = made.ask("emissions_import")["emissions_import"]
    assert column.total == column.value[0] == expected / 1e9


@pytest.mark.parametrize("cut_s", [1, 450, 899])
def test_buckets_cut_inside_a_quarter_hour_add_up(cut_s: int) -> None:
    made = in_store(
        quarter(START),
        {"import": [500, 700, 300], "production": [100, 200, 0], "export": [0, 100, 0], "ev": [100] * 3},
    )
    tell(made.store, made.first, [100_000, 200_000, 300_000])
    begin, end = made.first * QUARTER_US, (made.first + 3) * QUARTER_US
    cut = begin + QUARTER_US + cut_s * 1_000_000
    emissions = emissions_of()
    measures = ["emissions_import", "emissions_consumption", "emissions_untracked"]

    def asked(start: int, stop: int) -> list[int]:
        cal = calendar("UTC", GroupBy.TOTAL, start, stop)
        return [nanograms(one)[0] for one in emissions.columns(made.store, made.home, cal, measures)]

    first, second, whole = asked(begin, cut), asked(cut, end), asked(begin, end)
    assert first[0] + second[0] == whole[0]
    for part, rest, all_ in zip(first, second, whole, strict=True):
        assert part + rest == pytest.approx(all_, abs=4 * 300_000)  # parts of sources are rounded to milliwatt-hours


def test_grid_energy_that_was_charged_while_its_intensity_was_not_known_is_not_counted_when_it_comes_back() -> None:
    made = in_store(
        quarter(START), {"import": [1000, 1000, 0, 0], "charge": [1000, 1000, 0, 0], "discharge": [0, 0, 1000, 1000]},
        battery_efficiency=1.0, country="BR",
    )  # fmt: skip
    tell(made.store, made.first, [100_000, None, 100_000, 100_000], zone="BR")
    column = made.ask("emissions_consumption", group_by="15_mins")["emissions_consumption"]
    assert nanograms(column) == [0, 0, 100_000_000_000, 0]
    assert np.isnan(column.value).tolist() == [False, False, False, True]
    assert column.shares["unknown"].tolist()[2:] == [0.0, 1.0]
    assert column.shares["battery"].tolist()[2:] == [1.0, 0.0]


def test_a_meter_that_tells_negative_import_takes_nothing_off() -> None:
    made = in_store(quarter(START), {"import": [500, 300]})
    tell(made.store, made.first, [100_000, 100_000])
    sheets = BalanceSheets()
    cal = calendar("UTC", GroupBy.QUARTERS, made.first * QUARTER_US, (made.first + 2) * QUARTER_US)
    sheet = sheets.of(made.store, made.home, cal.edges_us)
    sheet.flows.energy_milliwh["import"][1] = -300_000
    emissions = Emissions(GridIntensities("PT", None), sheets, BatteryBooks(), lambda: us("2027-01-01"))
    (column,) = emissions.columns(made.store, made.home, cal, ["emissions_import"])
    assert column.value.tolist() == [50.0, 0.0]


def test_the_factors_behind_a_time_are_told_in_stretches_with_their_sources() -> None:
    first = quarter("2026-01-01")
    mg: list[int | None] = [100_000] * (5 * 96) + [None] * 4 + [200_000, 200_000, None, 250_000]
    made = in_store(first, {"import": [1000] * len(mg), "production": [0] * len(mg)})
    series = tell(made.store, first, mg, method=DIRECT)
    intensities = GridIntensities("PT", None)
    day_us = (first + 5 * 96) * QUARTER_US
    found = factors_of(intensities, made.store, made.home.household, Way(), day_us, day_us + 8 * QUARTER_US)
    told = [((one.end_us - one.start_us) // QUARTER_US, one.mg_per_kwh, one.step) for one in found.grid]
    mean = (100_000, "same_hour_mean")
    assert told == [(4, *mean), (2, 200_000, "measured"), (1, *mean), (1, 250_000, "measured")]
    assert found.grid[0].source == {"source": "uploaded", **DIRECT._asdict()}
    assert (found.chosen.series, [one.mg_per_kwh for one in found.own_production]) == (series, [0])
    behind = days_behind(made.store, found.chosen, day_us + 60_000_000)
    assert behind == [((first + day * 96 + k) * QUARTER_US, 100_000) for day in range(5) for k in range(4)]


def test_own_production_is_of_the_boundary_of_the_intensity_that_it_is_taken_off() -> None:
    made = in_store(quarter(START), {"import": [0, 0], "production": [1500, 1500], "export": [1000, 1000]}, zone="GB")
    tell(made.store, made.first, [300_000, None], zone="GB", method=DIRECT)
    kept = made.ask("emissions_avoided_self_consumption", group_by="15_mins")["emissions_avoided_self_consumption"]
    # of the stack 300 − 0; then the annual mean of the life cycle, 215.79 − 41
    assert kept.value.tolist() == [150.0, 87.395]
    assert [one["boundary"] for one in kept.more["carbon"]["own_production"]] == ["direct", "lifecycle"]
    tell(made.store, made.first, [None, 400_000], zone="GB", method=Method("marginal", "direct"))
    sold = made.ask("emissions_avoided_export", group_by="15_mins")["emissions_avoided_export"]
    assert sold.value.tolist() == [300.0, 400.0]


def test_what_a_battery_had_stored_by_an_annual_mean_of_another_method_is_said_to_be_mixed() -> None:
    made = in_store(
        quarter(START), {"import": [1000, 0], "charge": [1000, 0], "discharge": [0, 1000]}, zone="GB",
        battery_efficiency=1.0,
    )  # fmt: skip
    tell(made.store, made.first, [None, 100_000], zone="GB", method=DIRECT)
    column = made.ask("emissions_consumption")["emissions_consumption"]
    assert column.total == 215.79
    assert column.more["carbon"]["mixed"] is True
    assert [one["step"] for one in column.more["carbon"]["steps"]] == ["battery"]


def test_a_device_that_no_meter_explains_has_no_known_carbon() -> None:
    made = in_store(quarter(START), {"import": [0, 50], "ev": [10, 20]})  # the home used nothing in the first
    tell(made.store, made.first, [100_000, 100_000])
    column = made.ask("emissions_device", group_by="15_mins", meter="ev")["emissions_device"]
    assert np.isnan(column.value).tolist() == [True, False]
    assert column.value[1] == 2.0
    assert column.shares["unknown"].tolist() == [1.0, 0.0]
    assert "no meter tells where it came from" in column.lacks[0].why
