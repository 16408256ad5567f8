"""Sealing and opening, on values alone."""

from __future__ import annotations

import json
import pickle
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from api.crypto import keyfile
from api.crypto.blind import BlindIndex, OwnKeys
from api.crypto.envelopes import PersonKeys
from api.crypto.honey import Eye, Watched
from api.crypto.mac import Mac
from api.crypto.vault import Vault
from api.crypto.wrappers import FileWrapper
from api.dossiers.tables import DOSSIER
from api.errors import Misconfigured, PlaintextRefused, Undecryptable
from api.storage.base import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANNA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)
ROW = uuid.UUID(int=7)
PLACE = ("dossier_section", "content", ROW)


def keys_of(person: uuid.UUID) -> PersonKeys:
    """Two versions of a key. The keys are taken over, so each gets buffers of its own."""
    return PersonKeys(person, {1: bytearray(32), 3: bytearray(range(32))})


def seal(keys: PersonKeys, value: bytes, table: str, column: str, row: uuid.UUID) -> bytes:
    """One value."""
    return keys.seal({column: value}, table, row)[column]


def opened(keys: PersonKeys, envelope: bytes, table: str, column: str, row: uuid.UUID) -> bytes:
    """One value."""
    return keys.open({column: envelope}, table, row)[column]


GOLDEN = bytes.fromhex("e1010003000102030405060708090a0b656ab777a98ae0ccf8f1eb1c465ee85bd3eb4778ed8e33")
"""Frozen on 2026-11-24: what was sealed then is read for ever."""


def test_an_old_envelope_stays_readable() -> None:
    """The format is a promise to every backup: version 0xE1, algorithm 1, key version 3, place bound."""
    assert opened(keys_of(ANNA), GOLDEN, *PLACE) == b'"hallo"'


def test_what_is_sealed_is_opened_in_its_place_only() -> None:
    """Swapped, moved, cut, flipped or re-labelled: one refusal for every cause."""
    keys = keys_of(ANNA)
    envelope = seal(keys, b"secret", *PLACE)
    assert opened(keys, envelope, *PLACE) == b"secret"
    attacks: dict[str, Callable[[], bytes]] = {
        "another row": lambda: opened(keys, envelope, "dossier_section", "content", uuid.UUID(int=8)),
        "another column": lambda: opened(keys, envelope, "dossier_section", "other", ROW),
        "another table": lambda: opened(keys, envelope, "dossier_sectio", "ncontent", ROW),
        "another person": lambda: opened(keys_of(BOB), envelope, *PLACE),
        "another key version": lambda: opened(keys, envelope[:2] + b"\x00\x01" + envelope[4:], *PLACE),
        "an unknown key version": lambda: opened(keys, envelope[:2] + b"\x00\x09" + envelope[4:], *PLACE),
        "another algorithm": lambda: opened(keys, envelope[:1] + b"\x02" + envelope[2:], *PLACE),
        "another format": lambda: opened(keys, b"\xe2" + envelope[1:], *PLACE),
        **{f"cut to {left}": partial(opened, keys, envelope[:left], *PLACE) for left in range(len(envelope))},
        **{
            f"bit {bit}": partial(opened, keys, _flipped(envelope, bit), *PLACE)
            for bit in range(0, len(envelope) * 8, 7)
        },
    }
    for name, attack in attacks.items():
        with pytest.raises(Undecryptable):
            pytest.fail(f"{name} was opened: {attack()!r}")


def _flipped(envelope: bytes, bit: int) -> bytes:
    changed = bytearray(envelope)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_each_envelope_is_opened_with_the_key_that_its_header_names() -> None:
    """Also where those of two versions stand beside each other, in any order; if one is wrong, all are refused."""
    old = PersonKeys(ANNA, {1: bytearray(32)}).seal({"a": b"1", "c": b"3"}, "t", ROW)
    new = keys_of(ANNA).seal({"b": b"2", "d": b"4"}, "t", ROW)
    mixed = {name: (old | new)[name] for name in "abcd"}
    assert keys_of(ANNA).open(mixed, "t", ROW) == {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}
    assert keys_of(ANNA).open({}, "t", ROW) == {}
    with pytest.raises(Undecryptable):
        keys_of(ANNA).open(mixed | {"b": mixed["a"]}, "t", ROW)


