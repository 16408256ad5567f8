"""What every keeper of the keys of the V-number index must do, whoever made it. Run where `key_services` is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from api.crypto import keyfile
from api.crypto.choice import Kind
from api.crypto.services import NoSuchKey
from api.errors import Misconfigured, Unavailable
from tests.key_services import NUMBER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.key_services import Kept


async def _leads_from_a_number_to_one_tag(keeper: Kept) -> None:
    """Whoever computes it, alone or among many, now or later: 128 bits behind the version."""
    numbers = [f"{number:010}" for number in range(320)]
    async with keeper.both() as kept:
        version = await kept.index_keys.renew(0)
        await kept.index_keys.finish(version)
        many = await kept.index.stored(numbers, None)
        assert len(set(many)) == 320
        assert {(len(each), each[0]) for each in many} == {(17, version)}
        assert await kept.index.stored([], None) == []
    async with keeper.both() as kept:
        found = await asyncio.gather(*(kept.index.of(number) for number in numbers[::40]))
        assert [each.sought[0] for each in found] == many[::40]
        assert [each.sought for each in found] == [(each,) for each in many[::40]]


async def _finds_under_both_keys_while_one_is_replaced(keeper: Kept) -> None:
    """What was stored is found from the first moment to the last, also by a process that was not told."""
    async with keeper.both() as served, keeper.both() as command:
        before = await served.index.of(NUMBER)
        version = await command.index_keys.renew(0)
        assert version == before.sought[0][0] + 1
        during = await command.index.of(NUMBER)
        assert during.sought == (during.sought[0], before.sought[0])
        assert during.sought[0][1:] != before.sought[0][1:]
        assert before.sought[0] in (await served.index.of(NUMBER)).sought
        await command.index_keys.finish(version)
        assert (await command.index.of(NUMBER)).sought == (during.sought[0],)
        with pytest.raises(NoSuchKey):
            await command.index_keys.macs(before.sought[0][0], [b""])


async def _takes_a_key_that_was_put_away_for_gone(keeper: Kept) -> None:
    """A process that remembers it asks again, and goes on with the new one."""
    async with keeper.both() as served, keeper.both() as command:
        for _ in range(2):
            before = await served.index.of(NUMBER)
            await command.index_keys.finish(await command.index_keys.renew(0))
            after = await command.index.of(NUMBER)
            assert before.sought[0][0] + 1 == after.sought[0][0]
            assert await served.index.stored([NUMBER], None) in ([before.sought[0]], [after.sought[0]])
        assert (await served.index.of(NUMBER)).sought == (after.sought[0],)


async def _begins_a_version_once(keeper: Kept) -> None:
    """Interrupted and run again it is the same one; and no number comes back that somebody is still indexed under."""
    async with keeper.both() as one, keeper.both() as other:
        assert [await one.index_keys.renew(0), await other.index_keys.renew(0)] == [2, 2]
        await one.index_keys.finish(2)
        await other.index_keys.finish(2)
        assert await one.index_keys.renew(7) == 8
        await other.index_keys.finish(2)
        assert await one.index.live() == {2, 8}
        await one.index_keys.finish(8)
        kind, name = keeper.chosen.kind, keeper.chosen.name
        place = "the key file" if kind is Kind.FILE else f"{kind}:{name}_index-0008"
        assert await other.index_keys.places() == {8: place}


async def _has_the_key_alone(keeper: Kept) -> None:
    """A service does once it was replaced there. Where there is none, nobody is taken for unknown."""
    async with keeper.both() as kept:
        await kept.index_keys.finish(await kept.index_keys.renew(0))
        assert bool(keyfile.load(keeper.file).blind_index) is (keeper.chosen.kind is Kind.FILE)
    keyfile.forget_index(keeper.file, 9)
    with pytest.raises((Misconfigured, Unavailable)):
        async with replace(keeper, chosen=replace(keeper.chosen, name="nobody")).both() as kept:
            await kept.index.of(NUMBER)


async def _shows_no_tag(keeper: Kept) -> None:
    async with keeper.both() as kept:
        tags = await kept.index.of(NUMBER)
        shown = f"{kept!r} {kept.index!r} {kept.index_keys!r} {tags!r}"
        for secret in (NUMBER, tags.sought[0].hex(), repr(tags.sought[0])[2:-1]):
            assert secret not in shown
        with pytest.raises(ValueError, match="ten digits") as refused:
            await kept.index.of(NUMBER[1:])
        assert NUMBER[1:] not in str(refused.value)


CONTRACT: Final[dict[str, Callable[[Kept], Awaitable[None]]]] = {
    "one-tag": _leads_from_a_number_to_one_tag,
    "both-live": _finds_under_both_keys_while_one_is_replaced,
    "put-away": _takes_a_key_that_was_put_away_for_gone,
    "begins-once": _begins_a_version_once,
    "alone": _has_the_key_alone,
    "shows-none": _shows_no_tag,
}
