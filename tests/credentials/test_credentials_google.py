"""Google: a service account, a workload, the metadata server; tokens are shared, renewed in time and never shown."""

import asyncio
import json
import logging
import time

import pytest

from antiphon.config.effective import list_settings
from antiphon.errors import BadAnswer, NoCredential, UpstreamStatus
from antiphon.types import Caller
from credentials.servers import Rejection, answer_chat, make_metadata_server, make_vertex
from processes import Gateway
from processes import chat as chat_with


async def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def forbid(request):
    raise Rejection(403, {"error": {"code": 403, "message": "not yours", "status": "PERMISSION_DENIED"}})


@pytest.fixture
def vertex(serve, accounts):
    return serve(make_vertex(accounts))


@pytest.fixture
def google(make_gateway, vertex, accounts, tmp_path):
    """A gateway that uses a service account."""
    file = str(accounts.write_service_account(tmp_path))
    return make_gateway({"vertex": {"base_url": f"{vertex.url}/v1", "project": "my-project", "credentials_file": file}})


async def test_one_token_serves_every_call_until_it_is_renewed_before_its_expiry(google, accounts, clock):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    clock.ahead += 3600 - 300
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    assert len(accounts.issued) == 1
    clock.ahead += 100
    accounts.may_answer.clear()  # the renewal is running, and no call waits for it
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    accounts.may_answer.set()
    await wait_until(lambda: len(accounts.issued) == 2)
    accounts.valid.add(accounts.issued[0])
    while await google.ask("vertex/gemini-3.5-flash") == "as 1":
        await asyncio.sleep(0.01)
    clock.ahead += 3601
    assert await google.ask("vertex/gemini-3.5-flash") == "as 3"
    assert len(accounts.server.requests) == 3


async def test_a_rejected_token_is_replaced_at_most_once_a_minute(google, accounts, clock):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    accounts.valid.clear()
    with pytest.raises(UpstreamStatus) as caught:
        await google.ask("vertex/gemini-3.5-flash")
    assert caught.value.status == 401
    assert len(accounts.issued) == 1
    assert await google.ask("vertex/gemini-3.5-flash") == "as 2"
    for _ in range(3):
        accounts.valid.clear()
        with pytest.raises(UpstreamStatus):
            await google.ask("vertex/gemini-3.5-flash")
    assert len(accounts.issued) == 2
    clock.ahead += 61
    with pytest.raises(UpstreamStatus):
        await google.ask("vertex/gemini-3.5-flash")
    assert await google.ask("vertex/gemini-3.5-flash") == "as 3"


async def test_fifty_concurrent_first_calls_fetch_one_token(google, accounts):
    answers = await asyncio.gather(*(google.ask("vertex/gemini-3.5-flash") for _ in range(50)))
    assert answers == ["as 1"] * 50
    assert len(accounts.server.requests) == 1


