"""The original class, from the installed package and as it was published.

Importing `streaming` itself would import all of a training framework, so the packages around the
module are registered bare: their folders are found, their `__init__` does not run.
"""

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType


def _register_bare(name: str, folder: Path) -> None:
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


_spec = PathFinder.find_spec('streaming')
if _spec is None or not _spec.submodule_search_locations:
    sys.exit('the package mosaicml-streaming is not installed for ' + sys.executable)
_folder = Path(_spec.submodule_search_locations[0])
_register_bare('streaming', _folder)
_register_bare('streaming.base', _folder / 'base')
_register_bare('streaming.base.shared', _folder / 'base' / 'shared')

from streaming.base.shared import barrier as module  # noqa: E402

SharedBarrier = module.SharedBarrier
