#!/usr/bin/env bash
# Lay the newest copy before a moment where the database was, and tell PostgreSQL to go on from its log up to that moment: `restore.sh [TIME]`.
set -euo pipefail
data=/var/lib/postgresql/18/docker
if [ -e "$data/PG_VERSION" ]; then
    echo "✗ There is a database. Stop everything, keep its volume or remove it, and come again." >&2
    exit 1
fi
until=${1:-}
latest=$(date -u -d "${until:-tomorrow}" +%Y%m%dT%H%M%SZ)
base=$(cd /backup/base && printf '%s\n' 2* | awk -v latest="$latest" '$0 <= latest' | tail -n 1)
if [ ! -e "/backup/base/$base/base.tar.gz" ]; then
    echo "✗ No copy is older than that." >&2
    exit 1
fi
mkdir -p "$data"
chmod 700 "$data"
tar -xzf "/backup/base/$base/base.tar.gz" -C "$data"
touch "$data/recovery.signal"
sed -i -E '/^(hot_standby|restore_command|recovery_target_[a-z]+) /d' "$data/postgresql.auto.conf"  # of a restore before the copy was made
{
    echo "hot_standby = off  # nobody gets in before it is done"
    echo "restore_command = 'cp /backup/wal/%f %p'"
    if [ -n "$until" ]; then
        echo "recovery_target_time = '$until'"
        echo "recovery_target_action = promote"
    fi
} >> "$data/postgresql.auto.conf"
echo "The copy of $base is in place. \`docker compose up --wait postgres\` goes on from there."
