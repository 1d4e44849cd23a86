"""Units of series: money per energy, or factors. Each is a power of ten of the currency per kWh, or of 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from statistics_manager_service.core.price_days import MOST_PLACES

#: Hundredths of currencies as markets write them.
_MINOR: Final = {
    "GBp": "GBP", "EURct": "EUR", "USct": "USD", "CHFrp": "CHF", "öre": "SEK", "SEKore": "SEK", "SEKöre": "SEK",
    "NOKore": "NOK", "NOKøre": "NOK", "DKKore": "DKK", "DKKøre": "DKK",
}  # fmt: skip
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_PLACES_OF_MINOR: Final = 2
_PLACES_OF_ENERGY: Final = {"kWh": 0, "MWh": 3}
_PLACES_OF_FACTOR: Final = {"1": 0, "%": 2}
#: What units there are, for people.
KNOWN_UNITS: Final = (
    "a currency's three letters or its hundredth (GBp, EURct, öre, SEKore, NOKore, DKKore, CHFrp, USct) per kWh or "
    "MWh, such as EUR/MWh; or of factors 1 or %"
)
#: No price has more in any of these units and currencies, with room to spare.
MOST_VALUE: Final = 10**8


@dataclass(frozen=True, slots=True)
class PriceUnit:
    """currency: ISO 4217; None of factors. A value is worth value × 10**-places of the currency per kWh, or of 1."""

    currency: str | None
    places: int

    @property
    def factor(self) -> Decimal:
        """What one of the unit is in the currency per kWh, or of a factor in 1."""
        return Decimal(1).scaleb(-self.places)


@lru_cache(maxsize=256)
def price_unit(text: str) -> PriceUnit | None:
    """What a unit such as EUR/MWh, GBp/kWh, 1 or % means; None for other units."""
    if text in _PLACES_OF_FACTOR:
        return PriceUnit(None, _PLACES_OF_FACTOR[text])
    money, _, energy = text.partition("/")
    if energy not in _PLACES_OF_ENERGY:
        return None
    if money in _MINOR:
        return PriceUnit(_MINOR[money], _PLACES_OF_MINOR + _PLACES_OF_ENERGY[energy])
    return PriceUnit(money, _PLACES_OF_ENERGY[energy]) if _CURRENCY.fullmatch(money) else None


def fault_of_price(value: Decimal) -> str | None:
    """Why a value of a series can't be one; None where it can."""
    if not value.is_finite():
        return "it is not a finite number"
    if abs(value) > MOST_VALUE:
        return f"no price or factor is beyond ±{MOST_VALUE}"
    if -int(value.as_tuple().exponent) > MOST_PLACES:
        return f"it has more than {MOST_PLACES} decimals"
    return None
