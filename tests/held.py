"""A case with everything in it: what must stay closed when something fails, and open when all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.vocabulary import Purpose
from tests.dealings import QUESTION, Dealings

if TYPE_CHECKING:
    from uuid import UUID

    import httpx

    from tests.exchange import Exchange

SCREENING: Final = Purpose.LEGAL_SCREENING
NAME: Final = "VOORBEELD"
"""What only an opened section holds."""


@dataclass(frozen=True)
class Held:
    """A case with everything in it, and each way to get at it."""

    exchange: Exchange
    dealings: Dealings
    dossier: UUID
    outcome: UUID
    advice: UUID

    @classmethod
    async def of(cls, exchange: Exchange) -> Held:
        """Make it, and have each party hold a token, so that nothing but the operation is asked later."""
        dealings = await (await Dealings.begin(exchange)).consented()
        dossier = await dealings.dossier()
        outcome = await dealings.outcome("ind")
        advice = await dealings.advised(await dealings.asked())
        held = cls(exchange, dealings, dossier, outcome.id, advice.id)
        for answer in await held.asked():
            assert answer.status_code == 200, answer.text
        return held

    async def asked(self) -> list[httpx.Response]:
        """Read, list, search and feed."""
        ngo, ind = self.exchange.actor("ngo"), self.exchange.actor("ind")
        case = self.dealings.id
        return [
            await ngo.get(f"/dossiers/{self.dossier}", purpose=SCREENING),
            await ngo.get(f"/dossiers/{self.dossier}/manifest", purpose=SCREENING),
            await ngo.send("HEAD", f"/dossiers/{self.dossier}", purpose=SCREENING),
            await ind.get(f"/dossiers/{self.dossier}"),
            await ngo.get(f"/cases/{case}"),
            await ngo.get("/cases"),
            await ngo.post("/cases/_search", {"vNumber": self.dealings.case.v_number}),
            await ngo.get(f"/consents?caseId={case}"),
            await ngo.get("/dossier-requests"),
            await ind.get(f"/screening-outcomes/{self.outcome}", purpose=Purpose.RESIDENCE_ADVICE),
            await ngo.get(f"/screening-outcomes?caseId={case}"),
            await ngo.get(f"/advice/{self.advice}", purpose=Purpose.RESIDENCE_ADVICE),
            await ngo.get(f"/advice?caseId={case}", purpose=Purpose.RESIDENCE_ADVICE),
            await ngo.get("/events"),
            await ngo.get("/organisations"),
        ]

    def closed(self, answer: httpx.Response) -> None:
        """Hold an answer to be a failure that shows nothing."""
        assert answer.status_code in {500, 503}, answer.text
        assert "etag" not in answer.headers
        if answer.content:
            problem = answer.json()["type"].rpartition("/")[2]
            assert problem in {"internal", "unavailable", "overloaded"}
            for word in (NAME, QUESTION, str(self.dealings.case.v_number), str(self.dealings.id), "items"):
                assert word not in answer.text

    async def open(self) -> None:
        """Hold that each way gets at it."""
        for answer in await self.asked():
            assert answer.status_code == 200, answer.text
        pulled = await self.exchange.actor("ngo").get(f"/dossiers/{self.dossier}", purpose=SCREENING)
        assert NAME in pulled.text
