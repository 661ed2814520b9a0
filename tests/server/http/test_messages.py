"""Framing of answers, bodies and their limits, expectations, and what happens when either side breaks."""

import asyncio
import json
import logging

import pytest

from antiphon.server.http.limits import Limits
from processes import PATIENCE

CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def _get(path: bytes, version: bytes = b"1.1") -> bytes:
    return b"GET " + path + b" HTTP/" + version + b"\r\nHost: x\r\n\r\n"


async def _send_stream(request):
    request.exchange.start(200, [(b"content-type", b"text/plain")])
    for part in (b"one", b"", b"two"):
        await request.send_part(part)
    request.exchange.finish()


async def test_stream_is_chunked_and_keeps_the_connection(serve):
    async with serve() as server:
        server.app.handlers["/s"] = _send_stream
        client = await server.connect()
        for _ in range(2):
            await client.send(_get(b"/s"))
            answer = await client.read_answer()
            assert (answer.body, answer.headers["transfer-encoding"]) == (b"onetwo", "chunked")
            assert "content-length" not in answer.headers
            assert "connection" not in answer.headers


async def test_stream_to_http_1_0_is_ended_by_closing(serve):
    async with serve() as server:
        server.app.handlers["/s"] = _send_stream
        client = await server.connect()
        await client.send(_get(b"/s", b"1.0"))
        answer = await client.read_answer()
        assert answer.body == b"onetwo"
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["connection"] == "close"


async def test_head_is_answered_with_the_fields_of_get_and_no_body(serve):
    async with serve() as server:
        server.app.handlers["/s"] = _send_stream
        client = await server.connect()
        await client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /s HTTP/1.1\r\nHost: x\r\n\r\n" + _get(b"/b"))
        assert (await client.read_answer(head_only=True)).headers["content-length"] == "8"
        assert (await client.read_answer(head_only=True)).headers["transfer-encoding"] == "chunked"
        assert (await client.read_answer()).body == b"GET /b "


async def test_no_content_has_no_framing(serve):
    async with serve() as server:

        async def answer_nothing(request):
            await request.answer(b"", 204)

        server.app.handlers["/n"] = answer_nothing
        client = await server.connect()
        await client.send(_get(b"/n") + _get(b"/b"))
        assert "content-length" not in (await client.read_answer()).headers
        assert (await client.read_answer()).body == b"GET /b "


async def test_framing_of_the_application_is_ignored(serve):
    async with serve() as server:

        async def answer_with_framing(request):
            headers = [(b"content-length", b"1"), (b"transfer-encoding", b"chunked"), (b"connection", b"close")]
            await request.answer(b"four", 200, headers)

        server.app.handlers["/l"] = answer_with_framing
        client = await server.connect()
        await client.send(_get(b"/l") + _get(b"/b"))
        answer = await client.read_answer()
        assert answer.body == b"four"
        assert "transfer-encoding" not in answer.headers
        assert (await client.read_answer()).status == 200


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\nx-evil: 1", b"a\rb", b"a\0b", b"a\r\n\r\nHTTP/1.1 200 OK"])
async def test_a_line_break_in_a_value_never_reaches_the_wire(serve, value, caplog):
    async with serve() as server:

        async def inject_lines(request):
            await request.answer(b"", 200, [(b"x-value", value)])

        server.app.handlers["/i"] = inject_lines
        client = await server.connect()
        await client.send(_get(b"/i"))
        answer = await client.read_answer()
        assert answer.status == 500
        assert "x-evil" not in answer.headers
        assert await client.is_closed()
    assert "line break" in caplog.text


@pytest.mark.parametrize("size", [99_999, 100_000, 100_001])
@pytest.mark.parametrize("chunk", [None, 7, 5000])
async def test_body_limit_is_exact(serve, size, chunk):
    async with serve(Limits(body=100_000, linger_time=0.2)) as server:
        client = await server.connect()
        body = b"x" * size
        if chunk is None:
            await client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + body)
        else:
            parts = [body[index : index + chunk] for index in range(0, size, chunk)]
            await client.send(
                CHUNKED + b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts]) + b"0\r\n\r\n"
            )
        answer = await client.read_answer()
        if size <= 100_000:
            assert answer.body == b"POST /a " + body
        else:
            assert answer.status == 413
            assert json.loads(answer.body)["error"]["code"] == "request_too_large"
            assert await client.is_closed()


async def test_declared_length_over_the_limit_is_refused_before_any_body(serve):
    async with serve() as server:
        client = await server.connect()
        await client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\nExpect: 100-continue\r\n\r\n")
        answer = await client.read_answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert server.app.requests == []


