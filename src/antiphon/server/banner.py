"""The text that a starting server prints: its address, the admin key once, and a first call to try."""

from pathlib import Path

_EXAMPLE = """\
Try it:

  curl {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "sim/echo", "messages": [{{"role": "user", "content": "Hello"}}]}}'

or, with `pip install openai`:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  answer = client.chat.completions.create(model="sim/echo", messages=[{{"role": "user", "content": "Hello"}}])
  print(answer.choices[0].message.content)
"""


def write_banner(url: str, *, new_key: str | None, key_file: Path | None) -> str:
    """Return the text; ``key_file`` is ``None`` if callers need no key."""
    lines = [f"Antiphon is ready at {url}", ""]
    if new_key is not None:
        lines += [f"Admin key, shown this once and kept in {key_file}: {new_key}", ""]
    if key_file is None:
        shown = "anything"
    elif new_key is not None:
        shown = new_key
    else:
        shown = "YOUR_KEY"
        lines += [f"Keys: `antiphon keys create`; the admin key is in {key_file}", ""]
    return "\n".join([*lines, _EXAMPLE.format(url=url, key=shown)])
