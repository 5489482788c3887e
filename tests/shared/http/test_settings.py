"""A process starts with whole settings, or says in a sentence for each what is wrong."""

import base64
from pathlib import Path

import pytest
from latchkey.access import KafkaAccess, options

from shared.settings import ServiceSettings, SettingsWrong

KEY = base64.b64encode(bytes(range(32))).decode()
WHOLE = {
    "TOY_DATABASE_URL": "postgres://app:hunter2-hunter2-hunter2@db/toy",
    "TOY_READ_DATABASE_URL": "postgres://read:hunter2-hunter2-hunter2@db/toy",
    "TOY_REDIS_URL": "redis://r",
    "TOY_KAFKA_BOOTSTRAP": "k:9092",
    "TOY_IDENTITY_URL": "http://i",
    "TOY_PORT": "8009",
    "TOY_MASTER_KEY": KEY,
}


class ToySettings(ServiceSettings):
    extra_seconds: float = 1.5


def test_every_field_has_its_variable() -> None:
    settings = ToySettings.from_env("TOY_", WHOLE | {"TOY_EXTRA_SECONDS": "2", "TOY_OWNER_DATABASE_URL": "postgres://owner", "HOME": "/"})
    assert (settings.port, settings.host, settings.master_key, settings.extra_seconds) == (8009, "127.0.0.1", bytes(range(32)), 2.0)
    assert settings.owner_database_url == "postgres://owner"


def test_a_secret_may_stand_in_a_file_and_the_file_wins(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    settings = ToySettings.from_env("TOY_", WHOLE | {"TOY_MASTER_KEY": "wrong", "TOY_MASTER_KEY_FILE": str(tmp_path / "key")})
    assert settings.master_key == bytes(range(32))
    assert ToySettings.from_env("TOY_", WHOLE | {"TOY_MASTER_KEY_FILE": ""}).master_key == bytes(range(32))


def test_all_that_is_wrong_is_said_at_once_and_no_value_is_shown(tmp_path: Path) -> None:
    wrong = {
        "TOY_PORT": "70000",
        "TOY_MASTER_KEY": base64.b64encode(b"hunter2").decode(),
        "TOY_REDIS_URL_FILE": str(tmp_path / "absent"),
    }
    with pytest.raises(SettingsWrong) as raised:
        ToySettings.from_env("TOY_", {name: value for name, value in (WHOLE | wrong).items() if name != "TOY_DATABASE_URL"})
    text = str(raised.value)
    assert "TOY_DATABASE_URL is not set (nor TOY_DATABASE_URL_FILE)." in text
    assert "TOY_PORT: Input should be less than or equal to 63535." in text
    assert "TOY_MASTER_KEY: must be base64 of 32 random bytes, not of 7." in text
    assert "TOY_REDIS_URL_FILE names a file that cannot be read (No such file or directory)." in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "key", ["", "*", base64.b64encode(bytes(32)).decode(), base64.b64encode(b"ab" * 16).decode(), base64.b64encode(bytes(64)).decode()]
)
def test_a_weak_master_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsWrong, match="TOY_MASTER_KEY"):
        ToySettings.from_env("TOY_", WHOLE | {"TOY_MASTER_KEY": key})


def test_a_database_password_that_can_be_guessed_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsWrong, match="TOY_DATABASE_URL: has a password of fewer than 16 characters") as raised:
        ToySettings.from_env("TOY_", WHOLE | {"TOY_DATABASE_URL": "postgres://app:hunter2@db/toy"})
    assert "hunter2" not in str(raised.value)


def test_a_passfile_must_be_there_and_private(tmp_path: Path) -> None:
    passfile = tmp_path / "pgpass"
    told = WHOLE | {"TOY_DATABASE_URL": f"postgres://app@db/toy?passfile={passfile}"}
    with pytest.raises(SettingsWrong, match=r"passfile that cannot be read \(No such file"):
        ToySettings.from_env("TOY_", told)
    passfile.write_text("*:*:*:app:word")
    passfile.chmod(0o644)
    with pytest.raises(SettingsWrong, match="passfile that others may read"):
        ToySettings.from_env("TOY_", told)
    passfile.chmod(0o600)
    assert ToySettings.from_env("TOY_", told).database_url == told["TOY_DATABASE_URL"]


def test_kafka_is_told_who_asks_and_a_password_file_is_read_when_it_is_needed(tmp_path: Path) -> None:
    assert options(ToySettings.from_env("TOY_", WHOLE).kafka) == {"bootstrap_servers": "k:9092", "security_protocol": "PLAINTEXT"}
    (tmp_path / "word").write_text("first-long-password\n")
    kafka = ToySettings.from_env("TOY_", WHOLE | {"TOY_KAFKA_USER": "toy", "TOY_KAFKA_PASSWORD_FILE": str(tmp_path / "word")}).kafka
    assert (options(kafka)["security_protocol"], options(kafka)["sasl_mechanism"]) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    assert (options(kafka)["sasl_plain_username"], options(kafka)["sasl_plain_password"]) == ("toy", "first-long-password")
    (tmp_path / "word").write_text("second-long-password\n")
    assert options(kafka)["sasl_plain_password"] == "second-long-password"
    assert "long-password" not in repr(kafka)
    assert options(KafkaAccess("k:9093", tls=True))["security_protocol"] == "SSL"


@pytest.mark.parametrize("given", [{}, {"TOY_KAFKA_PASSWORD": "short"}])
def test_a_kafka_user_needs_a_password_worth_the_name(given: dict[str, str]) -> None:
    with pytest.raises(SettingsWrong, match="TOY_KAFKA_PASSWORD: must have at least 16 characters, because KAFKA_USER is set"):
        ToySettings.from_env("TOY_", WHOLE | {"TOY_KAFKA_USER": "toy"} | given)


def test_settings_do_not_show_their_secrets_when_printed() -> None:
    shown = repr(ToySettings.from_env("TOY_", WHOLE | {"TOY_OWNER_DATABASE_URL": "postgres://o:hunter2-hunter2-hunter2@db"}))
    assert "hunter2" not in shown
    assert "master_key" not in shown
