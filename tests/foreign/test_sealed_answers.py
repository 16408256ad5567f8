"""What we seal to a client opens with npm `jose`, in both profiles; only with the algorithm of the registered key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from api.crypto import jwe
from tests.jwe_kit import KINDS, private, public

if TYPE_CHECKING:
    from tests.foreign.tools import Node

TEXT = json.dumps({"sections": [{"content": {"familyName": "Voorbeeld"}}] * 400})


def test_jose_opens_what_is_sealed_to_its_keys(node: Node) -> None:
    sealed = [
        {"jwe": jwe.sealed(jwe.recipient(public(kind)), TEXT.encode()).decode(), "jwk": private(kind)} for kind in KINDS
    ]
    found = node.run("decrypt", {"sealed": sealed})
    assert [each["text"] for each in found] == [TEXT] * len(KINDS)
    assert [each["header"]["alg"] for each in found] == [algorithm for algorithm, _ in KINDS.values()]
