"""People sign in at their own organisation: over HTTP, a real database, and a provider that checks us in turn."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import typer
from typer.testing import CliRunner

from api import settings
from api.cli import people as command
from api.cli import register as registering
from api.oauth import operator, registry, replay
from api.oauth.model import NewOrganisation
from api.oauth.people import links, providers, sessions
from api.oauth.people.door import SIGN_IN, SIGN_INS, SIGN_OUT, USE_LINK
from api.oauth.people.model import NewProvider, Why
from api.oauth.replay import Kind
from api.routes import people as routes
from api.storage.statement import Bound
from api.vocabulary import ClientId, OrganisationId, Party, Role
from tests import oauth_kit as kit
from tests import people_kit
from tests.oauth_world import Disturbed, World, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests import servers

CONTACT: Final = "ICT & <helpdesk>, tel. 010"
PAR: Final = "pushed_authorization_request_endpoint"
PAGE: Final = {"accept": "text/html", "sec-fetch-site": "same-origin", "accept-language": "en"}
CALM: Final[dict[str, Any]] = {"away": frozenset(), "metadata": {}, "answers": {}, "says": {}, "header": {}}
APP = typer.Typer()
APP.add_typer(command.app, name="people")
APP.add_typer(registering.app, name="register")


class Town:
    """The service, an NGO, the provider of the NGO, and browsers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.there = people_kit.Elsewhere(lambda: world.issuer.jwks(world.clock()), lambda: world.at)
        world.fetcher = self.there.fetcher()
        world.use(world.database)
        self.ngo = OrganisationId(uuid4())
        self.provider = UUID(int=0)

    async def furnish(self, **roles: Role) -> None:
        """Register the NGO, and its provider."""
        unit = self.world.database.unit(self.world.clock())
        if await registry.find_organisation(unit, self.ngo) is None:
            new = NewOrganisation(self.ngo, Party.NGO, "Stichting <Voorbeeld>")
            await registry.register_organisation(unit, operator.local(), new)
        await unit.finish()
        self.provider = await self.register(roles or {"lvv-team": Role.CASE_WORKER, "fg": Role.PRIVACY_OFFICER})

    async def register(self, roles: dict[str, Role]) -> UUID:
        """Register the provider of the NGO."""
        unit = self.world.database.unit(self.world.clock())
        new = NewProvider(uuid4(), self.ngo, people_kit.ISSUER, people_kit.CLIENT_ID, "roles", roles, CONTACT)
        made = await providers.register(unit, operator.local(), new)
        await unit.finish()
        return made

    def browser(self) -> httpx.AsyncClient:
        """A browser of its own."""
        transport = httpx.ASGITransport(app=self.world.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=kit.ISSUER, headers=PAGE)

    async def begun(self, browser: httpx.AsyncClient) -> str:
        """The address to which the browser is sent."""
        answer = await browser.get(f"/console/sign-in/{self.provider}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def behaves(self, **how: Any) -> None:
        """The provider behaves so from now on, and otherwise as at first; no worker asked it before."""
        for name, value in {
            "away": frozenset(),
            "metadata": {},
            "answers": {},
            "says": {},
            "header": {},
            **how,
        }.items():
            setattr(self.there, name, value)
        self.world.use(self.world.database)

    async def signed_in(self, browser: httpx.AsyncClient) -> httpx.Response:
        """The page after somebody signed in."""
        answer = await browser.get(self.there.signs_in(await self.begun(browser)))
        assert answer.status_code == 303, answer.text
        return await browser.get(answer.headers["location"])

    async def is_in(self, browser: httpx.AsyncClient) -> bool:
        """Whether somebody is signed in."""
        return "You are signed in" in (await browser.get("/console")).text

    async def rows(self, table: str) -> list[Any]:
        """What is kept."""
        unit = self.world.database.unit(self.world.clock())
        found = await unit.all(Bound(f"TABLE oauth.{table}", ()))
        await unit.finish()
        return found

    async def marks(self) -> int:
        """Where the newest mark stands in its page: also those that were written in vain took a place before it."""
        unit = self.world.database.unit(self.world.clock())
        rows = await unit.all(Bound("SELECT max((ctid::text::point)[1])::int AS place FROM oauth.seen", ()))
        await unit.finish()
        return int(rows[0]["place"])

    def counted(self, why: Why) -> int:
        """How often that was counted, of callers who proved nothing."""
        return sum(count for (_, _, reason), count in self.world.unproven._counts.items() if reason == why)


@pytest.fixture
async def town(database: servers.Database) -> AsyncIterator[Town]:
    async with opened(database.app_url) as world:
        made = Town(world)
        await made.furnish()
        yield made


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with town.browser() as made:
        yield made


def token_in(page: httpx.Response, name: str = "token") -> str:
    """A hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


async def refused(town: Town, browser: httpx.AsyncClient, path: str, why: Why, status: int) -> httpx.Response:
    """Hold that this leads nowhere: a page that says why, no session, nothing but a count."""
    before, entries = town.counted(why), len(await town.world.leaves())
    answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    assert 'role="alert"' in answer.text
    assert routes.SESSION not in browser.cookies
    assert await town.rows("session") == []
    assert town.counted(why) == before + 1
    assert len(await town.world.leaves()) == entries
    return answer


@pytest.mark.parametrize("pushes", [True, False])
async def test_a_person_signs_in_is_known_and_signs_out(town: Town, browser: httpx.AsyncClient, pushes: bool) -> None:
    """With a pushed request (RFC 9126) where the provider takes them, else with the same in the address."""
    town.there.pushes = pushes
    start = await browser.get("/console?lang=nl")
    assert "wachtwoorden" in start.text
    assert f'href="/console/sign-in/{town.provider}?lang=nl">Stichting &lt;Voorbeeld&gt;</a>' in start.text

    page = await town.signed_in(browser)
    for told in ("Noor &lt;Voorbeeld&gt;", "Stichting &lt;Voorbeeld&gt;", "case worker", '<html lang="en">'):
        assert told in page.text
    assert "staff" not in page.text
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    assert (page.headers["cache-control"], page.headers["content-language"]) == ("no-store", "en")
    assert "<script" not in page.text
    dutch = await browser.get("/console?lang=nl")
    assert '<html lang="nl">' in dutch.text
    assert "behandelaar" in dutch.text

    out = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "You are signed out" in out.text
    assert "U bent afgemeld" in (await browser.post("/console/sign-out?lang=nl", data={})).text
    there = f"{people_kit.ISSUER}/end?client_id={people_kit.CLIENT_ID}&amp;post_logout_redirect_uri=https%3A%2F%2F"
    assert f'href="{there}ketenbrug.test%2Fconsole%2Fsigned-out"' in out.text
    assert out.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert not await town.is_in(browser)
    assert "You are signed out" in (await browser.get("/console/signed-out")).text
    (entry, gone) = [*(await town.world.entries(SIGN_IN)), *(await town.world.entries(SIGN_OUT))]
    assert (entry["result"], gone["result"]) == ("permitted", "permitted")
    assert entry["actor"] == gone["actor"]
    assert entry["object"] == gone["object"]
    assert entry["actor"]["client"] == "console"
    assert entry["actor"]["organisation"] == str(town.ngo)


async def test_what_is_kept_says_nothing_of_the_person(town: Town, browser: httpx.AsyncClient) -> None:
    """Neither the log nor the database: a pseudonym, the same at each sign-in, and what only the cookie opens."""
    await town.signed_in(browser)
    async with town.browser() as other:
        await town.signed_in(other)
    one, two = await town.rows("session")
    assert one["person"] == two["person"]
    assert {each["actor"]["person"] for each in await town.world.entries(SIGN_IN)} == {one["person"]}
    kept = repr([*(tuple(row.values()) for row in (one, two)), await town.world.leaves()])
    for secret in ("Noor", "8f14e45f", browser.cookies[routes.SESSION]):
        assert secret not in kept
    assert one["digest"] != two["digest"]


async def test_cookies_are_for_this_host_alone_and_out_of_reach_of_scripts(
    town: Town, browser: httpx.AsyncClient
) -> None:
    begun = await browser.get(f"/console/sign-in/{town.provider}")
    arrived = await browser.get(town.there.signs_in(begun.headers["location"]))
    set_there = [*begun.headers.get_list("set-cookie"), *arrived.headers.get_list("set-cookie")]
    assert len(set_there) == 3
    for each in set_there:
        assert each.startswith("__Host-ketenbrug-")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(each.split("; "))
        assert "Domain" not in each
    assert "Max-Age=0" in set_there[2]
    assert arrived.headers["referrer-policy"] == "no-referrer"


async def test_an_answer_that_is_not_for_this_sign_in_leads_nowhere(town: Town, browser: httpx.AsyncClient) -> None:
    cases: tuple[tuple[dict[str, Any], Why, int], ...] = (
        ({"state": kit.GONE}, Why.UNREADABLE, 400),
        ({"code": kit.GONE}, Why.UNREADABLE, 400),
        ({"error": "access_denied"}, Why.UNREADABLE, 400),
        ({"error": "access_denied<script>", "code": kit.GONE}, Why.DECLINED, 403),
        ({"state": "A" * 43}, Why.ELSEWHERE, 400),
        ({"state": "\N{SNOWMAN}"}, Why.ELSEWHERE, 400),
        ({"iss": "https://mix-up.example"}, Why.OTHER_ISSUER, 400),
        ({"iss": kit.GONE}, Why.OTHER_ISSUER, 400),
        ({"code": "one that was never given"}, Why.UNPROVEN, 403),
    )
    for changes, why, status in cases:
        page = await refused(town, browser, town.there.signs_in(await town.begun(browser), **changes), why, status)
        assert "<script" not in page.text
    twice = town.there.signs_in(await town.begun(browser)) + "&code=another"
    await refused(town, browser, twice, Why.UNREADABLE, 400)


async def test_an_answer_is_taken_once_in_time_and_from_the_browser_that_began(
    town: Town, browser: httpx.AsyncClient
) -> None:
    """State and code of somebody else are worth nothing; nor is one's own, a second time or too late."""
    path = town.there.signs_in(await town.begun(browser))
    async with town.browser() as other:
        await refused(town, other, path, Why.ELSEWHERE, 400)
        await town.begun(other)
        await refused(town, other, path, Why.ELSEWHERE, 400)
    elsewhere = path.replace(str(town.provider), str(uuid4()))
    await refused(town, browser, elsewhere, Why.ELSEWHERE, 400)
    await refused(town, browser, path + "&code=another", Why.UNREADABLE, 400)
    kept = browser.cookies[routes.SIGN_IN]  # and the sign-in goes on
    answers = await asyncio.gather(*(browser.get(path) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [303, 400, 400], "exactly one, also when they come at once"
    assert town.counted(Why.USED) == 2
    marked = await town.marks()
    async with town.browser() as again:
        again.cookies.set(routes.SIGN_IN, kept, domain="ketenbrug.test", path="/")
        for _ in range(3):
            await again.get(path)
            again.cookies.set(routes.SIGN_IN, kept, domain="ketenbrug.test", path="/")
        assert town.counted(Why.USED) == 5
        await again.get(town.there.signs_in(await town.begun(again)))
    assert await town.marks() == marked + 1, "what is known to be used is not written again"
    async with town.browser() as slow:
        path = town.there.signs_in(await town.begun(slow))
        town.world.clock.forward(600)
        answer = await slow.get(path)
        assert (answer.status_code, town.counted(Why.LATE)) == (400, 1)


async def test_of_two_answers_at_once_the_mark_decides(town: Town, browser: httpx.AsyncClient) -> None:
    """Also when the other one is marked after this one was looked up."""
    path = town.there.signs_in(await town.begun(browser))
    marked: list[str] = []

    async def meanwhile() -> None:
        if not marked:
            marked.append(path)
            unit, state = town.world.database.unit(town.world.clock()), httpx.URL(path).params["state"]
            replay.once(unit, Kind.SIGN_IN, str(town.provider), state, unit.now)
            await unit.finish()

    town.world.use(Disturbed(town.world.database, "WITH carried_", meanwhile))
    await refused(town, browser, path, Why.USED, 400)
    assert marked


async def test_a_provider_that_does_not_name_itself_has_an_address_of_its_own(
    town: Town, browser: httpx.AsyncClient
) -> None:
    """RFC 9207 where it is offered; else RFC 9700 section 4.4.2.2: an answer at another address is none."""
    town.there.names_itself = False
    assert (await browser.get(town.there.signs_in(await town.begun(browser), iss=kit.GONE))).status_code == 303


async def test_a_provider_that_proves_nobody_or_fails_signs_nobody_in(town: Town, browser: httpx.AsyncClient) -> None:
    cases: tuple[tuple[dict[str, Any], Why], ...] = (
        ({"says": {"nonce": "of another sign-in"}}, Why.UNPROVEN),
        ({"says": {"aud": "another"}}, Why.UNPROVEN),
        ({"says": {"auth_time": kit.NOW - 28_811}}, Why.UNPROVEN),
        ({"says": {"exp": 0}}, Why.UNPROVEN),
        ({"header": {"typ": "at+jwt"}}, Why.UNPROVEN),
        ({"header": {"kid": "unknown"}}, Why.UNPROVEN),
        ({"header": {"alg": "none"}}, Why.UNPROVEN),
        ({"answers": {"token": httpx.Response(200, content=b"no json")}}, Why.UNPROVEN),
        ({"answers": {"token": httpx.Response(200, json=[])}}, Why.UNPROVEN),
        ({"answers": {"token": httpx.Response(200, json={"id_token": 1})}}, Why.UNPROVEN),
        ({"answers": {"token": httpx.Response(500)}}, Why.AWAY),
        ({"away": {"token"}}, Why.AWAY),
    )
    for how, why in cases:
        town.behaves(**how)
        back = town.there.signs_in(await town.begun(browser))
        await refused(town, browser, back, why, 503 if why is Why.AWAY else 403)
    town.behaves()
    back = town.there.signs_in(await town.begun(browser))
    town.behaves(away={".well-known/openid-configuration"})
    await refused(town, browser, back, Why.AWAY, 503)


async def test_where_a_provider_cannot_be_asked_nobody_is_sent(town: Town, browser: httpx.AsyncClient) -> None:
    """Also where its metadata lead to another origin: what proves us is sent to the issuer alone."""
    for how in (
        {"away": {".well-known/openid-configuration"}},
        {"away": {"keys"}},
        {"away": {"par"}},
        {"metadata": {"token_endpoint": "https://elsewhere.example/token"}},
        {"metadata": {"authorization_endpoint": "https://elsewhere.example/authorize"}},
        {"metadata": {"issuer": "https://idp.example"}},
        {
            "metadata": {
                "require_pushed_authorization_requests": True,
                PAR: kit.GONE,
            }
        },
        {"metadata": {"jwks_uri": 7}},
        {"metadata": {"jwks_uri": "nonsense"}},
        {"answers": {"par": httpx.Response(400, json={"error": "invalid_client"})}},
        {"answers": {"par": httpx.Response(201, json={"expires_in": 60})}},
    ):
        town.behaves(**how)
        page = await refused(town, browser, f"/console/sign-in/{town.provider}?lang=nl", Why.AWAY, 503)
        assert "Vraag het aan: ICT &amp; &lt;helpdesk&gt;, tel. 010" in page.text


async def test_who_has_no_role_is_told_whom_to_ask_and_that_is_an_entry(town: Town, browser: httpx.AsyncClient) -> None:
    town.there.says = {"roles": ["staff"]}
    answer = await browser.get(town.there.signs_in(await town.begun(browser)))
    assert answer.status_code == 403
    assert "Ask: ICT &amp; &lt;helpdesk&gt;, tel. 010" in answer.text
    assert await town.rows("session") == []
    (entry,) = await town.world.entries(SIGN_IN)
    assert (entry["result"], entry["reason"]) == ("refused", "role-unknown")
    assert len(entry["actor"]["person"]) == 22
    assert town.counted(Why.NO_ROLE) == 0, "it is an entry, and no mere count"


async def test_a_name_that_the_provider_does_not_tell_is_not_needed(town: Town, browser: httpx.AsyncClient) -> None:
    town.there.says = {"name": kit.GONE}
    assert "not told" in (await town.signed_in(browser)).text
    town.there.says = {"name": " ", "preferred_username": "noor\u202e\n" + "x" * 200}
    page = await town.signed_in(browser)
    assert f"<dd>noor{'x' * 96}</dd>" in page.text


async def test_signing_in_again_ends_the_session_that_was(town: Town, browser: httpx.AsyncClient) -> None:
    await town.signed_in(browser)
    before = browser.cookies[routes.SESSION]
    await town.signed_in(browser)
    assert browser.cookies[routes.SESSION] != before
    assert len(await town.rows("session")) == 1
    (one, _), (gone,) = await town.world.entries(SIGN_IN), await town.world.entries(SIGN_OUT)
    assert gone["object"] == one["object"], "the session that ended has its entry"
    async with town.browser() as thief:
        thief.cookies.set(routes.SESSION, before, domain="ketenbrug.test", path="/")
        assert not await town.is_in(thief)


async def test_where_somebody_was_signed_in_the_next_one_proves_who_they_are(
    town: Town, browser: httpx.AsyncClient
) -> None:
    """After signing out, and after a session that was left to end: also where their provider still knows them."""
    page = await town.signed_in(browser)
    assert not town.there.asks_anew
    await browser.post("/console/sign-out", data={"token": token_in(page)})
    town.there.says = {"auth_time": kit.NOW - 11}
    left = await browser.get(town.there.signs_in(await town.begun(browser)))
    assert (left.status_code, town.there.asks_anew) == (403, True)
    town.there.says = {}
    await town.signed_in(browser)
    town.world.clock.forward(sessions.IDLE.total_seconds())
    town.there.signs_in(await town.begun(browser))
    assert town.there.asks_anew


async def test_a_token_is_of_the_moment_in_which_it_came(town: Town, browser: httpx.AsyncClient) -> None:
    """A provider may take its time: what counts is the clock after its answer."""

    async def slowly() -> None:
        town.world.clock.forward(30)

    town.there.before_token = slowly
    assert (await browser.get(town.there.signs_in(await town.begun(browser)))).status_code == 303


async def test_another_site_can_begin_nothing(town: Town, browser: httpx.AsyncClient) -> None:
    """What leads here from there shows where to sign in, and no more; an address that was typed begins."""
    for site in ("cross-site", "same-site"):
        page = await browser.get(f"/console/sign-in/{town.provider}", headers={"sec-fetch-site": site})
        assert (page.status_code, "You sign in at your own organisation" in page.text) == (200, True)
        assert routes.SIGN_IN not in browser.cookies
    assert town.there.asked == []
    typed_in = await browser.get(f"/console/sign-in/{town.provider}", headers={"sec-fetch-site": "none"})
    assert typed_in.status_code == 303


async def test_a_cookie_is_ours_by_its_exact_name_and_alone(town: Town, browser: httpx.AsyncClient) -> None:
    """`__Host-` binds a name to this host where browsers see it; what is stripped from a name here would undo that."""
    await town.signed_in(browser)
    name, mine = routes.SESSION, browser.cookies[routes.SESSION]
    async with town.browser() as other:
        for sent, is_in in (
            (f"a=b;\t{name}={mine}", True),
            (f"{name}={mine}; \x85{name}=x; \xa0{name}=x", True),
            (f"\xa0{name}={mine}", False),
            (f"\x85{name}={mine}", False),
            (f"{name}={mine}; {name}={mine}", False),
            (name, False),
        ):
            page = await other.get("/console", headers=[(b"cookie", sent.encode("latin-1"))])
            assert ("You are signed in" in page.text) is is_in, sent


async def test_roles_that_were_replaced_while_somebody_came_back_are_given_to_nobody(
    town: Town, browser: httpx.AsyncClient
) -> None:
    """Between the answer and the session is the network: what counts is what is registered when the session begins."""
    back = town.there.signs_in(await town.begun(browser))

    async def meanwhile() -> None:
        await town.register({"lvv-team": Role.COORDINATOR})

    town.there.before_token = meanwhile
    assert (await browser.get(back)).status_code == 303
    (row,) = await town.rows("session")
    assert row["roles"] == ["coordinator"]

    async def disabled() -> None:
        unit = town.world.database.unit(town.world.clock())
        await providers.disable(unit, operator.local(), town.provider)
        await unit.finish()

    async with town.browser() as other:
        back = town.there.signs_in(await town.begun(other))
        town.there.before_token = disabled
        assert (await other.get(back)).status_code == 400
        assert len(await town.rows("session")) == 0, "who had one is out too"


async def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_day(
    town: Town, browser: httpx.AsyncClient
) -> None:
    await town.signed_in(browser)
    for _ in range(33):
        town.world.clock.forward(sessions.IDLE.total_seconds() - 30)
        assert await town.is_in(browser)
    town.world.clock.forward((sessions.LASTS - 33 * (sessions.IDLE - timedelta(seconds=30))).total_seconds())
    assert not await town.is_in(browser)
    await town.signed_in(browser)
    town.world.clock.forward(sessions.IDLE.total_seconds())
    assert not await town.is_in(browser)
    assert len(await town.rows("session")) == 1
    unit = town.world.database.unit(town.world.clock())
    await sessions.sweep(unit)
    await unit.finish()
    assert await town.rows("session") == []


async def test_a_session_that_is_revoked_is_over_from_the_next_request(
    town: Town, browser: httpx.AsyncClient, database: servers.Database
) -> None:
    env = {"KETENBRUG_DATABASE_URL": database.app_url}
    await town.signed_in(browser)
    await typed("people", "disable-provider", str(town.provider), **env)
    assert not await town.is_in(browser)
    assert len(await town.world.entries(providers.DISABLE)) == 1
    assert await town.register({"lvv-team": Role.COORDINATOR}) == town.provider, "the address back stays"
    await town.signed_in(browser)
    await town.register({"lvv-team": Role.CASE_WORKER})
    assert not await town.is_in(browser), "roles are those of now"
    assert len(await town.world.entries(providers.REGISTER)) == 3
    await town.signed_in(browser)
    assert await typed("people", "end-sessions", "--organisation", str(uuid4()), **env) == "0\n"
    assert await town.is_in(browser)
    assert await typed("people", "end-sessions", "--organisation", str(town.ngo), **env) == "1\n"
    assert not await town.is_in(browser)
    await town.signed_in(browser)
    assert await typed("people", "end-sessions", **env) == "1\n"
    assert not await town.is_in(browser)
    assert len(await town.world.entries(sessions.END)) == 3


async def test_a_row_that_somebody_changed_signs_nobody_in(
    town: Town, browser: httpx.AsyncClient, database: servers.Database
) -> None:
    page = await town.signed_in(browser)
    owner: Any = await asyncpg.connect(database.owner_url)
    await owner.execute("UPDATE oauth.session SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)")
    await owner.close()
    assert not await town.is_in(browser)
    out = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "You are signed out" in out.text
    assert await town.rows("session") == []


async def test_a_form_of_another_site_signs_nobody_out(town: Town, browser: httpx.AsyncClient) -> None:
    """Neither without our token, nor from elsewhere with it. `null` is what a page without referrer is called."""
    page = await town.signed_in(browser)
    token = token_in(page)
    wrong: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({}, {"token": "A" * 43}),
        ({}, {}),
        ({"sec-fetch-site": "cross-site"}, {"token": token}),
        ({"sec-fetch-site": "same-site"}, {"token": token}),
        ({"sec-fetch-site": "none"}, {"token": token}),
    )
    for headers, form in wrong:
        answer = await browser.post("/console/sign-out", data=form, headers=headers)
        assert answer.status_code == 403, (headers, form)
    for body in ("token=a&token=b", "token=\N{SNOWMAN}", "&".join(f"f{n}=1" for n in range(30)) + "&token=%ff"):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.post("/console/sign-out", content=body.encode(), headers=headers)
        assert answer.status_code == 403, body
    answer = await browser.post("/console/sign-out", json={"token": token})
    assert answer.status_code == 415
    answer = await browser.post("/console/sign-out", data={"token": token, "filling": "x" * 5_000})
    assert answer.status_code == 413, "no more is read than a form has"
    del browser.headers["sec-fetch-site"]
    for origin in ({}, {"origin": "null"}, {"origin": "https://elsewhere.example"}):
        answer = await browser.post("/console/sign-out", data={"token": token}, headers=origin)
        assert answer.status_code == 403
    assert await town.is_in(browser)
    assert await town.world.entries(SIGN_OUT) == []
    answer = await browser.post("/console/sign-out", data={"token": token}, headers={"origin": kit.ISSUER})
    assert answer.status_code == 200
    assert not await town.is_in(browser)


async def test_signing_out_does_not_depend_on_the_provider(town: Town, browser: httpx.AsyncClient) -> None:
    page = await town.signed_in(browser)
    town.there.away = frozenset({".well-known/openid-configuration", "keys"})
    town.world.use(town.world.database)  # a worker that never asked the provider
    out = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "You are signed out" in out.text
    assert "idp.example" not in out.text
    again = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "You are signed out" in again.text
    town.there.away = frozenset()
    town.world.clock.forward(30)
    page = await town.signed_in(browser)
    unit = town.world.database.unit(town.world.clock())
    await sessions.end(unit, operator.local(), None)
    await unit.finish()
    gone = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "You are signed out" in gone.text, "somebody else ended it"
    assert len(await town.world.entries(SIGN_OUT)) == 1


async def test_where_nobody_can_sign_in_the_page_says_so(town: Town, browser: httpx.AsyncClient) -> None:
    unit = town.world.database.unit(town.world.clock())
    await providers.disable(unit, operator.local(), town.provider)
    await unit.finish()
    page = await browser.get("/console?lang=nl")
    assert (page.status_code, "Aanmelden kan hier nog niet" in page.text) == (200, True)
    for provider in (town.provider, uuid4()):
        answer = await browser.get(f"/console/sign-in/{provider}", headers={"accept": "*/*"})
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "not-found")


async def test_a_provider_that_is_disabled_meanwhile_signs_nobody_in(town: Town, browser: httpx.AsyncClient) -> None:
    path = town.there.signs_in(await town.begun(browser))
    unit = town.world.database.unit(town.world.clock())
    await providers.disable(unit, operator.local(), town.provider)
    await unit.finish()
    await refused(town, browser, path, Why.ELSEWHERE, 400)


async def test_so_many_sign_ins_are_begun_and_no_more(town: Town, browser: httpx.AsyncClient) -> None:
    """Of those that are pushed; whoever uses them up keeps nobody out, unless the provider takes no others."""
    limits = town.world.inner.state.ketenbrug.limits
    while (await limits.take(SIGN_INS, ClientId(str(town.provider)), town.world.clock())).admitted:
        pass
    town.there.asked.clear()
    location = await town.begun(browser)
    town.there.pushes = False
    assert (await browser.get(town.there.signs_in(location))).status_code == 303
    assert "par" not in town.there.asked
    await browser.post("/console/sign-out", data={"token": token_in(await browser.get("/console"))})
    browser.cookies.clear()
    town.behaves(pushes=True, metadata={"require_pushed_authorization_requests": True})
    await refused(town, browser, f"/console/sign-in/{town.provider}", Why.CROWDED, 429)


async def typed(*words: str, **env: str) -> str:
    """What a command prints."""
    result = await asyncio.to_thread(CliRunner().invoke, APP, words, env=env)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


async def said(*words: str, **env: str) -> str:
    """Why a command is refused."""
    result = await asyncio.to_thread(CliRunner().invoke, APP, words, env=env)
    assert result.exit_code == 1
    return str(result.exception)


@pytest.fixture
def sandbox(database: servers.Database) -> dict[str, str]:
    return {
        "KETENBRUG_DATABASE_URL": database.app_url,
        "KETENBRUG_SANDBOX": "true",
        "KETENBRUG_PUBLIC_URL": f"{kit.ISSUER}/",
    }


async def test_a_link_signs_in_once(town: Town, browser: httpx.AsyncClient, sandbox: dict[str, str]) -> None:
    """No address has its secret; whoever is sent it by another site cannot be made to enter by it."""
    printed = await typed("people", "link", str(town.ngo), "--role", "coordinator", **sandbox)
    address, secret = printed.split()
    page = await browser.get(address)
    assert "works once" in page.text
    assert '<input name="secret" autocomplete="off" required>' in page.text
    assert secret not in repr([await town.rows("link"), await town.world.leaves()])
    foreign = await browser.post("/console/link", data={"secret": secret}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    entered = await browser.post("/console/link", data={"secret": f" {secret}\n"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/console?lang=en")
    page = await browser.get("/console")
    assert "coordinator" in page.text
    (made,), (used,) = await town.world.entries(links.MAKE), await town.world.entries(USE_LINK)
    assert made["object"]["digest"]
    assert (used["actor"]["client"], used["actor"]["person"]) == ("console", "local-operator")
    async with town.browser() as other:
        for wrong in (secret, "A" * 43, "nonsense", ""):
            answer = await other.post("/console/link", data={"secret": wrong})
            assert (answer.status_code, "used before" in answer.text) == (403, True)
        assert town.counted(Why.LINK) == 4
    out = await browser.post("/console/sign-out", data={"token": token_in(page)})
    assert "idp.example" not in out.text, "there is no provider to sign out at"


async def test_a_link_is_for_minutes_and_its_session_for_an_hour(
    town: Town, browser: httpx.AsyncClient, sandbox: dict[str, str]
) -> None:
    made = [
        (await typed("people", "link", str(town.ngo), "--role", "coordinator", **sandbox)).split()[1] for _ in range(3)
    ]
    town.world.clock.now = settings.now()
    assert (await browser.post("/console/link", data={"secret": made[0]})).status_code == 303
    (row,) = await town.rows("session")
    assert (row["expires_at"] - row["created_at"], row["provider_id"]) == (sessions.LINK_LASTS, None)
    town.world.clock.forward(links.LASTS.total_seconds())
    assert (await browser.post("/console/link", data={"secret": made[1]})).status_code == 403
    assert len(await town.rows("link")) == 1
    unit = town.world.database.unit(town.world.clock())
    await links.sweep(unit)
    await unit.finish()
    assert await town.rows("link") == []


async def test_a_link_is_worth_nothing_once_it_is_no_sandbox_or_everybody_is_put_out(
    town: Town, browser: httpx.AsyncClient, sandbox: dict[str, str]
) -> None:
    one, two, three = [
        (await typed("people", "link", str(town.ngo), "--role", "coordinator", **sandbox)).split()[1] for _ in range(3)
    ]
    town.world.in_sandbox = False
    town.world.use(town.world.database)
    assert (await browser.post("/console/link", data={"secret": one})).status_code == 403
    town.world.in_sandbox = True
    town.world.use(town.world.database)
    assert (await browser.post("/console/link", data={"secret": one})).status_code == 303
    await typed("people", "end-sessions", "--organisation", str(town.ngo), **sandbox)
    assert (await browser.post("/console/link", data={"secret": two})).status_code == 403
    (await typed("people", "link", str(town.ngo), "--role", "coordinator", **sandbox))
    await typed("people", "end-sessions", **sandbox)
    assert await town.rows("link") == []
    assert (await browser.post("/console/link", data={"secret": three})).status_code == 403


async def test_a_link_gives_what_people_of_the_organisation_can_be(town: Town, sandbox: dict[str, str]) -> None:
    assert "can be case-worker" in await said("people", "link", str(town.ngo), "--role", "auditor", **sandbox)
    assert "no organisation" in await said("people", "link", str(uuid4()), "--role", "auditor", **sandbox)
    assert "is not an id" in await said("people", "link", "nonsense", "--role", "auditor", **sandbox)
    assert "belong together" in await said(
        "people", "link", str(town.ngo), "--role", "coordinator", "--by", "op-1", **sandbox
    )
    outside = sandbox | {"KETENBRUG_SANDBOX": "false"}
    assert "--operator-key" in await said("people", "link", str(town.ngo), "--role", "coordinator", **outside)


async def test_what_the_administrator_of_a_provider_needs_is_printed(town: Town, sandbox: dict[str, str]) -> None:
    listed = await typed("people", "providers", **sandbox)
    assert f"redirect_uri              {kit.ISSUER}/console/callback/{town.provider}" in listed
    assert f"jwks_uri                  {kit.ISSUER}/.well-known/jwks.json" in listed
    assert "roles=lvv-team is case-worker" in listed


async def test_a_provider_is_registered_for_one_organisation_and_roles_that_it_can_give(
    town: Town, sandbox: dict[str, str]
) -> None:
    words = ("--issuer", people_kit.ISSUER, "--client-id", people_kit.CLIENT_ID, "--contact", "ICT", "--role")
    first = ("register", "provider")
    assert "cannot be auditor, operator" in await said(
        *first, str(town.ngo), *words, "a=auditor", "--role", "b=operator", **sandbox
    )
    unknown = await said(*first, str(uuid4()), *words, "a=coordinator", **sandbox)
    assert "no organisation of this id" in unknown
    assert "knows another organisation" in unknown
    await typed(*first, str(town.ngo), *words, "a=coordinator", **sandbox)
    (row,) = await town.rows("provider")
    assert row["roles"] == {"a": "coordinator"}
    assert "no provider of this id" in await said("people", "disable-provider", str(uuid4()), **sandbox)
