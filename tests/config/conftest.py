"""Fixtures that load a configuration with a separate directory and environment."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from antiphon.catalog import Catalog
from antiphon.config import load_config
from antiphon.errors import ConfigError, Fault

KEYS = {"OPENAI_API_KEY": "sk-openai-secret", "AZURE_API_KEY": "azure-secret", "GROQ_API_KEY": "gsk-secret"}


class Files:
    """Writes ``antiphon.yaml`` and loads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "antiphon.yaml"

    def load(self, text: str, environ: Mapping[str, str] = KEYS) -> Catalog:
        self.path.write_text(dedent(text).removeprefix("\n"), "utf-8")
        return load_config(str(self.path), environ)

    def find_faults(self, text: str, environ: Mapping[str, str] = KEYS) -> list[Fault]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ)
        faults = list(caught.value.faults)
        assert {fault.file for fault in faults} == {str(self.path)}
        return faults

    def find_fault(self, text: str, environ: Mapping[str, str] = KEYS) -> Fault:
        """Return the fault of ``text``, which must be the only one."""
        faults = self.find_faults(text, environ)
        assert len(faults) == 1, "\n".join(map(str, faults))
        return faults[0]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def detected() -> Callable[..., Catalog]:
    """Load without a file, only from the given variables and ports."""

    def detect(probes: Mapping[str, int] | None = None, /, **environ: str) -> Catalog:
        return load_config(environ=environ, probes=probes or {})

    return detect


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty directory, so that it does not see other files."""
    monkeypatch.chdir(tmp_path)
