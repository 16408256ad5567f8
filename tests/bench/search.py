"""`python -m tests.bench.search [ENTRIES]`: how soon the first page of a search is there, in so large a log.

Rows are made in SQL, much as a year of the exchange would fill them: few kinds of actions, many cases, one client
that was last seen at the beginning, a few refusals. Each query is asked three times; the slowest is printed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

import asyncpg

from api.audit import query, search
from tests import servers
from tests.audit_store import Rows

ENTRIES: Final = 1_000_000
MOST_MS: Final = 150.0
PAGE: Final = 51
FILL: Final = (
    """INSERT INTO audit.entry (id, leaf)
    SELECT n + 1, convert_to('{"n":' || n || '}', 'UTF8') FROM generate_series(0, $1::bigint - 1) n""",
    "INSERT INTO audit.leaf SELECT n, n + 1, sha256(int8send(n)) FROM generate_series(0, $1::bigint - 1) n",
    """INSERT INTO audit.projection (index, at, action, result, reason, organisation, kind, client, actor, object_type,
        object_id, purpose, request_id, grounds, categories, withheld)
    SELECT n, timestamptz '2026-01-01' + n * interval '30 s',
        (ARRAY['dossiers.read', 'cases.list', 'events.read', 'oauth.issue-token'])[1 + n % 4],
        CASE WHEN n % 97 = 0 THEN 'refused' WHEN n = 5000 THEN 'failed' ELSE 'permitted' END,
        CASE WHEN n % 97 = 0 THEN 'not-found' END,
        ('00000000-0000-0000-0000-' || lpad((n % 40)::text, 12, '0'))::uuid,
        (ARRAY['ngo', 'ind', 'municipality'])[1 + n % 3],
        CASE WHEN n < 100 THEN 'long-gone' ELSE 'client-' || n % 40 END,
        'worker-' || n % 500, 'dossier', md5((n % 20000)::text)::uuid,
        CASE WHEN n % 4 = 0 THEN 'legal-screening' END, md5(n::text)::uuid,
        CASE WHEN n % 4 = 0 THEN ARRAY['vw-107-8'] END,
        CASE WHEN n % 4 = 0 THEN CASE WHEN n < 4000 THEN ARRAY['belief'] ELSE ARRAY['identity', 'contact'] END END,
        CASE WHEN n % 8 = 0 THEN ARRAY['medical'] END
    FROM generate_series(0, $1::bigint - 1) n""",
    """INSERT INTO audit.projection_person
    SELECT md5((n % 20000)::text)::uuid, n FROM generate_series(0, $1::bigint - 1) n""",
)
QUERIES: Final = (
    "",
    "action:dossiers.read",
    "action:dossiers.*",
    "-result:permitted",
    "result:failed",
    "reason:not-found purpose:legal-screening",
    "org:00000000-0000-0000-0000-000000000007 action:cases.list",
    "client:long-gone",
    "client:nobody",
    "actor:worker-7 result:refused",
    "person:cfcd2084-95d5-65ef-66e7-dff9f98764da",
    "person:cfcd2084-95d5-65ef-66e7-dff9f98764da -action:dossiers.read",
    "object:cfcd2084-95d5-65ef-66e7-dff9f98764da",
    "request:cfcd2084-95d5-65ef-66e7-dff9f98764da",
    "category:identity",
    "category:belief",
    "category:orientation",
    "withheld:medical org:ngo",
    "ground:vw-*",
    "ground:avg-15",
    "after:2026-01-02 before:2026-01-03",
    "after:2026-01-02 before:2026-01-03 result:refused",
    "seq:10..20",
)


async def measured(url: str, entries: int) -> int:
    """Fill, ask, print. Returns how many queries were too slow."""
    connection: Any = await asyncpg.connect(url)
    began = time.perf_counter()
    for each in FILL:
        await connection.execute(each, entries, timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    print(f"{entries} entries made in {time.perf_counter() - began:.0f} s")
    slow = 0
    for text in QUERIES:
        worst, rows = 0.0, 0
        for _ in range(3):
            began = time.perf_counter()
            rows = len(await search.page(Rows(connection), query.parse(text), search.END, PAGE))
            worst = max(worst, (time.perf_counter() - began) * 1000)
        slow += worst > MOST_MS
        print(f"{worst:8.1f} ms {rows:4} rows  {text}")
    await connection.close()
    return slow


def main(entries: int) -> int:
    """Exit 1 when a first page took longer than it may."""
    with servers.server(None) as server, servers.migrated(server) as database:
        slow = asyncio.run(measured(database.superuser_url, entries))
    print("too slow:", slow)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES))
