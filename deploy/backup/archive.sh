#!/usr/bin/env bash
# PostgreSQL hands over one finished segment of its log: `archive.sh PATH NAME`. It is kept whole or not at all, and never overwritten.
set -euo pipefail
to=/backup/wal/$2
mkdir -p /backup/wal
if [ -e "$to" ]; then
    exec cmp -s "$1" "$to"
fi
cp "$1" "$to.part"
sync "$to.part"
mv "$to.part" "$to"
