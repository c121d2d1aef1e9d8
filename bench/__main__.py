"""python -m bench [NAME...]: every benchmark of this folder, or those named; one line a figure.

A benchmark is a module here with ``figures()``, which yields Figure rows. Medians are over interleaved rounds; a figure
with a yardstick also has the ratio to it (below 1: ours is faster). Nothing here passes or fails.
"""

import importlib
import pkgutil
import sys

import bench


def main() -> None:
    names = sys.argv[1:] or sorted(
        module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[0] != "_"
    )
    for name in names:
        for figure in importlib.import_module(f"bench.{name}").figures():
            print(figure, flush=True)


main()
