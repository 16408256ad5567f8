"""Who acts from the command line: somebody with a shell on the machine, who holds no client and proves no key."""

from __future__ import annotations

import secrets
from uuid import UUID

import uuid_utils.compat as uuid_utils

from api.principal import Organisation, Origin, Principal
from api.vocabulary import ClientId, OrganisationId, Party


def local() -> Principal:
    """The operator of one command, for its audit entries. Its zone is `local`; it holds no scope."""
    return Principal(
        client_id=ClientId("local-operator"),
        organisation=Organisation(OrganisationId(UUID(int=0)), Party.OPERATOR, "local operator", None),
        scopes=frozenset(),
        origin=Origin("local", str(uuid_utils.uuid7()), secrets.token_hex(16), secrets.token_hex(8)),
        token_id="",
    )
