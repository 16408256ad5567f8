"""The seal over a row, on values alone: every attack that leaves each envelope in its place."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid

from api.crypto import padding, rows
from api.crypto.envelopes import PersonKeys
from api.crypto.rows import SealedRow, trace_of
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper
from api.dossiers.tables import DOSSIER
from api.errors import Undecryptable
from api.storage.base import Envelope, metadata, seal, sealed

ANNA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)
ROW, CASE, OTHER_CASE = uuid.UUID(int=7), uuid.UUID(int=8), uuid.UUID(int=9)
LETTERS: Final = Table(
    "letter",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid),
    Column("case_id", Uuid),
    Column("kind", Text),
    Column("sequence", Integer),
    *sealed("subject"),
    *sealed("text", nullable=True),
    *seal(),
)
LETTER: Final = SealedRow(LETTERS, "case_id", "kind")
CLEAR: Final = {"id": ROW, "person_id": ANNA, "case_id": CASE, "kind": "first", "sequence": 1}


async def vault_of(person: uuid.UUID = ANNA) -> Vault:
    """A vault with the key of one person in it."""
    wrapper = FileWrapper("k", bytes(32))
    vault = Vault(wrapper)
    await vault.take([await wrapper.wrap(person, 1, bytes(range(32)))])
    return vault


def record(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The row as a statement gives it back."""
    return {f"letter_{name}": value for name, value in (row | changes).items()}


async def test_a_row_opens_as_it_was_sealed() -> None:
    """What is asked, and nothing else; NULL is None; a trace is enough for what stays closed."""
    vault = await vault_of()
    row = vault.row(ANNA, LETTER, {"subject": "a", "text": None}, CLEAR)
    assert row["text"] is None
    assert len(row["seal"]) == 32
    assert vault.open_row(ANNA, LETTER, record(row), ("subject", "text")) == {"subject": "a", "text": None}
    closed = record(row, subject=trace_of(row["subject"]))
    assert vault.open_row(ANNA, LETTER, closed, ("text",)) == {"text": None}
    with pytest.raises(Undecryptable):
        vault.open_row(ANNA, LETTER, closed, ("subject",))


async def test_every_attack_on_a_row_is_refused() -> None:
    """Each envelope is in its place and genuine: only the seal can tell."""
    vault = await vault_of()
    old = vault.row(ANNA, LETTER, {"subject": "a", "text": "old"}, CLEAR)
    new = vault.row(ANNA, LETTER, {"subject": "a", "text": "new"}, CLEAR)
    other = vault.row(ANNA, LETTER, {"subject": "a", "text": None}, CLEAR | {"case_id": OTHER_CASE})
    assert vault.open_row(ANNA, LETTER, record(new), ("text",)) == {"text": "new"}
    attacks = {
        "nulled": record(new, text=None),
        "rolled back": record(new, text=old["text"]),
        "moved to another case": record(new, case_id=OTHER_CASE),
        "given another kind": record(new, kind="second"),
        "without kind": record(new, kind=None),
        "the seal of another row": record(new, seal=other["seal"]),
        "without seal": record(new, seal=None),
        "an empty seal": record(new, seal=b""),
        "a shorter seal": record(new, seal=new["seal"][:-1]),
        "a seal of another version": record(new, seal=b"\x00\x02" + new["seal"][2:]),
        "an unknown row": record(new, id=uuid.UUID(int=99)),
    }
    for name, attack in attacks.items():
        with pytest.raises(Undecryptable):
            pytest.fail(f"{name}: {vault.open_row(ANNA, LETTER, attack, ())}")
    with pytest.raises(Undecryptable):
        (await vault_of(BOB)).open_row(BOB, LETTER, record(new), ())


async def test_replacing_a_column_needs_no_plaintext_of_the_others() -> None:
    """The others are known by their traces, and what was there is checked before."""
    vault = await vault_of()
    row = vault.row(ANNA, LETTER, {"subject": "a", "text": None}, CLEAR)
    traces = record(row, subject=trace_of(row["subject"]))
    changed = vault.replace(ANNA, LETTER, traces, {"text": "new"})
    assert changed.keys() == {"text", "seal"}
    assert vault.open_row(ANNA, LETTER, record(row | changed), ("subject", "text")) == {"subject": "a", "text": "new"}
    with pytest.raises(Undecryptable):
        vault.replace(ANNA, LETTER, traces | {"letter_kind": "other"}, {"text": "new"})
    with pytest.raises(AssertionError, match="letter"):
        vault.seal_row(ANNA, LETTER, ROW, {"text": "alone"}, {"case_id": CASE, "kind": "first"})


async def test_a_set_is_whole_or_refused() -> None:
    """Sections that are sealed as one: none goes, comes, or takes the place of another."""
    vault = await vault_of()
    members = {name: vault.seal_member(ANNA, DOSSIER, name, ROW, 1) for name in ("identity", "medical")}
    bound = {"request_id": CASE, "version": 2}
    row = {"dossier_id": ROW, "dossier_request_id": CASE, "dossier_version": 2}
    row["dossier_seal"] = vault.seal_set(ANNA, DOSSIER, ROW, bound, members)
    vault.check_set(ANNA, DOSSIER, row, members)
    one, other = members.values()
    for wrong in ({"identity": one}, members | {"contact": one}, {"identity": other, "medical": one}):
        with pytest.raises(Undecryptable):
            vault.check_set(ANNA, DOSSIER, row, wrong)
    for changed in ({"dossier_version": 1}, {"dossier_request_id": OTHER_CASE}, {"dossier_id": OTHER_CASE}):
        with pytest.raises(Undecryptable):
            vault.check_set(ANNA, DOSSIER, row | changed, members)


