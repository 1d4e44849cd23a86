"""What single forms need: which column, which series, which scale."""

from __future__ import annotations

import pathlib

import pytest
from preset_files import AMSTERDAM, EMO, ENPHASE, EREDES, HISTORY, LISBON, read

from statistics_manager_service.errors import BadInput


def test_e_redes_books_one_column_a_direction_and_says_which(tmp_path: pathlib.Path) -> None:
    text = (
        "Data;Hora;Consumo medido na IC, Ativa (kW);Consumo registado (kW);Consumo, Reativa (kVAr);"
        "Injeção registada (kW);Injeção na rede medida na IC, Ativa (kW)\n"
        "2025/01/01;00:15;2,0;1,5;0,1;0,0;0,25\n2025/01/01;00:30;2,5;1,75;0,1;0,5;0,75\n"
    )
    found = read(tmp_path, text.encode("latin-1"), "e-redes", zone=LISBON)
    assert found.channels == {
        ("grid", "energy_import"): [("2025-01-01T00:15Z", 1.5), ("2025-01-01T00:30Z", 1.75)],
        ("grid", "energy_export"): [("2025-01-01T00:15Z", 0.0), ("2025-01-01T00:30Z", 0.5)],
    }
    assert any("energy_import is read from 'Consumo registado (kW)'" in note for note in found.notes)


def test_e_redes_dates_are_read_as_a_spreadsheet_saves_them(tmp_path: pathlib.Path) -> None:
    usual = read(tmp_path, EREDES, "e-redes", zone=LISBON)
    for date in ("2024-09-13 00:00:00", "13/09/2024", "13-09-2024"):
        assert read(tmp_path, EREDES.replace("2024/09/13", date), "e-redes", zone=LISBON).only == usual.only


def test_e_redes_passes_over_a_column_without_values(tmp_path: pathlib.Path) -> None:
    text = "Data;Hora;Consumo registado (kW);Consumo medido na IC, Ativa (kW)\n2025/01/01;00:15;;2,5\n"
    assert read(tmp_path, text, "e-redes", zone=LISBON).only == [("2025-01-01T00:15Z", 2.5)]


def test_rows_further_apart_than_the_form_says_need_a_length(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"2025/01/01,{hour:02}:00,1.5\n" for hour in range(1, 10))
    text = "Data,Hora,Consumo registado (kW)\n" + rows
    with pytest.raises(BadInput, match="60 minutes apart"):
        read(tmp_path, text, "e-redes", zone=LISBON)
    assert len(read(tmp_path, text, "e-redes", zone=LISBON, interval="PT1H").only) == 9


def test_enphase_days_first_are_seen_where_months_first_would_not_exist(tmp_path: pathlib.Path) -> None:
    text = ENPHASE.replace("06/20/2024", "20/06/2024")
    found = read(tmp_path, text, "enphase", zone=AMSTERDAM)
    assert found.channels == read(tmp_path, ENPHASE, "enphase", zone=AMSTERDAM).channels
    assert any("day first" in note for note in found.notes)


def test_home_assistant_takes_one_entity_at_a_time(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadInput, match="one at a time"):
        read(tmp_path, HISTORY + "sensor.other,5,2025-01-01T01:00:00.000Z\n", "home-assistant")


@pytest.mark.parametrize("factor", ["0", "-inf", "nan", "soon"])
def test_an_emo_row_whose_factor_makes_no_energy_is_refused(tmp_path: pathlib.Path, factor: str) -> None:
    found = read(tmp_path, EMO + f"HOME,1,ellm,1735687800,2025-01-01 00:30:00,35090217,{factor},0\n", "emo")
    assert found.refusals == [("row", 5)]


FEED = """<feed xmlns="http://www.w3.org/2005/Atom"><entry>
<link rel="self" href="/UsagePoint/1/MeterReading/1"/><link rel="related" href="/ReadingType/1"/>
<content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>
<entry><link rel="self" href="/UsagePoint/1/MeterReading/1/IntervalBlock/1"/>
<content><IntervalBlock xmlns="http://naesb.org/espi">
<IntervalReading><timePeriod><duration>900</duration><start>1704067200</start></timePeriod><value>282</value></IntervalReading>
<IntervalReading><timePeriod><duration>900</duration><start>1704068100</start></timePeriod><value>much</value></IntervalReading>
</IntervalBlock></content></entry>
<entry><link rel="self" href="/ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">
<accumulationBehaviour>4</accumulationBehaviour><flowDirection>1</flowDirection>
<powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry></feed>
"""


def test_green_button_values_are_scaled_by_their_reading_type(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, FEED, "green-button")
    assert found.only == [("2024-01-01T00:00Z", 282_000)]
    assert found.refusals == [("row", 7)]


@pytest.mark.parametrize(
    ("right", "other", "why"),
    [
        ("<uom>72<", "<uom>38<", "unit is 38"),
        ("<flowDirection>1<", "<flowDirection>4<", "net"),
        ("<accumulationBehaviour>4<", "<accumulationBehaviour>3<", "accumulationBehaviour"),
        ('href="/ReadingType/1"/><content><R', 'href="/ReadingType/2"/><content><R', "ReadingType"),
        ("<feed ", '<!DOCTYPE feed [<!ENTITY a "aaaa">]><feed ', "DOCTYPE"),
        ("</feed>", "", "not XML"),
    ],
)
def test_green_button_takes_nothing_that_it_does_not_understand(
    tmp_path: pathlib.Path, right: str, other: str, why: str
) -> None:
    assert right in FEED
    feed = FEED.replace(right, other)
    if why == "ReadingType":  # one series and one type would belong to each other
        feed = feed.replace(
            "</feed>", "<entry><link rel='self' href='/ReadingType/3'/><content><ReadingType/></content></entry></feed>"
        )
    with pytest.raises(BadInput, match=why):
        read(tmp_path, feed, "green-button")


def test_green_button_books_two_lengths_of_one_flow_once(tmp_path: pathlib.Path) -> None:
    daily = FEED[FEED.index("<entry>") : FEED.index('<entry><link rel="self" href="/ReadingType')]
    daily = daily.replace("MeterReading/1", "MeterReading/2").replace(">900<", ">86400<")
    found = read(tmp_path, FEED.replace("</feed>", f"{daily}</feed>"), "green-button")
    assert found.only == [("2024-01-01T00:00Z", 282_000)]
    assert any("MeterReading/1, and not from MeterReading/2" in note for note in found.notes)


def test_another_value_for_the_same_instant_is_told(tmp_path: pathlib.Path) -> None:
    shelly = "Date/time UTC,Active energy Wh (A)\n2025-03-12 00:00,28.5\n2025-03-12 00:10,30\n"
    same = read(tmp_path, shelly + "2025-03-12 00:00,28.5\n", "shelly")
    assert not same.notes
    other = read(tmp_path, shelly + "2025-03-12 00:00,29\n", "shelly")
    assert any("grid-a energy_import: instants that stand again with another value: 1" in one for one in other.notes)
    assert any("first in row 4" in one for one in other.notes)
