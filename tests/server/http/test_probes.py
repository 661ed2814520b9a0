"""Every probe, sent whole and byte by byte, over a real socket."""

import json

import pytest

from antiphon.server.http.limits import Limits
from server.http.probes import GET, PROBES, Probe

SECOND = b"GET /second HTTP/1.1\r\nHost: example\r\n\r\n"
LIMITS = Limits(body=100_000, linger_time=0.2)
SMALL = [probe for probe in PROBES if len(probe.data) < 1000]


def _list_names(probes: list[Probe]) -> list[str]:
    return [probe.name for probe in probes]


def test_there_are_enough_probes_and_no_duplicates():
    assert len(PROBES) >= 176
    assert len(set(_list_names(PROBES))) == len(PROBES)


@pytest.mark.parametrize("probe", PROBES, ids=_list_names(PROBES))
async def test_whole(serve, probe):
    await _check(serve, probe, None)


@pytest.mark.parametrize("probe", SMALL, ids=_list_names(SMALL))
async def test_byte_by_byte(serve, probe):
    await _check(serve, probe, 1)


async def _check(serve, probe: Probe, step: int | None):
    async with serve(LIMITS) as server:
        client = await server.connect()
        # If the server must close, bytes that follow must not be read as a request.
        await client.send(probe.data + (SECOND if probe.closes else b""), step)
        for allowed in probe.statuses:
            answer = await client.read_answer(probe.bodiless)
            assert answer is not None, "closed without an answer"
            assert answer.status in allowed, answer
            if answer.status >= 400 and not probe.bodiless:
                assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
        if probe.closes:
            assert answer.headers["connection"] == "close"
            assert await client.is_closed()
        else:
            await client.send(GET)
            assert (await client.read_answer()).status == 200
        assert "/second" not in [request.target for request in server.app.requests]