def test_the_message_and_the_seal_are_frozen() -> None:
    """Frozen on 2026-11-25: rows that were sealed then are checked for ever."""
    keys = PersonKeys(ANNA, {3: bytearray(range(32))})
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    bound = {"case_id": CASE, "kind": "first", "n": 1, "none": None, "list": ["a", "b"], "raw": b"x", "at": at}
    traces = {"subject": bytes(range(32)), "text": None}
    seal = keys.seal_row("letter", ROW, bound, traces)
    assert seal.hex() == GOLDEN_SEAL
    keys.check_row(bytes.fromhex(GOLDEN_SEAL), "letter", ROW, bound, traces)
    elsewhere = {**bound, "at": at.astimezone(timezone(timedelta(hours=1)))}
    assert keys.seal_row("letter", ROW, elsewhere, traces) == seal, "an instant is the same in every zone"


GOLDEN_SEAL: Final = "000320933b28fa11c8c2788c554b838ece6e27f47a39c779827bc8b5717f1e69"


async def test_what_was_sealed_before_padding_opens_as_ever() -> None:
    """Frozen on 2026-11-26, as version 0.1.0 had sealed until then: neither envelope nor seal has changed its form."""
    vault = await vault_of()
    subject = bytes.fromhex(BEFORE_PADDING)
    bound, traces = {"case_id": CASE, "kind": "first"}, {"subject": trace_of(subject), "text": None}
    seal = PersonKeys(ANNA, {1: bytearray(range(32))}).seal_row("letter", ROW, bound, traces)
    row = dict[str, Any](CLEAR) | {"subject": subject, "text": None, "seal": seal}
    assert vault.open_row(ANNA, LETTER, record(row), ("subject", "text")) == {"subject": "  één ", "text": None}
    changed = vault.replace(ANNA, LETTER, record(row), {"text": "new"})
    assert vault.open_row(ANNA, LETTER, record(row | changed), ("subject",)) == {"subject": "  één "}


async def test_the_length_of_what_is_sealed_says_little() -> None:
    """A word and a paragraph are equally long; a section too. Only what is always equally long is sealed as it is."""
    vault = await vault_of()
    texts = ["", "a", "é" * 100, "a" * 254]
    sealed = [vault.row(ANNA, LETTER, {"subject": each, "text": each}, CLEAR) for each in texts]
    assert {len(row["subject"]) for row in sealed} == {256 + 32}
    assert [vault.open_row(ANNA, LETTER, record(row), ("text",))["text"] for row in sealed] == texts
    assert len(vault.row(ANNA, LETTER, {"subject": "a" * 255, "text": None}, CLEAR)["subject"]) == 512 + 32
    members = [vault.seal_member(ANNA, DOSSIER, "identity", ROW, {"name": each}) for each in texts[:-1]]
    assert {len(each) for each in members} == {256 + 32}
    unpadded = {name for table in metadata.tables.values() for name, step in steps_of(table).items() if step == 1}
    assert unpadded == {"v_number"}


def steps_of(table: Table) -> dict[str, int]:
    """What a table declares."""
    return {column.name: column.type.step for column in table.c if isinstance(column.type, Envelope)}


@given(own=st.integers(1, 1 << 26), step=st.sampled_from((1, 256)))
def test_padding_adds_little_and_leaves_few_lengths(own: int, step: int) -> None:
    """PADMÉ's bounds: at most an eighth more beyond sixteen steps, and few bits of the logarithm."""
    padded = padding.length(own, step)
    assert own <= padded <= max(own + step, own * 9 / 8)
    assert padded % step == 0
    assert padding.length(padded, step) == padded
    assert padding.length(own + 1, step) >= padded


def test_few_lengths_are_left_of_a_million() -> None:
    """What an envelope's length may tell at most: one of so many."""
    own, lengths = 1, list[int]()
    while own < 1 << 20:
        lengths.append(padding.length(own, 256))
        own = lengths[-1] + 1
    assert len(lengths) == 208


BEFORE_PADDING: Final = "e1010001dec04c1d3c1384684c1a0c9bb506817dbed5ca246b62c23d64d901f81e3f4e34584b5e8fc1ba"


def test_no_two_rows_have_the_same_message() -> None:
    """Names and lengths are part of it."""
    said = {
        rows.message("t", ROW, ANNA.bytes, bound, traces)
        for bound, traces in (
            ({}, {}),
            ({"a": None}, {}),
            ({}, {"a": None}),
            ({"a": "b"}, {}),
            ({"ab": ""}, {}),
            ({"a": ["b"]}, {}),
            ({"a": ["b", "c"]}, {}),
            ({"a": ["bc"]}, {}),
            ({"a": ""}, {}),
        )
    }
    assert len(said) == 9
    with pytest.raises(TypeError):
        rows.message("t", ROW, ANNA.bytes, {"a": 1.5}, {})


def test_a_row_that_is_shown_tells_no_more_than_its_table() -> None:
    """For a log."""
    assert repr(LETTER) == "<SealedRow letter>"
    assert repr(DOSSIER) == "<SealedSet dossier>"
