"""Whoever keeps the key-encryption keys, the contract is the same; and how each kind of key service fails."""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from api.crypto import choice, keyfile
from api.crypto.blind import BlindIndex
from api.crypto.choice import Choice, Kind
from api.crypto.services import NoSuchKey, ServiceIndex, ServiceWrapper, Use
from api.crypto.transit import Transit
from api.crypto.wrappers import WrappedKey
from api.custody.index_keys import InstalledIndex
from api.errors import Misconfigured, Unavailable, Undecryptable
from api.outbound import Outbound
from tests import index_services, key_services
from tests.key_services import ANNA, BOB, CONTRACT, KEY, NUMBER, OTHER, Kept

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from api.crypto.services import Sealed
    from tests.key_services import Double


def begun(keeper: Kept, double: Double) -> Kept:
    """With a first epoch."""
    double.keys["k-0001"] = os.urandom(32)
    return keeper


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.TRANSIT, Kind.KMS])
@pytest.mark.parametrize("name", CONTRACT)
async def test_every_keeper_keeps_the_contract(name: str, kind: Kind, tmp_path: Path) -> None:
    with key_services.doubled(kind, tmp_path) as (keeper, double):
        await CONTRACT[name](begun(keeper, double))


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.TRANSIT, Kind.KMS])
@pytest.mark.parametrize("name", index_services.CONTRACT)
async def test_every_keeper_of_the_index_keeps_the_contract(name: str, kind: Kind, tmp_path: Path) -> None:
    with key_services.doubled(kind, tmp_path) as (keeper, _):
        await index_services.CONTRACT[name](keeper)


@pytest.mark.parametrize("kind", [Kind.TRANSIT, Kind.KMS])
async def test_a_service_that_is_away_is_not_worked_around(kind: Kind, tmp_path: Path) -> None:
    with key_services.doubled(kind, tmp_path) as (keeper, double):
        await key_services.is_away(begun(keeper, double))


@pytest.mark.parametrize("kind", [Kind.TRANSIT, Kind.KMS])
@pytest.mark.parametrize(
    "words", [(503, b"{}"), (400, b"{}"), (500, b"no JSON"), (403, b"{}"), (200, b"no JSON"), (200, b"{}")]
)
async def test_an_answer_that_is_none_is_as_if_the_service_were_away(
    kind: Kind, words: tuple[int, bytes], tmp_path: Path
) -> None:
    with key_services.doubled(kind, tmp_path) as (keeper, double):
        async with begun(keeper, double).open() as keys:
            row = await keys.wrap(ANNA, 1, KEY)
            double.keys["k_index-0002"] = bytes(32)
            double.words = words
            async with keeper.both() as served:
                with pytest.raises(Unavailable):
                    await served.index.of(NUMBER)
            with pytest.raises((Unavailable, Undecryptable)):
                await keys.unwrap([row])
            with pytest.raises(Unavailable):
                await keys.current()
            double.words = None
            assert await keys.unwrap([row]) == [KEY]


@pytest.mark.parametrize("kind", [Kind.TRANSIT, Kind.KMS])
async def test_before_the_first_epoch_nothing_is_wrapped(kind: Kind, tmp_path: Path) -> None:
    with key_services.doubled(kind, tmp_path) as (keeper, double):
        async with keeper.open() as keys:
            with pytest.raises(Unavailable):
                await keys.wrap(ANNA, 1, KEY)
            double.keys["k-other"] = double.keys["another-0009"] = bytes(32)
            assert await keys.renew("") == f"{kind}:k-0001"
            assert await keys.renew("") == f"{kind}:k-0001"


@pytest.mark.parametrize("kind", [Kind.TRANSIT, Kind.KMS])
async def test_the_key_table_names_no_other_key_of_the_service(kind: Kind, tmp_path: Path) -> None:
    """A service may keep keys of others: whoever writes the table must not have them used."""
    with key_services.doubled(kind, tmp_path) as (keeper, double):
        async with begun(keeper, double).open() as keys:
            row = await keys.wrap(ANNA, 1, KEY)
            double.keys["another-0001"] = double.keys["k-0001"]
            for kek in ("another-0001", "k-", "k-1/../another-0001", ""):
                with pytest.raises(Undecryptable):
                    await keys.unwrap([row._replace(kek=f"{kind}:{kek}")])


