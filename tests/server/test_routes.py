"""Every route of the table: policy, methods and error format; and paths that only look like routes."""

import http.client
import json
from collections.abc import Iterable
from typing import Any

import pytest

from antiphon.catalog.operations import OPERATIONS
from antiphon.server.policy import Needs
from antiphon.server.routes import ROUTES
from antiphon.server.wire_detection import detect_wire
from processes import PATIENCE

FORMS = {row.path.encode() for row in OPERATIONS.values() if row.body == "form"}
ACCOUNT = {row.path.encode() + below for row in OPERATIONS.values() if not row.model for below in (b"", b"/{}")}
"""Routes of an account at a provider; tests/server/operations has one."""
IDS = [f"{route.method}{route.path.decode()}" for route in ROUTES]


def ask(
    gateway, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"127.0.0.1:{gateway.port}")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


SHAPES = {
    "chat": {"error": {"message", "type", "param", "code"}},
    "responses": {"error": {"message", "type", "param", "code"}},
    "messages": {"error": {"type", "message"}},
    "generate": {"error": {"code", "message", "status"}},
    "converse": {},
}


def get_error(body: bytes, path: str = "/v1/chat/completions", names: Iterable[str] = ()) -> dict[str, Any]:
    """Check that an error has the shape of the wire that was called, and return the object with its message.

    ``names`` are header fields, which tell what a path of several wires was called as.
    """
    document = json.loads(body)
    fields = [(name.replace("_", "-").lower().encode(), b"") for name in names]
    shape = SHAPES[detect_wire(path.encode(), fields).operation]
    error = document.get("error", document)
    assert shape.get("error", {"message"}) <= set(error)
    assert isinstance(error["message"], str)
    assert "Traceback" not in error["message"]
    return error


SAMPLES = {
    b"/v1/models/{}": {"GET": "/v1/models/sim/echo", "POST": "/v1/models/sim/echo:generateContent"},
    b"/v1/responses/{}": {"GET": "/v1/responses/resp_none", "DELETE": "/v1/responses/resp_none"},
    b"/v1beta/models/{}": {"GET": "/v1beta/models/sim/echo", "POST": "/v1beta/models/sim/echo:generateContent"},
    b"/v1beta/{}": {"POST": "/v1beta/sim/echo:generateContent"},
    b"/model/{}": {"POST": "/model/sim%2Fecho/converse"},
    **{path: dict.fromkeys(("GET", "POST", "DELETE"), path.decode().replace("{}", "a-1")) for path in ACCOUNT},
}


def get_path(route) -> str:
    return SAMPLES.get(route.path, {}).get(route.method, route.path.decode())


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_every_route_has_a_policy(route):
    assert isinstance(route.needs, Needs)
    public = {b"/", b"/health/live", b"/health/ready"}
    assert (route.needs is Needs.NOTHING) == (route.path in public)


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_a_key_is_needed(gateway, route):
    status, headers, body = ask(gateway, route.method, get_path(route), b"{}" if route.method == "POST" else None)
    if route.needs is Needs.NOTHING:
        assert status == 200
    else:
        assert status == 401
        assert headers["www-authenticate"].startswith("Bearer")
        get_error(body, get_path(route))


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(gateway, route, method):
    allowed = {other.method for other in ROUTES if other.path == route.path}
    if method in allowed:
        return
    status, headers, body = ask(gateway, method, get_path(route), Authorization=f"Bearer {gateway.key}")
    assert status == 405
    assert headers["allow"] == ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    get_error(body, get_path(route))


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.method == "GET" and route.path not in ACCOUNT],
    ids=lambda route: route.path,
)
def test_head_answers_as_get_without_a_body(gateway, route):
    key = f"Bearer {gateway.key}"
    get = ask(gateway, "GET", get_path(route), Authorization=key)
    head = ask(gateway, "HEAD", get_path(route), Authorization=key)
    assert head[0] == get[0] == (404 if "none" in get_path(route) else 200)
    assert head[2] == b""
    assert head[1]["content-type"] == get[1]["content-type"]


