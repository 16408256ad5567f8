"""Our own rules hold on the tree, and each of them bites."""

from __future__ import annotations

from typing import Final

import pytest

from tests.architecture import reading, routes, rules
from tests.architecture.reading import Module, Rule

BY_NAME: Final = {rule.name: rule for rule in rules.RULES}
each_rule: Final = pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.name)

ROUTE: Final = """
@routes.get("/cases/{caseId}", operation_id="readCase", response_model=wire.Case, responses=told(*_SEEN))
async def read_case(case_id: CaseIdPath, call: Annotated[Call, calls(authority.READ_CASE)]) -> Response:
    "A case."
    return replies.shown(await operations.read(call, case_id))
"""
STORE: Final = """
async def open_case(permit: Permit, call: Call, row: Record) -> str:
    return call.vault.open_row(row["who"], row["sealed"], "case", "note", row["id"])
"""
WORD: Final = "TO" + "DO"

BITES: Final = [
    ("commits", "api/cases/store.py", "await connection.commit()"),
    ("commits", "api/cases/store.py", "async def f():\n    async with connection.transaction():\n        pass"),
    ("commits", "api/cases/store.py", "await unit.run(Bound('COMMIT', ()))"),
    ("commits", "api/cases/store.py", "await connection.execute('  ROLLBACK TO here')"),
    ("formatted-logs", "api/edge/envelope.py", "structlog.get_logger('edge').error(f'late {request_id}')"),
    ("formatted-logs", "api/edge/envelope.py", "say = get_logger()\nsay.info('late', where=f'{file}:{line}')"),
    ("formatted-logs", "api/edge/envelope.py", "log.info('late %s' % request_id)"),
    ("formatted-logs", "api/edge/envelope.py", "self._log.info('late ' + request_id)"),
    ("formatted-logs", "api/edge/envelope.py", "logger.warning('late {}'.format(request_id))"),
    ("personal-logs", "api/edge/envelope.py", "structlog.get_logger('edge').info('read', v_number=number)"),
    ("personal-logs", "api/edge/envelope.py", "log.info('read', birth_date=date)"),
    ("personal-logs", "api/edge/envelope.py", "log.info('read', access_token=token)"),
    ("personal-logs", "api/edge/envelope.py", "log.info('read', count=1, section=1)"),
    ("personal-logs", "api/edge/envelope.py", "log.bind(subject_name=name).info('read')"),
    ("personal-logs", "api/edge/envelope.py", "structlog.contextvars.bind_contextvars(proof=proof)"),
    ("personal-logs", "api/edge/envelope.py", "log.info('read', row)"),
    ("personal-logs", "api/edge/envelope.py", "log.info(str(error))"),
    ("personal-logs", "api/edge/envelope.py", "log.info('read', **row)"),
    ("personal-logs", "api/edge/envelope.py", "log.exception('read')"),
    ("personal-logs", "api/edge/envelope.py", "log.error('read', exc_info=True)"),
    ("routes-ask", "api/routes/cases.py", ROUTE.replace("Annotated[Call, calls(authority.READ_CASE)]", "Call")),
    ("routes-ask", "api/routes/cases.py", ROUTE.replace("authority.READ_CASE", "OPERATION")),
    ("routes-ask", "api/routes/cases.py", ROUTE.replace(") ->", ", c: Principal = may(authority.OPEN_CASE)) ->")),
    ("routes-tell", "api/routes/cases.py", ROUTE.replace(', operation_id="readCase"', "")),
    ("routes-tell", "api/routes/cases.py", ROUTE.replace(", response_model=wire.Case", "")),
    ("routes-tell", "api/routes/cases.py", ROUTE.replace(", responses=told(*_SEEN)", "")),
    (
        "routes-are-short",
        "api/routes/cases.py",
        ROUTE.replace("    return", "    check(\n" + "1,\n" * 14 + ")\n    return"),
    ),
    ("routes-elsewhere", "api/cases/operations.py", ROUTE),
    ("routes-elsewhere", "api/app.py", "app.add_api_route('/v1/persons', everything)"),
    ("permits", "api/cases/operations.py", "Permit('cases.read', frozenset({who}))"),
    ("permits", "api/edge/call.py", "permit.Refusal(Reason.NOT_VISIBLE)"),
    ("opened", "api/cases/operations.py", STORE),
    ("opened", "api/cases/store.py", STORE.replace("permit: Permit, ", "")),
    ("opened", "api/cases/store.py", STORE.replace("permit: Permit, call: Call", "call: Call, permit: Permit")),
    ("opened", "api/cases/store.py", "async def opener(call: Call) -> Opener:\n    return call.vault.open_row"),
    ("opened", "api/cases/operations.py", STORE.replace("vault.open_row", "vault.open_member")),
    ("clock-and-environment", "api/cases/operations.py", "now = datetime.now(UTC)"),
    ("clock-and-environment", "api/cases/operations.py", "today = datetime.date.today()"),
    ("clock-and-environment", "api/oauth/tokens.py", "issued = time.time()"),
    ("clock-and-environment", "api/oauth/tokens.py", "from time import time"),
    ("clock-and-environment", "api/app.py", "url = os.environ['KETENBRUG_DATABASE_URL']"),
    ("clock-and-environment", "api/app.py", "from os import getenv"),
    ("http", "clients/ngo.py", "import httpx"),
    ("http", "api/notifications/operations.py", "from httpx import AsyncClient"),
    ("undone", "api/cases/store.py", f"# {WORD}: an index"),
    ("prints", "api/cases/operations.py", "print(row)"),
    ("unit-scope", "api/edge/unit.py", "UnitOfWork = Annotated[Unit, Depends(unit_of_work)]"),
    ("unit-scope", "api/edge/unit.py", "UnitOfWork = Annotated[Unit, Depends(unit_of_work, scope='request')]"),
    ("unit-scope", "api/edge/call.py", "async def call(unit: UnitOfWork) -> Call: ...\ndependency = Depends(call)"),
]
PASSES: Final = [
    ("commits", "api/cases/store.py", "await unit.run(_COMMITTED(at=unit.now))"),
    ("formatted-logs", "api/edge/envelope.py", "log.info('late', request_id=here.request_id)\nlog.append(f'{unit}')"),
    (
        "personal-logs",
        "api/edge/envelope.py",
        "log.info('late', request_id=here.request_id, kind=type(error).__name__)",
    ),
    ("personal-logs", "api/edge/envelope.py", "log.info('late' if late else 'unhandled')"),
    ("routes-ask", "api/routes/cases.py", ROUTE),
    ("routes-tell", "api/routes/cases.py", ROUTE),
    ("routes-are-short", "api/routes/cases.py", ROUTE),
    ("permits", "api/cases/operations.py", "if isinstance(answer, Refusal): ..."),
    ("opened", "api/cases/admission_store.py", STORE),
    ("clock-and-environment", "api/cases/operations.py", "until = time.monotonic() + seconds\nat = call.unit.now"),
    ("unit-scope", "api/edge/call.py", "dependency = Depends(unit_of_work, scope='function')\nDepends(page)"),
]


