"""An entry as a row: whoever opens it in a spreadsheet runs nothing of what callers wrote."""

from __future__ import annotations

import csv
import io
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit import sheet
from api.audit.proofs import Logged

NAMES = next(csv.reader(io.StringIO(sheet.head().decode())))


def read(leaf: bytes) -> dict[str, str]:
    (cells,) = csv.reader(io.StringIO(sheet.row(Logged(7, leaf)).decode(), newline=""))
    return dict(zip(NAMES, cells, strict=True))


def test_an_entry_is_a_row() -> None:
    leaf = orjson.dumps(
        {
            "v": 1,
            "at": "2026-11-24T10:00:00.000001Z",
            "action": "dossiers.read",
            "result": "permitted",
            "actor": {"organisation": "00000000-0000-0000-0000-000000000001", "kind": "ngo", "client": "one"},
            "origin": {"zone": "public", "requestId": "00000000-0000-0000-0000-000000000002"},
            "object": {"type": "dossier", "version": 2},
            "person": "00000000-0000-0000-0000-000000000005",
            "ground": ["public-task", "vw-107-8"],
            "consents": [{"id": "00000000-0000-0000-0000-000000000008", "version": 1}],
            "disclosed": {"identity": ["name"], "contact": []},
            "withheld": {"medical": "not-available"},
        }
    )
    row = read(leaf)
    assert (row["index"], row["at"], row["action"]) == ("7", "2026-11-24T10:00:00.000001Z", "dossiers.read")
    assert (row["zone"], row["object version"], row["reason"]) == ("public", "2", "")
    assert row["grounds"] == "public-task vw-107-8"
    assert row["consents"] == "00000000-0000-0000-0000-000000000008/1"
    assert (row["disclosed"], row["withheld"]) == ("identity contact", "medical")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", '=HYPERLINK("http://x")', ' "=1'],  # noqa: RUF001
)
def test_a_formula_stays_text(text: str) -> None:
    assert read(orjson.dumps({"actor": {"person": text}}))["person acting"] == f"'{text}"


@given(st.text(max_size=30) | st.from_regex(r'[=+\-@"\',;\r\n\t]{1,5}x', fullmatch=True))
def test_no_value_begins_a_formula_or_a_cell_of_its_own(text: str) -> None:
    leaf = orjson.dumps({"action": text.encode("utf-8", "replace").decode(), "reason": "after"})
    row = read(leaf)
    assert row["action"][:1] not in {*"=+-@\t\r\n"} or not row["action"]
    assert row["reason"] == "after"
    for cell in re.split(r"[;\t\r\n]", sheet.row(Logged(7, leaf)).decode()):
        assert cell.lstrip(" \"'\x0b\x0c")[:1] not in {*"=+-@"} or cell.lstrip(' "')[:1] == "'"


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_whichever_separator_a_spreadsheet_takes_no_cell_is_a_formula(between: str) -> None:
    leaf = orjson.dumps({"actor": {"person": f'x{between}=1+1{between}"@y'}, "action": f"{between} +1"})
    (cells,) = csv.reader(io.StringIO(sheet.row(Logged(7, leaf)).decode(), newline=""), delimiter=between)
    assert [each for each in cells if each.lstrip(' "')[:1] in {*"=+-@"}] == []


@pytest.mark.parametrize("leaf", [b"\xff\xfe", b"[]", b'{"object":5,"origin":[],"at":{}}'])
def test_what_is_odd_is_an_empty_cell(leaf: bytes) -> None:
    assert {value for name, value in read(leaf).items() if name != "index"} == {""}
