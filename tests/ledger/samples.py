"""Records for the ledger's tests."""

import random
from typing import Any

import msgspec

from antiphon.clock import make_id
from antiphon.types import COUNTS, AttemptRecord, Outcome, Record, Usage

NOON = 1_763_640_000_000_000
"""2025-11-20T12:00:00Z in microseconds."""


def make_record(**changes: Any) -> Record:
    """Return an ordinary record with an id of its own."""
    base = Record(
        id=make_id("call"),
        time=NOON,
        operation="chat",
        model="smart",
        outcome=Outcome.SUCCESS,
        target="openai/gpt-4o-mini",
        provider="openai",
        key_id="key_1",
        status=200,
        stream=True,
        usage=Usage(input=100, cache_read=20, output=30, reasoning=4),
        cost=123_456_789,
        price_version="v1",
        first_output_us=1200,
        duration_us=3400,
        attempts=(
            AttemptRecord("groq/llama", Outcome.ERROR, 503, "busy", None, 90),
            AttemptRecord("openai/gpt-4o-mini", Outcome.SUCCESS, 200, "", 1000, 3000),
        ),
    )
    return msgspec.structs.replace(base, **changes)


def make_varied_records(count: int, seed: int = 7) -> list[Record]:
    """Return records of every kind: without usage, without a price, with odd text, near the limits."""
    chance = random.Random(seed)
    texts = ["", "plain", "ünï ☃ 漢字", "a\r\nb\x00c", "\U0001f600" * 40, '"quoted\\"']
    return [
        make_record(
            time=NOON + chance.randrange(10**12),
            model=chance.choice(["smart", "small", "llama3.2:3b"]),
            outcome=chance.choice(list(Outcome)),
            key_id=chance.choice(["", "key_1", "key_2"]),
            error=chance.choice(texts),
            stream=chance.random() < 0.5,
            usage=chance.choice(
                [
                    None,
                    Usage(),
                    Usage(**{name: chance.randrange(10**9) for name in COUNTS}, estimated=True, service_tier="flex"),
                    Usage(input=2**63 - 1),
                ]
            ),
            cost=chance.choice([None, 0, 1, 2**63 - 1]),
            attempts=tuple(
                AttemptRecord("sim/echo", Outcome.ERROR, 500, chance.choice(texts)) for _ in range(chance.randrange(4))
            ),
        )
        for _ in range(count)
    ]
