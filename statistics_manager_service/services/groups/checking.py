"""Whether the stored sums of groups are those of their members' profiles; and forgetting them, so that they are made
anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from statistics_manager_service.core.group_sums import PARTS, unpack_sums
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, LAST_DAY, GroupRow
from statistics_manager_service.services.groups.keeping import member_of
from statistics_manager_service.services.groups.summing import day_sums
from statistics_manager_service.services.homes import Homes
from statistics_manager_service.services.ports import ReadView, Store

_PAGE: Final = 100


def _pages(store: Store) -> Iterator[list[GroupRow]]:
    after: str | None = None
    while True:
        with store.reading() as view:
            page = view.groups(after, _PAGE)
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def check_sums(store: Store) -> list[str]:
    """Where stored sums that count as good differ from what they are the sums of, a sentence each."""
    out = []
    for page in _pages(store):
        for group in page:
            with store.reading() as view:
                wrong = sorted(set(_wrong_days(view, group)))
            if wrong:
                many = f"{len(wrong)} days differ from its members, the first is day {wrong[0]}"
                out.append(f"group {group.id}: sums of {many}")
    return out


def _wrong_days(view: ReadView, group: GroupRow) -> Iterator[int]:
    rows = view.members(group.group_no)
    homes = Homes().of_each(view, [one.household for one in rows])
    members = [member_of(home, row, group.timezone) for home, row in zip(homes, rows, strict=True)]
    found = view.group_sums(group.group_no, range(len(PARTS)), FIRST_DAY, LAST_DAY)
    stored = {(row.day, row.part): row.body for row in found}
    changed = view.changed_days(group.group_no)
    days = sorted({day for day, _ in stored if not any(first <= day <= last for _, first, last in changed)})
    for some, sums in day_sums(view, members, days):
        for i, day in enumerate(some.tolist()):
            for part in range(len(PARTS)):
                body = stored.get((day, part))
                kept = np.zeros_like(sums[part, :, i]) if body is None else unpack_sums([body])[:, 0]
                if not np.array_equal(kept, sums[part, :, i]):
                    yield day


def forget_all_sums(store: Store) -> None:
    """Forget all stored sums: the next question makes them anew."""
    for page in _pages(store):
        for group in page:
            with store.writing() as view:
                view.lock_group(group.group_no)
                view.forget_sums(group.group_no, [(FIRST_DAY, LAST_DAY)])
