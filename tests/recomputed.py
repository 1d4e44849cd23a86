"""Numbers worked out anew from an explanation alone, by a reader who has neither the product nor its store.

Nothing of the product is imported here: what an explanation says is all that there is.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from fractions import Fraction
from typing import Any

MILLIWH = Fraction(1, 1_000_000)
_KWH_IN = {"Wh": Fraction(1, 1000), "kWh": Fraction(1), "MWh": Fraction(1000)}
_MILLIW_IN = {"W": 1_000, "kW": 1_000_000, "MW": 1_000_000_000}
_QUARTER_US = 900_000_000


def instant_us(text: str) -> int:
    """Microseconds of an instant in UTC, exact."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    seconds = int(at.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + at.microsecond


def half_up(value: Fraction) -> int:
    """The nearest integer; of two the greater."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def energy_kwh(told: dict[str, Any]) -> Fraction:
    """The energy that a channel tells, by what is said of its readings."""
    if "edges" in told:
        return _of_register(told)
    if "intervals" in told:
        return _of_intervals(told)
    if "samples" in told:
        return _of_samples(told)
    return Fraction(0)  # nothing was ever read


def _of_register(told: dict[str, Any]) -> Fraction:
    scale = _KWH_IN[told["unit"]]
    start, end = (_register(edge, scale) for edge in told["edges"])
    added = Fraction(told["events"]["add_kwh"])
    if told["events"]["count"] == len(told["events"]["first"]):
        each = [
            Fraction(one["counted_kwh"]) - (Fraction(one["value"]) - Fraction(one["value_before"])) * scale
            for one in told["events"]["first"]
        ]
        assert sum(each, Fraction(0)) == added, told["events"]
        assert each == [Fraction(one["adds_kwh"]) for one in told["events"]["first"]]
    return end - start + added


def _register(edge: dict[str, Any], scale: Fraction) -> Fraction:
    """What a register shows at an edge: by the readings around it."""
    before, after = edge["before"], edge["after"]
    if before is None or after is None:
        only = before or after
        return _level(only) * scale
    step = Fraction(edge["flowed_between_kwh"])
    if after["verdict"] not in ("reset", "rollover", "swap"):
        assert step == (_level(after) - _level(before)) * scale, edge
    at, begin, stop = (instant_us(one) for one in (edge["at"], before["at"], after["at"]))
    flowed = half_up(step / MILLIWH * Fraction(at - begin, stop - begin)) * MILLIWH
    found = _level(before) * scale + flowed
    assert found == Fraction(edge["register_kwh"]), edge
    return found


def _level(reading: dict[str, Any]) -> Fraction:
    return Fraction(reading.get("counts_as", reading["value"]))


def _of_intervals(told: dict[str, Any]) -> Fraction:
    some = told["intervals"]
    claimed = Fraction(some["whole_kwh"]) + sum(Fraction(one["inside_kwh"]) for one in some["cut_by_an_edge"])
    if "list" in some:
        scale, edges = _KWH_IN[told["unit"]], [instant_us(told[name]) for name in ("from", "to")]
        found = Fraction(0)
        for one in some["list"]:
            if one["verdict"] != "plausible":
                continue
            begin, stop = instant_us(one["from"]), instant_us(one["to"])
            energy = Fraction(one["value"]) * scale / MILLIWH
            parts = [half_up(energy * Fraction(min(max(at - begin, 0), stop - begin), stop - begin)) for at in edges]
            found += (parts[1] - parts[0]) * MILLIWH
        assert found == claimed, (found, claimed)
    return claimed


def _of_samples(told: dict[str, Any]) -> Fraction:
    some = told["samples"]
    assert "list" in some, "too many samples to add up by hand"
    scale, gap_ms = _MILLIW_IN[told["unit"]], some["gap_limit_s"] * 1000
    samples = [(instant_us(one["at"]), int(Fraction(one["value"]) * scale)) for one in some["list"]]
    start, end = instant_us(told["from"]), instant_us(told["to"])
    first, last = start // _QUARTER_US, -(-end // _QUARTER_US)
    total = -_until(samples, start, gap_ms) if start % _QUARTER_US else 0
    for quarter in range(first, last):
        stop = (quarter + 1) * _QUARTER_US
        total += _until(samples, end, gap_ms) if stop > end else _quarter(samples, quarter, gap_ms)
    return total * MILLIWH


def _until(samples: list[tuple[int, int]], at_us: int, gap_ms: int) -> int:
    """From the start of the quarter-hour of an instant up to it."""
    before = [one for one in samples if one[0] < at_us]
    behind = [one for one in samples if one[0] >= at_us]
    if before and behind and behind[0][0] - before[-1][0] <= gap_ms * 1000:
        (begin, low), (stop, high) = before[-1], behind[0]
        part, whole = (at_us - begin) // 1000, max((stop - begin) // 1000, 1)
        before = [*before, (at_us, low + (high - low) * part // whole)]
    return _quarter(before, at_us // _QUARTER_US, gap_ms)


def _quarter(samples: list[tuple[int, int]], quarter: int, gap_ms: int) -> int:
    """The energy of a quarter-hour in milliwatt-hours."""
    area = 0  # twice the integral, in mW·ms
    floor, ceiling = quarter * 900_000, (quarter + 1) * 900_000
    for (begin_us, low), (stop_us, high) in itertools.pairwise(samples):
        if stop_us - begin_us > gap_ms * 1000:
            continue
        begin, stop = begin_us // 1000, stop_us // 1000
        left, right = max(begin, floor), min(stop, ceiling)
        if left < right:
            powers = [low + (high - low) * (at - begin) // (stop - begin) for at in (left, right)]
            area += sum(powers) * (right - left)
    return half_up(Fraction(area, 7_200_000))


def mean(told: list[dict[str, Any]], *, is_power: bool) -> Fraction:
    """The mean of the samples of some channels in the channels' unit: powers add up, other samples count alike."""
    some = [(Fraction(one["samples"]["sum"]), one["samples"]["count"]) for one in told if one["samples"]["count"]]
    for one in told:
        if "list" in one["samples"]:
            assert sum((Fraction(row["value"]) for row in one["samples"]["list"]), Fraction(0)) == Fraction(
                one["samples"]["sum"]
            )
    if is_power:
        return sum((total / count for total, count in some), Fraction(0))
    return sum((total for total, _ in some), Fraction(0)) / sum(count for _, count in some)


