"""Clients that publish their own keys (`jwks_uri`): fetched when a client proves itself, and written down.

What was found is kept with the client, so that every worker and every restart has it while the client's server is away,
and so that a change of keys is an entry. A key that a client takes off its page counts here for at most five minutes
more. The address is an operator's word, and is guarded as every address is (`api.outbound`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api.oauth import jose, registry
from api.oauth.model import KEYS_MOST
from api.oauth.remote import Remote, taken
from api.outbound import NotFetched
from api.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.oauth.jose import PublicKey
    from api.oauth.model import Client
    from api.outbound import Fetcher
    from api.principal import Origin
    from api.storage.unit import Unit
    from api.vocabulary import ClientId


class ClientKeys:
    """What this worker knows of them."""

    __slots__ = ("_fetcher", "_remotes", "_seen")

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._remotes: dict[tuple[ClientId, str], Remote] = {}
        self._seen: dict[ClientId, Mapping[str, PublicKey]] = {}

    async def current(self, unit: Unit, client: Client, kid: str, origin: Origin) -> Client:
        """The client, with the keys that it has today. Raises `Unavailable` when there are none to be had.

        `kid`: of the key that is needed. A change is committed before this returns; the unit is free after it.
        """
        if client.jwks_uri is None:
            return client
        await unit.finish()  # the connection is given back: others work while we wait for an answer
        remote = self._remote(client, client.jwks_uri, unit)
        keys = await remote.find(kid, unit.now.timestamp())
        if keys is self._seen.get(client.id, client.keys.keys):
            return replace(client, keys=jose.KeyRing(keys))
        self._seen[client.id] = keys
        ring = jose.KeyRing(keys)
        if ring.as_jwks() == client.keys.as_jwks():
            return client
        actor = Principal(client.id, client.organisation, client.scopes, origin, "")
        await registry.replace_keys(unit, actor, client, ring)
        await unit.finish()
        return await registry.read(unit, client.id) or client

    def _remote(self, client: Client, address: str, unit: Unit) -> Remote:
        remote = self._remotes.get((client.id, address))
        if remote is None:

            async def fetched() -> Mapping[str, PublicKey]:
                found = taken(await self._fetcher.json(address))
                if not found or len(found) > KEYS_MOST:
                    raise NotFetched("a client publishes one to four keys, each with its id")
                return found

            remote = self._remotes[client.id, address] = Remote("client-keys", fetched)
            if client.keys.keys:
                remote.know(client.keys.keys, unit.now.timestamp())
        return remote
