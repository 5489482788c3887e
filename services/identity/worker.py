"""The worker process of identity (relay, mails): `python -m services.identity.worker`."""

from services.identity.settings import PREFIX, Settings
from services.identity.wiring import SERVICE, build_worker
from shared.worker import run_worker


def main() -> None:
    """Work until told to stop."""
    run_worker(SERVICE, Settings.from_env(PREFIX), build_worker)


if __name__ == "__main__":
    main()
