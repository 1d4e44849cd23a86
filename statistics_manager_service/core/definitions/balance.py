"""The balance of a home: consumption, self-consumption, and the rates of these."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_LUTHANDER: Final = "Luthander et al. 2015, Applied Energy 142:80"

BALANCE_DEFINITIONS: Final = (
    Definition(
        "energy_consumption",
        Family.BALANCE,
        "kWh",
        "import + production + discharge − export − charge; of one meter, what it tells",
        "energy balance of the home",
    ),
    Definition("energy_self_consumption", Family.BALANCE, "kWh", "production − export", _LUTHANDER),
    Definition(
        "self_consumption_rate", Family.BALANCE, "1", "Σ(production − export) / Σ production", _LUTHANDER, adds_up=False
    ),
    Definition(
        "self_sufficiency_rate",
        Family.BALANCE,
        "1",
        "1 − Σ import / Σ consumption",
        "índice de autossuficiência (IAS); autarky",
        adds_up=False,
    ),
    Definition(
        "export_share", Family.BALANCE, "1", "Σ export / Σ production", "índice de excedente (IER)", adds_up=False
    ),
)