# --- the other measures -----------------------------------------------------------------------------------------------


def plain(text: Any) -> Fraction:
    """A figure: a number, or a text such as `12.5` or `1/3`."""
    return Fraction(str(text))


def energies(told: dict[str, Any]) -> dict[str, Fraction]:
    """Each flow by its readings, over all of the time."""
    found: dict[str, Fraction] = {}
    for one in told["readings"]:
        if "energy_kwh" in one:
            name = one["flow"] if one["flow"] != "energy_consumption" else one["meter"]
            found[name] = found.get(name, Fraction(0)) + energy_kwh(one)
    return found


def balance(told: dict[str, Any]) -> Fraction:
    """Measures of flows, where nothing is left out."""
    flow = energies(told)
    i, p, d, x, c = (
        flow.get(f"energy_{name}", Fraction(0)) for name in ("import", "production", "discharge", "export", "charge")
    )
    used = i + p + d - x - c
    return {
        "energy_consumption": lambda: used,
        "energy_self_consumption": lambda: p - x,
        "self_consumption_rate": lambda: (p - x) / p,
        "self_sufficiency_rate": lambda: 1 - i / used,
        "export_share": lambda: x / p,
    }[told["measure"]]()


def cost(told: dict[str, Any]) -> Fraction:
    """A cost, from quantities, unit prices and taxes on."""
    prices = told["prices"]
    totals = {"import": Fraction(0), "export": Fraction(0), "fixed": Fraction(0)}
    for one in prices["components"]:
        totals[one["role"]] += _component(one)
    for role, total in prices["running_total"].items():
        assert totals[role] == plain(total["in_time"]) == plain(total["end"]) - plain(total["start"]), role
    _weights(prices)
    net = totals["import"] + totals["fixed"] - totals["export"]
    of = {"cost_import": "import", "revenue_export": "export", "cost_fixed": "fixed"}
    if told["measure"] == "price_import":
        return totals["import"] / Fraction(prices["billed_kwh"]["import"])
    return totals[of[told["measure"]]] if told["measure"] in of else net