BAD_BODIES = {
    "empty": b"",
    "not-json": b"hello",
    "half": b'{"model": "sim/echo"',
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "twice": b'{"model": "sim/echo", "model": "gpt"}',
    "nan": b'{"model": "sim/echo", "temperature": NaN}',
    "deep": b'{"model": "sim/echo", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "utf8": b'{"model": "sim/\xff"}',
    "surrogate": b'{"model": "sim/echo", "x": "\\ud800"}',
    "no-model": b"{}",
    "model-number": b'{"model": 3}',
    "trailing": b'{"model": "sim/echo"} x',
}


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.method == "POST" and route.path not in (*ACCOUNT, b"/v1/responses/{}")],
    ids=lambda route: route.path,
)
@pytest.mark.parametrize("name", BAD_BODIES)
def test_malformed_bodies_are_refused(gateway, route, name):
    status, _, body = ask(gateway, "POST", get_path(route), BAD_BODIES[name], Authorization=f"Bearer {gateway.key}")
    assert status == (415 if route.path in FORMS else 400)
    get_error(body, get_path(route))


@pytest.mark.parametrize("model", ["sim/echo\\r\\nx-evil: 1", "sim/echo\\nx-evil: 1", "a\\u0000b", "\\u2028x"])
def test_a_line_break_in_a_model_is_not_passed_on(gateway, model):
    body = b'{"model": "%b", "messages": [{"role": "user", "content": "x"}]}' % model.encode()
    key = f"Bearer {gateway.key}"
    status, headers, answer = ask(gateway, "POST", "/v1/chat/completions", body, Authorization=key)
    assert status in (400, 404)
    assert "x-evil" not in headers
    get_error(answer)
    assert "x-evil" not in gateway.output
    assert b"x-evil" not in ask(gateway, "GET", "/metrics", Authorization=key)[2]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_content_encoding_is_refused(gateway, encoding):
    status, _, body = ask(
        gateway,
        "POST",
        "/v1/chat/completions",
        b"{}",
        Authorization=f"Bearer {gateway.key}",
        Content_Encoding=encoding,
    )
    assert status == 415
    assert get_error(body)["code"] == "unsupported_media"


def test_identity_is_read(gateway):
    body = b'{"model": "sim/echo", "messages": [{"role": "user", "content": "x"}]}'
    key = f"Bearer {gateway.key}"
    answer = ask(gateway, "POST", "/v1/chat/completions", body, Authorization=key, Content_Encoding="identity")
    assert answer[0] == 200


