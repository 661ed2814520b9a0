"""Google: a service account, a user, the metadata server; renewed in time, had once for everybody, told nowhere."""

import asyncio
import json
import logging
import time

import pytest

from antiphon.config.effective import list_settings
from antiphon.engine.call import Call
from antiphon.errors import BadAnswer, NoCredential, UpstreamStatus
from antiphon.types import Caller
from credentials.far import Refused, chat, metadata, vertex
from living import Gateway
from living import chat as chat_with


async def eventually(holds):
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def forbid(asked):
    raise Refused(403, {"error": {"code": 403, "message": "not yours", "status": "PERMISSION_DENIED"}})


@pytest.fixture
def far(serve, accounts):
    return serve(vertex(accounts))


@pytest.fixture
def google(house, far, accounts, tmp_path):
    """A gateway with a service account."""
    file = str(accounts.service_account(tmp_path))
    return house({"vertex": {"base_url": f"{far.url}/v1", "project": "my-project", "credentials_file": file}})


async def test_a_token_is_had_once_and_used_until_it_is_renewed_ahead_of_its_end(google, accounts, clock):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    clock.ahead += 3600 - 300
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    assert len(accounts.given) == 1
    clock.ahead += 100
    accounts.hold.clear()  # the renewal is under way, and nobody waits for it
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    accounts.hold.set()
    await eventually(lambda: len(accounts.given) == 2)
    accounts.valid.add(accounts.given[0])
    while await google.ask("vertex/gemini-3.5-flash") == "as 1":
        await asyncio.sleep(0.01)
    clock.ahead += 3601
    assert await google.ask("vertex/gemini-3.5-flash") == "as 3"
    assert len(accounts.far.asked) == 3


async def test_a_refused_token_is_had_anew_by_the_next_call_but_not_over_and_over(google, accounts, clock):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    accounts.valid.clear()
    with pytest.raises(UpstreamStatus) as caught:
        await google.ask("vertex/gemini-3.5-flash")
    assert caught.value.status == 401
    assert len(accounts.given) == 1
    assert await google.ask("vertex/gemini-3.5-flash") == "as 2"
    for _ in range(3):
        accounts.valid.clear()
        with pytest.raises(UpstreamStatus):
            await google.ask("vertex/gemini-3.5-flash")
    assert len(accounts.given) == 2
    clock.ahead += 61
    with pytest.raises(UpstreamStatus):
        await google.ask("vertex/gemini-3.5-flash")
    assert await google.ask("vertex/gemini-3.5-flash") == "as 3"


async def test_fifty_first_calls_ask_for_one_token(google, accounts):
    got = await asyncio.gather(*(google.ask("vertex/gemini-3.5-flash") for _ in range(50)))
    assert got == ["as 1"] * 50
    assert len(accounts.far.asked) == 1