def test_no_two_envelopes_are_alike() -> None:
    """A nonce is used once: equal plaintexts do not show that they are equal."""
    keys = keys_of(ANNA)
    assert len({seal(keys, b"same", *PLACE) for _ in range(500)}) == 500
    assert len(set(keys.seal({str(number): b"same" for number in range(500)}, "t", ROW).values())) == 500


@pytest.mark.parametrize(
    "closed",
    [keys_of(ANNA), FileWrapper("k", bytes(32)), Vault(FileWrapper("k", bytes(32))), OwnKeys({1: bytes(32)})],
)
def test_keys_do_not_show_themselves(closed: object) -> None:
    """Neither in a repr, nor in a pickle."""
    assert bytes(32).hex() not in repr(closed)
    assert "\\x00" not in repr(closed)
    with pytest.raises(TypeError):
        pickle.dumps(closed)


def test_a_short_or_long_key_in_the_file_is_no_key(tmp_path: Path) -> None:
    """Every key has 32 bytes."""
    path = tmp_path / "keys"
    keyfile.create(path)
    content = json.loads(path.read_text())
    path.unlink()
    path.touch(mode=0o600)
    path.write_text(json.dumps(content | {"log": "c2hvcnQ"}))
    with pytest.raises(Misconfigured, match="damaged"):
        keyfile.load(path)


async def test_a_wrapped_key_cannot_move_to_another_person() -> None:
    """A DBA who moves a row of the key table gets nothing."""
    wrapper = FileWrapper("k", bytes(range(32)))
    wrapped = await wrapper.wrap(ANNA, 1, b"K" * 32)
    assert await wrapper.unwrap([wrapped]) == [b"K" * 32]
    for moved in (
        wrapped._replace(person=BOB),
        wrapped._replace(version=2),
        wrapped._replace(kek="other"),
        wrapped._replace(wrapped=b"short"),
        wrapped._replace(wrapped=wrapped.wrapped[:-1] + b"\x00"),
    ):
        with pytest.raises(Undecryptable):
            await wrapper.unwrap([moved])


async def test_a_vault_opens_only_for_those_whose_keys_it_took() -> None:
    """Without the key there is nothing to open with."""
    wrapper = FileWrapper("k", bytes(32))
    vault = Vault(wrapper)
    with pytest.raises(Undecryptable):
        vault.seal_member(ANNA, DOSSIER, "identity", ROW, {})
    await vault.take([await wrapper.wrap(ANNA, 1, bytes(32))])
    await vault.take([await wrapper.wrap(ANNA, 1, bytes(range(32)))])
    sealed = vault.seal_member(ANNA, DOSSIER, "identity", ROW, {"a": ["é", 1, True]})
    assert vault.open_member(ANNA, DOSSIER, "identity", ROW, sealed) == {"a": ["é", 1, True]}
    with pytest.raises(Undecryptable):
        vault.open_member(ANNA, DOSSIER, "medical", ROW, sealed)
    first = PersonKeys(ANNA, {1: bytearray(32)})
    assert opened(first, sealed, "dossier_section", "content/identity", ROW), "the key that was taken first stays"


async def test_the_blind_index_of_a_v_number_is_stable_and_takes_ten_digits() -> None:
    """Frozen: rows are found by it. No check digit is known, so none is checked."""
    index = BlindIndex(OwnKeys({1: bytes(32)}))
    assert (await index.of("0000000042")).sought[0].hex() == "01179adeac3c00e101e4c7f6965d3beed8"
    for bad in ("", "123", "12345678901", "12345 6789", "١٢٣٤٥٦٧٨٩٠", "0000000042\n"):
        with pytest.raises(ValueError, match="ten digits"):
            await index.of(bad)


def test_a_mac_tells_lists_apart_that_join_to_the_same_text() -> None:
    """Lengths are part of it."""
    mac = Mac(bytes(32))
    assert mac.tag(b"ab", b"c") != mac.tag(b"a", b"bc")
    assert mac.holds(mac.tag(b"a"), b"a")
    assert mac.holds(mac.tag(b"a")[:16], b"a")
    assert not mac.holds(mac.tag(b"a")[:15], b"a"), "a shorter tag proves too little"
    assert not mac.holds(b"", b"a")
    assert "00" not in repr(mac)


