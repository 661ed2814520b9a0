"""Write docs/wires.md from the results of the matrix of wires; with --check, say whether the page matches them."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "wires.md"
PROVEN = ROOT / "tests" / "system" / "matrix" / "proven.json"
WIRES = {
    "chat": "Chat Completions",
    "responses": "Responses",
    "messages": "Messages",
    "generate": "Gemini",
    "converse": "Converse",
}
MARKS = {"yes": "yes", "text": "as text", "dropped": "dropped, reported", "refused": "refused", "-": "·"}
HEAD = """\
# Any wire in, any wire out

`scripts/fix` writes this page from the results of `tests/system/matrix`. For each cell, whole and streamed, the
official client of one wire calls a running gateway whose provider speaks another wire. The test compares what the
provider received and what the client saw. Change the tests, not this page.

Rows are callers' wires, columns are providers' wires.

| word | meaning |
|---|---|
| yes | arrives in the form of the target's wire, and the answer comes back in the form of the caller's wire |
| as text | the caller's wire has no field for it; it arrives as a separate text, a Markdown link with the data in it |
| dropped, reported | only tunes the answer, and the target's wire lacks it: left out, named in `x-antiphon-dropped` |
| refused | leaving it out would change the meaning of the answer: a 400 names it, and the provider is not called |
| · | one of the two wires, or the caller's client, cannot express it |

If both wires are the same, nothing is translated: request and answer keep their bytes, except for the model's name.
The tables show structured output for models that support it. Other models get the schema as an instruction in words,
and `format` is reported. A user name that the target's provider would refuse (longer than 64 characters at OpenAI, an
e-mail address at Anthropic) is replaced by its SHA-256, so the same user always has the same name.

These rules apply to every pair:

- `x-antiphon-dropped` and errors use the field names of the caller's wire: `generationConfig.seed`, `stop_sequences`.
- An empty text, list or object requests nothing and is not reported; `0` and `false` are values.
- Media that a model made is never left out of an answer: see *as text*. The transcript is placed before the audio. When
  a caller sends such a text back in its history, it becomes media again. Streams carry audio as samples without a file
  header; a whole answer carries it as a WAV file.
- Gemini's assistant turns can hold media. For all other targets, images of earlier answers move to the user's next
  turn, and audio with a transcript is replaced by the transcript. For Chat Completions, and for Gemini's models before
  3, images and files in tool results also move to the user's next turn.
- The thinking of another wire's model is not sent to a target. It stays in the caller's history and is sent when the
  conversation returns to the wire it came from.
- A citation names a page or a document with its title, and the text that cites it. The Messages wire can only cite
  places in documents; there, a document without a place becomes a search result.
- Message threads (`thread`) are forwarded, with their beta, to a provider of the Messages wire. On any other target
  `create` is a 400 and `continue` is a 404, as the API answers for an unknown thread. On the same wire,
  `anthropic-version` is the caller's; in a translated call it is 2023-06-01, which accepts `temperature`, `top_p` and
  `top_k`.
"""
TAIL = """
## Embeddings

`tests/system/exchanges` proves this table. The callers use OpenAI's `/v1/embeddings` and Gemini's `:embedContent` and
`:batchEmbedContents`. Vectors come back as floats or base64, as the caller requested, in the order of the inputs.

| | OpenAI | Gemini | Vertex AI, `predict` | Titan | Nova | Cohere on Bedrock |
|---|---|---|---|---|---|---|
| texts | yes | yes | yes | yes | yes | yes |
| token ids | yes | refused | refused | refused | refused | refused |
| dimensions | yes | yes | yes | yes | yes | yes |
| purpose of the vectors | dropped, reported | yes | yes | dropped, reported | yes | yes |
| inputs in one request | 2,048 | 100 | 8; 1 for `gemini-embedding-001` | 1 | 1 | 96 |

More inputs are split over several requests.

## Counts of tokens

`tests/system/exchanges` proves that Messages, Responses, Gemini and Converse each use the counter of every other wire.
If a target has no counter, Antiphon estimates the count and says so in `x-antiphon-estimated`.
"""


def write_table(title: str, rows: dict[str, dict[str, str]]) -> str:
    lines = [f"\n## {title[:1].upper()}{title[1:]}\n", "| | " + " | ".join(WIRES.values()) + " |"]
    lines.append("|---|" + "---|" * len(WIRES))
    for caller, name in WIRES.items():
        cells = " | ".join(MARKS[rows[caller][provider]] for provider in WIRES)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def write_page() -> str:
    proven = json.loads(PROVEN.read_text(encoding="utf-8"))
    same = [title for title, rows in proven.items() if _list_outcomes(rows) == {"yes"}]
    all_pairs = "\n## On every pair\n\n" + "".join(f"- {title}\n" for title in same)
    return (
        HEAD
        + all_pairs
        + "".join(write_table(title, rows) for title, rows in proven.items() if title not in same)
        + TAIL
    )


def _list_outcomes(rows: dict[str, dict[str, str]]) -> set[str]:
    return {outcome for row in rows.values() for outcome in row.values()}


def main() -> int:
    text = write_page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/wires.md does not match the results of the matrix; run scripts/fix")
    return 1


if __name__ == "__main__":
    sys.exit(main())
