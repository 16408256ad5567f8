"""The rules of this house that no linter knows: small visitors, each with a name, a reason, and who is exempt and why.

A leak, or a near miss, becomes a rule. `test_rules.py` holds each of them to the tree, and proves that it bites.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from tests.architecture import routes
from tests.architecture.reading import Found, Function, Module, Rule, around, dotted, keyword, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Commits

_TRANSACTION: Final = re.compile(r"\s*(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT)\b")


def _commits(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="commit" | "rollback" | "transaction" as verb)):
                yield module.found(node, f"calls .{verb}(")
            case ast.Constant(value=str(text)) if match := _TRANSACTION.match(text):
                yield module.found(node, f"says {match[1]}")
            case _:
                pass


# Logs

_LEVELS: Final = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg", "bind", "new"}
)
_LOGGERS: Final = frozenset({"log", "logger"})
_BINDERS: Final = frozenset({"bind_contextvars", "bound_contextvars"})
_PERSONAL: Final = frozenset(
    {
        "address", "alias", "analysis", "answers", "assertion", "birth", "birthdate", "body", "bsn", "claims",
        "conditions", "content", "contents", "context", "cookie", "country", "data", "dpop", "email", "entry",
        "evidence", "exc", "fields", "headers", "jwk", "jwks", "key", "leaf", "message", "name", "names", "nationality",
        "note", "number", "params", "passphrase", "password", "payload", "person", "phone", "proof", "query",
        "question", "row", "seal", "secret", "section", "sections", "subject", "summary", "text", "token", "url", "v",
        "value",
    }
)  # fmt: skip
"""Words that name something about a person, a secret, or a place where either may stand."""


def _log_calls(module: Module) -> Iterator[ast.Call]:
    made = {
        name_of(target)
        for node in module.nodes
        if isinstance(node, ast.Assign) and _from_get_logger(node.value)
        for target in node.targets
    }
    for call in module.calls():
        match call.func:
            case ast.Attribute(value=receiver, attr=verb) if verb in _LEVELS:
                if _from_get_logger(receiver) or name_of(receiver) in made or _sounds_like_one(receiver):
                    yield call
            case _ if name_of(call.func) in _BINDERS:
                yield call
            case _:
                pass


def _from_get_logger(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) and name_of(each.func) == "get_logger" for each in ast.walk(node))


def _sounds_like_one(receiver: ast.AST) -> bool:
    return isinstance(receiver, (ast.Name, ast.Attribute)) and name_of(receiver).strip("_").lower() in _LOGGERS


def _formatted_logs(module: Module) -> Iterator[Found]:
    for call in _log_calls(module):
        for argument in (*call.args, *(each.value for each in call.keywords)):
            for node in ast.walk(argument):
                match node:
                    case ast.JoinedStr():
                        yield module.found(node, "an f-string in a log call")
                    case ast.BinOp(op=ast.Mod() | ast.Add(), left=ast.Constant(value=str())):
                        yield module.found(node, "text put together in a log call")
                    case ast.Call(func=ast.Attribute(attr="format" | "format_map")):
                        yield module.found(node, ".format in a log call")
                    case _:
                        pass


def _personal_logs(module: Module) -> Iterator[Found]:
    for call in _log_calls(module):
        if len(call.args) > 1 or not all(_is_word(each) for each in call.args):
            yield module.found(call, "something but the event word without a key")
        if name_of(call.func) == "exception":
            yield module.found(call, "the text of an exception")
        for each in call.keywords:
            if each.arg is None:
                yield module.found(call, "keys that nobody can read here (**)")
            elif each.arg == "exc_info" or _PERSONAL.intersection(each.arg.lower().split("_")):
                yield module.found(call, f"the key {each.arg}")


def _is_word(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.IfExp(body=one, orelse=other):
            return _is_word(one) and _is_word(other)
        case _:
            return False


# The gate

_ANSWERS: Final = frozenset({"Permit", "Refusal"})


def _permits(module: Module) -> Iterator[Found]:
    for call in module.calls():
        if name_of(call.func) in _ANSWERS:
            yield module.found(call, f"makes a {name_of(call.func)}")


_STORE: Final = re.compile(r"(.+/([a-z_]+_)?store\.py|api/consent/ledger\.py)")


def _opened(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="vault" | "_vault") | ast.Attribute(attr="vault" | "_vault")) if (
                node.attr in {"open_row", "open_member"}
            ):
                if not _STORE.fullmatch(module.path):
                    yield module.found(node, "opens what is sealed outside a store")
                elif not any(_shows_a_permit(each) for each in around(node)):
                    yield module.found(node, "opens what is sealed in a function whose first parameter is no Permit")
            case _:
                pass


def _shows_a_permit(node: ast.AST) -> bool:
    if not isinstance(node, Function):
        return False
    first = (*node.args.posonlyargs, *node.args.args)[:1]
    return bool(first) and name_of(first[0].annotation) == "Permit"


# What comes from outside

_CLOCKS: Final = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time_ns"})
_ENVIRONMENT: Final = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv"})
_FROM: Final = {"time": frozenset({"time", "time_ns"}), "os": frozenset({"environ", "environb", "getenv", "putenv"})}


def _clock_and_environment(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        match node:
            case ast.Attribute():
                name = dotted(node)
                if any(name == each or name.endswith(f".{each}") for each in _CLOCKS):
                    yield module.found(node, f"reads the clock: {name}")
                if name in _ENVIRONMENT:
                    yield module.found(node, f"reads the environment: {name}")
            case ast.ImportFrom(module=str(source), names=names):
                for each in names:
                    if each.name in _FROM.get(source, ()):
                        yield module.found(node, f"takes {each.name} out of {source}")
            case _:
                pass


def _http(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        match node:
            case ast.Import(names=names) if any(each.name.partition(".")[0] == "httpx" for each in names):
                yield module.found(node, "imports httpx")
            case ast.ImportFrom(module=str(source)) if source.partition(".")[0] == "httpx":
                yield module.found(node, "imports httpx")
            case _:
                pass


# Leftovers

_WORDS: Final = ("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")
"""Put together, so that this file does not break its own rule."""
_UNDONE: Final = re.compile(rf"\b({'|'.join(_WORDS)})\b")


def undone(path: str, text: str) -> Iterator[Found]:
    """Words that promise to come back."""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _UNDONE.search(line):
            yield Found(path, number, match[1])


def _undone(module: Module) -> Iterator[Found]:
    yield from undone(module.path, module.source)


def _prints(module: Module) -> Iterator[Found]:
    if module.path.startswith("api/"):
        for call in module.calls():
            if isinstance(call.func, ast.Name) and call.func.id in {"print", "pprint", "breakpoint"}:
                yield module.found(call, f"calls {call.func.id}(")


# The commit precedes the answer


def _unit_scope(module: Module) -> Iterator[Found]:
    takers = {function.name for function in module.functions() if _takes_unit(function)} | {"unit_of_work"}
    for call in module.calls():
        if name_of(call.func) != "Depends" or not call.args or name_of(call.args[0]) not in takers:
            continue
        match keyword(call, "scope"):
            case ast.Constant(value="function"):
                pass
            case _:
                yield module.found(call, f'Depends({name_of(call.args[0])}) without scope="function"')


def _takes_unit(function: Function) -> bool:
    parameters = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return any(name_of(each.annotation) == "UnitOfWork" for each in parameters)


RULES: Final = (
    Rule(
        "commits",
        "one module decides when something is committed, so that what was carried (marks, audit entries) always is too",
        _commits,
        {"api/storage/unit.py": "the unit of work is that module"},
    ),
    Rule(
        "formatted-logs",
        "an event is a fixed word and its values have keys: text put together escapes every allow-list",
        _formatted_logs,
    ),
    Rule(
        "personal-logs",
        "logs are read by people without a permit and kept without a term: no personal data, no secret, no free text",
        _personal_logs,
        {"api/cli/logs.py": "says on what libraries say; its own tests hold that no value gets through"},
    ),
    Rule(
        "routes-ask",
        "an operation that declares no scope can be called by anybody: every route names exactly one of authority.py",
        routes.ask,
    ),
    Rule(
        "routes-tell",
        "callers build on the description: every route says its name, what it answers and which problems it knows",
        routes.tell,
    ),
    Rule("routes-are-short", "a handler translates; what it decides belongs in operations.py", routes.short),
    Rule(
        "routes-elsewhere",
        "a route outside api/routes is not seen by the rules for routes",
        routes.elsewhere,
        {
            "api/edge/docs.py": "pages about the API, without authentication",
            "api/edge/health.py": "for orchestrators, without authentication",
            "api/edge/openapi.py": "the description itself, public",
            "api/edge/problem_pages.py": "pages about problem types, without authentication",
            "api/edge/well_known.py": "security.txt (RFC 9116), public",
        },
    ),
    Rule(
        "permits",
        "a Permit is proof of right, and a Refusal has an entry in the log, because nobody else can make one",
        _permits,
        {"api/disclosure/gate.py": "the gate"},
    ),
    Rule(
        "opened",
        "what is sealed is opened in a store, by a function that was shown a Permit",
        _opened,
        {
            "api/custody/sealing.py": "seals everything anew, and lets nothing out",
            "api/persons/reindexing.py": "makes the index anew, and lets nothing out",
        },
    ),
    Rule(
        "clock-and-environment",
        "deciding code gets the time and its settings as arguments, so that it can be tried at any hour",
        _clock_and_environment,
        {
            "api/settings.py": "the clock of entry points, and the one reader of settings",
            "api/sandbox/cast.py": "plays the clients, which have clocks of their own",
            "api/sandbox/story.py": "the same",
            "api/cli/metrics.py": "the metrics library takes its folder from there, in us and in our children",
            "api/sandbox/running.py": "starts processes, and keeps our settings out of what they inherit",
            "clients/_parts.py": "a client is its own entry point",
        },
    ),
    Rule(
        "http",
        "one module can be replaced, watched and limited",
        _http,
        {"clients/_transport.py": "that module", "api/outbound.py": "that of the server"},
    ),
    Rule("undone", "what is not done stands in an issue, where somebody looks", _undone),
    Rule(
        "prints",
        "standard output of a server is nobody's: log a word with keys",
        _prints,
        {"api/cli/": "what a command says is its output"},
    ),
    Rule(
        "unit-scope",
        "the commit precedes the first byte of the answer: FastAPI's default scope would end the unit after it",
        _unit_scope,
    ),
)
