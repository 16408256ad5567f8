"""What people do at the door: begin to sign in, arrive, be known, leave, and enter by a link.

Whoever proved nothing is counted, not written down (`api.oauth.unproven`); from the moment that a provider said who it
is, or a link was used, each end is an entry: signed in, refused for want of a role, signed out.

Nothing is taken twice: a sign-in is marked as used before its code is redeemed, a link is deleted as it is used, and a
session has a ticket of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from api.crypto.mac import Mac
from api.errors import Replayed, Unavailable
from api.oauth import replay
from api.oauth.limits import Quota
from api.oauth.people import links, pending, providers, sessions
from api.oauth.people.model import Why
from api.oauth.people.relying import Unproven
from api.oauth.people.ticket import Ticket, packed
from api.oauth.replay import Kind
from api.vocabulary import ClientId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from api.crypto.keyfile import KeyFile
    from api.oauth.limits import Limits
    from api.oauth.people.model import Provider, SignedIn
    from api.oauth.people.pending import Pending
    from api.oauth.people.relying import Relying
    from api.principal import Origin
    from api.storage.unit import Unit

SIGN_IN: Final = "people.sign-in"
SIGN_OUT: Final = "people.sign-out"
USE_LINK: Final = "people.use-link"
"""The actions, in the audit log."""

SIGN_INS: Final = Quota("sign-ins", 120, 60)
"""How many requests may be pushed to one provider in a minute: each is a call to it. Others go by the browser."""

NAME_MOST: Final = 100

_PERSON: Final = 16
_LABEL: Final = b"ketenbrug/people/1"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Off to the provider: where to, and what the browser keeps meanwhile."""

    url: str = field(repr=False)
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Signed in; the session is committed."""

    ticket: Ticket
    language: str = ""


@dataclass(frozen=True, slots=True)
class Turned:
    """Nobody was signed in. `provider`: whose, once that is known."""

    why: Why
    provider: Provider | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """Signed out here. `ends`: where one signs out at the provider too; empty where it does not offer that."""

    provider: Provider | None = None
    ends: str = ""


Arrival: TypeAlias = Arrived | Turned


def of(relying: Relying, limits: Limits, keys: KeyFile, *, in_sandbox: bool) -> Door:
    """The door of a service. Its two keys are derived, each under a label, from keys of that kind of use."""
    cookies, names = (Mac(Mac(key).tag(_LABEL)) for key in (keys.nonce, keys.pseudonym))
    return Door(relying, limits, cookies, names, in_sandbox=in_sandbox)


class Door:
    """The door. `cookies` authenticates what browsers keep of a sign-in; `names` makes the pseudonyms of the log.

    `in_sandbox`: links of any organisation are taken.
    """

    __slots__ = ("_cookies", "_in_sandbox", "_limits", "_names", "relying")

    def __init__(self, relying: Relying, limits: Limits, cookies: Mac, names: Mac, *, in_sandbox: bool) -> None:
        self.relying: Final = relying
        self._limits = limits
        self._cookies = cookies
        self._names = names
        self._in_sandbox = in_sandbox

    async def begin(self, unit: Unit, provider_id: UUID, language: str, old: str) -> Leaving | Turned | None:
        """Begin to sign in there. None when there is no such provider.

        `old`: what this browser keeps of a session. If anything, somebody was signed in: they prove themselves anew.
        """
        provider = await providers.find(unit, provider_id)
        await unit.finish()
        if provider is None:
            return None
        begun = pending.begin(self._cookies, provider.id, language, unit.now, anew=bool(old))
        try:
            metadata = await self.relying.metadata(provider, unit.now)
            # whoever uses the quota up without proving anything keeps nobody out: the request then goes by the browser
            if metadata.pushes and await self._may_push(provider, unit.now):
                url = await self.relying.pushed(provider, begun, unit.now)
            elif metadata.pushed_only:
                return Turned(Why.CROWDED, provider, language)
            else:
                url = await self.relying.address(provider, begun, unit.now)
        except (Unavailable, Unproven):
            return Turned(Why.AWAY, provider, language)
        return Leaving(url, begun.cookie)

    async def _may_push(self, provider: Provider, now: datetime) -> bool:
        return (await self._limits.take(SIGN_INS, ClientId(str(provider.id)), now)).admitted

    async def arrive(
        self, unit: Unit, provider_id: UUID, answer: Sequence[tuple[str, str]], cookie: str, old: str, origin: Origin
    ) -> Arrival:
        """Take the answer of a provider. `cookie`: of the sign-in; `old`: of the session that this browser had."""
        # (1) each parameter once (RFC 6749 section 3.1)
        said = _single(answer)
        if said is None:
            return Turned(Why.UNREADABLE)
        # (2) begun by this browser, at this provider (RFC 6749 section 10.12)
        begun = pending.read(self._cookies, cookie)
        if begun is None or begun.provider_id != provider_id or not begun.is_answered_by(said["state"]):
            return Turned(Why.ELSEWHERE)
        provider = await providers.find(unit, provider_id)
        await unit.finish()
        if provider is None:
            return Turned(Why.ELSEWHERE, None, begun.language)
        why = await self._answered(unit, provider, begun, said)
        if why is not None:
            return Turned(why, provider, begun.language)
        # (6) who it is
        try:
            claims = await self.relying.redeem(provider, begun, said["code"], unit.now)
        except Unproven:
            return Turned(Why.UNPROVEN, provider, begun.language)
        except Unavailable:
            return Turned(Why.AWAY, provider, begun.language)
        return await self._settle(unit, provider, begun, claims, old, origin)

    async def _answered(self, unit: Unit, provider: Provider, begun: Pending, said: Mapping[str, str]) -> Why | None:
        """What is wrong with an answer for this sign-in, which is used up by it."""
        # (3) within the time that it has
        if unit.now >= begun.expires_at():
            return Why.LATE
        # (4) used once; what is known to be used costs no write, and the mark decides
        if await replay.was_seen(unit, Kind.SIGN_IN, str(provider.id), begun.state):
            await unit.finish()
            return Why.USED
        replay.once(unit, Kind.SIGN_IN, str(provider.id), begun.state, begun.expires_at())
        try:
            await unit.finish()
        except Replayed:
            return Why.USED
        # (5) from the provider that was asked (RFC 9207), with a code
        try:
            metadata = await self.relying.metadata(provider, unit.now)
        except Unavailable:
            return Why.AWAY
        if said.get("iss", provider.issuer) != provider.issuer or (metadata.names_itself and "iss" not in said):
            return Why.OTHER_ISSUER
        return None if "code" in said and "error" not in said else Why.DECLINED

    async def _settle(
        self, unit: Unit, provider: Provider, begun: Pending, claims: Mapping[str, Any], old: str, origin: Origin
    ) -> Arrival:
        # (7) with a role here, by what is registered now: it cannot change before the session is there to be ended
        now = await providers.hold(unit, provider.id)
        if now is None:
            await unit.finish()
            return Turned(Why.ELSEWHERE, None, begun.language)
        provider = now
        who = sessions.made(
            provider.organisation,
            provider.roles_in(claims),
            self._pseudonym(provider, str(claims["sub"])),
            _name(claims),
            unit.now,
            sessions.LASTS,
            provider_id=provider.id,
        )
        if not who.roles:
            sessions.record(unit, SIGN_IN, origin, who, refused=str(Why.NO_ROLE))
            await unit.finish()
            return Turned(Why.NO_ROLE, provider, begun.language)
        # (8) a new ticket, the old one ended, and written down
        return Arrived(await _begun(unit, SIGN_IN, who, old, origin), begun.language)

    async def present(self, unit: Unit, cookie: str) -> tuple[SignedIn, Ticket] | None:
        """Who is signed in in this browser, if anybody is."""
        ticket = Ticket.read(cookie)
        found = None if ticket is None else await sessions.find(unit, ticket)
        return None if ticket is None or found is None else (found, ticket)

    async def leave(self, unit: Unit, cookie: str, form_token: str, origin: Origin) -> Left | Turned:
        """Sign out. It never depends on the provider: where one signs out there too, is told if it can be had."""
        ticket = Ticket.read(cookie)
        if ticket is None:
            return Left()
        if not ticket.has_sent(form_token):
            return Turned(Why.FOREIGN)
        who = await sessions.take(unit, ticket)
        if who is None:
            return Left()
        sessions.record(unit, SIGN_OUT, origin, who)
        provider = None if who.provider_id is None else await providers.find(unit, who.provider_id)
        await unit.finish()
        return Left(provider, await self._ends(provider, unit.now))

    async def enter(self, unit: Unit, secret: str, old: str, origin: Origin) -> Arrival:
        """Enter by a link, which is used up."""
        ticket = Ticket.read(secret)
        who = None if ticket is None else await links.take(unit, ticket, in_sandbox=self._in_sandbox)
        if who is None:
            await unit.finish()
            return Turned(Why.LINK)
        return Arrived(await _begun(unit, USE_LINK, who, old, origin))

    async def _ends(self, provider: Provider | None, now: datetime) -> str:
        if provider is None:
            return ""
        try:
            return (await self.relying.metadata(provider, now)).ends
        except Unavailable:
            return ""

    def _pseudonym(self, provider: Provider, subject: str) -> str:
        """By which the log knows a person: nobody makes it without our key, nor the subject from it."""
        parts = (provider.organisation.id.bytes, provider.issuer.encode(), subject.encode())
        return packed(self._names.tag(*parts)[:_PERSON])


async def _begun(unit: Unit, action: str, who: SignedIn, old: str, origin: Origin) -> Ticket:
    """Begin the session of somebody, in place of the one that this browser had (ASVS 5.0 7.2.4)."""
    before = Ticket.read(old)
    gone = None if before is None else await sessions.take(unit, before)
    if gone is not None:
        sessions.record(unit, SIGN_OUT, origin, gone)
    ticket = await sessions.begin(unit, who)
    sessions.record(unit, action, origin, who)
    await unit.finish()
    return ticket


def _single(answer: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """The parameters, each once, with a state and either a code or an error; else None."""
    said = dict(answer)
    if len(said) != len(answer) or "state" not in said or ("code" in said) == ("error" in said):
        return None
    return said


def _name(claims: Mapping[str, object]) -> str:
    """What the person is called, as their provider says; what cannot be shown is left out."""
    for each in ("name", "preferred_username"):
        said = claims.get(each)
        if isinstance(said, str) and said.strip():
            return "".join(letter for letter in said if letter.isprintable())[:NAME_MOST]
    return ""
