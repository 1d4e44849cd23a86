"""Tables on paper, wherever a page ends."""

from __future__ import annotations

import io

import pypdf
import pytest

from statistics_manager_service.statements.paper import BOTTOM, Paper
from statistics_manager_service.statements.tables import Column, Table, TableRow

COLUMNS = (Column("Name", 60, "L"), Column("Amount", 30))


def table_of(paper: Paper, lengths: tuple[int, ...]) -> Table:
    groups = [
        (f"Group {i}", [TableRow((f"Row {j}", "1.00"), ("A detail.",) * (j % 2)) for j in range(length)])
        for i, length in enumerate(lengths)
    ]
    return Table(paper, COLUMNS, groups, ("Total", "9.00"), total_width=60)


@pytest.mark.parametrize("lengths", [(1,), (2, 1), (1, 2), (3, 1, 2), (40, 30)])
def test_no_head_group_or_total_stands_alone_wherever_the_table_begins(lengths: tuple[int, ...]) -> None:
    paper = Paper("Tables", "Tables", "en", 0, None)
    begins = [BOTTOM - 1.5 * i for i in range(45)]
    for begin in begins:
        paper.add_page()
        paper.y_mm = begin
        table_of(paper, lengths).draw()
        assert paper.y_mm <= BOTTOM
    totals = 0
    for page in pypdf.PdfReader(io.BytesIO(paper.finished())).pages:
        lines = [one for one in page.extract_text().splitlines() if not one.startswith(("Tables", "Page "))]
        if lines:
            kinds = [one.split()[0] for one in lines]
            assert kinds[0] == "Name" and kinds.count("Name") == 1
            assert "".join(kind[0] for kind in kinds).count("NT") == 0  # a total right below the heads
            assert kinds[-1] not in ("Name", "Group")
            totals += kinds.count("Total")
    assert totals == len(begins)


def test_a_table_is_as_high_as_it_says() -> None:
    paper = Paper("Tables", "Tables", "en", 0, None)
    table, before = table_of(paper, (3, 1, 2)), paper.y_mm
    table.draw()
    assert paper.y_mm - before == pytest.approx(table.height)


def test_an_empty_page_is_not_left_for_what_no_page_can_hold() -> None:
    paper = Paper("Tables", "Tables", "en", 0, None)
    assert not paper.need(1000)
    paper.put(18, paper.y_mm, "something")
    paper.y_mm += 10
    assert paper.need(1000) and not paper.need(1000)
    head_mm = paper.y_mm
    paper.space(9)
    assert paper.y_mm == head_mm
