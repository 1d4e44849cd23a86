"""What a tariff document must fulfil beyond its form: stub to be replaced at once."""

from __future__ import annotations

from statistics_manager_service.errors import Fault
from statistics_manager_service.tariffs.document import Tariff


def faults_of_tariff(tariff: Tariff) -> list[Fault]:
    return []