def test_a_sealed_column_refuses_plaintext() -> None:
    """On the compiled driver path too, where no ORM looks."""
    column = Envelope()
    good = seal(keys_of(ANNA), b"", *PLACE)
    dialect: Any = None  # the guard is the same whatever the dialect
    assert column.process_bind_param(good, dialect) == good
    assert column.process_bind_param(None, dialect) is None
    for plain in (b"", b"plaintext" * 9, "text", good[:31], b"\x00" + good[1:]):
        with pytest.raises(PlaintextRefused):
            column.process_bind_param(plain, dialect)


def test_a_key_file_is_written_once_and_only_for_its_owner(tmp_path: Path) -> None:
    """Mode 0400; never overwritten; open to others is refused."""
    path = tmp_path / "keys"
    keyfile.create(path)
    assert path.stat().st_mode & 0o777 == 0o400
    with pytest.raises(FileExistsError):
        keyfile.create(path)
    keys = keyfile.load(path)
    kek = keys.ring.keks[keys.ring.current]
    assert len(kek) == 32
    assert kek.hex() not in repr(keys)
    assert str(kek) not in repr(keys)
    with pytest.raises(TypeError):
        pickle.dumps(keys)
    for mode in (0o440, 0o404, 0o460):
        path.chmod(mode)
        with pytest.raises(Misconfigured, match="group or others"):
            keyfile.load(path)


def test_a_key_file_that_is_missing_or_damaged_says_what_to_do(tmp_path: Path) -> None:
    """Fail closed and say why."""
    with pytest.raises(Misconfigured, match="keys init"):
        keyfile.load(tmp_path / "none")
    with pytest.raises(Misconfigured, match="cannot be read"):
        keyfile.load(tmp_path)
    for content in ("", "{}", "[]", '{"kek": {"id": "x", "key": "AA"}}'):
        path = tmp_path / "keys"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(content)
        with pytest.raises(Misconfigured, match="damaged"):
            keyfile.load(path)


def test_what_signs_the_log_is_read_by_itself_and_need_not_be_there_to_serve(tmp_path: Path) -> None:
    """What faces the network has it neither in memory nor, on a machine of its own, in its file."""
    whole, copy = tmp_path / "keys", tmp_path / "serving"
    keyfile.create(whole)
    sign = keyfile.load_log(whole)
    assert len({sign.ed25519, sign.post_quantum, keyfile.load(whole).receipt}) == 3
    assert str(sign.ed25519) not in repr(sign)
    with pytest.raises(TypeError):
        pickle.dumps(sign)
    keyfile.for_serving(whole, copy)
    assert copy.stat().st_mode & 0o777 == 0o400
    assert keyfile.load(copy).ring == keyfile.load(whole).ring
    assert set(json.loads(whole.read_text())) - set(json.loads(copy.read_text())) == {"log", "logPostQuantum"}
    with pytest.raises(Misconfigured, match="serve --no-work` alone"):
        keyfile.load_log(copy)
    with pytest.raises(FileExistsError):
        keyfile.for_serving(whole, copy)
    copy.chmod(0o600)
    for content in ("[]", '{"log": "AA", "logPostQuantum": "AA"}'):
        copy.write_text(content)
        with pytest.raises(Misconfigured, match="damaged"):
            keyfile.load_log(copy)


async def test_a_planted_record_rings_before_it_is_opened_and_opens_like_any_other() -> None:
    """Once a batch, however many of them are in it; a key that does not unwrap rings too."""
    rung: list[str] = []
    inner = FileWrapper("k", bytes(32))
    watched = Watched(inner, Eye(frozenset({BOB}), lambda: rung.append("rung")))
    anna, bob = [await watched.wrap(who, 1, bytes(range(32))) for who in (ANNA, BOB)]
    assert await watched.unwrap([anna]) == [bytes(range(32))]
    assert rung == []
    assert await watched.unwrap([anna, bob, bob]) == [bytes(range(32))] * 3
    assert rung == ["rung"]
    with pytest.raises(Undecryptable):
        await watched.unwrap([bob._replace(version=2)])
    assert rung == ["rung", "rung"]
