"""The tree of our errors. They know no HTTP; `api.problems` is the one table that turns them into answers.

    KetenbrugError
    ├── Refused               a decided "no" met before an operation was reached; what the unit carries is committed
    │   ├── Unauthenticated   who calls is not proven
    │   ├── TooManyRequests   the client's limit is reached
    │   └── BadRequest        the request cannot be read or contradicts itself
    ├── Replayed              a proof of possession or an assertion was used before
    ├── StaleStanding         the client was disabled or changed after it was last read
    ├── Overloaded            no capacity now; the same request may succeed later
    ├── Unavailable           something we need (database, key service) does not answer
    ├── Undecryptable         a sealed value cannot be opened here; one error for every cause
    ├── PlaintextRefused      something that is not sealed was about to be stored
    ├── LogDamaged            the log in the database is not what was signed
    ├── LogStopped            the log must not be continued here and now; says why, and what to do
    ├── WitnessRefused        a witness did not cosign a checkpoint: it may have been shown another history
    ├── LogbookRefused        a logbook of processing did not take what it was sent
    ├── NotExportable         what was asked of an export of the log cannot be given; says what
    ├── NotPossible           what was asked of custody of the keys cannot be done now; says what to do
    └── Misconfigured         the process must not start; holds every fault found

An outcome that the domain foresees is no error but a value: see `api.disclosure.permit.Refusal`.
"""

from __future__ import annotations

from typing import Final

from api.vocabulary import Reason


class KetenbrugError(Exception):
    """Root of every error that this project raises on purpose."""


class Refused(KetenbrugError):
    """A decided "no" that is raised where no value can be returned: in the edge's dependencies."""

    def __init__(self, reason: Reason, *, detail: str = "") -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.detail = detail


class Unauthenticated(Refused):
    """Who calls is not proven (RFC 6750 section 3.1, RFC 9449 section 7.1)."""

    def __init__(self, reason: Reason, error: str, *, detail: str = "") -> None:
        super().__init__(reason, detail=detail)
        self.error = error


class TooManyRequests(Refused):
    """The limit of this client is reached. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(Reason.TOO_MANY_REQUESTS)
        self.retry_after = retry_after


class BadRequest(Refused):
    """The request cannot be read, or contradicts itself."""


class Replayed(KetenbrugError):
    """A proof of possession (RFC 9449) or a client assertion (RFC 7523) was used before."""


class StaleStanding(KetenbrugError):
    """What was remembered of a client no longer holds: read it again."""


class Overloaded(KetenbrugError):
    """No capacity now. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("no capacity")
        self.retry_after = retry_after


class Unavailable(KetenbrugError):
    """Something that we need does not answer. `retry_after` is in whole seconds."""

    def __init__(self, what: str, retry_after: int = 5) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class Undecryptable(KetenbrugError):
    """A sealed value cannot be opened here. One error for every cause, so that it is no oracle."""


class PlaintextRefused(KetenbrugError):
    """Something that is not an envelope was about to be stored in a sealed column."""


class LogDamaged(KetenbrugError):
    """The log in the database is not what was signed: nothing is added to it, and nothing is proven from it."""


class LogStopped(KetenbrugError):
    """The log must not be continued from this database, or with this guard. `why` is a word; the text says what to do.

    Whoever continued it all the same would sign a second history.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: {_STOPPED[why]}")
        self.why = why


_STOPPED: Final = {
    "guard-moved": "another process signed in the meantime; it is looked at again",
    "guard-missing": "the log has begun and this signer guard is empty. Bring back the guard; if it is lost for good, "
    "compare the log with a checkpoint that others kept, then run `ketenbrug audit adopt`",
    "guard-behind": "the log was signed further than this signer guard knows, so by another machine or with another "
    "guard. With a guard in a file one machine runs `ketenbrug work`",
    "guard-ahead": "more was signed than this database holds: it is an older copy. Recover the newest one. If the "
    "entries are lost for good, give the log a new name (KETENBRUG_LOG_ORIGIN) and a new guard (KETENBRUG_LOG_GUARD), "
    "run `ketenbrug audit adopt`, and tell those who hold receipts",
    "guard-differs": "another history was signed than the one in this database. Keep both for who investigates, and "
    "do not continue either",
    "guard-of-another-key": "the last head was signed with another key or under another name. A log with a new key is "
    "a log with a new name: set KETENBRUG_LOG_ORIGIN and KETENBRUG_LOG_GUARD, then run `ketenbrug audit adopt`",
    "another-name": "the log in this database has another name: give it as KETENBRUG_LOG_ORIGIN, or let the log go on "
    "under the new one with `ketenbrug audit adopt`",
    "another-cluster": "this database came from another PostgreSQL cluster, which numbered transactions otherwise. "
    "If it is the newest copy, and the other one is gone, run `ketenbrug audit adopt`",
    "transactions-went-back": "the transaction counter of this cluster is behind the log. Find out why; then run "
    "`ketenbrug audit adopt`",
    "nothing-to-adopt": "this database, its name and its signer guard belong together already",
    "leader-at-work": "a process leads the log now: stop `ketenbrug work` first",
}


class WitnessRefused(KetenbrugError):
    """A witness did not cosign. That is what it is there for: find out why before anything else."""

    def __init__(self, witness: str, what: str) -> None:
        super().__init__(f"{witness}: {what}")


class LogbookRefused(KetenbrugError):
    """A logbook of processing did not confirm records. They are sent again until it does."""

    def __init__(self, status: int, more: str = "") -> None:
        super().__init__(f"it answered {status} {more}".rstrip())


class NotExportable(KetenbrugError):
    """What was asked of an export of the log cannot be given. Its text says why, and holds no secret."""


class NotPossible(KetenbrugError):
    """What was asked of custody of the keys cannot be done now. Its text says why and what to do, and no secret."""


class Misconfigured(KetenbrugError):
    """The process must not start. `faults` holds one sentence for each fault, and no secret."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
