"""Static files: read once, compressed once, served for ever under a path that holds the hash of all of them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

FOLDER: Final = Path(__file__).parent / "static"
_COMPRESSED: Final = frozenset({".css", ".js", ".svg", ".json"})
_TYPES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `small` is its gzip where that pays."""

    media_type: str
    body: bytes
    small: bytes | None


class Assets:
    """All static files, as an ASGI app to mount at /static. One hash for the whole folder keeps relative imports and urls true."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        digest = hashlib.sha256()
        found: dict[str, Asset] = {}
        for file in files:
            name = file.relative_to(folder).as_posix()
            asset = found[name] = _read(file)
            digest.update(name.encode() + b"\0" + hashlib.sha256(asset.body).digest())
        self.version = digest.hexdigest()[:12]
        self._found = found

    def url(self, name: str) -> str:
        """Where the file is. Raises KeyError for one that there is not."""
        if name not in self._found:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the ASGI signature
        version, _, name = scope["path"].removeprefix("/static/").partition("/")
        asset = self._found.get(name) if version == self.version and scope["method"] in {"GET", "HEAD"} else None
        if asset is None:
            await _send(send, 404, {"content-type": "text/plain", "cache-control": "no-store"}, b"")
            return
        headers = {"content-type": asset.media_type, "cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        body = asset.body
        if asset.small is not None and _takes_gzip(scope):
            body, headers["content-encoding"] = asset.small, "gzip"
        await _send(send, 200, headers | {"content-length": str(len(body))}, b"" if scope["method"] == "HEAD" else body)


def _read(file: Path) -> Asset:
    body = file.read_bytes()
    media_type = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if file.suffix in _COMPRESSED:
        return Asset(f"{media_type}; charset=utf-8", body, gzip.compress(body, 9, mtime=0))
    return Asset(media_type, body, None)


def _takes_gzip(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
