"""Erasure of a person (vergetelheid, AVG 17): the key is destroyed, and what was sealed under it is noise.

    (1) the person is locked against holds    (2) no hold stands    (3) the entry names the person by alias
    (4) key, V-number, its index and the alias go, the rows of documents with the keys of their contents, and of
        emergencies the number of the file and who declared them

All of it is one transaction. What stays: sealed bytes that nobody can open, rows without a name (cases are counted; of
an emergency its coded reason, and who reviewed it with the number of their own file, stay with supervision), and the
log, whose proofs hold and whose alias leads to nobody. The contents of documents are noise at once, and are
collected within the hour. Backups are reached when the epoch of the key-encryption key ends (`api.custody.epochs`);
until then an old key table opens an old backup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.entry import Thing
from api.disclosure import gate
from api.disclosure.permit import Refusal
from api.persons import store
from api.persons.model import Erasure
from api.vocabulary import Reason

if TYPE_CHECKING:
    from uuid import UUID

    from api.disclosure.call import Call
    from api.vocabulary import ErasureGround


async def erase(call: Call, case_id: UUID, ground: ErasureGround) -> Erasure | Refusal:
    """Erase the person of a case, unless a hold stands."""
    thing = Thing("erasure", call.made)
    who = await store.of_case(call.unit, case_id)
    if who is None or not await store.lock(call.unit, who.id):
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    whom = {who.id: who.alias}
    if await store.held(call.unit, who.id) is not None:
        return gate.refuse(call, thing, Reason.WRONG_STATE, whom)
    answer = gate.admit(call, thing, persons=whom, cause=str(ground))
    if isinstance(answer, Refusal):
        return answer
    kek, version, digest = await store.destroy(call.unit, who.id)
    done = Erasure(call.made, call.unit.now, ground, kek, version, digest)
    await store.add_erasure(call.unit, done)
    return done


async def found(call: Call, erasure_id: UUID) -> Erasure | Refusal:
    """The proof of an erasure."""
    erasure = await store.find_erasure(call.unit, erasure_id)
    thing = Thing("erasure", erasure_id)
    if erasure is None:
        return gate.refuse(call, thing, Reason.NOT_VISIBLE)
    answer = gate.admit(call, thing)
    return answer if isinstance(answer, Refusal) else erasure