async def test_refusal_can_be_read_while_the_client_still_sends(serve):
    async with serve(Limits(body=1000)) as server:
        client = await server.connect()
        sending = asyncio.create_task(
            client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000)
        )
        assert (await client.read_answer()).status == 413
        assert await client.is_closed()
        await sending


async def test_answer_without_reading_the_body_closes(serve):
    async with serve() as server:

        async def answer_early(request):
            await request.answer(b"early", 401)

        server.app.handlers["/e"] = answer_early
        client = await server.connect()
        await client.send(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        answer = await client.read_answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        await client.send(b"defghij" + _get(b"/b"))
        assert await client.is_closed()
        assert [request.target for request in server.app.requests] == ["/e"]


async def test_answer_after_an_unread_body_that_arrived_keeps_the_connection(serve):
    async with serve() as server:

        async def answer_early(request):
            await request.answer(b"early", 401)

        server.app.handlers["/e"] = answer_early
        client = await server.connect()
        await client.send(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + _get(b"/b"))
        assert "connection" not in (await client.read_answer()).headers
        assert (await client.read_answer()).body == b"GET /b "


async def test_continue_is_sent_when_the_body_is_wanted(serve):
    async with serve() as server:
        client = await server.connect()
        await client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.read_interim_answer()).status == 100
        await client.send(b"abc")
        assert (await client.read_interim_answer()).status == 200


