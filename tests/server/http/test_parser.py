"""The parser alone: any split of the input gives the same requests, and invalid input is always refused."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import CallError
from antiphon.server.http.limits import Limits
from antiphon.server.http.parser import DONE, IDLE, RequestParser
from server.http.probes import PROBES

SAMPLES = [probe.data for probe in PROBES if len(probe.data) < 400]
VALID = [probe.data for probe in PROBES if not probe.closes and len(probe.data) < 400]


class Request:
    """Takes the place of an exchange and collects the parts of one request."""

    def __init__(self, head: tuple[Any, ...], keep: bool) -> None:
        self.head, self.keep = head, keep
        self.body = b""
        self.complete = False
        self.fault: CallError | None = None

    def add_content(self, data: bytes) -> int:
        self.body += data
        return len(self.body)

    def end_content(self) -> None:
        assert not self.complete
        self.complete = True

    def fail(self, fault: CallError) -> None:
        self.fault = fault


class Owner:
    def __init__(self) -> None:
        self.limits = Limits(body=1000)
        self.requests: list[Request] = []
        self.refusals: list[CallError] = []
        self.intake = RequestParser(self)

    def on_request(self, method: bytes, version: str, head: Any, fields: Any, keep: bool) -> Any:
        assert not self.refusals
        assert all(request.complete for request in self.requests)
        self.requests.append(Request((method, version, *head[:3], tuple(fields)), keep))
        return self.requests[-1]

    def on_refusal(self, error: CallError, method: bytes) -> None:
        assert not self.refusals
        self.refusals.append(error)

    def take(self, data: bytes) -> None:
        """Receive input like a connection whose requests are answered at once."""
        view = memoryview(data)
        while view and self.intake.phase != DONE:
            view = view[self.intake.consume(view) :]

    def describe(self) -> Any:
        requests = [(r.head, r.body, r.complete, r.fault and r.fault.status) for r in self.requests]
        return requests, [error.status for error in self.refusals], self.intake.phase


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4), PLACES)
def test_every_split_gives_the_same_requests(samples, places):
    data = b"".join(samples)
    whole, split = Owner(), Owner()
    whole.take(data)
    for piece in _cut(data, places):
        split.take(piece)
    assert split.describe() == whole.describe()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(VALID), min_size=1, max_size=8))
def test_valid_requests_all_arrive(samples):
    owner = Owner()
    owner.take(b"".join(samples))
    assert not owner.refusals
    assert owner.intake.phase == IDLE
    assert all(request.complete and request.fault is None for request in owner.requests)
    alone = [Owner() for _ in samples]
    for one, data in zip(alone, samples, strict=True):
        one.take(data)
    assert [request.head for request in owner.requests] == [r.head for one in alone for r in one.requests]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2), st.binary(max_size=3)), max_size=4),
    PLACES,
)
def test_any_input_is_read_or_refused_once(data, edits, places):
    for place, removed, added in edits:
        place %= len(data) + 1
        data = data[:place] + added + data[place + removed :]
    owner = Owner()
    for piece in _cut(data, places):
        owner.take(piece)
    faults = [*owner.refusals, *(request.fault for request in owner.requests if request.fault is not None)]
    assert len(faults) <= 1
    assert all(400 <= fault.status < 500 or fault.status == 505 for fault in faults)
    assert not faults or owner.intake.phase == DONE


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), PLACES)
def test_malformed_input_is_refused(data, places):
    owner = Owner()
    for piece in _cut(data, places):
        owner.take(piece)
    assert not owner.requests or owner.requests[0].head
    assert all(error.status in (400, 505) for error in owner.refusals)


def test_bytes_after_the_content_of_an_upgrade_are_ignored():
    upgrade = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    after = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ndef"
    owner = Owner()
    owner.take(upgrade + after)
    (request,) = owner.requests
    assert (request.body, request.complete, request.fault, owner.refusals) == (b"abc", True, None, [])
    assert owner.intake.phase == DONE
