"""Documents as ENTSO-E tells generation in (A75), for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PT = "10YPT-REN------W"
Points = Sequence[tuple[object, object]]


def series(
    kind: str, points: Points, begin: str = "2025-08-10T00:00Z", end: str = "2025-08-11T00:00Z",
    resolution: str = "PT60M", curve: str = "A01", unit: str = "MAW", direction: str = "in",
) -> str:  # fmt: skip
    told = "".join(f"<Point><position>{n}</position><quantity>{mw}</quantity></Point>" for n, mw in points)
    zone = f"<{direction}BiddingZone_Domain.mRID codingScheme='A01'>{PT}</{direction}BiddingZone_Domain.mRID>"
    return (
        f"<TimeSeries><mRID>1</mRID><businessType>A01</businessType><objectAggregation>A08</objectAggregation>{zone}"
        f"<quantity_Measure_Unit.name>{unit}</quantity_Measure_Unit.name><curveType>{curve}</curveType>"
        f"<MktPSRType><psrType>{kind}</psrType></MktPSRType><Period><timeInterval><start>{begin}</start><end>{end}</end>"
        f"</timeInterval><resolution>{resolution}</resolution>{told}</Period></TimeSeries>"
    )


def document(*told: str, kind: str = "A75") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"><type>{kind}</type>'
        "<process.processType>A16</process.processType>" + "\n".join(told) + "</GL_MarketDocument>"
    ).encode()


def acknowledgement(code: str, text: str) -> bytes:
    name = "Acknowledgement_MarketDocument"
    return (
        f'<{name} xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"><Reason><code>{code}</code>'
        f"<text>{text}</text></Reason></{name}>"
    ).encode()


NO_DATA = acknowledgement("999", "No matching data found for Data item Aggregated Generation per Type [16.1.B&amp;C]")


def flat(kind: str, mw: object, hours: int = 24, **more: Any) -> str:
    return series(kind, [(n, mw) for n in range(1, hours + 1)], **more)