def _component(one: dict[str, Any]) -> Fraction:
    """What of a component lies in the time: quantity × price, taxes, the share of its weight at both ends."""
    gross = Fraction(0)
    for amount in one["amounts"]:
        net, rate = plain(amount["net"]), plain(amount["tax_rate"])
        if amount["unit_price"] is not None and "note" not in amount:
            assert abs(plain(amount["quantity"]) * plain(amount["unit_price"])) == net, amount
        assert net * rate == plain(amount["tax"]), amount
        gross += net + net * rate
    assert gross == plain(one["gross"]), one
    whole = plain(one["gross"]) + plain(one["percentages"])
    running = [
        Fraction(half_up(whole * 10**9 * Fraction(int(one["weight"][at]), int(one["weight"]["whole"]))), 10**9)
        for at in ("start", "end")
    ]
    assert running == [plain(one["running"]["start"]), plain(one["running"]["end"])], one
    return running[1] - running[0]


def _weights(prices: dict[str, Any]) -> None:
    """The weights of energy are Σ energy × price of the quarter-hours of the time."""
    for one in prices["energy_by_price"]:
        if "by_price" not in one:
            continue
        if one["prices"] == len(one["by_price"]):
            found = sum((plain(row["price"]) * plain(row["energy_kwh"]) for row in one["by_price"]), Fraction(0))
            assert found == plain(one["energy_times_price"]), one
    for name in {(one["tariff"], one["component"]) for one in prices["energy_by_price"]}:
        mine = [
            one
            for one in prices["components"]
            if (one["tariff"], one["component"]) == name and "10^-" in one["spread"]  # else nothing flowed
        ]
        steps = sum(
            Fraction(int(one["weight"]["end"]) - int(one["weight"]["start"]), 10 ** (6 + _places(one))) for one in mine
        )
        rows = [one for one in prices["energy_by_price"] if (one["tariff"], one["component"]) == name]
        if mine and all("energy_times_price" in one for one in rows):
            assert steps == sum(plain(one["energy_times_price"]) for one in rows), (name, steps)


def _places(one: dict[str, Any]) -> int:
    return int(one["spread"].split("10^-")[1].split()[0])


def marginal(told: dict[str, Any]) -> float:
    """The mean over time of prices."""
    rows = told["prices"]["by_price"]
    assert told["prices"]["prices"] == len(rows)
    seconds = sum(int(one["seconds"]) for one in rows)
    return sum(float(one["price"]) * int(one["seconds"]) for one in rows) / seconds


def peak_w(told: dict[str, Any]) -> Fraction:
    """The greatest of the powers that are shown."""
    return max(plain(one["energy_kwh"]) * 3_600_000 / one["seconds"] for one in told["peaks"])


def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table by their columns."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def _milliwh(value: Any) -> int:
    found = plain(value) / MILLIWH
    assert found.denominator == 1
    return found.numerator


def attribution(told: dict[str, Any]) -> Fraction:
    """A part of the attribution, from the flows of each quarter-hour by the rule that stands beside them."""
    total, name = 0, told["measure"]
    known = ("import", "production", "discharge", "export", "charge")
    for row in rows_of(told["attribution"]["quarters"]):
        flow = {one: _milliwh(row.get(one, 0)) for one in known}
        parts = shared(flow)
        devices = sum(_milliwh(value) for one, value in row.items() if one not in (*known, "from", name))
        home = sum(parts[one, "home"] for one in SOURCES)
        if "meter" in told:
            source = {"energy_unmetered": "unmetered"}.get(name) or name.split("_")[1]
            value = _of_device(parts, devices, source)
        elif name == "energy_devices":
            value = devices
        elif name == "energy_untracked":
            value = home - devices
        elif name == "energy_unmetered":
            value = sum(parts["unmetered", sink] for sink in ("home", "battery", "grid"))
        else:
            _, source, _, sink = name.split("_")
            value = parts[source, sink]
        assert value == _milliwh(row[name]), row
        total += value
    return total * MILLIWH


SOURCES = ("grid", "production", "battery", "unmetered")


def shared(flow: dict[str, int]) -> dict[tuple[str, str], int]:
    """The parts of one quarter-hour."""
    into = {"grid": flow["import"], "production": flow["production"], "battery": flow["discharge"]}
    into["unmetered"] = max(0, flow["export"] + flow["charge"] - sum(into.values()))
    parts: dict[tuple[str, str], int] = {}
    rest = flow["export"]
    for source in ("production", "battery", "unmetered", "grid"):
        parts[source, "grid"] = min(into[source], rest)
        rest -= parts[source, "grid"]
        into[source] -= parts[source, "grid"]
    whole, running, given = sum(into.values()), 0, 0
    for source in SOURCES:
        running += into[source]
        reached = flow["charge"] * running // whole if whole else 0
        parts[source, "battery"], given = reached - given, reached
        parts[source, "home"] = into[source] - parts[source, "battery"]
    return parts


