"""An instant means the same alone, in a list, and whatever stands beside it."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statistics_manager_service.ingest.columns import instants_us
from statistics_manager_service.ingest.json_body import decode_json
from statistics_manager_service.ingest.tables import decode_csv

FORMS = [
    "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S+02:00", "%Y-%m-%dT%H:%M:%S-0530", "%G-W%V-%uT%H:%M:%SZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%d",
]  # fmt: skip
ODD = [
    "2024-01-01T00:00:00ZZ", "2024-01-01T00:00:00+05:00Z", "2024-01-01T00:00:00-05Z", "+2024-01-01T00:00:00Z",
    " 2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z ", "2024-01-01T00:00:00Z\n", "2024-01-01T24:00:00Z",
    "2024-02-30T00:00:00Z", "2024-01-01T00:00:60Z", "٢٠٢٤-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.1234567Z",
    "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00z", "2024-01-01T00Z", "NaT", "now", "",
]  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> str:
    """An instant as it may be written, or one in which a few letters are wrong."""
    moment = draw(st.datetimes(datetime(1960, 1, 1), datetime(2270, 1, 1)))
    text = moment.strftime(draw(st.sampled_from(FORMS)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.text("0129-:TZ+. ٣z", max_size=2)) + text[place + draw(st.integers(0, 2)) :]
    return text


def read_json(at: list[str]) -> dict[int, int]:
    """The instants of a JSON body by their index; those that are refused are not in it."""
    told = {"meter": "grid", "quantity": "voltage", "at": at, "value": [230] * len(at)}
    (wire,) = decode_json(json.dumps({"household": "h", "readings": [told]}).encode()).channels
    index = range(len(at)) if wire.index is None else wire.index.tolist()
    return dict(zip(index, wire.at_us.tolist(), strict=True))


def read_csv(at: list[str]) -> dict[int, int]:
    """The same of a CSV body."""
    rows = "".join(f'h,grid,voltage,"{one}",230\n' for one in at)
    (wire,) = decode_csv(f"household,meter,quantity,at,value\n{rows}".encode()).channels
    assert wire.index is not None
    return dict(zip(wire.index.tolist(), wire.at_us.tolist(), strict=True))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(texts(), st.sampled_from(ODD)), min_size=1, max_size=4))
@example(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"])
def test_an_instant_is_read_the_same_whatever_stands_beside_it(at: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = {i: found[0] for i, one in enumerate(at) if (found := read_json([one]))}
        assert read_json(at) == alone
        if not any("\n" in one for one in at):
            assert read_csv(at) == alone


@pytest.mark.parametrize("odd", ODD)
def test_a_malformed_instant_means_the_same_among_thousands(odd: str) -> None:
    good = [f"2024-01-{day:02d}T00:00:00Z" for day in range(1, 32)] * 100
    alone = read_json([odd])
    found = read_json([*good, odd])
    assert {i - len(good): at for i, at in found.items() if i >= len(good)} == alone
    assert len(found) == len(good) + len(alone)


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S.%fZ"])
def test_instants_of_the_usual_forms_are_read_in_one_go(form: str) -> None:
    moments = [datetime(2024, 2, day, 12, 30, tzinfo=UTC) for day in range(1, 30)]
    found = instants_us([moment.strftime(form) for moment in moments])
    assert found is not None
    assert found.tolist() == [int(moment.timestamp()) * 1_000_000 for moment in moments]
