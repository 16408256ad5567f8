"""How we know that a person understood and meant it: the evidence block of a consent (GDPR article 7(1)). Pure.

Saying no, and taking a yes back, need no evidence: they must be as easy as saying yes, and never harder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.consent.model import Fault
from api.vocabulary import InterpreterKind, ReadingForm

if TYPE_CHECKING:
    from collections.abc import Iterator

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
_SHA256: Final = 32
_QUESTIONS: Final = 3
"""Teach-back: the person says in their own words what they agree to, by three questions at least."""
_WITNESSES: Final = 2


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly which text was shown: in this language (BCP 47), its SHA-256 over the UTF-8 bytes."""

    id: str
    version: int
    language: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Texts:
    """Which texts may carry a consent. `unreviewed_too` is for the sandbox, where nobody consents to anything."""

    reviewed: frozenset[Text] = frozenset()
    unreviewed_too: bool = False

    def carry(self, text: Text) -> bool:
        """Whether a consent may rest on this text."""
        return self.unreviewed_too or text in self.reviewed


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Who interpreted: never by name. `number`: in the register of sworn interpreters (Rbtv)."""

    kind: InterpreterKind
    language: str
    number: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the text reached the person, and who was there.

    `asked` and `understood` count the questions of the teach-back. `present`: the acting persons, by the opaque names
    that their organisations know. `own_code`: the person entered their own code, which replaces the second one present.
    """

    text: Text
    reading: ReadingForm
    interpreter: Interpreter | None = None
    asked: int = 0
    understood: int = 0
    present: frozenset[str] = frozenset()
    own_code: bool = False
    place: str | None = None

    def faults(self) -> Iterator[Fault]:
        """What is missing before this can show that a yes was meant."""
        yield from self._of_text()
        yield from self._of_interpreter()
        if self.asked < _QUESTIONS:
            yield Fault("/evidence/asked", f"Ask the person {_QUESTIONS} questions at least on what was read.")
        if self.understood < self.asked:
            yield Fault("/evidence/understood", "Not every answer showed that it was understood: explain again.")
        if len(self.present) < _WITNESSES and not self.own_code:
            yield Fault("/evidence/present", "Two people are present, or the person enters their own code.")

    def record(self) -> dict[str, Any]:
        """As it is sealed."""
        by = self.interpreter
        return {
            "text": {
                "id": self.text.id,
                "version": self.text.version,
                "language": self.text.language,
                "sha256": self.text.sha256.hex(),
            },
            "reading": str(self.reading),
            "interpreter": by
            and {"kind": str(by.kind), "language": by.language, "number": by.number, "reason": by.reason},
            "teachBack": {"asked": self.asked, "understood": self.understood},
            "present": sorted(self.present),
            "ownCode": self.own_code,
            "place": self.place,
        }

    def _of_text(self) -> Iterator[Fault]:
        if len(self.text.sha256) != _SHA256:
            yield Fault("/evidence/text/sha256", "The SHA-256 of the text has 32 bytes.")
        if not _LANGUAGE.fullmatch(self.text.language):
            yield Fault("/evidence/text/language", "A language is written as nl, ti or fa-AF.")

    def _of_interpreter(self) -> Iterator[Fault]:
        by = self.interpreter
        if by is None:
            if self.reading is ReadingForm.INTERPRETER:
                yield Fault("/evidence/interpreter", "Say who interpreted: how, in which language, and the number.")
            return
        if not _LANGUAGE.fullmatch(by.language):
            yield Fault("/evidence/interpreter/language", "A language is written as nl, ti or fa-AF.")
        if by.reason is None and by.kind is InterpreterKind.RELATIVE_OR_RESIDENT:
            yield Fault("/evidence/interpreter/reason", "A relative or resident interprets only with a reason.")