async def test_who_moves_from_a_file_to_a_service_opens_both_until_the_epoch_ends(tmp_path: Path) -> None:
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with Kept(keeper.file, Choice(Kind.FILE, "k")).open() as filed:
            old = await filed.wrap(ANNA, 1, KEY)
        async with begun(keeper, double).open() as keys:
            new = await keys.wrap(BOB, 1, OTHER)
            assert new.kek == "transit:k-0001"
            assert await keys.unwrap([old, new, old]) == [KEY, OTHER, KEY]
            await keys.destroy(old.kek)
            await keys.destroy(old.kek)
            with pytest.raises(Undecryptable):
                await keys.unwrap([new, old])
            assert await keys.unwrap([new]) == [OTHER]
        assert old.kek not in keyfile.load(keeper.file).ring.keks


async def test_a_former_key_of_the_file_ends_beside_a_service(tmp_path: Path) -> None:
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        former = keyfile.load(keeper.file).ring.current
        newer = keyfile.renew_kek(keeper.file, former)
        async with begun(keeper, double).open() as keys:
            await keys.destroy(former)
        assert list(keyfile.load(keeper.file).ring.keks) == [newer]


async def test_what_another_process_ended_is_not_made_again(tmp_path: Path) -> None:
    """The engine makes a key that it is asked to encrypt with: an epoch would rise from its grave."""
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with begun(keeper, double).open() as served, keeper.open() as command:
            first = await served.wrap(ANNA, 1, KEY)
            newer = await command.renew(first.kek)
            await command.destroy(first.kek)
            assert (await served.wrap(ANNA, 1, KEY)).kek == newer
        assert sorted(double.keys) == ["k-0002"]


async def test_the_current_epoch_is_remembered_for_a_while(tmp_path: Path) -> None:
    now = 0.0
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with choice.opened(begun(keeper, double).chosen) as service:
            served = ServiceWrapper(service, "k", clock=lambda: now)
            first = await served.wrap(ANNA, 1, KEY)
            async with keeper.open() as command:
                newer = await command.renew(first.kek)
            assert (await served.wrap(ANNA, 1, KEY)).kek == first.kek
            now = 11.0
            assert (await served.wrap(ANNA, 1, KEY)).kek == newer
            assert repr(served) == "<ServiceWrapper transit:k>"


class Forgetful:
    """A service that lists a key and then has none."""

    scheme: ClassVar[str] = "forgetful"
    settles: ClassVar[float] = 0.0

    async def names(self) -> list[str]:
        """One."""
        return ["k-0001"]

    async def encrypt(self, name: str, place: bytes, text: bytes) -> bytes:
        """None."""
        raise NoSuchKey(name, place, text)

    async def decrypt(self, name: str, sealed: Sequence[Sealed]) -> list[bytes]:
        """Something else."""
        return [name.encode() for _ in sealed]

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """Too few."""
        return [name.encode() for _ in texts[1:]]

    async def make(self, name: str, use: Use) -> None:
        """Nothing."""

    async def destroy(self, name: str, use: Use) -> None:
        """Nothing."""


class Gone(Forgetful):
    """The same, of a key of the index."""

    async def names(self) -> list[str]:
        """One."""
        return ["k_index-0002"]

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """None."""
        raise NoSuchKey(name, texts)


async def test_a_service_that_contradicts_itself_is_not_believed() -> None:
    keys = ServiceWrapper(Forgetful(), "k")
    with pytest.raises(Unavailable):
        await keys.wrap(ANNA, 1, KEY)
    with pytest.raises(Undecryptable):
        await keys.unwrap([WrappedKey(ANNA, 1, "forgetful:k-0001", b"x")])


