"""The worker process of keys (relay, views of others, reactions, deadlines): `python -m services.keys.worker`."""

from services.keys.settings import PREFIX, Settings
from services.keys.wiring import SERVICE, build_worker
from shared.worker import run_worker


def main() -> None:
    """Work until told to stop."""
    run_worker(SERVICE, Settings.from_env(PREFIX), build_worker)


if __name__ == "__main__":
    main()
