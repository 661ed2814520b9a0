"""The policy table: what each route needs, and who may read the metrics."""

import http.client
import json

import pytest

from antiphon.catalog import Settings
from antiphon.server.policy import METRICS, Needs, find_needs
from antiphon.server.routes import ROUTES
from processes import PATIENCE, Gateway, run_cli, wait_until

IDS = [f"{route.method} {route.path.decode()}" for route in ROUTES]
NOBODY = None
"""A request without a key."""


@pytest.fixture(scope="module")
def member_key(gateway):
    """A key that is not an admin's."""
    made = run_cli("keys", "create", "member", "--data", str(gateway.data), "--json")
    return json.loads(made.stdout)["key"]


@pytest.fixture(scope="module")
def open_metrics(tmp_path_factory):
    """A gateway that shows its metrics to everybody and asks for a key everywhere else."""
    running = Gateway(tmp_path_factory.mktemp("metrics"), {"server": {"metrics": "open"}})
    try:
        yield running
    finally:
        assert running.stop() == 0, running.output


def get(gateway, path, key):
    """Return the status, the headers and the body of a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def get_code(body):
    return json.loads(body)["error"]["code"]


async def wait_for_key(gateway, key):
    """Wait until the running server knows a key that another process made."""
    await wait_until(lambda: get(gateway, "/v1/models", key)[0] == 200)


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_every_route_has_a_level(route):
    assert route.needs in (Needs.NOTHING, Needs.KEY, Needs.ADMIN)
    assert route.opened_by in ("", METRICS)


def test_routes_are_unique():
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_levels_of_routes():
    by_level = {level: {route.path for route in ROUTES if route.needs is level} for level in Needs}
    assert by_level[Needs.NOTHING] == {b"/", b"/health/live", b"/health/ready"}
    assert by_level[Needs.ADMIN] == {b"/metrics"}
    assert all(path.startswith((b"/v1/", b"/v1beta/", b"/model/")) for path in by_level[Needs.KEY])


@pytest.mark.parametrize("level", Needs)
@pytest.mark.parametrize("metrics", ["admin", "open"])
def test_only_the_metrics_can_be_opened(level, metrics):
    settings = Settings(metrics=metrics)
    assert find_needs(level, "", settings) is level
    assert find_needs(level, METRICS, settings) is (Needs.NOTHING if metrics == "open" else level)


async def test_metrics_need_an_admin_key(gateway, member_key):
    await wait_for_key(gateway, member_key)
    status, _, body = get(gateway, "/metrics", member_key)
    assert (status, get_code(body)) == (403, "admin_key_required")
    status, headers, body = get(gateway, "/metrics", gateway.key)
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert b"antiphon_calls_in_flight" in body


@pytest.mark.parametrize(("key", "code"), [(NOBODY, "missing_api_key"), ("unknown", "invalid_api_key")])
def test_metrics_without_a_valid_key(gateway, key, code):
    status, headers, body = get(gateway, "/metrics", key)
    assert (status, get_code(body)) == (401, code)
    assert headers["www-authenticate"].startswith("Bearer")


async def test_head_needs_what_get_needs(gateway, member_key):
    await wait_for_key(gateway, member_key)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        statuses = []
        for key in (member_key, gateway.key):
            connection.request("HEAD", "/metrics", headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        assert statuses == [403, 200]
    finally:
        connection.close()


@pytest.mark.parametrize("key", [NOBODY, "unknown"])
def test_open_metrics_need_no_key(open_metrics, key):
    status, _, body = get(open_metrics, "/metrics", key)
    assert status == 200
    assert b"antiphon_calls_in_flight" in body


@pytest.mark.parametrize("path", ["/v1/models", "/v1/providers"])
def test_open_metrics_open_nothing_else(open_metrics, path):
    assert get(open_metrics, path, NOBODY)[0] == 401
    assert get(open_metrics, path, open_metrics.key)[0] == 200
