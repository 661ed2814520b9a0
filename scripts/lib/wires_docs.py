"""Write docs/wires.md from what the matrix of wires proved; with --check say whether it is in step."""

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

`scripts/fix` writes this page from what `tests/system/matrix` proved. For each cell, whole and streamed, the
official client of one wire called a running gateway whose provider speaks another wire. The test compared what the
provider received and what the client saw. Change the tests, not this page.

A caller's wire is a row, a provider's is a column.

| word | meaning |
|---|---|
| yes | arrives in the target's own form, and comes back in the caller's |
| as text | the caller's wire has no place for it: a text of its own tells it, a Markdown link with the data in it |
| dropped, reported | only tunes, has no place on the target's wire, and is left out; `x-antiphon-dropped` names it |
| refused | would change what the answer means if it were left out: a 400 that names it, and no call to the provider |
| · | one of the two wires, or the caller's client, has no words for it |

Where both wires are the same, nothing is translated: request and answer stay the same bytes but for the model's name.
Structured output is shown for models that can; of others the schema is asked for in words and `format` is reported.
A user's name that the target's provider would refuse (longer than 64 characters at OpenAI, an address at Anthropic)
arrives as its SHA-256, which is the same name for the same person.

Declared rules, on every pair:

- `x-antiphon-dropped` and errors name a field as the caller's wire spells it: `generationConfig.seed`,
  `stop_sequences`.
- A value that asks for nothing (an empty text, list or object) is not told; `0` and `false` are values.
- What a model made is never left out of an answer: see *as text*. What a sound says stands before it. Such a text that
  comes back in a caller's history is read as what it was. A sound that comes in samples without a head, as streams
  have it, is a WAV file where it comes whole.
- Where a target's assistant only speaks (all but Gemini's), images of earlier answers stand in the user's next turn,
  and a sound whose words are known is its words. Images and files in tools' results stand in the user's next turn for
  Chat Completions, and for Gemini's models before 3.
- Thinking that another wire's model made is not shown to a target; it survives in the caller's history and returns to
  the wire it came from.
- A citation names a page or a document with its title, and the text behind which it stands. Where a wire has only
  places in documents (Messages), a document without one is a search result.
- Message threads (`thread`) are forwarded, with their beta, to a provider of the Messages wire; on any other target
  `create` is a 400 and `continue` a 404, as the API answers where it holds no thread. `anthropic-version` is the
  caller's on the same wire, and 2023-06-01 in a translated call, because it takes `temperature`, `top_p` and `top_k`.
"""
TAIL = """
## Embeddings

Proved by `tests/system/exchanges`. Callers are OpenAI's `/v1/embeddings` and Gemini's `:embedContent` and
`:batchEmbedContents`; vectors come back as floats or base64, as the caller asked, and in the order of the inputs.

| | OpenAI | Gemini | Vertex AI, `predict` | Titan | Nova | Cohere on Bedrock |
|---|---|---|---|---|---|---|
| texts | yes | yes | yes | yes | yes | yes |
| token ids | yes | refused | refused | refused | refused | refused |
| dimensions | yes | yes | yes | yes | yes | yes |
| what the vectors are for | dropped, reported | yes | yes | dropped, reported | yes | yes |
| inputs in one request | 2,048 | 100 | 8; 1 for `gemini-embedding-001` | 1 | 1 | 96 |

More inputs than that are asked for in several requests.

## Counts of tokens

`tests/system/exchanges` proves this: Messages, Responses, Gemini and Converse each use the counter of every other wire,
and Antiphon's own estimate where a target has no counter (`x-antiphon-estimated`).
"""


def table(title: str, rows: dict[str, dict[str, str]]) -> str:
    lines = [f"\n## {title[:1].upper()}{title[1:]}\n", "| | " + " | ".join(WIRES.values()) + " |"]
    lines.append("|---|" + "---|" * len(WIRES))
    for near, shown in WIRES.items():
        cells = " | ".join(MARKS[rows[near][far]] for far in WIRES)
        lines.append(f"| {shown} | {cells} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    proven = json.loads(PROVEN.read_text(encoding="utf-8"))
    same = [title for title, rows in proven.items() if _cells(rows) == {"yes"}]
    all_pairs = "\n## On every pair\n\n" + "".join(f"- {title}\n" for title in same)
    return HEAD + all_pairs + "".join(table(title, rows) for title, rows in proven.items() if title not in same) + TAIL


def _cells(rows: dict[str, dict[str, str]]) -> set[str]:
    return {outcome for row in rows.values() for outcome in row.values()}


def main() -> int:
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/wires.md is not what the matrix proved; run scripts/fix")
    return 1


if __name__ == "__main__":
    sys.exit(main())