async def test_a_cancelled_call_does_not_stop_the_fetch_that_others_wait_for(google, accounts):
    accounts.may_answer.clear()
    calls = [asyncio.create_task(google.ask("vertex/gemini-3.5-flash")) for _ in range(3)]
    await wait_until(lambda: accounts.server.requests)
    calls[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    accounts.may_answer.set()
    assert await asyncio.gather(*calls[1:]) == ["as 1", "as 1"]
    assert len(accounts.server.requests) == 1


async def test_without_a_token_the_next_target_answers_and_the_error_gives_advice(
    make_gateway, vertex, serve, accounts, tmp_path, clock, caplog
):
    caplog.set_level(logging.DEBUG, "antiphon")
    accounts.error = "no such account: "
    account = {"base_url": f"{vertex.url}/v1", "project": "my-project"}
    account["credentials_file"] = str(accounts.write_service_account(tmp_path))
    other = serve(answer_chat)
    gateway = make_gateway(
        {"vertex": account, "other": {"kind": "openai-compatible", "base_url": other.url}},
        {"either": {"targets": ["vertex/gemini-3.5-flash", "other/m"]}},
    )
    assert await gateway.ask("either") == "as another"
    with pytest.raises(NoCredential) as caught:
        await gateway.ask("vertex/gemini-3.5-flash")
    error = caught.value
    assert (error.status, error.code, error.retryable) == (503, "no_credential", True)
    assert error.message.startswith(
        "There is no credential for 'vertex': its source `google` returned none (RefreshError:"
    )
    assert "no such account" in error.message
    assert "Nothing was sent" in error.message
    assert "credentials_file" in error.message
    assert 0 < error.retry_after <= 5
    assert len(accounts.server.requests) == 1, "there is a pause before the source is asked again"
    assert vertex.requests == []
    clock.ahead += 6
    assert await gateway.ask("either") == "as another"
    assert len(accounts.server.requests) == 2
    for request in accounts.server.requests:
        assertion = request.form["assertion"]
        assert assertion not in caplog.text + error.message
        assert assertion.split(".")[1] not in caplog.text + error.message
    accounts.error = ""
    clock.ahead += 11
    assert await gateway.ask("either") == "as 1"


async def test_a_failed_renewal_does_no_harm_while_the_token_is_valid(google, accounts, clock, caplog):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    clock.ahead += 3500
    accounts.error = "later: "
    for _ in range(5):
        assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    await wait_until(lambda: "valid for another" in caplog.text)
    assert "valid for another 100 s, was not renewed: its source `google` returned none" in caplog.text
    assert len(accounts.server.requests) == 2
    clock.ahead += 101
    with pytest.raises(NoCredential, match="later"):
        await google.ask("vertex/gemini-3.5-flash")


async def test_a_stream_carries_a_token_and_its_rejection_replaces_it(google, accounts, vertex):
    body = {"model": "vertex/gemini-3.5-flash", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    await google.ask("vertex/gemini-3.5-flash")
    accounts.valid.clear()
    with pytest.raises(UpstreamStatus, match="no such token"):
        await google.runtime.ask("chat", json.dumps(body).encode(), Caller("key"))
    assert vertex.requests[-1].path.endswith(":streamGenerateContent?alt=sse")
    assert vertex.requests[-1].bearer == accounts.issued[0]
    assert await google.ask("vertex/gemini-3.5-flash") == "as 2"


async def test_the_other_wires_of_vertex(make_gateway, serve, accounts, tmp_path):
    file = str(accounts.write_service_account(tmp_path))
    other = serve(answer_chat)
    account = {"base_url": f"{other.url}/v1", "project": "my-project", "credentials_file": file}
    gateway = make_gateway({"vertex-openai": account, "vertex-anthropic": account})
    assert await gateway.ask("vertex-openai/meta/llama") == "as another"
    with pytest.raises(BadAnswer):  # the answer is in another wire's form, but the request arrived
        await gateway.ask("vertex-anthropic/claude-opus-5-5")
    assert [request.bearer for request in other.requests] == accounts.issued
    assert len(accounts.issued) == 2


async def test_a_workload_of_a_cluster_and_the_project_that_pays(make_gateway, vertex, accounts, tmp_path):
    file = str(accounts.write_workload(tmp_path))
    gateway = make_gateway(
        {"vertex": {"base_url": f"{vertex.url}/v1", "project": "my-project", "credentials_file": file}}
    )
    assert await gateway.ask("vertex/gemini-3.5-flash") == "as 1"
    assert vertex.requests[0].headers["x-goog-user-project"] == "who-pays"


async def test_a_configured_header_overrides_one_of_the_credentials(make_gateway, vertex, accounts, tmp_path):
    account = {"base_url": f"{vertex.url}/v1", "project": "my-project", "headers": {"X-Goog-User-Project": "chosen"}}
    gateway = make_gateway({"vertex": account | {"credentials_file": str(accounts.write_workload(tmp_path))}})
    assert await gateway.ask("vertex/gemini-3.5-flash") == "as 1"
    assert vertex.requests[0].headers["x-goog-user-project"] == "chosen"


async def test_a_403_does_not_replace_the_token(google, accounts, vertex):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    answer = vertex.answer
    vertex.answer = forbid
    with pytest.raises(UpstreamStatus, match="not yours"):
        await google.ask("vertex/gemini-3.5-flash")
    vertex.answer = answer
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"


async def test_google_application_credentials_names_the_file(make_gateway, vertex, accounts, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(accounts.write_service_account(tmp_path)))
    account = {"base_url": f"{vertex.url}/v1", "project": "my-project", "credentials": "default"}
    assert await make_gateway({"vertex": account}).ask("vertex/gemini-3.5-flash") == "as 1"


async def test_the_metadata_server_of_a_machine_lends_tokens(vertex, serve, accounts, tmp_path):
    machine = serve(make_metadata_server(accounts))
    where = f"127.0.0.1:{machine.port}"
    account = {"base_url": f"{vertex.url}/v1", "project": "my-project", "credentials": "default"}
    gateway = Gateway(
        tmp_path,
        {"providers": {"vertex": account}},
        env={"GCE_METADATA_HOST": where, "GCE_METADATA_IP": where},
    )
    try:
        for _ in range(2):
            response = await chat_with(gateway, "vertex/gemini-3.5-flash")
            assert response.json["choices"][0]["message"]["content"] == "as 1"
        assert len(accounts.issued) == 1
        accounts.valid.clear()
        response = await chat_with(gateway, "vertex/gemini-3.5-flash")
        assert response.status == 401
        response = await chat_with(gateway, "vertex/gemini-3.5-flash", stream=False)
        assert response.json["choices"][0]["message"]["content"] == "as 2"
    finally:
        assert gateway.stop() == 0
    assert not any(token in gateway.output for token in accounts.issued)


async def test_without_any_login_the_error_names_the_command(vertex, tmp_path):
    account = {"base_url": f"{vertex.url}/v1", "project": "my-project", "credentials": "default"}
    gateway = Gateway(tmp_path, {"providers": {"vertex": account}}, env={"NO_GCE_CHECK": "true"})
    try:
        response = await chat_with(gateway, "vertex/gemini-3.5-flash")
        assert response.status == 503
        assert response.json["error"]["code"] == "no_credential"
        assert "gcloud auth application-default login" in response.json["error"]["message"]
        assert 0 < float(response.headers["retry-after"]) <= 5
    finally:
        assert gateway.stop() == 0
    assert "There is no credential for 'vertex'" in gateway.output
    assert vertex.requests == []


async def test_a_token_is_shown_nowhere(google, accounts, caplog):
    caplog.set_level(logging.DEBUG, "antiphon")
    await google.ask("vertex/gemini-3.5-flash")
    target = google.catalog.resolve("vertex/gemini-3.5-flash").targets[0]
    shown = [repr(each) for each in (target, target.signing, target.signing.identity)]
    shown += [repr(vars(google.runtime.services.signers)), repr(list_settings(google.catalog)), caplog.text]
    assert accounts.issued[0] not in "".join(shown)
    assert "PRIVATE KEY" not in "".join(shown)
    assert "valid for 3" in caplog.text
