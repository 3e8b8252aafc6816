"""Tables of pw-top, as they are documented (0.3.79)."""

from __future__ import annotations

import pytest
from pipewire_tables import HEADER, TABLE, seconds

from controller.plants.pipewire.meters.pw_top import Row, Table, Tables

ROW = "R   36     64  48000  12.3us   1.2ms  0.01  0.90    4  S16LE 2 48000 sink\n"


def printed(text: str, tables: Tables, at_s: float = 0.0) -> list[Table]:
    return tables.feed(text.encode(), seconds(at_s))


def test_a_table_is_complete_once_the_next_begins_and_is_of_when_it_was_printed() -> None:
    tables = Tables()
    assert printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0) == []
    (table,) = printed(HEADER, tables, 2.0)
    assert table.printed_ns == 1_000_000_000
    assert [(each.id, each.drives, each.runs, each.errors) for each in table.rows] == [
        (30, True, False, 0),
        (36, True, True, 1),
        (41, False, True, 2),
        (42, False, True, 3),
        (55, True, False, 99),
    ]


def test_a_table_that_nothing_follows_for_a_moment_is_complete() -> None:
    tables = Tables()
    printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
    assert tables.pause(seconds(1.01)) is None
    table = tables.pause(seconds(1.1))
    assert table is not None
    assert (table.printed_ns, len(table.rows)) == (1_000_000_000, 5)
    assert tables.pause(seconds(1.2)) is None
    assert printed(HEADER, tables, 2.0) == []


def test_a_table_that_is_cut_in_two_is_complete_with_the_rest() -> None:
    tables = Tables()
    printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
    assert tables.pause(seconds(1.1)) is not None
    first, second = TABLE.format(4, 5, 6)[:200], TABLE.format(4, 5, 6)[200:]
    printed(HEADER + first, tables, 2.0)
    assert tables.pause(seconds(2.3)) is None
    printed(second, tables, 2.4)
    table = tables.pause(seconds(2.5))
    assert table is not None
    assert (table.printed_ns, len(table.rows)) == (2_000_000_000, 5)


def test_a_table_with_fewer_nodes_than_the_last_waits_for_the_next() -> None:
    tables = Tables()
    printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
    printed(HEADER + ROW, tables, 2.0)
    assert tables.pause(seconds(2.5)) is None
    (table,) = printed(HEADER + ROW, tables, 3.0)
    assert table.printed_ns == 2_000_000_000
    assert tables.pause(seconds(3.1)) is not None


def test_shares_that_were_not_measured_are_none() -> None:
    (table,) = printed(HEADER + TABLE.format(0, 0, 0) + HEADER, Tables())
    assert [each.busy_share for each in table.rows] == [None, 0.90, 0.00, None, None]


def test_columns_are_found_by_their_titles() -> None:
    wider = "S   ID  NEW  QUANT   RATE    WAIT    BUSY   W/Q   B/Q  ERR  FORMAT  NAME\n"
    line = "R   36  what   64  48000  12.3us   1.2ms  0.01  0.90    4  S16LE 2 48000 sink\n"
    (table,) = printed(wider + line + wider, Tables())
    assert table.rows == (Row(36, True, True, 64, 48_000, ("12.3us", "1.2ms"), 0.90, 4),)


@pytest.mark.parametrize("line", ["", "R   36", "[W] pw.conf: can't load\n", "R x y z 1 2 3 4 5"])
def test_what_is_no_row_is_passed_over(line: str) -> None:
    (table,) = printed(HEADER + line + "\n" + ROW + HEADER, Tables())
    assert [each.id for each in table.rows] == [36]


def test_a_name_that_is_cut_within_a_letter_is_read_whole() -> None:
    text, tables = (HEADER + ROW.replace("sink", "Flöte") + HEADER).encode(), Tables()
    found = [table for at in range(len(text)) for table in tables.feed(text[at : at + 1], 0)]
    assert len(found) == 1
