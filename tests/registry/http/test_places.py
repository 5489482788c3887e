"""S24, S25 over HTTP: what the form offers to choose from, to anybody."""

import httpx2
import pytest

from tests.registry.owner import refused

pytestmark = pytest.mark.stack


async def test_s24_the_countries(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/countries")
    countries = {country["code"]: country for country in answer.json()["items"]}
    assert (answer.status_code, len(countries)) == (200, 249)
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert countries["IN"] == {
        "code": "IN", "name": "India", "calling_code": "+91", "postal_code_pattern": r"\d{6}", "postal_code_example": "110034",
        "has_states": True,
    }  # fmt: skip


async def test_s25_the_states_of_a_country(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/countries/in/states")
    assert answer.status_code == 200
    assert {"code": "IN-MH", "name": "Mahārāshtra", "kind": "State", "parent": None} in answer.json()["items"]
    assert (await http.get("/v1/countries/HK/states")).json() == {"items": []}


@pytest.mark.parametrize("code", ["XX", "USA", "%2e%2e", "%F0%9F%87%BA"])
async def test_there_are_no_states_of_nowhere(http: httpx2.AsyncClient, code: str) -> None:
    refused(await http.get(f"/v1/countries/{code}/states"), 404, "resource.not_found")
