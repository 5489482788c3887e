"""The worker process of metrics (relay, foreign views, months to come): `python -m services.metrics.worker`."""

from services.metrics.settings import PREFIX, Settings
from services.metrics.wiring import SERVICE, build_worker
from shared.worker import run_worker


def main() -> None:
    """Work until told to stop."""
    run_worker(SERVICE, Settings.from_env(PREFIX), build_worker)


if __name__ == "__main__":
    main()
