"""The bodies of the files that a new pair can be kept in: made from the one answer that carries the secret, and never again."""

import json
from typing import Self

from pydantic import BaseModel

from services.keys.queries.pairs import PairView


class Downloads(BaseModel):
    """Both keys as a text for people, as variables for a process, and as a document for a program."""

    txt: str
    env: str
    json_: str

    model_config = {"alias_generator": lambda name: name.rstrip("_"), "populate_by_name": True, "serialize_by_alias": True}

    @classmethod
    def of(cls, pair: PairView, secret_key: str) -> Self:
        """The files of a pair."""
        return cls(txt=_txt(pair, secret_key), env=_env(pair, secret_key), json_=_json(pair, secret_key))


def _txt(pair: PairView, secret_key: str) -> str:
    return (
        f"Latchkey Pay, API keys of app {pair.app_id} ({pair.environment})\n\n"
        f"Public API Key:  {pair.public_key}\n"
        f"Secret API Key:  {secret_key}\n\n"
        f"Key pair {pair.pair_id}, made {pair.created_at.isoformat()}\n"
        "The public key may be used in frontends. Keep the secret key on your servers: it is shown only once.\n"
    )


def _env(pair: PairView, secret_key: str) -> str:
    return (
        f"LATCHKEY_APP_ID={pair.app_id}\n"
        f"LATCHKEY_ENVIRONMENT={pair.environment}\n"
        f"LATCHKEY_PUBLIC_KEY={pair.public_key}\n"
        f"LATCHKEY_SECRET_KEY={secret_key}\n"
    )


def _json(pair: PairView, secret_key: str) -> str:
    document = {
        "app_id": pair.app_id,
        "environment": pair.environment,
        "pair_id": pair.pair_id,
        "public_key": pair.public_key,
        "secret_key": secret_key,
        "created_at": pair.created_at.isoformat(),
    }
    return json.dumps(document, indent=2) + "\n"
