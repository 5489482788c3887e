"""What `docker compose config` makes of optional settings: files are mounted where they are given, and nowhere else."""

import json
import os
import subprocess
from typing import Any

import pytest

from stack.layout import ROOT
from stack.ports import SERVICES

pytestmark = pytest.mark.containers


def services(**told: str) -> dict[str, Any]:
    """The services of docker-compose.yml with these variables."""
    command = ["docker", "compose", "-f", "docker-compose.yml", "--profile", "tools", "config", "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=os.environ | told)
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """Files and volumes by where they are in the container."""
    return {volume["target"]: volume["source"] for volume in service["volumes"]}


def test_a_mail_servers_password_and_certificates_come_from_files() -> None:
    given = services(
        SMTP_HOST="smtp.example.com", SMTP_USER="latchkey", SMTP_PASSWORD_FILE="/etc/latchkey/smtp", SMTP_CA_FILE="/etc/ssl/ours.pem"
    )
    for name in ("identity-main", "identity-worker", "identity-ops"):
        told, files = given[name]["environment"], mounted(given[name])
        assert (told["IDENTITY_SMTP_PASSWORD_FILE"], files["/smtp/password"]) == ("/smtp/password", "/etc/latchkey/smtp")
        assert (told["IDENTITY_SMTP_CA_FILE"], files["/smtp/ca.pem"]) == ("/smtp/ca.pem", "/etc/ssl/ours.pem")
        assert told["IDENTITY_SMTP_PASSWORD"] == ""


def test_without_them_nothing_is_named() -> None:
    plain = services()["identity-worker"]
    told = plain["environment"]
    assert (told["IDENTITY_SMTP_PASSWORD_FILE"], told["IDENTITY_SMTP_CA_FILE"]) == ("", "")
    assert {mounted(plain)[place] for place in ("/smtp/password", "/smtp/ca.pem")} == {"/dev/null"}


def test_whoever_goes_to_a_store_knows_its_authority_or_goes_without() -> None:
    where = {"init": {"STORES_CA"}, "databases": {"PGSSLROOTCERT"}, "topics": {"STORES_CA"}, "consumer": {"STORES_CA"}}
    where["rotate"] = {"STORES_CA", "PGSSLROOTCERT"}
    for service in SERVICES:
        where |= {f"{service}-{part}": {"PGSSLROOTCERT", f"{service.upper()}_KAFKA_CA_FILE"} for part in ("ops", "main", "worker")}
    for given, (place, source, mode) in {
        "/etc/ssl/ours.pem": ("/stores/ca.pem", "/etc/ssl/ours.pem", "verify-full"),
        "": ("", "/dev/null", "prefer"),
    }.items():
        all_of_them = services(STORES_CA_FILE=given, POSTGRES_SSLMODE=mode)
        for name, variables in where.items():
            told = all_of_them[name]["environment"]
            assert {variable: told.get(variable) for variable in variables} == dict.fromkeys(variables, place), name
            assert "PGSSLROOTCERT" not in variables or told["PGSSLMODE"] == mode, name
            assert name == "init" or mounted(all_of_them[name])["/stores/ca.pem"] == source, name


def test_traces_are_sent_by_every_process_or_by_none() -> None:
    for told in ("", "http://collector:4318"):
        all_of_them = services(OTEL_EXPORTER_OTLP_ENDPOINT=told)
        processes = [f"{service}-{role}" for service in SERVICES for role in ("main", "worker")]
        assert {all_of_them[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] for name in (*processes, "portal")} == {told}