def _of_device(parts: dict[tuple[str, str], int], device: int, wanted: str) -> int:
    home = [parts[source, "home"] for source in SOURCES]
    if not sum(home):
        return device if wanted == "unmetered" else 0
    running = given = 0
    for source, part in zip(SOURCES, home, strict=True):
        running += part
        reached = device * running // sum(home)
        if source == wanted:
            return reached - given
        given = reached
    raise AssertionError(wanted)


def emissions(told: dict[str, Any]) -> Fraction:
    """Grams, from energy and intensity by step; of import from each quarter-hour."""
    factors = told["factors"]
    total = sum((plain(one["grams"]) for one in factors["by_step"] if "grams" in one), Fraction(0))
    if "rows" in factors["quarters"]:
        rows = rows_of(factors["quarters"])
        assert abs(sum((plain(row["grams"]) for row in rows), Fraction(0)) - total) < Fraction(1, 10**6)
        if told["measure"] == "emissions_import":
            for row in rows:
                energy = sum((plain(value) for name, value in row.items() if name.startswith("kwh ")), Fraction(0))
                assert energy * plain(row["g_per_kwh"]) == plain(row["grams"]), row
    if told["measure"] == "emissions_per_kwh":
        return total / plain(factors["consumption_kwh"])
    return total


def intensity(told: dict[str, Any]) -> Fraction:
    """The mean of intensities over time."""
    known = [one for one in told["factors"]["by_step"] if one["step"] != "unknown"]
    return sum(plain(one["seconds_times_g_per_kwh"]) for one in known) / sum(one["seconds"] for one in known)


def battery(told: dict[str, Any]) -> Fraction:
    """Efficiency, cycles, content, price and carbon of a battery, and by origin what it gave the home."""
    books, name = told["battery"], told["measure"]
    charge, discharge = plain(books["charge_kwh"]), plain(books["discharge_kwh"])
    if name == "battery_cycles":
        return discharge / plain(books["capacity_kwh"])
    if name == "battery_efficiency":
        return min(discharge / (charge - plain(books["stored_change_kwh"])), Fraction(1))
    if name == "battery_stored":
        end = books["end"]
        left = plain(end["charged_so_far_kwh"]) - plain(end["left_of_it_kwh"])
        return left * Fraction(books["efficiency"]["per_million"], 10**6)
    if name in ("battery_price_stored", "battery_carbon_stored"):
        _what_left(books, name)
    if name == "battery_price_stored":
        return plain(books["price"]["cost_of_what_left"]) / plain(books["price"]["given_of_known_origin_kwh"])
    if name == "battery_carbon_stored":
        return plain(books["carbon"]["grams_of_what_left"]) / plain(books["carbon"]["given_of_known_carbon_kwh"])
    return _by_origin(books, name.split("_")[2])


def _what_left(books: dict[str, Any], name: str) -> None:
    """What the lots that left had cost, or stood for, is what is told; to a billionth a quarter-hour."""
    is_price = name == "battery_price_stored"
    more = books["price" if is_price else "carbon"]
    lots = [{**one, **row} for one, row in zip(books["lots"]["list"], rows_of(more["lots"]), strict=True)]
    for lot in lots:
        if is_price:
            lot["carried"] = plain(lot["from_grid_kwh"]) * plain(lot["price_of_grid_per_kwh"] or 0)
        else:
            lot["carried"] = plain(lot["from_grid_kwh"]) * plain(lot["grid_g_per_kwh"])
            lot["carried"] += plain(lot["from_production_kwh"]) * plain(lot["own_production_g_per_kwh"])
    total = Fraction(0)
    for row in rows_of(books["quarters"]):
        begin, end = plain(row["position_before"]), plain(row["position_after"])
        for lot in lots:
            first, last = plain(lot["position_from_kwh"]), plain(lot["position_to_kwh"])
            share = max(Fraction(0), min(end, last) - max(begin, first)) / (last - first)
            total += share * lot["carried"]
    told = plain(more["cost_of_what_left" if is_price else "grams_of_what_left"])
    assert abs(total - told) < Fraction(1, 10**6), (float(total), float(told))


