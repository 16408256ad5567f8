"""Nobody comes to a planted record unheard, and nothing in the database or the log tells which it is."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
import structlog
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from api.audit import search, signals
from api.audit.rules import RULES
from api.audit.signals import Watch
from api.cli import honey as command
from api.crypto import keyfile
from api.errors import NotPossible
from api.storage.statement import Bound
from api.vocabulary import SignalRule
from tests import audit_store
from tests import exchange as world
from tests.actor import refused

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from typer.testing import Result

    from tests import servers
    from tests.exchange import Exchange, Furnished


def plant(own: servers.Database, path: Path, host: UUID, *, at: str = "utrecht") -> Result:
    """As an operator types it."""
    environment = {"KETENBRUG_DATABASE_URL": own.app_url, "KETENBRUG_KEY_FILE": str(path)}
    return CliRunner().invoke(command.app, ["plant", str(host), "--municipality", at], env=environment)


async def found(exchange: Exchange, ids: tuple[UUID, ...]) -> list[tuple[str, str | None]]:
    """At which entries the rule found something: what was done, by whose system."""
    async with exchange.database.connection() as connection:
        await audit_store.settle(connection)
    unit = exchange.unit()
    await signals.advance(unit, RULES[SignalRule.HONEY_RECORD], Watch({}, (), ids))
    told = await signals.listed(unit, SignalRule.HONEY_RECORD, search.END, 100)
    await unit.finish()
    leaves = [orjson.loads(each) for each in await exchange.leaves()]
    return [(leaves[each.index]["action"], leaves[each.index].get("reason")) for each in reversed(told)]


def rung() -> float:
    """How often the service itself has told."""
    return REGISTRY.get_sample_value("ketenbrug_honey_touched_total") or 0.0


async def changed(exchange: Exchange) -> None:
    """Change every client as another process would: this one is not told, and runs the next request of each again."""
    unit = exchange.unit()
    await unit.run(Bound("UPDATE oauth.client SET epoch = epoch + 1", ()))
    await unit.finish()


def used(answer: httpx.Response) -> list[tuple[str, int]]:
    """How much of each limit is used up by now, as the answer says: once of each."""
    policies = re.findall(r'"([a-z-]+)";q=([0-9]+)', answer.headers["ratelimit-policy"])
    lefts = re.findall(r'"([a-z-]+)";r=([0-9]+)', answer.headers["ratelimit"])
    assert [name for name, _ in policies] == [name for name, _ in lefts]
    return [(name, int(most) - int(left)) for (name, most), (_, left) in zip(policies, lefts, strict=True)]


async def test_who_comes_to_a_planted_record_is_told(
    furnished: Furnished, own: servers.Database, path: Path, tmp_path: Path
) -> None:
    """By the log, also in vain; and by the service itself before it opens anything. Nobody else notices anything."""
    host = furnished.members["ngo"].organisation_id
    typed = await asyncio.to_thread(plant, own, path, host)
    assert typed.exit_code == 0, typed.output
    case, alias, person = ids = tuple(UUID(each) for each in json.loads(typed.stdout))
    before = rung()
    with structlog.testing.capture_logs() as logged:
        async with world.running(own, tmp_path, furnished.members, keyfile.load(path), honey=ids) as exchange:
            # A minute begins, so that what is counted by the minute is counted in one.
            exchange.clock.ahead += timedelta(seconds=60 - exchange.clock().second)
            await exchange.actor("ngo").post("/cases/_search", {"vNumber": "0000999999"})
            assert await found(exchange, ids) == []
            refused(await exchange.actor("otherNgo").get(f"/cases/{case}"), 404, "not-found")
            assert rung() == before, "nothing was opened"
            read = (await exchange.actor("ngo").get(f"/cases/{case}")).json()
            assert read["vNumber"].startswith("0000")
            assert (rung(), [each["event"] for each in logged]) == (before + 1, ["honey-touched"])
            found_again = (await exchange.actor("ngo").post("/cases/_search", {"vNumber": read["vNumber"]})).json()
            assert [each["id"] for each in found_again["items"]] == [str(case)]
            assert rung() == before + 2, "looked for by number"
            in_vain = await exchange.actor("otherNgo").post("/cases/_search", {"vNumber": read["vNumber"]})
            assert (in_vain.json()["items"], rung()) == ([], before + 3)
            await changed(exchange)
            once_more = await exchange.actor("otherNgo").post("/cases/_search", {"vNumber": read["vNumber"]})
            assert (once_more.json()["items"], rung()) == ([], before + 4), "run twice, and it rings once"
            assert [used(each) for each in (in_vain, once_more)] == [
                [("requests", 2), ("lookups", 1), ("same-person", 1)],
                [("requests", 3), ("lookups", 2), ("same-person", 2)],
            ], "and is counted once"
            assert await found(exchange, ids) == [
                ("cases.read", "not-found"),
                ("cases.read", None),
                ("cases.search", None),
            ]
            (planted,) = await exchange.entries("honey.plant")
            figures = await exchange.actor("municipality").get(f"/statistics/flow?referenceDate={world.today()}")
            assert figures.json()["total"]["inflow"]["total"]["value"] == 0, "what was published stays as it was"
            (row,) = await exchange.rows("SELECT * FROM exchange.person WHERE id = $1", person)
    for each in ids:
        assert str(each) not in json.dumps(planted)
        assert str(each) not in str(logged)
    assert row["created_at"].isoformat()[:19] != planted["at"][:19], "its instants do not meet"
    assert alias.version == person.version == 4


def test_a_record_is_planted_where_it_could_be(own: servers.Database, path: Path, furnished: Furnished) -> None:
    """At an organisation that there is, and that works there; else nothing is planted, and the entry tells of a try."""
    for host in (UUID(int=1), furnished.members["ind"].organisation_id):
        result = plant(own, path, host)
        assert isinstance(result.exception, NotPossible)
        assert result.stdout == ""
