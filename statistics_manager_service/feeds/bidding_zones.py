"""Bidding zones of the European market, and countries of several, and their Energy Identification Codes (EIC).

Names as in common use with ENTSO-E's platform. Source: ENTSO-E, EIC approved codes, type Y
(https://www.entsoe.eu/data/energy-identification-codes-eic/eic-approved-codes/), compared with `mappings.Area` of
entsoe-py 0.8.1 on 2026-11-25. The last character of a code checks the others, which a test does.
"""

from __future__ import annotations

import re
from typing import Final

BIDDING_ZONES: Final = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE_AT_LU": "10Y1001A1001A63L",  # until 2018-09-30
    "DE_LU": "10Y1001A1001A82H",  # from 2018-10-01 on
    "DK_1": "10YDK-1--------W",
    "DK_2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GB": "10YGB----------A",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IE_SEM": "10Y1001A1001A59C",
    "IT_CALA": "10Y1001C--00096J",
    "IT_CNOR": "10Y1001A1001A70O",
    "IT_CSUD": "10Y1001A1001A71M",
    "IT_NORD": "10Y1001A1001A73I",
    "IT_SARD": "10Y1001A1001A74G",
    "IT_SICI": "10Y1001A1001A75E",
    "IT_SUD": "10Y1001A1001A788",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "ME": "10YCS-CG-TSO---S",
    "MK": "10YMK-MEPSO----8",
    "NL": "10YNL----------L",
    "NO_1": "10YNO-1--------2",
    "NO_2": "10YNO-2--------T",
    "NO_3": "10YNO-3--------J",
    "NO_4": "10YNO-4--------9",
    "NO_5": "10Y1001A1001A48H",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "RS": "10YCS-SERBIATSOV",
    "SE_1": "10Y1001A1001A44P",
    "SE_2": "10Y1001A1001A45N",
    "SE_3": "10Y1001A1001A46L",
    "SE_4": "10Y1001A1001A47J",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}

#: Countries that are several bidding zones, or share one with others: of these generation is told, but no price.
COUNTRY_AREAS: Final = {
    "DE": "10Y1001A1001A83F",
    "DK": "10Y1001A1001A65H",
    "IE": BIDDING_ZONES["IE_SEM"],  # the whole island
    "IT": "10YIT-GRTN-----B",
    "NO": "10YNO-0--------C",
    "SE": "10YSE-1--------K",
}
_NUMBERED: Final = re.compile(r"([A-Z]{2})-\1(\d)", re.ASCII)


def area_of(zone: str) -> str | None:
    """The code of a zone of carbon intensity, None where there is none: a country (DE), a bidding zone with a hyphen in
    place of the line (IT-NORD, DK-1), or as Electricity Maps writes it (DK-DK1)."""
    name = _NUMBERED.sub(r"\1_\2", zone).replace("-", "_")
    return COUNTRY_AREAS.get(name) or BIDDING_ZONES.get(name)
