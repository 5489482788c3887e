"""The portal's process: `python -m portal.main`."""

from portal.settings import PREFIX, Settings
from portal.wiring import build_main
from shared.http.serving import run_main


def main() -> None:
    """Serve until told to stop."""
    run_main("portal", Settings.from_env(PREFIX), build_main)


if __name__ == "__main__":
    main()
