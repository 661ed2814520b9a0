"""``docs/wires.md`` agrees with the wires about embeddings."""

from pathlib import Path

from antiphon.wires.bedrock import embeddings
from antiphon.wires.gemini import embeddings_codec, predict
from antiphon.wires.table import COUNTERS, EMBEDDERS
from antiphon.wires.translation.embedding import INPUT_LIMIT

PAGE = (Path(__file__).parents[3] / "docs" / "wires.md").read_text("utf-8")


def test_the_page_has_every_form_and_its_limit() -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith("| inputs in one request |")]
    limits = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    alone = f"{predict.BATCH_LIMIT}; 1 for `gemini-embedding-001`"
    assert limits == [
        f"{INPUT_LIMIT:,}",
        str(embeddings_codec.BATCH_LIMIT),
        alone,
        "1",
        "1",
        str(embeddings.BATCH_LIMIT),
    ]
    assert len(EMBEDDERS) == len(limits) + 1, "Gemini has two"


def test_the_page_names_every_counter() -> None:
    text = PAGE.partition("## Counts of tokens")[2]
    assert sum(wire in text for wire in ("Messages", "Responses", "Gemini", "Converse")) == len(COUNTERS)
