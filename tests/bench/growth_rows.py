"""What a CSV file costs: reading it, checking its rows, and making training examples of them.

    python -m tests.bench.growth_rows reviews.csv sentiment

Prints as JSON, of each, the seconds and the highest resident memory in MB above that before the first. Needs Linux.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import load_tokenizer, locate
from playground.backbones.release import release
from playground.chat.languages import detect_language
from playground.data.columns import propose
from playground.data.doctor import examine
from playground.data.reading import read_table
from playground.data.rows import LoadedRows, map_table
from playground.tasks import get_task
from playground.training.features import build_features, head_labels
from tests.bench.asking import memory_mb

FORGET_PEAK = "5"
"""What /proc/self/clear_refs takes for that."""


def main() -> None:
    path, task = Path(sys.argv[1]), get_task(sys.argv[2])
    # What is loaded at the first use only is not the rows' fault.
    detect_language("The soup was cold.")
    tokenizer = load_tokenizer(locate(EMBEDDED_ID, lambda *_: None))
    release()
    start_mb = memory_mb(os.getpid())["now"]
    figures: dict[str, float] = {}

    def measured(name: str, run: Callable[[], Any]) -> Any:
        Path("/proc/self/clear_refs").write_text(FORGET_PEAK, encoding="ascii")
        began = time.perf_counter()
        result = run()
        figures[f"{name}_s"] = time.perf_counter() - began
        figures[f"{name}_mb"] = memory_mb(os.getpid())["peak"] - start_mb
        return result

    def read() -> LoadedRows:
        table = read_table(path)
        return map_table(table, propose(table, task.name))

    found = measured("read", read)
    measured("check", lambda: examine(task.name, found.rows, found.lines, detect_language=detect_language))
    labels = head_labels(task, found.rows)
    measured("examples", lambda: build_features(task, found.rows, tokenizer, labels, task.max_length, 0))
    print(json.dumps(figures | {"rows": len(found.rows)}))


if __name__ == "__main__":
    main()