@each_rule
def test_a_rule_holds_on_the_tree(rule: Rule) -> None:
    found = [each for module in reading.modules() for each in rule.violations(module)]

    assert not found, "\n".join([rule.because, *map(str, found)])


@pytest.mark.parametrize(("name", "path", "source"), BITES)
def test_a_rule_bites(name: str, path: str, source: str) -> None:
    """A rule that finds nothing proves nothing."""
    assert BY_NAME[name].violations(Module(path, source))


@pytest.mark.parametrize(("name", "path", "source"), PASSES)
def test_a_rule_lets_through_what_is_right(name: str, path: str, source: str) -> None:
    assert BY_NAME[name].violations(Module(path, source)) == []


def test_every_rule_is_tried() -> None:
    assert {name for name, _, _ in BITES} == BY_NAME.keys()


@each_rule
def test_an_exemption_is_needed_still(rule: Rule) -> None:
    """The list of exemptions only shrinks: one that spares nothing is taken off."""
    spared = {rule.spares(module.path) for module in reading.modules() if any(rule.check(module))}

    assert rule.exempt.keys() <= spared


def test_every_handler_that_needs_no_scope_is_there_still() -> None:
    there = {
        f"{module.path}:{function.name}"
        for module in reading.modules()
        for function in module.functions()
        if routes.routed(function)
    }

    assert routes.OUTSIDE_V1.keys() <= there


def test_nothing_is_left_undone() -> None:
    """Neither in the tests nor in the documents."""
    texts = [
        path
        for room in ("tests", "docs", "openapi")
        for path in (reading.ROOT / room).rglob("*")
        if path.suffix in {".py", ".md", ".json", ".yaml"}
    ]
    texts += reading.ROOT.glob("*.md")
    found = [
        each for path in texts for each in rules.undone(path.relative_to(reading.ROOT).as_posix(), path.read_text())
    ]

    assert texts
    assert not found, "\n".join(map(str, found))
