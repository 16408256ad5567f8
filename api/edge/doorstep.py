"""What people see at the door, in Dutch and English: who is signed in, where to sign in, why not, and signing out.

Plain HTML that needs no script, in the style of our other pages. What a person or a provider called themselves is
escaped; of what a request sent nothing else is shown. A form leads to us alone.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from api.edge import docs
from api.oauth.people.model import Why
from api.oauth.people.pending import LANGUAGES
from api.vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import HTMLResponse

    from api.oauth.people.door import Left, Turned
    from api.oauth.people.model import Provider, SignedIn

_HERE: Final = ZoneInfo("Europe/Amsterdam")
_POLICY: Final = docs.PLAIN_POLICY.replace("form-action 'none'", "form-action 'self'")

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "switch": ("English", "Nederlands"),
    "signed-in": ("U bent aangemeld", "You are signed in"),
    "name": ("Naam", "Name"),
    "no-name": ("niet doorgegeven", "not told"),
    "organisation": ("Organisatie", "Organisation"),
    "roles": ("Rol", "Role"),
    "log": ("In het logboek", "In the log"),
    "since": ("Aangemeld om", "Signed in at"),
    "until": ("Uiterlijk tot", "At the latest until"),
    "idle": (
        "Na 15 minuten zonder gebruik wordt u vanzelf afgemeld.",
        "After 15 minutes without use you are signed out.",
    ),
    "sign-out": ("Afmelden", "Sign out"),
    "sign-in": ("Aanmelden", "Sign in"),
    "choose": (
        "U meldt zich aan bij uw eigen organisatie. Ketenbrug kent geen wachtwoorden en vraagt er nooit om.",
        "You sign in at your own organisation. Ketenbrug knows no passwords and never asks for one.",
    ),
    "nowhere": (
        "Aanmelden kan hier nog niet: geen organisatie heeft dat laten instellen. Vraag de beheerder van Ketenbrug.",
        "Nobody can sign in here yet: no organisation has had that set up. Ask the operator of Ketenbrug.",
    ),
    "link": ("Aanmelden met een code", "Sign in by a code"),
    "link-text": (
        "De code werkt één keer en een paar minuten lang.",
        "The code works once, and for a few minutes.",
    ),
    "code": ("Code", "Code"),
    "signed-out": ("U bent afgemeld", "You are signed out"),
    "signed-out-text": ("Deze browser is hier niet meer aangemeld.", "This browser is no longer signed in here."),
    "still": (
        "Bij uw organisatie kunt u nog aangemeld zijn.",
        "You may still be signed in at your organisation.",
    ),
    "there-too": ("Ook afmelden bij {name}", "Sign out at {name} too"),
    "again": ("Opnieuw aanmelden", "Sign in again"),
    "to-start": ("Naar het begin", "To the start"),
    "refused": ("U bent niet aangemeld", "You are not signed in"),
    "ask": ("Vraag het aan: {contact}", "Ask: {contact}"),
}
_ROLES: Final[dict[Role, tuple[str, str]]] = {
    Role.CASE_WORKER: ("behandelaar", "case worker"),
    Role.COORDINATOR: ("coördinator", "coordinator"),
    Role.PRIVACY_OFFICER: ("functionaris gegevensbescherming", "data protection officer"),
    Role.AUDITOR: ("auditor", "auditor"),
    Role.OPERATOR: ("beheerder", "operator"),
}
_REASONS: Final[dict[Why, tuple[int, str, str]]] = {
    Why.UNREADABLE: (
        400,
        "Het antwoord van uw organisatie was niet te lezen. Begin opnieuw.",
        "The answer of your organisation could not be read. Begin again.",
    ),
    Why.ELSEWHERE: (
        400,
        "Dit aanmelden is niet in deze browser begonnen, of cookies staan uit. Begin hier opnieuw.",
        "This was not begun in this browser, or cookies are off. Begin again here.",
    ),
    Why.LATE: (
        400,
        "Het aanmelden duurde langer dan tien minuten. Begin opnieuw.",
        "Signing in took longer than ten minutes. Begin again.",
    ),
    Why.USED: (
        400,
        "Dit antwoord is al gebruikt. Begin opnieuw als u niet bent aangemeld.",
        "This answer was used before. Begin again if you are not signed in.",
    ),
    Why.OTHER_ISSUER: (
        400,
        "Het antwoord kwam niet van de organisatie waar u zich aanmeldde. Begin opnieuw; meld het als dit zo blijft.",
        "The answer did not come from where you signed in. Begin again, and report it if it happens once more.",
    ),
    Why.DECLINED: (
        403,
        "Uw organisatie heeft u niet aangemeld, of het aanmelden is afgebroken.",
        "Your organisation did not sign you in, or signing in was broken off.",
    ),
    Why.UNPROVEN: (
        403,
        "Wat uw organisatie over u zei, kon niet worden vastgesteld. Begin opnieuw; blijft het zo, vraag dan hulp.",
        "What your organisation said of you did not hold. Begin again; if it stays so, ask for help.",
    ),
    Why.AWAY: (
        503,
        "De aanmeldvoorziening van uw organisatie antwoordt niet. Probeer het over een paar minuten opnieuw.",
        "The provider of your organisation does not answer. Try again in a few minutes.",
    ),
    Why.CROWDED: (
        429,
        "Er melden zich nu te veel mensen tegelijk aan. Probeer het over een minuut opnieuw.",
        "Too many people sign in at this moment. Try again in a minute.",
    ),
    Why.NO_ROLE: (
        403,
        "Uw organisatie kent u, maar geeft u geen rol in Ketenbrug. Daarom komt u er niet in.",
        "Your organisation knows you, but gives you no role in Ketenbrug. That is why you cannot enter.",
    ),
    Why.LINK: (
        403,
        "Deze code is al gebruikt, te oud, of niet heel overgenomen. Vraag anders een nieuwe.",
        "This code was used before, is too old, or was not copied whole. Else ask for a new one.",
    ),
    Why.FOREIGN: (
        403,
        "Dit formulier kwam niet van een pagina van Ketenbrug. Er is niets gedaan.",
        "This form did not come from a page of Ketenbrug. Nothing was done.",
    ),
}


def language(request: Request) -> str:
    """The language of a page: as asked (`lang`), else what the browser prefers of our two, else Dutch."""
    asked = request.query_params.get("lang")
    if asked in LANGUAGES:
        return asked
    preferred: list[tuple[float, str]] = []
    for each in request.headers.get("accept-language", "").split(",")[:20]:
        tag, _, weight = each.strip().partition(";q=")
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES:
            preferred.append((_weight(weight), primary))
    return max(preferred, key=lambda found: found[0], default=(1.0, LANGUAGES[0]))[1]


def known(who: SignedIn, form_token: str, language: str) -> HTMLResponse:
    """Who is signed in."""
    roles = ", ".join(_of(_ROLES[each], language) for each in sorted(who.roles))
    rows = (
        ("name", escape(who.name) or _say("no-name", language)),
        ("organisation", escape(who.organisation.name)),
        ("roles", escape(roles)),
        ("since", _moment(who.since)),
        ("until", _moment(who.until)),
        ("log", f"<code>{escape(who.person)}</code>"),
    )
    listed = "".join(f"<dt>{_say(word, language)}</dt><dd>{text}</dd>\n" for word, text in rows)
    body = f"<dl>\n{listed}</dl>\n<p>{_say('idle', language)}</p>\n" + _form(
        f"/console/sign-out?lang={language}", (("token", form_token),), _say("sign-out", language)
    )
    return _page("signed-in", body, language)


def choose(providers: Sequence[Provider], language: str) -> HTMLResponse:
    """Where people sign in: at one of these, or nowhere yet."""
    if not providers:
        return _page("sign-in", f"<p>{_say('nowhere', language)}</p>\n", language)
    listed = "".join(
        f'<li><a class="action" href="/console/sign-in/{each.id}?lang={language}">{escape(each.organisation.name)}</a>'
        "</li>\n"
        for each in providers
    )
    return _page("sign-in", f'<p>{_say("choose", language)}</p>\n<ul class="actions">\n{listed}</ul>\n', language)


def by_link(language: str) -> HTMLResponse:
    """Where somebody types the code of a link in. No address has it."""
    code = f'<p><label>{_say("code", language)} <input name="secret" autocomplete="off" required></label></p>\n'
    form = _form(f"/console/link?lang={language}", (), _say("sign-in", language), code)
    return _page("link", f"<p>{_say('link-text', language)}</p>\n{form}", language)


def refused(turned: Turned, language: str) -> HTMLResponse:
    """Why somebody is not signed in, and whom they ask."""
    language = turned.language or language
    status, *texts = _REASONS[turned.why]
    asked = "" if turned.provider is None else _say("ask", language, contact=turned.provider.contact)
    body = (
        f'<p role="alert">{_of((texts[0], texts[1]), language)}</p>\n'
        + (f"<p>{asked}</p>\n" if asked else "")
        + f'<p><a href="/console?lang={language}">{_say("to-start", language)}</a></p>\n'
    )
    return _page("refused", body, language, status=status, switches=False)


def left(gone: Left, back: str, language: str) -> HTMLResponse:
    """Signed out here; and where one signs out at the provider, where it offers that (RP-Initiated Logout 1.0).

    Without `id_token_hint`: an address would have what the provider said of the person. The provider asks them instead.
    """
    body = f"<p>{_say('signed-out-text', language)}</p>\n"
    if gone.ends and gone.provider is not None:
        asked = urlencode({"client_id": gone.provider.client_id, "post_logout_redirect_uri": back})
        there = escape(f"{gone.ends}{'&' if '?' in gone.ends else '?'}{asked}")
        too = _say("there-too", language, name=gone.provider.organisation.name)
        body += f'<p>{_say("still", language)}</p>\n<p><a class="action" href="{there}">{too}</a></p>\n'
    body += f'<p><a href="/console?lang={language}">{_say("again", language)}</a></p>\n'
    return _page("signed-out", body, language, switches=gone.provider is None)


def _page(title: str, body: str, language: str, *, status: int = 200, switches: bool = True) -> HTMLResponse:
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    switch = f'<nav><a href="?lang={other}" lang="{other}" hreflang="{other}">{_say("switch", language)}</a></nav>\n'
    text = f"<h1>{_say(title, language)}</h1>\n{body}" + (switch if switches else "")
    page = docs.plain(f"{_say(title, language)} - Ketenbrug", text, status=status, language=language, policy=_POLICY)
    page.headers["Content-Language"] = language
    page.headers["Vary"] = "Accept-Language, Cookie"
    return page


def _form(action: str, fields: Sequence[tuple[str, str]], button: str, typed: str = "") -> str:
    """`typed`: HTML of what a person fills in."""
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">\n' for name, value in fields)
    sends = f'<button type="submit">{button}</button>'
    return f'<form method="post" action="{escape(action)}">\n{hidden}{typed}{sends}\n</form>\n'


def _say(word: str, language: str, **named: str) -> str:
    return escape(_of(_WORDS[word], language).format(**named), quote=False)


def _of(texts: tuple[str, str], language: str) -> str:
    return texts[LANGUAGES.index(language)]


def _moment(at: datetime) -> str:
    here = at.astimezone(_HERE)
    return f'<time datetime="{here.isoformat(timespec="seconds")}">{here:%H:%M} ({here:%d-%m-%Y})</time>'


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
