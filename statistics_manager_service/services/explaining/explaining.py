"""Answers what is behind a number: every measure, of a household or one of its meters, over any time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import Asking, Question, Statistics, parse_measures, parsed
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.explaining.digests import canonical_text, digest_of
from statistics_manager_service.services.explaining.explainers import About, Behind, Explainer
from statistics_manager_service.services.explaining.generic import Generic
from statistics_manager_service.services.homes import Home, known_household
from statistics_manager_service.services.ports import Household, ReadView, Store
from statistics_manager_service.services.telemetry.as_known import as_known

#: The longest time of one explanation: its canonical text has a line for each quarter-hour and channel.
MOST_DAYS: Final = 400
_DOC: Final = "docs/statistics.md"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is behind a number, as JSON, and the canonical text whose digest it tells."""

    told: dict[str, Any]
    text: bytes


def check_measure(text: str) -> None:
    """Raises BadInput for what is no single measure."""
    faults = _faults(lambda: parse_measures(text))
    if not faults and len(names := parse_measures(text)) > 1:
        faults = [Fault("measure", f"{len(names)} measures are named; one is explained at a time")]
    if faults:
        raise BadInput.of([_of_measure(one) for one in faults])


def _faults(read: Callable[[], object]) -> list[Fault]:
    try:
        read()
    except BadInput as error:
        return list(error.faults)
    return []


def _of_measure(fault: Fault) -> Fault:
    """A question has measures; here there is one."""
    return Fault("measure", fault.why) if fault.where == "measures" else fault


class Explaining:
    """Explains numbers. A measure is explained by the first of the explainers that has it, else by its definition."""

    def __init__(self, store: Store, asking: Asking, explainers: Sequence[Explainer]) -> None:
        self._store, self._asking = store, asking
        self._of = {measure: one for one in reversed(explainers) for measure in one.measures}
        self._else = Generic()

    def explained(self, household_id: str, question: Question) -> Explanation:
        """What is behind the number that a question asks for: one measure, over all of the time.

        Raises BadInput with all faults of the question, NotFound.
        """
        with self._store.reading() as view:
            _check(question, known_household(view, household_id))
            home, statistics = self._asking.within(view, household_id, question)
            about = _about(view, home, statistics, question)
            explainer = self._of.get(about.measure, self._else)
            behind = explainer.behind(about)
        return _explanation(about, statistics, behind)


def _about(view: ReadView, home: Home, statistics: Statistics, question: Question) -> About:
    edges_us = statistics.calendar.edges_us
    start_us, end_us = int(edges_us[0]), int(edges_us[-1])
    until_us = None if question.as_of is None else parse_moment(question.as_of, home.household.timezone, "as_of")
    past, known = (view, home) if until_us is None else as_known(view, home, until_us)
    way = Way(question.meter, until_us, question.carbon_source, question.carbon_boundary)
    definition = DEFINITIONS[statistics.columns[0].measure]
    return About(view, home, past, known, definition, start_us, end_us, statistics.timezone, way, statistics.columns[0])


def _check(question: Question, household: Household) -> None:
    """Raises BadInput with all faults of a question."""
    faults = _faults(lambda: check_measure(question.measures))
    others = _faults(lambda: parsed(question, household.timezone, household.billing))
    faults += [one for one in others if one.where != "measures"]
    if not faults:
        _, buckets = parsed(question, household.timezone, household.billing)
        if buckets.edges_us[-1] - buckets.edges_us[0] > MOST_DAYS * US_PER_DAY:
            why = f"at most {MOST_DAYS} days are explained at once; ask for the parts, which add up"
            faults.append(Fault("end", why))
    if faults:
        raise BadInput.of(faults)


def _explanation(about: About, statistics: Statistics, behind: Behind) -> Explanation:
    column, definition = about.column, about.definition
    value = about.value
    text = canonical_text(
        about.measure, about.way.meter, about.start_us, about.end_us, value, column.unit, behind.lines
    )
    reasons = [*behind.reasons, *(one.why for one in column.lacks)]
    told: dict[str, Any] = {
        "household": about.home.household.id,
        "measure": about.measure,
        **({} if about.way.meter is None else {"meter": about.way.meter}),
        "start": statistics.start,
        "end": statistics.end,
        "timezone": about.zone,
        "value": None if math.isnan(value) else value,
        "unit": column.unit,
        "coverage": float(column.coverage[0]),
        "estimated": float(column.estimated[0]),
        **({"reasons": list(dict.fromkeys(reasons))} if reasons else {}),
        "definition": {
            "formula": definition.formula,
            "source": definition.source,
            "unit": definition.unit,
            "doc": _DOC,
        },
        "formula_filled": behind.filled,
        "inputs": behind.inputs,
        "quarters": behind.quarters,
        "readings": behind.readings,
        **behind.more,
        "digest": digest_of(text),
    }
    return Explanation(told, text)