async def test_the_index_of_a_service_that_answers_otherwise_is_not_believed(tmp_path: Path) -> None:
    """Too few, too short, too long, of another version of the key, or none: nobody is looked for under that."""
    mac, other = base64.b64encode(bytes(32)).decode(), base64.b64encode(bytes(31)).decode()
    results: list[Any] = [[], [{"hmac": f"vault:v1:{mac}"}] * 2, [{"hmac": f"vault:v1:{other}"}], [{"error": "none"}]]
    results += [[{"hmac": f"vault:v2:{mac}"}], [{"hmac": f"vault:v1:{mac}!"}], [{"hmac": 1}], {}, None]
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with keeper.both() as kept:
            await kept.index_keys.finish(await kept.index_keys.renew(0))
            held = await kept.index.of(NUMBER)
            for each in results:
                double.words = 200, json.dumps({"data": {"batch_results": each}}).encode()
                with pytest.raises(Unavailable):
                    await kept.index.of(NUMBER)
            double.words = None
            assert await kept.index.of(NUMBER) == held


async def test_a_service_that_lists_a_key_and_has_none_finds_nobody(tmp_path: Path) -> None:
    keyfile.create(tmp_path / "keys")
    keyfile.forget_index(tmp_path / "keys", 2)
    index = BlindIndex(InstalledIndex(tmp_path / "keys", ServiceIndex(Gone(), "k")))
    for asked in (index.of(NUMBER), index.stored([NUMBER], None)):
        with pytest.raises(Unavailable):
            await asked


