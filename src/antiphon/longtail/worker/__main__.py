"""Starts the worker. Isolated, Python runs this file as a script without a package, so it makes the package itself."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "longtail_worker"
"""Unlike any package that LiteLLM could import; the folder is not put on the module search path either."""


def make_package() -> None:
    """Make the folder of this file a package under that name."""
    folder = Path(__file__).parent
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    sys.modules[NAME] = module_from_spec(spec)


if __name__ == "__main__":
    make_package()
    import_module(f"{NAME}.process").run()
