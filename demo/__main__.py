"""`python -m demo [--keep]`: stack up, the journey, stack down. Exit status 1 when a total differs from the file."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from demo.calls import Endpoints, Refused
from demo.journey import walk
from demo.people import Developer
from demo.story import Mismatch, Story
from stack.down import down
from stack.layout import ROOT, Layout
from stack.processes import Child
from stack.trouble import Trouble
from stack.up import up


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="demo", description="Walk the whole guide on a real stack.")
    parser.add_argument("--keep", action="store_true", help="leave the stack running at the end")
    parser.add_argument("--dir", type=Path, default=ROOT / ".local", help="the folder of the stack (default: .local)")
    chosen = parser.parse_args()
    story, layout = Story(), Layout(chosen.dir.resolve())
    keep = chosen.keep or Child(layout, "supervisor").pid is not None  # what ran before runs on
    started = time.perf_counter()
    try:
        up(layout, story.console)
    except Trouble as trouble:
        story.console.print(f"[bold red]{trouble}[/]")
        return 1
    story.say(f"the stack was green after {time.perf_counter() - started:.1f} s")
    try:
        developer = asyncio.run(walk(story, Endpoints.read(layout.endpoints), layout))
    except (Mismatch, Refused) as wrong:
        story.console.print(f"\n[bold red]{wrong}[/]")
        return 1
    finally:
        if not keep:
            down(layout, story.console)
    story.end()
    _next(story, developer, keep=keep)
    return 0


def _next(story: Story, developer: Developer, *, keep: bool) -> None:
    story.console.print("\n[bold]What to try next[/]")
    if keep:
        story.say(f"open {developer.at.portal} and sign in as {developer.email} with the password {developer.password}")
        story.say(f"{developer.at.registry}/openapi.json, and the same of the other three")
        story.say("make status · make logs of=keys-worker · kill -9 a process and look again · make down")
    else:
        story.say(f"make demo keep=1   the same, and its pages stay up at {developer.at.portal}, with an account that is ready")
        story.say("make up            the stack alone; make status says where everything listens")


if __name__ == "__main__":
    sys.exit(main())
