#!/usr/bin/env bash
# Restore an old backup of the data with TODAY's key table, into an empty database: everyone is there but whoever was
# erased since. Afterwards, on the restored database: `ketenbrug keys check --rows`, and `ketenbrug keys rotate-index` when
# it says that V-numbers do not lead to their persons. Needs pg_dump, pg_restore and psql.
#
#   restore-drill.sh BACKUP LIVE_URL RESTORED_URL
#
# BACKUP is of pg_dump --format=custom. Both URLs are of a superuser, as for any restore. LIVE is only read.
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
backup=$1 live=$2 restored=$3

# (1) Data as they were, with the key table of then: it opens nothing once its epoch is over.
pg_restore --exit-on-error --dbname="$restored" "$backup"

# (2) The key table as it is now. Without it every person is lost: keep two live copies of it.
psql --quiet --set=ON_ERROR_STOP=1 "$restored" \
    --command='TRUNCATE keys.person_key, keys.destroyed_kek, keys.rotation, keys.index_version'
pg_dump --data-only --schema=keys "$live" | psql --quiet --set=ON_ERROR_STOP=1 "$restored" > /dev/null

# (3) Who has no key today was erased: what leads to them goes here too.
psql --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$restored" <<'SQL'
WITH gone AS (
    UPDATE exchange.person p SET v_index = NULL, v_number = NULL, erased_at = coalesce(erased_at, now())
    WHERE erased_at IS NULL AND NOT EXISTS (SELECT FROM keys.person_key k WHERE k.person_id = p.id) RETURNING p.id
), unnamed AS (
    DELETE FROM exchange.person_alias a WHERE a.person_id IN (SELECT id FROM gone)
), unsigned AS (
    UPDATE exchange.emergency e SET reference = NULL, actor = NULL
    FROM exchange.case c WHERE c.id = e.case_id AND c.person_id IN (SELECT id FROM gone)
)
SELECT 'Erased since the backup: ' || count(*) FROM gone;
SQL
