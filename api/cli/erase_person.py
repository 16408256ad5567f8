"""`ketenbrug erase-person`: for the operator, on the machine itself.

The entry that it writes is the same as that of `POST /v1/erasures`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Final
from uuid import UUID

import typer
import uuid_utils.compat as uuid_utils

from api import settings
from api.cli import transaction
from api.crypto import memory
from api.crypto.vault import Vault
from api.custody import opening
from api.disclosure import authority
from api.disclosure.call import Call, Once
from api.disclosure.permit import Refusal
from api.errors import NotPossible
from api.oauth import operator
from api.persons import erasure
from api.persons.model import Erasure
from api.vocabulary import ErasureGround, Reason

_WHY: Final = {
    Reason.NOT_VISIBLE: "there is no such case, or its person was erased already",
    Reason.WRONG_STATE: "a legal hold stands: `ketenbrug legal-hold release` it first",
}


def erase_person(
    case: Annotated[UUID, typer.Argument(help="Any case of the person.")],
    ground: Annotated[ErasureGround, typer.Option(help="Why: GDPR article 17(1).")],
) -> None:
    """Destroy the key of a person, for good, and print the proof. Refused while a legal hold stands."""
    done = asyncio.run(_erase(settings.database(), case, ground))
    typer.echo(
        json.dumps(
            {
                "erasure": str(done.id),
                "erasedAt": done.erased_at.isoformat(),
                "keyEncryptionKey": done.kek,
                "keyVersion": done.key_version,
                "keyDigest": done.key_digest.hex(),
            }
        )
    )
    typer.echo(f"Backups are reached when the epoch of {done.kek} ends: see `ketenbrug keys destroy-epoch`.", err=True)


async def _erase(url: str, case: UUID, ground: ErasureGround) -> Erasure:
    memory.keep()
    path, chosen = settings.custody()
    once = Once("", uuid_utils.uuid7(), replayed=False)
    async with opening.keepers(path, chosen) as kept, transaction.of(url) as unit:
        call = Call(authority.ERASE_PERSON, operator.local(), unit, Vault(kept.keys), kept.index, once)
        outcome = await erasure.erase(call, case, ground)
    if isinstance(outcome, Refusal):
        raise NotPossible(_WHY[outcome.reason])
    return outcome