def _by_origin(books: dict[str, Any], origin: str) -> Fraction:
    """Σ over quarter-hours of what the home got, by the lots between the positions."""
    total = 0
    lots = books["lots"]["list"]
    for row in rows_of(books["quarters"]):
        discharge, unknown = _milliwh(row["discharge"]), _milliwh(row["of_unknown_origin"])
        ends = [_milliwh(row[name]) for name in ("position_before", "position_after")]
        left = {
            name: _flowed(lots, ends[1], name) - _flowed(lots, ends[0], name)
            for name in ("whole", "production", "grid")
        }
        rest = max(left["whole"] - left["production"] - left["grid"], 0)
        known = _in_proportion(discharge - unknown, [left["production"], left["grid"], rest])
        parts = [known[0], known[1], discharge - known[0] - known[1]]
        got = sum(_milliwh(row[f"to_home_from_{one}"]) for one in ORIGINS)
        mine = dict(zip(ORIGINS, _in_proportion(got, parts), strict=True))
        assert mine == {one: _milliwh(row[f"to_home_from_{one}"]) for one in ORIGINS}, row
        total += mine[origin]
    return total * MILLIWH


ORIGINS = ("production", "grid", "unknown")


def _flowed(lots: list[dict[str, Any]], position: int, name: str) -> int:
    """What of an origin lies before a position, counted from the first lot that is shown."""
    found = 0
    for lot in lots:
        first, last = _milliwh(lot["position_from_kwh"]), _milliwh(lot["position_to_kwh"])
        energy = last - first if name == "whole" else _milliwh(lot[f"from_{name}_kwh"])
        found += energy * min(max(position - first, 0), last - first) // (last - first)
    return found


def _in_proportion(amount: int, parts: list[int]) -> list[int]:
    """Shares in whole units: the last one gets the rest."""
    running = given = 0
    shares = []
    for part in parts[:-1]:
        running += part
        reached = amount * running // sum(parts) if sum(parts) else 0
        shares.append(reached - given)
        given = reached
    return [*shares, amount - given]


def load(told: dict[str, Any]) -> Fraction:
    """A figure of the load, from the powers of the quarter-hours."""
    figures, name = told["load"], told["measure"]
    powers = sorted(plain(row["power_w"]) for row in rows_of(figures["powers_w"]) if row["power_w"] is not None)
    assert len(powers) == figures["quarters"]
    if name == "load_factor":
        return sum(powers) / len(powers) / powers[-1]
    if name == "contracted_power_utilisation":
        return powers[-1] / plain(figures["contracted_w"])
    if name == "time_above_contracted_power":
        return Fraction(sum(one > plain(figures["contracted_w"]) for one in powers), 4)
    rank = (len(powers) - 1) * Fraction({"base_load": 5, "demand_p95": 95}[name], 100)
    low = rank.numerator // rank.denominator
    return powers[low] + (powers[min(low + 1, len(powers) - 1)] - powers[low]) * (rank - low)


def degree_days(told: dict[str, Any]) -> Fraction:
    """Degree days, from the mean temperatures of the days."""
    total, is_heating = Fraction(0), told["measure"].startswith("heating")
    for day in told["degree_days"]["days"]["first"]:
        if day["mean_c"] is None:
            continue
        mean_c = plain(day["mean_c"])
        if is_heating:
            degrees = 18 - mean_c if mean_c <= 15 else Fraction(0)
        else:
            degrees = mean_c - 21 if mean_c >= 24 else Fraction(0)
        total += degrees * plain(day["share_in_time"])
    return total


def shares(told: dict[str, Any]) -> Fraction:
    """A member's share, from its quarter-hours."""
    total = Fraction(0)
    for row in rows_of(told["sharing"]["quarters"]):
        if row[told["measure"]] is not None:
            total += plain(row[told["measure"]])
    return total


def number(told: dict[str, Any]) -> Fraction | float:
    """Any number, from its explanation alone."""
    name = told["measure"]
    if name in ("cost_import", "revenue_export", "cost_fixed", "cost_net", "price_import"):
        return cost(told)
    if name == "price_marginal":
        return marginal(told)
    if name == "peak_demand":
        return peak_w(told)
    for member, work in (
        ("attribution", attribution),
        ("battery", battery),
        ("load", load),
        ("degree_days", degree_days),
        ("sharing", shares),
    ):
        if member in told:
            return work(told)
    if "factors" in told:
        return intensity(told) if name == "carbon_intensity" else emissions(told)
    if name.startswith("energy_") and "sums" not in told:
        return sum((energy_kwh(one) for one in told["readings"] if "energy_kwh" in one), Fraction(0))
    if "sums" in told:
        return balance(told)
    return mean(told["readings"], is_power=name.startswith("power_") and name != "power_factor")
