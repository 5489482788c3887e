"""The HTTP process of metrics: `python -m services.metrics.main`."""

from services.metrics.settings import PREFIX, Settings
from services.metrics.wiring import SERVICE, build_main
from shared.http.serving import run_main


def main() -> None:
    """Serve until told to stop."""
    run_main(SERVICE, Settings.from_env(PREFIX), build_main)


if __name__ == "__main__":
    main()
