"""Small files of each form, and what becomes of a file that is read."""

from __future__ import annotations

import pathlib
from datetime import UTC, datetime
from typing import Any

from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.ingest.presets import read_file

LISBON, AMSTERDAM = "Europe/Lisbon", "Europe/Amsterdam"


class Read:
    """What became of a file."""

    def __init__(self, pieces: list[Decoded]) -> None:
        self.refused = [one for piece in pieces for one in piece.refused]
        self.notes = [note for piece in pieces for note in piece.notes]
        self.channels: dict[tuple[str, str], list[tuple[str, float]]] = {}
        for wire in (wire for piece in pieces for wire in piece.channels):
            at = [f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%MZ}" for us in wire.at_us.tolist()]
            rows = self.channels.setdefault((wire.meter, wire.quantity), [])
            rows += zip(at, wire.value.tolist(), strict=True)

    @property
    def only(self) -> list[tuple[str, float]]:
        (rows,) = self.channels.values()
        return rows

    @property
    def refusals(self) -> list[tuple[str, int]]:
        return [(one.where, one.index) for one in self.refused]


def read(folder: pathlib.Path, content: str | bytes, preset: str, **options: Any) -> Read:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Read(list(read_file(path, preset, household="home1", **options)))


EREDES = """Data,Hora,"Consumo registado, Ativa (kW)",Estado
2024/09/13,00:15,3.512,Real
2024/09/13,00:30,0.468,Estimada
2024/09/13,00:45,0.5,Real
"""
ENPHASE = """Date/Time,Energy Produced (Wh),Imported from Grid (Wh)
06/20/2024 00:00,0,566
06/20/2024 01:00,12,571
06/20/2024 02:00,40,
"""
P1 = """TIMESTAMP,VERBR_KWH_181,GELVR_KWH_282,VERBR_KWH_X
2022-01-01 00:00:00,6436.352,3686.969,0.27
2022-01-01 01:00:00,6436.611,3686.969,0.26
2022-01-01 02:00:00,6436.820,3686.969,0.21
"""
DSMR = """Hour Start,Electricity 1 (Dutch Users: Low Tariff),Electricity 1 Returned (Dutch Users: Low Tariff),Gas
2024-01-01T00:00:00+01:00,0.196,0.5,0.032
2024-01-01T01:00:00+01:00,0.224,0.25,0.056
2024-01-01T02:00:00+01:00,0.189,0.0,0.026
"""
ENGIE = """Datum,EAN,Verbruik,Type,Piek
2024-04-13T00:00:00+02:00,871,0.639,Elektriciteit,false
2024-04-13T00:00:00+02:00,871,0.1,Teruglevering,false
2024-04-13T01:00:00+02:00,871,0.827,Elektriciteit,false
2024-04-13T01:00:00+02:00,871,0.2,Teruglevering,false
"""
SLIMME = """datum_tijd,levering_normaal,levering_laag,teruglevering_laag,buitentemperatuur
01-01-2023 00:15:00 +0100,,"0,11","0,00",-
01-01-2023 00:30:00 +0100,,"0,12","0,00","14,00"
01-01-2023 00:45:00 +0100,"1,25",,,"13,50"
"""
LONDON = """LCLid,tstp,energy(kWh/hh)
MAC000002,2013-01-01 00:00:00, 0.219
MAC000002,2013-01-01 00:30:00.0000000, 0.241
MAC000002,2013-01-01 01:00:00,Null
"""
ZONNEPLAN = """DateFrom,DateTo,ElectricityConsumptionUsageKwh,ElectricityProductionUsageKwh
2024-01-01 00:00:00,2024-01-01 01:00:00,0.5,-0.25
2024-01-01 01:00:00,2024-01-01 02:00:00,0.75,0
2024-01-01 02:00:00,2024-01-01 03:00:00,0.125,-1.5
"""
HISTORY = """entity_id,state,last_changed
sensor.energy,10436.14,2024-12-31T23:00:00.000Z
sensor.energy,unavailable,2025-01-01T00:00:00.000Z
sensor.energy,10437.25,2025-01-01T01:00:00.000Z
"""
EMO = """name,ean,code,moment,moment-date,value,factor,type
HOME,1,ellm,1735686000,2025-01-01 00:00:00,35089902,0.001,0
HOME,1,eltm,1735686000,2025-01-01 00:00:00,33038920,-0.001,0
HOME,1,ellm,1735686900,2025-01-01 00:15:00,35089984,0.001,0
"""
SHELLY = """Date/time UTC,Active energy Wh (A),Returned energy Wh (A)
2025-03-12 00:00,28.5,0.0
2025-03-12 00:10,30.8,1.5
2025-03-12 00:20,30.0,0.0
"""
UCI = """Date,Time,Global_active_power,Voltage,Sub_metering_1
16/12/2006,17:24:00,4.216,234.84,0.000
16/12/2006,17:25:00,?,?,?
16/12/2006,17:26:00,5.374,233.29,1.000
"""
PLAIN = """at,value,meter,quantity,kind,unit
2024-01-01T00:00:00Z,10.5,grid,energy_import,register,kWh
2024-01-01 00:00,231.5,grid,voltage,sample,V
1704070800,11.25,grid,energy_import,register,kWh
"""
FORMS = {
    "e-redes": EREDES,
    "enphase": ENPHASE,
    "p1-monitor": P1,
    "dsmr-reader": DSMR,
    "engie": ENGIE,
    "slimmemeterportal": SLIMME,
    "london": LONDON,
    "zonneplan": ZONNEPLAN,
    "home-assistant": HISTORY,
    "emo": EMO,
    "shelly": SHELLY,
    "uci": UCI,
    "csv": PLAIN,
}
