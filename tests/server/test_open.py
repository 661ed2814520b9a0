"""``auth: open``: any bearer token from this machine, nothing from a web page."""

import http.client

import pytest

from processes import PATIENCE, Gateway


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    running = Gateway(tmp_path_factory.mktemp("open"), {"server": {"auth": "open"}})
    try:
        yield running
    finally:
        assert running.stop() == 0


def _ask(opened, path="/v1/models", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=PATIENCE)
    try:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": f"127.0.0.1:{opened.port}", "Authorization": "Bearer anything", **headers}.items():
            if value:
                connection.putheader(name, value.replace("PORT", str(opened.port)))
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "127.1.2.3:PORT", "[::1]:PORT"])
def test_hosts_of_this_machine_are_allowed(opened, host):
    assert _ask(opened, Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:PORT",
        "localhost.evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "127.0.0.1",
        "localhost:1",
        "192.168.0.1:PORT",
        "[::2]:PORT",
        "0:PORT",
        "0.0.0.0:PORT",
        "2130706433:PORT",
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/", "/health/ready"])
def test_other_hosts_are_refused(opened, host, path):
    assert _ask(opened, path, Host=host) == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
def test_web_pages_of_this_machine_are_allowed(opened, origin):
    assert _ask(opened, Origin=origin) == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "file://", "http://localhost.evil.example", "http://localhost@evil.example"],
)
def test_web_pages_of_others_are_refused(opened, origin):
    assert _ask(opened, Origin=origin) == 403


def test_a_token_is_required(opened):
    assert _ask(opened, Authorization="") == 401
    assert _ask(opened, Authorization="Bearer x") == 200
    assert _ask(opened, "/metrics") == 200
