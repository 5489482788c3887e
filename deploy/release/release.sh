#!/usr/bin/env bash
# Wheels, images and the lists of what is in them, into dist/<version>, from what is committed and nothing else. The version is that of the tag
# at HEAD (v1.2.3), or the one given: `release.sh 1.2.3`. Wheels come out the same, byte for byte, wherever and whenever they are built.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)}
version=${version#v}
if ! [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?$ ]]; then
    echo "✗ There is no tag like v1.2.3 at HEAD: make one, or name a version: make release version=1.2.3" >&2
    exit 1
fi
bin=$PWD/.venv/bin out=$PWD/dist/$version
from=$(mktemp -d)
trap 'rm -rf "$from"' EXIT
rm -rf "$out"
mkdir -p "$out/sbom"
git archive HEAD | tar -x -C "$from"
sed -i -E "s/^version = \".*\"/version = \"$version\"/" "$from"/*/pyproject.toml "$from"/services/*/pyproject.toml
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

for member in client shared portal services/identity services/registry services/keys services/metrics; do
    "$bin/uv" build --quiet --wheel --build-constraints deploy/release/build.txt --require-hashes --out-dir "$out/wheels" "$from/$member"
done
for image in identity registry keys metrics portal deploy; do
    "$bin/uv" export --quiet --frozen --offline --no-dev --package "latchkey-$image" --format cyclonedx1.5 2>/dev/null |
        "$bin/python" deploy/release/bill.py "$version" "$out/sbom/$image.cdx.json"
done
"$bin/python" deploy/release/licences.py "$out"/sbom/*.cdx.json > "$out/licences.txt"
if docker info >/dev/null 2>&1; then
    (cd "$from" && LATCHKEY_VERSION=$version docker buildx bake --allow=fs.read="$from" -f docker-compose.yml >"$out/images.log" 2>&1) || { tail -n 20 "$out/images.log" >&2; exit 1; }
    docker images --format '{{.Repository}}:{{.Tag}}  {{.ID}}' "latchkey/*" | grep -F ":$version " > "$out/images.txt"
else
    echo "No Docker engine answers, so no images were built."
fi
(cd "$out" && find . -type f ! -name 'images.*' ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
echo "dist/$version holds $(find "$out/wheels" -name '*.whl' | wc -l) wheels, $(find "$out/sbom" -type f | wc -l) bills of materials and the list of licences."
