"""Seven weeks of a made-up exchange, with snooping sown into it: what the rules are measured on.

Most of it is ordinary work, and some of that looks like snooping up to the threshold: a late evening with three
dossiers, a purpose that was forgotten and then given, a system that was away for a month. What was sown is known by
rule and entry, so that both what is missed and what is found in vain can be counted. The same every time.
"""

from __future__ import annotations

import random  # noqa: TID251 - a story that is the same every time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from api.vocabulary import SignalRule

AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
BEGAN: Final = datetime(2026, 9, 28, tzinfo=AMSTERDAM)
"""A Monday; summer time ends in the fourth week."""
DAYS: Final = 49
NGOS: Final = tuple(UUID(int=0x100 + n) for n in range(3))
IND: Final = UUID(int=0x200)
WATCHED: Final = UUID(int=0x999)
HONEY: Final = (UUID(int=0x888), UUID(int=0x777))
"""Of a planted record: its alias, and its case."""
SOWN: Final = 5
"""Times that each rule's story is told."""


@dataclass
class Story:
    """Entries by time, and what should be found at which of them."""

    chance: random.Random = field(default_factory=lambda: random.Random(2026))  # noqa: S311 - the same every time
    told: list[tuple[datetime, dict[str, Any], tuple[SignalRule | None, ...]]] = field(
        default_factory=list[tuple[datetime, dict[str, Any], "tuple[SignalRule | None, ...]"]]
    )

    def tell(
        self,
        at: datetime,
        who: tuple[UUID, str, str | None],
        *expected: SignalRule | None,
        **members: Any,
    ) -> None:
        """One entry."""
        organisation, client, person = who
        actor = {"organisation": str(organisation), "kind": "ind" if organisation == IND else "ngo", "client": client}
        if person is not None:
            actor["person"] = person
        usual = {"action": "dossiers.read", "result": "permitted", "object": self.thing(self.uuid())}
        entry = {"v": 1, "actor": actor, **usual, **members}
        if entry["result"] == "permitted" and "disclosed" not in entry and entry["action"].endswith(".read"):
            entry |= {"disclosed": {"identity": ["name"]}}
            entry.setdefault("person", str(self.uuid()))
        self.told.append((at.astimezone(UTC), entry, expected))

    def uuid(self) -> UUID:
        """One that nobody has."""
        return UUID(int=self.chance.getrandbits(128))

    @staticmethod
    def thing(which: UUID) -> dict[str, str]:
        """A dossier."""
        return {"type": "dossier", "id": str(which)}

    def declaring(self) -> dict[str, Any]:
        """What an entry says of an emergency that is declared."""
        emergency = {"type": "emergency", "id": str(self.uuid())}
        return {"action": "emergencies.declare", "object": emergency, "cause": "unconscious"}

    def day(self, number: int, hour: int, minute: float = 0) -> datetime:
        """An hour of a day, in Amsterdam."""
        return BEGAN + timedelta(days=number, hours=hour, minutes=minute)

    def leaves(self) -> tuple[list[bytes], set[tuple[SignalRule, int]]]:
        """The entries in their order, and which rule should find which of them."""
        leaves: list[bytes] = []
        expected: set[tuple[SignalRule, int]] = set()
        for index, (at, entry, rules) in enumerate(sorted(self.told, key=lambda each: each[0])):
            stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            leaves.append(orjson.dumps(entry | {"at": stamp, "n": index}, option=orjson.OPT_SORT_KEYS))
            expected.update((rule, index) for rule in rules if rule is not None)
        return leaves, expected


def worker(ngo: int, number: int) -> tuple[UUID, str, str]:
    """Somebody at work."""
    return NGOS[ngo], f"ngo-{ngo}", f"worker-{ngo}-{number}"


def _ordinary(story: Story) -> None:
    chance = story.chance
    for number in range(DAYS):
        working = number % 7 < 5
        story.tell(story.day(number, 3), (NGOS[0], "sync-0", None))  # a system works at night, and is nobody
        for ngo in range(len(NGOS) if working else 0):
            for each in range(3):
                for _ in range(chance.randint(3, 8)):
                    story.tell(story.day(number, 8, chance.uniform(0, 560)), worker(ngo, each))
                if chance.random() < 0.3:
                    refused: dict[str, Any] = {"result": "refused", "reason": "not-found"}
                    story.tell(story.day(number, 11, chance.uniform(0, 60)), worker(ngo, each), **refused)
        for each in range(2 if working else 0):
            for _ in range(chance.randint(20, 30)):
                story.tell(story.day(number, 8, chance.uniform(0, 560)), (IND, "ind", f"officer-{each}"))


