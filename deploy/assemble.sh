#!/usr/bin/env bash
# Copy what one image runs, and nothing of the others, from the sources to a folder: assemble.sh SERVICE FOLDER
set -euo pipefail
service=$1 to=$2
mkdir -p "$to"
cp -r client/latchkey "$to/"
case $service in
  deploy) cp -r deploy stack "$to/" ;;
  portal) cp -r shared portal "$to/" ;;
  *) cp -r shared "$to/"; mkdir -p "$to/services"; cp -r "services/$service" "$to/services/" ;;
esac
cp deploy/healthy.sh "$to/"
find "$to" -name pyproject.toml -delete
