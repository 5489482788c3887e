#!/usr/bin/env bash
# A copy of the whole database server, while it works: `docker compose exec postgres bash /scripts/backup.sh`. The name is the moment from
# which on it can be restored; it is there once all of the log that it needs is.
set -euo pipefail
fresh=/backup/base/.$$
mkdir -p /backup/base
pg_basebackup -U postgres -D "$fresh" -Ft -z -X none --checkpoint=fast 2>&1 | { grep -v '^NOTICE' || true; }
name=$(date -u +%Y%m%dT%H%M%SZ)
mv "$fresh" "/backup/base/$name"
echo "$name is complete."