async def test_no_continue_before_a_refusal_or_to_http_1_0(serve):
    async with serve() as server:

        async def answer_early(request):
            await request.answer(b"early", 401)

        server.app.handlers["/e"] = answer_early
        client = await server.connect()
        await client.send(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await client._read_any_answer(False)).status == 401
        assert await client.is_closed()
        client = await server.connect()
        await client.send(b"POST /a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        await asyncio.sleep(0.05)
        await client.send(b"abc")
        assert (await client.read_interim_answer()).status == 200


async def test_continue_waits_for_the_answer_before_it(serve):
    async with serve() as server:
        release = asyncio.Event()

        async def hold_answer(request):
            await release.wait()
            await request.answer(b"held")

        server.app.handlers["/h"] = hold_answer
        client = await server.connect()
        expecting = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        await client.send(_get(b"/h") + expecting)
        await asyncio.sleep(0.05)
        release.set()
        answer = await client._read_any_answer(False)
        assert answer.body == b"held"
        assert (await client.read_interim_answer()).status == 100
        await client.send(b"abc")
        assert (await client.read_answer()).body == b"POST /a abc"


async def test_trailers_do_not_become_fields(serve):
    async with serve() as server:
        client = await server.connect()
        await client.send(CHUNKED + b"3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
        assert (await client.read_answer()).status == 200
        assert b"authorization" not in dict(server.app.requests[0].exchange.fields)


async def test_absolute_target_replaces_the_host(serve):
    async with serve() as server:
        client = await server.connect()
        await client.send(b"GET http://real/p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        await client.read_answer()
        exchange = server.app.requests[0].exchange
        assert dict(exchange.fields)[b"host"] == b"real"
        assert (exchange.head.path, exchange.head.query) == (b"/p", b"q")


async def test_paths_arrive_as_they_were_sent(serve):
    async with serve() as server:
        client = await server.connect()
        paths = [b"/v1/../admin", b"//v1/models", b"/v1/models%2f..", b"/v1/./x", b"/%76%31"]
        for path in paths:
            await client.send(_get(path))
            await client.read_answer()
        assert [request.exchange.head.path for request in server.app.requests] == paths


async def test_every_answer_has_a_date(serve):
    async with serve() as server:
        client = await server.connect()
        await client.send(_get(b"/a") + b"bad")
        for _ in range(2):
            date = (await client.read_answer()).headers["date"]
            assert date.endswith(" GMT")
            assert len(date) == 29


# Broken connections


async def test_client_that_leaves_before_its_answer_cancels_its_request(serve, caplog):
    async with serve() as server:

        async def wait_forever(request):
            await asyncio.Event().wait()

        server.app.handlers["/f"] = wait_forever
        client = await server.connect()
        await client.send(_get(b"/f"))
        while not server.app.requests:
            await asyncio.sleep(0.01)
        await client.close()
        async with asyncio.timeout(PATIENCE):
            await server.app.requests[0].done.wait()
        assert server.app.requests[0].cancelled
    assert caplog.text == ""


async def test_client_that_leaves_mid_stream_cancels_its_request(serve, caplog):
    async with serve() as server:

        async def wait_forever(request):
            request.exchange.start(200, [])
            await request.send_part(b"first")
            await asyncio.Event().wait()

        server.app.handlers["/f"] = wait_forever
        client = await server.connect()
        await client.send(_get(b"/f"))
        await client.reader.readuntil(b"first")
        await client.close()
        async with asyncio.timeout(PATIENCE):
            await server.app.requests[0].done.wait()
        assert server.app.requests[0].cancelled
    assert caplog.text == ""


@pytest.mark.parametrize("sent", [b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", CHUNKED + b"5\r\nab"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_client_that_leaves_mid_body_ends_quietly(serve, sent, reset, caplog):
    caplog.set_level(logging.DEBUG, "antiphon")
    async with serve() as server:
        client = await server.connect()
        await client.send(sent)
        while not server.app.requests:
            await asyncio.sleep(0.01)
        if reset:
            client.writer.transport.abort()
        else:
            await client.close()
        async with asyncio.timeout(PATIENCE):
            await server.app.requests[0].done.wait()
        assert server.app.requests[0].cancelled
    assert caplog.text == ""


async def test_cancelled_requests_are_waited_for_when_the_server_stops(serve):
    finished = False
    async with serve() as server:

        async def clean_up_slowly(request):
            nonlocal finished
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.2)
                finished = True

        server.app.handlers["/c"] = clean_up_slowly
        client = await server.connect()
        await client.send(_get(b"/c"))
        while not server.app.requests:
            await asyncio.sleep(0.01)
        await client.close()
    assert finished


async def test_failure_before_the_answer_is_a_500_without_a_traceback(serve, caplog):
    async with serve() as server:

        async def fail(request):
            raise ValueError("private detail")

        server.app.handlers["/f"] = fail
        client = await server.connect()
        await client.send(_get(b"/f"))
        answer = await client.read_answer()
        assert answer.status == 500
        assert b"private" not in answer.body
        assert json.loads(answer.body)["error"]["code"] == "internal_error"
        assert await client.is_closed()
    assert "private detail" in caplog.text


async def test_failure_within_an_answer_breaks_the_connection(serve, caplog):
    async with serve() as server:

        async def fail(request):
            request.exchange.start(200, [])
            await request.send_part(b"half")
            raise ValueError("private detail")

        server.app.handlers["/f"] = fail
        client = await server.connect()
        await client.send(_get(b"/f"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.read_answer()
    assert "private detail" in caplog.text


async def test_silence_of_the_application_is_a_500(serve, caplog):
    async with serve() as server:

        async def return_silently(request):
            return

        server.app.handlers["/n"] = return_silently
        client = await server.connect()
        await client.send(_get(b"/n"))
        assert (await client.read_answer()).status == 500
    assert "unanswered" in caplog.text


# Stopping


async def test_stop_closes_idle_connections_and_lets_answers_end(serve):
    async with serve() as server:
        release = asyncio.Event()

        async def hold_answer(request):
            request.exchange.start(200, [])
            await request.send_part(b"one")
            await release.wait()
            await request.send_part(b"two")
            request.exchange.finish()

        server.app.handlers["/h"] = hold_answer
        idle, busy = await server.connect(), await server.connect()
        await idle.send(_get(b"/a"))
        await idle.read_answer()
        await busy.send(_get(b"/h"))
        while len(server.app.requests) < 2:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(server.listener.stop(3600.0))
        assert await idle.is_closed()
        with pytest.raises(ConnectionError):
            await server.connect()
        assert not stopping.done()
        release.set()
        assert (await busy.read_answer()).body == b"onetwo"
        assert await busy.is_closed()
        assert await stopping == 0


async def test_stop_cancels_answers_after_the_drain_time(serve):
    async with serve() as server:

        async def wait_forever(request):
            await asyncio.Event().wait()

        server.app.handlers["/f"] = wait_forever
        client = await server.connect()
        await client.send(_get(b"/f"))
        while not server.app.requests:
            await asyncio.sleep(0.01)
        assert await server.listener.stop(0.1) == 1
        assert server.app.requests[0].cancelled
        assert await client.is_closed()


async def test_address_in_use_suggests_another_port(serve):
    from antiphon.errors import AntiphonError
    from antiphon.server.http.listener import listen

    async with serve() as server:
        with pytest.raises(AntiphonError, match=rf"port {server.port}.*--port"):
            listen("127.0.0.1", server.port)
