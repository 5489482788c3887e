"""Which stores a run of the tests takes."""

import pytest

from tests.engine import IMAGES, stores


class _Docker:
    """An engine as its command line shows it: whether it answers, and which images it has and gets."""

    def __init__(self, *, answers: bool = True, has: frozenset[str] = frozenset(), gets: frozenset[str] = frozenset()) -> None:
        self.answers, self.has, self.gets = answers, has, gets

    def __call__(self, *words: str, seconds: float) -> bool:
        assert seconds > 0
        match words:
            case ("info",):
                return self.answers
            case ("image", "inspect", image):
                return image in self.has
            case ("pull", "--quiet", image):
                return image in self.gets
        raise AssertionError(words)


_ALL = frozenset(IMAGES.values())
_BUT_ONE = _ALL - {IMAGES["kafka"]}


@pytest.mark.parametrize(
    ("docker", "wanted"),
    [
        (_Docker(has=_ALL), "containers"),
        (_Docker(has=_BUT_ONE, gets=_ALL), "containers"),
        (_Docker(has=_BUT_ONE), "local"),
        (_Docker(answers=False, has=_ALL), "local"),
    ],
    ids=["it has the images", "it gets what is missing", "it has no way to a registry", "none answers"],
)
def test_containers_wherever_an_engine_can_run_them(docker: _Docker, wanted: str) -> None:
    assert stores("", docker) == wanted


@pytest.mark.parametrize("told", ["containers", "local"])
def test_what_is_told_is_taken_and_no_engine_asked(told: str) -> None:
    def docker(*words: str, seconds: float) -> bool:
        raise AssertionError(words, seconds)

    assert stores(told, docker) == told


def test_any_other_word_is_refused() -> None:
    with pytest.raises(ValueError, match="containers or local"):
        stores("podman", _Docker())
