"""The HTTP process of registry: `python -m services.registry.main`."""

from services.registry.settings import PREFIX, Settings
from services.registry.wiring import SERVICE, build_main
from shared.http.serving import run_main


def main() -> None:
    """Serve until told to stop."""
    run_main(SERVICE, Settings.from_env(PREFIX), build_main)


if __name__ == "__main__":
    main()
