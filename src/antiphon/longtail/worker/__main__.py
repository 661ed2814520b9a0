"""Begins the worker. Isolated, Python takes this file for a script without a package: it is given its own."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "longtail_worker"
"""Unlike any package that LiteLLM could mean; the folder is not put where modules are searched, either."""


def package() -> None:
    """Make the folder of this file a package under that name."""
    folder = Path(__file__).parent
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    sys.modules[NAME] = module_from_spec(spec)


if __name__ == "__main__":
    package()
    import_module(f"{NAME}.process").main()
