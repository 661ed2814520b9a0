"""``antiphon ask``: one question to a model, its answer streamed to the terminal."""

import sys
from typing import Annotated, Any

import typer

from antiphon.cli import INTERRUPTED
from antiphon.cli.output import complain, fail, print_json
from antiphon.client import Antiphon, Event, Stream

FALLBACK_MODEL = "sim/echo"

_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})
"""An answer is untrusted text: what would move the cursor, retitle or repaint the terminal is left out."""


def command(
    question: Annotated[
        str | None, typer.Argument(help="What to ask; piped input is added to it, or is the question itself.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(envvar="ANTIPHON_MODEL", help="Which model; without it the first configured one."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object after the whole answer.")] = False,
    config: Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")] = None,
    base_url: Annotated[
        str | None, typer.Option(envvar="ANTIPHON_BASE_URL", help="Ask a server instead of running in this process.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="ANTIPHON_API_KEY", help="The key for that server; the variable is safer.")
    ] = None,
) -> int:
    """Ask a model and stream its answer to the terminal."""
    try:
        prompt = _prompt(question)
        with _client(config, base_url, api_key) as client:
            chosen = model or _default_model(client)
            with client.stream(chosen, prompt, system=system) as stream:
                if as_json:
                    _show_json(stream, chosen)
                else:
                    _show(stream)
    except KeyboardInterrupt:
        return INTERRUPTED  # before Typer turns it into a failure like any other
    return 0


def _client(config: str | None, base_url: str | None, api_key: str | None) -> Antiphon:
    try:
        return Antiphon(config=config, base_url=base_url, api_key=api_key if base_url else None)
    except (TypeError, ValueError) as error:
        fail(str(error), 2)


def _prompt(question: str | None) -> str:
    """Return the question, piped input, or both with the question first."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    parts = [part for part in (question, piped) if part]
    if not parts:
        fail('nothing to ask; try: antiphon ask "What is an antiphon?"', 2)
    return "\n\n".join(parts)


def _default_model(client: Antiphon) -> str:
    """Return the first chat model that is listed; the simulator's comes first only where nothing else is there."""
    chats = (card.id for card in client.models() if card.get("operation") in (None, "chat"))
    chosen = next(chats, FALLBACK_MODEL)
    if chosen == FALLBACK_MODEL:
        complain(
            f"no model is configured, so the offline simulator answers as {FALLBACK_MODEL}; "
            "set a provider's key (such as OPENAI_API_KEY) or name a model with --model.",
            label="hint: ",
        )
    return chosen


def _show(stream: Stream) -> None:
    terminal = sys.stdout.isatty()
    last = "\n"
    try:
        for event in stream:
            text = _shown(event, terminal)
            if text:
                last = text[-1]  # first, so that an interrupt while writing still ends the line
                sys.stdout.write(text)
                sys.stdout.flush()
    finally:
        if last != "\n":
            sys.stdout.write("\n")
            sys.stdout.flush()
    if sys.stderr.isatty():
        complain(_summary(stream), label="")


def _shown(event: Event, terminal: bool) -> str:
    return event.text.translate(_CONTROLS) if terminal else event.text


def _summary(stream: Stream) -> str:
    cost = "price unknown" if stream.cost is None else f"${stream.cost:f}"
    tokens = f"{stream.usage.total_tokens} tokens, " if stream.usage else ""
    return f"[{stream.target}: {tokens}{cost}]"


def _show_json(stream: Stream, model: str) -> None:
    for _ in stream:
        pass
    usage: Any = stream.usage.json() if stream.usage else None
    cost = None if stream.cost is None else f"{stream.cost:f}"
    print_json(
        {
            "text": stream.text,
            "model": model,
            "target": stream.target,
            "usage": usage,
            "cost": cost,
            "call_id": stream.call_id,
        }
    )