class Late(Forgetful):
    """One that lists late what it has, or not all, and has what it is told to have."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.there: set[str] = set()

    async def names(self) -> list[str]:
        """Those that it is willing to list."""
        return self.listed

    async def macs(self, name: str, texts: Sequence[bytes]) -> list[bytes]:
        """Of what it has, listed or not."""
        if name not in self.there:
            raise NoSuchKey(name)
        return [bytes(32) for _ in texts]


async def test_a_version_ends_by_the_word_of_its_key_and_by_no_list() -> None:
    """A token that lost its login lists nothing: whoever is under that version is there all the same."""
    now, service = 0.0, Late()
    index = BlindIndex(ServiceIndex(service, "k", clock=lambda: now))
    service.listed, service.there = ["k_index-0001", "k_index-0002"], {"k_index-0001", "k_index-0002"}
    assert await index.live() == {1, 2}
    now, service.listed = 11.0, ["k_index-0002"]
    assert (await index.of(NUMBER)).versions == (2, 1)
    now, service.listed = 22.0, ["k_index-0001", "k_index-0002"]
    service.there = {"k_index-0002"}
    assert (await index.of(NUMBER)).versions == (2,), "gone, though it is listed for some minutes yet"


async def test_a_key_that_is_not_to_be_seen_yet_replaces_none(tmp_path: Path) -> None:
    """KMS names it in some minutes: nobody is said to be moved, and it is run again."""
    keyfile.create(tmp_path / "keys")
    keys = InstalledIndex(tmp_path / "keys", ServiceIndex(Late(), "k"), into_service=True)
    with pytest.raises(Unavailable):
        await keys.renew(0)
    keyfile.forget_index(tmp_path / "keys", 2)
    with pytest.raises(Unavailable):
        await keys.renew(1)


async def test_a_version_that_no_tag_can_begin_with_is_none(tmp_path: Path) -> None:
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with keeper.both() as kept:
            with pytest.raises(Unavailable):
                await kept.index_keys.renew(254)
            for name in ("k_index-0255", "k_index-0000"):
                double.keys = {name: bytes(32)}
                async with keeper.both() as other:
                    with pytest.raises(Unavailable):
                        await other.index.of(NUMBER)


async def test_a_key_of_kms_loses_its_name_before_it_is_deleted(tmp_path: Path) -> None:
    """Killed in between, look-ups go on: a name that leads to no key would close them."""
    with key_services.doubled(Kind.KMS, tmp_path) as (keeper, double):
        async with keeper.both() as kept:
            assert kept.index_keys.settles == 320
            await kept.index_keys.finish(await kept.index_keys.renew(0))
            newer = await kept.index_keys.renew(2)
            double.fails = "ScheduleKeyDeletion"
            with pytest.raises(Unavailable):
                await kept.index_keys.finish(newer)
        double.fails = ""
        async with keeper.both() as other:
            assert (await other.index.of(NUMBER)).versions == (newer,)
            await other.index_keys.finish(await other.index_keys.renew(newer))
        assert double.ended == ["k_index-0003"]


async def test_the_next_key_of_the_index_is_made_where_it_was_chosen(tmp_path: Path) -> None:
    """In the file too, beside a service: and so the way back, and there again."""
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        filed = replace(keeper, chosen=replace(keeper.chosen, index=False))
        for version, there in enumerate((keeper, filed, keeper), 2):
            async with there.both() as kept:
                await kept.index_keys.finish(await kept.index_keys.renew(0))
                assert await kept.index.live() == {version}
                assert list(double.keys) == ([] if there is filed else [f"k_index-{version:04d}"])


async def test_without_its_token_the_engine_is_not_asked(tmp_path: Path) -> None:
    async with Outbound() as outbound:
        engine = Transit(outbound, "https://bao.example", tmp_path / "none", mount="transit", namespace="ns")
        with pytest.raises(Unavailable):
            await engine.names()
    assert repr(engine) == "<Transit https://bao.example/v1/transit>"


async def test_a_mount_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    with key_services.doubled(Kind.TRANSIT, tmp_path) as (keeper, double):
        async with keeper.open() as keys:
            double.words = 404, b'{"errors":["no handler for route \\"transit/keys/\\". route entry not found."]}'
            with pytest.raises(Unavailable):
                await keys.renew("")


async def test_what_was_begun_to_be_destroyed_is_destroyed(tmp_path: Path) -> None:
    """Killed between the deletion and the name, run again."""
    with key_services.doubled(Kind.KMS, tmp_path) as (keeper, double):
        double.page = 1
        async with begun(keeper, double).open() as keys:
            first = await keys.current()
            await keys.renew(first)
            double.keys["k-0001"] = b""
            await keys.destroy(first)
        assert list(double.keys) == ["k-0002"]


async def test_a_key_that_is_there_is_not_made_twice(tmp_path: Path) -> None:
    with key_services.doubled(Kind.KMS, tmp_path) as (keeper, double):
        async with choice.opened(begun(keeper, double).chosen) as service:
            held = double.keys["k-0001"]
            await service.make("k-0001", Use.WRAPS)
            assert double.keys == {"k-0001": held}
            assert repr(service) == "<Kms>"


async def test_a_key_that_gets_no_name_is_deleted_again(tmp_path: Path) -> None:
    """Run again before the first is listed everywhere, it makes another: that one must not stay."""
    with key_services.doubled(Kind.KMS, tmp_path) as (keeper, double):
        async with choice.opened(begun(keeper, double).chosen) as service:
            double.fails = "CreateAlias"
            with pytest.raises(Unavailable):
                await service.make("k-0002", Use.WRAPS)
            double.fault = "AlreadyExistsException"
            await service.make("k-0003", Use.WRAPS)
            assert double.ended == ["k-0002", "k-0003"]


def test_what_a_kind_needs_is_told_at_once(tmp_path: Path) -> None:
    assert Choice(Kind.FILE, "k").faults() == []
    assert len(Choice(Kind.TRANSIT, "k").faults()) == 2
    assert len(Choice(Kind.PKCS11, "k").faults()) == 3
    assert Choice(Kind.KMS, "k").faults() == ["KETENBRUG_KEY_SERVICE_REGION: kms needs it"]
    assert Choice(Kind.TRANSIT, "k", url="https://bao.example", credentials=tmp_path).faults() == []


async def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "api.crypto.kms", None)
    with pytest.raises(Misconfigured, match=r"ketenbrug\[kms\]"):
        async with choice.opened(Choice(Kind.KMS, "k", region="eu-west-1")):
            pytest.fail("opened")
    with pytest.raises(AssertionError):
        async with choice.opened(Choice(Kind.FILE, "k", url=str(tmp_path))):
            pytest.fail("opened")


async def test_a_module_that_cannot_be_loaded_is_as_if_it_were_away(tmp_path: Path) -> None:
    """What it does once it is loaded is for `make test-foreign`: it needs a package of the system."""
    chosen = Choice(Kind.PKCS11, "k", module=tmp_path / "none.so", token="ketenbrug", credentials=tmp_path / "pin")
    async with choice.opened(chosen) as service:
        with pytest.raises(Unavailable):
            await service.names()
        assert repr(service) == "<Pkcs11 ketenbrug>"
