"""The chain of hooks: only the points that a hook overrides are in it, and each runs where it should."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from antiphon.engine.call import Answer, Call
from antiphon.engine.hook_chain import HookChain, Notice
from antiphon.engine.hooks import Hook, compile_hooks, join_chains
from antiphon.engine.outcome import Committed
from antiphon.types import Model, Record, Target
from engine.conftest import Provider, ask, frame


class Recorder(Hook):
    """Notes what it sees, at every point."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def before(self, call: Call, model: Model) -> tuple[Call, Model] | Answer:
        self.seen.append(f"before {model.name}")
        return call, model

    async def on_commit(self, call: Call, committed: Committed) -> None:
        self.seen.append(f"commit {committed.target.name}")

    def on_event(self, call: Call, frames: bytes) -> bytes:
        self.seen.append("event")
        return frames.replace(b"secret", b"******")

    async def before_last_byte(self, call: Call, target: Target, response: bytes, cuts: Sequence[int]) -> Notice | None:
        self.seen.append("last byte")
        return Notice(b"x-note", b"noted", b"noted")

    def on_record(self, call: Call, record: Record) -> None:
        self.seen.append(f"record {record.outcome.value}")


class Observer(Hook):
    """Uses one point."""

    def on_record(self, call: Call, record: Record) -> None:
        """See it."""


def configure(provider: Provider) -> dict[str, Any]:
    providers = {"up": {"kind": "openai-compatible", "base_url": provider.url}}
    return {"providers": providers, "models": {"m": "up/a"}}


def test_a_chain_holds_only_the_points_that_are_used() -> None:
    assert structs.astuple(compile_hooks(())) == structs.astuple(HookChain())
    chain = compile_hooks((Observer(), Observer()))
    assert len(chain.on_record) == 2
    assert (chain.before, chain.on_commit, chain.on_event, chain.before_last_byte) == ((), (), (), ())
    assert len(join_chains(chain, compile_hooks((Recorder(),))).on_record) == 3


async def test_each_point_of_a_whole_answer(start_runtime: Any, providers: Any) -> None:
    hook = Recorder()
    runtime = await start_runtime(configure(providers[0]))
    runtime.services = structs.replace(runtime.services, hooks=compile_hooks((hook,)))
    answer = await ask(runtime)
    assert hook.seen == ["before m", "commit up/a", "record success", "last byte"]
    assert (b"x-note", b"noted") in answer.headers


async def test_each_point_of_a_stream(start_runtime: Any, providers: Any) -> None:
    async def stream(writer: Any) -> None:
        await providers[0].begin_stream(writer)
        writer.write(frame("a secret") + frame(finish="stop") + b"data: [DONE]\n\n")
        writer.close()

    providers[0].answer = stream
    hook = Recorder()
    runtime = await start_runtime(configure(providers[0]))
    runtime.services = structs.replace(runtime.services, hooks=compile_hooks((hook,)))
    answer = await ask(runtime, stream=True)
    assert answer.stream is not None
    text = b""
    while frames := await answer.stream.next():
        text += frames
    answer.stream.close()
    assert b"secret" not in text
    assert b"a ******" in text
    assert b": noted\n\n" in text
    assert [each for each in hook.seen if each != "event"] == ["before m", "commit up/a", "record success", "last byte"]


async def test_a_hook_may_answer_itself(start_runtime: Any, providers: Any) -> None:
    class Cache(Hook):
        async def before(self, call: Call, model: Model) -> tuple[Call, Model] | Answer:
            return Answer(200, [], b"cached")

    runtime = await start_runtime(configure(providers[0]))
    runtime.services = structs.replace(runtime.services, hooks=compile_hooks((Cache(),)))
    assert (await ask(runtime)).body == b"cached"
    assert providers[0].asked == []