TRICKS = [
    "/v1",
    "/v1/",
    "/V1/models",
    "/v1/models/",
    "//v1/models",
    "/v1//models",
    "/v1/models/../../health/live",
    "/v1/../v1/models",
    "/./v1/models",
    "/v1/models%2f..",
    "/v1%2fmodels",
    "/%76%31/models",
    "/v1/models;x",
    "/v1/models%00",
    "/v1\\models",
    "/metrics/",
    "/metrics/../health/live",
    "/health/live/..",
    "/health/live%2f..%2f..%2fmetrics",
    "/health/..",
    "/admin",
    "/v1/chat/completions/",
    "/v1/chat/%63ompletions",
    "/openapi.json",
    "/.env",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_that_only_look_like_a_route_are_not_found(gateway, path, method):
    for headers in ({}, {"Authorization": f"Bearer {gateway.key}"}):
        status, _, body = ask(gateway, method, path, **headers)
        # What follows /v1/models/ is a name, and no such model.
        named = path.startswith("/v1/models/") and len(path) > len("/v1/models/")
        assert status in ({401, 404, 405} if named else {404})
        get_error(body)


def test_percent_encoding_counts_within_a_model_name_only(gateway):
    key = f"Bearer {gateway.key}"
    for path in ("/v1/models/sim%2Fecho", "/v1/models/sim/echo", "/v1/models/meta%2fllama%3Afree"):
        assert ask(gateway, "GET", path, Authorization=key)[0] == 200
    for path in ("/v1/models/sim%252Fecho", "/v1/models/%ff", "/v1/models/x%0d%0aX-Evil:1"):
        status, headers, body = ask(gateway, "GET", path, Authorization=key)
        assert status == 404
        assert "x-evil" not in headers
        get_error(body)


def test_a_query_changes_nothing(gateway):
    assert ask(gateway, "GET", "/health/live?x=/metrics")[0] == 200
    assert ask(gateway, "GET", "/metrics?/health/live")[0] == 401
    assert ask(gateway, "GET", f"/v1/models?api_key={gateway.key}")[0] == 401


CREDENTIALS = [
    ({}, 401),
    ({"Authorization": ""}, 401),
    ({"Authorization": "Bearer"}, 401),
    ({"Authorization": "Bearer "}, 401),
    ({"Authorization": "Basic KEY"}, 401),
    ({"Authorization": "KEY"}, 401),
    ({"Authorization": "Bearer KEY x"}, 401),
    ({"Authorization": "Bearer xKEY"}, 401),
    ({"api_key": "KEY"}, 200),
    ({"x_api_key": "KEY"}, 200),
    ({"x_goog_api_key": "KEY"}, 200),
    ({"x_api_key": "xKEY"}, 401),
    ({"x_api_key": ""}, 401),
    ({"x_api_key": "KEY", "x_goog_api_key": "KEY"}, 400),
    ({"Cookie": "key=KEY"}, 401),
    ({"Authorization": "Bearer KEY", "api_key": "KEY"}, 400),
    ({"Authorization": "Bearer KEY", "x_api_key": "other"}, 400),
    ({"Authorization": "Bearer KEY", "Proxy_Authorization": "Bearer KEY"}, 400),
    ({"Authorization": "Bearer KEY"}, 200),
    ({"authorization": "bearer KEY"}, 200),
    ({"AUTHORIZATION": "BEARER   KEY  "}, 200),
]


@pytest.mark.parametrize(("headers", "expected"), CREDENTIALS)
def test_exactly_one_credential(gateway, headers, expected):
    given = {name: value.replace("KEY", gateway.key) for name, value in headers.items()}
    status, _, body = ask(gateway, "GET", "/v1/models", **given)
    assert status == expected
    if expected != 200:
        assert gateway.key not in get_error(body, "/v1/models", given)["message"]


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models"])
def test_a_key_in_the_url_is_ignored(gateway, path):
    status, _, body = ask(gateway, "GET", f"{path}?key={gateway.key}")
    assert status == 401
    assert b"ends up in logs" in body
    assert gateway.key.encode() not in body


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_model_is_called_with_post_only(gateway, method):
    given = {"Authorization": f"Bearer {gateway.key}"}
    status, headers, _ = ask(gateway, method, "/v1beta/models/sim%2Fecho:generateContent", **given)
    assert status == 405
    assert "POST" in headers["allow"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "x-request-id"),
        ("/v1/responses", "x-request-id"),
        ("/v1/messages", "request-id"),
        ("/v1beta/models/sim%2Fecho:generateContent", "x-request-id"),
        ("/model/sim%2Fecho/converse", "x-amzn-requestid"),
    ],
)
@pytest.mark.parametrize(("key", "expected"), [("", 401), ("KEY", 400)])
def test_a_refused_request_has_an_id_too(gateway, path, name, key, expected):
    given = {"Authorization": f"Bearer {gateway.key if key else 'ap-nobody'}"}
    status, headers, body = ask(gateway, "POST", path, b"{", **given)
    assert status == expected
    assert headers[name].startswith("req_")
    assert "x-antiphon-call-id" not in headers
    if name == "request-id":
        assert json.loads(body)["request_id"] == headers[name]


def test_two_authorizations(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    connection.putrequest("GET", "/v1/models")
    connection.putheader("Authorization", f"Bearer {gateway.key}")
    connection.putheader("Authorization", f"Bearer {gateway.key}")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert get_error(answer.read())["code"] == "several_credentials"
    connection.close()


def test_health(gateway):
    status, _, body = ask(gateway, "GET", "/health/ready")
    assert (status, json.loads(body)["status"]) == (200, "ready")
    status, _, body = ask(gateway, "GET", "/health/live")
    assert (status, json.loads(body)["status"]) == (200, "live")


def test_metrics(gateway, client):
    client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "x"}])
    ask(gateway, "POST", "/v1/chat/completions", b"{", Authorization=f"Bearer {gateway.key}")
    status, headers, body = ask(gateway, "GET", "/metrics", Authorization=f"Bearer {gateway.key}")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert b'antiphon_calls_total{model="gpt",operation="chat",outcome="success",target="sim/echo"}' in body
    assert b"antiphon_requests_refused_total" in body
    assert gateway.key.encode() not in body
