"""One side of a comparison: calls ``module:function`` with options in JSON and prints the figure that it returns."""

from __future__ import annotations

import importlib
import json
import sys


def main(call: str, options: str) -> None:
    module, function = call.split(":")
    print(getattr(importlib.import_module(module), function)(**json.loads(options)))


if __name__ == "__main__":
    main(*sys.argv[1:])
