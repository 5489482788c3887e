"""The worker process of registry (relay, reactions, sweep): `python -m services.registry.worker`."""

from services.registry.settings import PREFIX, Settings
from services.registry.wiring import SERVICE, build_worker
from shared.worker import run_worker


def main() -> None:
    """Work until told to stop."""
    run_worker(SERVICE, Settings.from_env(PREFIX), build_worker)


if __name__ == "__main__":
    main()
