"""The options and the database that the commands about keys and usage share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from antiphon.cli.output import fail

if TYPE_CHECKING:
    from antiphon.database.database import Database

Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory [default: the configured one, else ./data].")
]
Config = Annotated[Path | None, typer.Option("--config", help="The configuration that names the data directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def find_data_directory(data: Path | None, config: Path | None) -> Path:
    """Return the data directory: ``data``, else the configured one, else ``./data``."""
    if data is not None:
        return data
    if config is None and not Path("antiphon.yaml").exists():
        return Path("data")
    from antiphon.config import load_config

    return Path(load_config(str(config) if config is not None else None).settings.data)


def open_database(data: Path | None, config: Path | None, *, create: bool = False) -> "Database":
    """Return the prepared ledger database of a data directory; ``create`` makes a new one if there is none."""
    from antiphon.database.database import Database

    directory = find_data_directory(data, config)
    if not directory.is_dir() and not create:
        fail(f"there is no data directory {directory}; name it with --data, or start the gateway once", 2)
    database = Database(f"sqlite:///{directory / 'antiphon.db'}")
    database.prepare()
    return database