def _alike(story: Story) -> None:
    """What looks like snooping and is none."""
    for number in range(SOWN):
        day, who = 7 * number + 2, worker(number % 3, 1)
        for minute in range(3):
            story.tell(story.day(day, 20, 5 * minute), who)
        for minute in range(5):
            story.tell(story.day(day, 14, minute), who, result="refused", reason="not-found")
        dossier = story.thing(story.uuid())
        story.tell(story.day(day, 9), who, object=dossier, result="refused", reason="purpose-missing")
        story.tell(story.day(day, 9, 1), who, object=dossier)
        for minute in range(3):
            story.tell(story.day(day, 10, minute), who, object=dossier, ground=["vital-interest"])
        for minute in range(7):
            rising = story.thing(UUID(int=(number << 64) + minute))
            story.tell(story.day(day, 13, minute / 4), worker(number % 3, 2), object=rising, action="cases.read")
        for minute in range(10):  # a list is worked off, in its order: nobody reads so fast that it would be a walk
            listed = story.thing(UUID(int=(0xDEF << 64) + (number << 32) + (minute if number % 2 else 10 - minute)))
            story.tell(story.day(day, 16, 0.9 * minute), worker(number % 3, 8), object=listed)
        story.tell(story.day(day, 15), (NGOS[1], "monthly", None))
        other = str(story.uuid())
        story.tell(story.day(day, 11), worker(0, 0), action="consents.withdraw", person=other)


def _snooping(story: Story) -> None:
    for number in range(SOWN):
        day, who = 21 + 5 * number + (2 if number % 7 == 0 else 0), worker(number % 3, 0)
        monday = 21 + 7 * (number % 4) + (1 if number == 4 else 0)
        for minute in range(4):
            late = SignalRule.OFF_HOURS if minute == 3 else None
            story.tell(story.day(monday, 23 if number % 2 else 21, 45 + 7 * minute), who, late)
        for minute in range(6):
            missed = SignalRule.NO_CASE_RELATION if minute == 5 else None
            story.tell(
                story.day(monday + 1, 6, minute), worker(number % 3, 7), missed, result="refused", reason="not-found"
            )
        for minute in range(35):
            much = SignalRule.VOLUME if minute == 20 else None
            story.tell(story.day(monday + 2, 9, minute * 10), worker(number % 3, 5), much)
        for minute in range(12):
            walked = SignalRule.SEQUENTIAL_IDS if minute == 7 else None
            walk = story.thing(UUID(int=(0xABC << 64) + (number << 32) + (minute if number % 2 else 12 - minute)))
            story.tell(story.day(monday, 12, minute / 2), worker(number % 3, 6), walked, object=walk)
        dossier = story.thing(story.uuid())
        for hour in (9, 10):
            story.tell(story.day(day, hour), who, object=dossier, result="refused", reason="not-permitted")
        story.tell(story.day(day, 12), who, SignalRule.DENIED_THEN_ALLOWED, object=dossier)
        seen, person = story.thing(story.uuid()), str(story.uuid())
        story.tell(story.day(day - 10, 12), who, object=seen, person=person)
        story.tell(story.day(day - 6, 12), worker(2, 1), action="consents.withdraw", person=person)
        # What was never closed is asked by itself in between, which hides nothing.
        story.tell(story.day(day - 1, 12), who, object=seen, person=person, disclosed={"contact": []})
        again: dict[str, Any] = {"result": "refused", "reason": "not-permitted"}
        if number % 2:
            again = {"person": person, "disclosed": {"contact": []}}
        story.tell(
            story.day(day, 15),
            who,
            SignalRule.AFTER_WITHDRAWAL,
            object=seen,
            withheld={"identity": "consent-withdrawn"},
            **again,
        )
        for hour, repeated in ((9, None), (11, SignalRule.REPEATED_BREAK_GLASS)):
            declares = story.declaring()
            story.tell(story.day(day, hour), worker(number % 3, 3), SignalRule.BREAK_GLASS, repeated, **declares)
        story.tell(story.day(day, 16), worker(1, 1), SignalRule.COLLEAGUE_LIST, person=str(WATCHED))
        story.tell(story.day(0, 10), (NGOS[2], f"old-{number}", None))
        waking: dict[str, Any] = {"result": "refused", "reason": "purpose-missing"} if number % 2 else {}
        story.tell(story.day(44, 10 + number), (NGOS[2], f"old-{number}", None), SignalRule.DORMANT_CLIENT, **waking)
        story.tell(story.day(44, 10 + number, 5), (NGOS[2], f"old-{number}", None))


def _honeyed(story: Story) -> None:
    alias, case = HONEY
    for number in range(SOWN):
        at, who = story.day(7 * number + 3, 15, 30), worker(number % 3, 4)
        if number % 2:
            story.tell(at, who, SignalRule.HONEY_RECORD, person=str(alias))
        else:
            refused: dict[str, Any] = {"result": "refused", "reason": "not-found", "object": story.thing(case)}
            story.tell(at, who, SignalRule.HONEY_RECORD, **refused)


def _urgent(story: Story) -> None:
    for number in range(SOWN):
        at, usual = story.day(7 * number + 4, 16, 30), story.declaring()
        story.tell(at, worker(number % 3, 4), **usual | {"result": "refused", "reason": "wrong-function"})
        story.tell(at + timedelta(minutes=1), worker(number % 3, 4), SignalRule.BREAK_GLASS, **usual)
        story.tell(at + timedelta(minutes=2), worker(number % 3, 4), **usual, replayed=True)


def told() -> tuple[list[bytes], set[tuple[SignalRule, int]]]:
    """All of it."""
    story = Story()
    _ordinary(story)
    _alike(story)
    _snooping(story)
    _honeyed(story)
    _urgent(story)
    return story.leaves()
