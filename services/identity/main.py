"""The HTTP process of identity: `python -m services.identity.main`."""

from services.identity.settings import PREFIX, Settings
from services.identity.wiring import SERVICE, build_main
from shared.http.serving import run_main


def main() -> None:
    """Serve until told to stop."""
    run_main(SERVICE, Settings.from_env(PREFIX), build_main)


if __name__ == "__main__":
    main()