async def test_whoever_leaves_does_not_take_the_token_from_the_others(google, accounts):
    accounts.hold.clear()
    calls = [asyncio.create_task(google.ask("vertex/gemini-3.5-flash")) for _ in range(3)]
    await eventually(lambda: accounts.far.asked)
    calls[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    accounts.hold.set()
    assert await asyncio.gather(*calls[1:]) == ["as 1", "as 1"]
    assert len(accounts.far.asked) == 1


async def test_without_a_token_the_next_target_answers_and_the_error_says_what_to_do(
    house, far, serve, accounts, tmp_path, clock, caplog
):
    caplog.set_level(logging.DEBUG, "antiphon")
    accounts.refuses = "no such account: "
    account = {"base_url": f"{far.url}/v1", "project": "my-project"}
    account["credentials_file"] = str(accounts.service_account(tmp_path))
    other = serve(chat)
    made = house(
        {"vertex": account, "other": {"kind": "openai-compatible", "base_url": other.url}},
        {"either": {"targets": ["vertex/gemini-3.5-flash", "other/m"]}},
    )
    assert await made.ask("either") == "as another"
    with pytest.raises(NoCredential) as caught:
        await made.ask("vertex/gemini-3.5-flash")
    error = caught.value
    assert (error.status, error.code, error.retryable) == (503, "no_credential", True)
    assert error.message.startswith("There is no credential for 'vertex': its source `google` gave none (RefreshError:")
    assert "no such account" in error.message
    assert "Nothing was sent" in error.message
    assert "credentials_file" in error.message
    assert 0 < error.retry_after <= 5
    assert len(accounts.far.asked) == 1, "there is a pause before the source is asked again"
    assert far.asked == []
    clock.ahead += 6
    assert await made.ask("either") == "as another"
    assert len(accounts.far.asked) == 2
    for asked in accounts.far.asked:
        assertion = asked.form["assertion"]
        assert assertion not in caplog.text + error.message
        assert assertion.split(".")[1] not in caplog.text + error.message
    accounts.refuses = ""
    clock.ahead += 11
    assert await made.ask("either") == "as 1"


async def test_a_renewal_that_fails_harms_nobody_while_the_token_holds(google, accounts, clock, caplog):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    clock.ahead += 3500
    accounts.refuses = "later: "
    for _ in range(5):
        assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    await eventually(lambda: "good for" in caplog.text)
    assert "good for 100 s, was not renewed: its source `google` gave none" in caplog.text
    assert len(accounts.far.asked) == 2
    clock.ahead += 101
    with pytest.raises(NoCredential, match="later"):
        await google.ask("vertex/gemini-3.5-flash")


async def test_streams_carry_a_token_and_a_broken_one_is_refused_alike(google, accounts, far):
    body = {"model": "vertex/gemini-3.5-flash", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    await google.ask("vertex/gemini-3.5-flash")
    accounts.valid.clear()
    with pytest.raises(UpstreamStatus, match="no such token"):
        await google.runtime.ask(Call("chat", json.dumps(body).encode(), Caller("key")))
    assert far.asked[-1].path.endswith(":streamGenerateContent?alt=sse")
    assert far.asked[-1].bearer == accounts.given[0]
    assert await google.ask("vertex/gemini-3.5-flash") == "as 2"


async def test_the_other_wires_of_vertex(house, serve, accounts, tmp_path):
    file = str(accounts.service_account(tmp_path))
    far = serve(chat)
    account = {"base_url": f"{far.url}/v1", "project": "my-project", "credentials_file": file}
    made = house({"vertex-openai": account, "vertex-anthropic": account})
    assert await made.ask("vertex-openai/meta/llama") == "as another"
    with pytest.raises(BadAnswer):  # it is no answer of that wire, but it was asked
        await made.ask("vertex-anthropic/claude-opus-5-5")
    assert [asked.bearer for asked in far.asked] == accounts.given
    assert len(accounts.given) == 2


async def test_a_workload_of_a_cluster_and_who_pays(house, far, accounts, tmp_path):
    file = str(accounts.workload(tmp_path))
    made = house({"vertex": {"base_url": f"{far.url}/v1", "project": "my-project", "credentials_file": file}})
    assert await made.ask("vertex/gemini-3.5-flash") == "as 1"
    assert far.asked[0].headers["x-goog-user-project"] == "who-pays"


async def test_a_header_of_the_configuration_goes_before_one_of_the_credentials(house, far, accounts, tmp_path):
    account = {"base_url": f"{far.url}/v1", "project": "my-project", "headers": {"X-Goog-User-Project": "chosen"}}
    made = house({"vertex": account | {"credentials_file": str(accounts.workload(tmp_path))}})
    assert await made.ask("vertex/gemini-3.5-flash") == "as 1"
    assert far.asked[0].headers["x-goog-user-project"] == "chosen"


async def test_what_is_forbidden_is_no_reason_for_another_token(google, accounts, far):
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"
    answer = far.answer
    far.answer = forbid
    with pytest.raises(UpstreamStatus, match="not yours"):
        await google.ask("vertex/gemini-3.5-flash")
    far.answer = answer
    assert await google.ask("vertex/gemini-3.5-flash") == "as 1"


async def test_the_variable_of_all_of_googles_programs(house, far, accounts, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(accounts.service_account(tmp_path)))
    account = {"base_url": f"{far.url}/v1", "project": "my-project", "credentials": "default"}
    assert await house({"vertex": account}).ask("vertex/gemini-3.5-flash") == "as 1"


async def test_the_metadata_server_of_a_machine_lends_to_a_gateway(far, serve, accounts, tmp_path):
    machine = serve(metadata(accounts))
    where = f"127.0.0.1:{machine.port}"
    account = {"base_url": f"{far.url}/v1", "project": "my-project", "credentials": "default"}
    running = Gateway(
        tmp_path,
        {"providers": {"vertex": account}},
        env={"GCE_METADATA_HOST": where, "GCE_METADATA_IP": where},
    )
    try:
        for _ in range(2):
            got = await chat_with(running, "vertex/gemini-3.5-flash")
            assert got.json["choices"][0]["message"]["content"] == "as 1"
        assert len(accounts.given) == 1
        accounts.valid.clear()
        got = await chat_with(running, "vertex/gemini-3.5-flash")
        assert got.status == 401
        got = await chat_with(running, "vertex/gemini-3.5-flash", stream=False)
        assert got.json["choices"][0]["message"]["content"] == "as 2"
    finally:
        assert running.stop() == 0
    assert not any(token in running.output for token in accounts.given)


async def test_nobody_is_logged_in(far, tmp_path):
    account = {"base_url": f"{far.url}/v1", "project": "my-project", "credentials": "default"}
    running = Gateway(tmp_path, {"providers": {"vertex": account}}, env={"NO_GCE_CHECK": "true"})
    try:
        got = await chat_with(running, "vertex/gemini-3.5-flash")
        assert got.status == 503
        assert got.json["error"]["code"] == "no_credential"
        assert "gcloud auth application-default login" in got.json["error"]["message"]
        assert 0 < float(got.headers["retry-after"]) <= 5
    finally:
        assert running.stop() == 0
    assert "There is no credential for 'vertex'" in running.output
    assert far.asked == []


async def test_a_token_is_shown_nowhere(google, accounts, caplog):
    caplog.set_level(logging.DEBUG, "antiphon")
    await google.ask("vertex/gemini-3.5-flash")
    target = google.catalog.resolve("vertex/gemini-3.5-flash").targets[0]
    shown = [repr(each) for each in (target, target.signing, target.signing.identity)]
    shown += [repr(vars(google.runtime.signers)), repr(list_settings(google.catalog)), caplog.text]
    assert accounts.given[0] not in "".join(shown)
    assert "PRIVATE KEY" not in "".join(shown)
    assert "holds for 3" in caplog.text
