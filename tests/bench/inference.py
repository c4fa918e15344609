"""How fast answers come, side by side with what a user would otherwise write, each contender in a fresh process.

    python -m tests.bench.inference --json inference.json --markdown docs/BENCHMARKS.md

- engine: the product's own, with its 8-bit weights
- plain: `transformers` in fp32 with the adapters loaded by `peft`, one request at a time
- llama.cpp: the embedded GGUF file through `llama-cpp-python`, where that is installed (--llama names another
  interpreter that has it), and through the servers beside it: `llama-server` of llama.cpp itself, and the one of
  `llama-cpp-python[server]`, which answers one request at a time. They get the base model, as they can't mix adapters
  in one batch

Seconds are medians of --repeats runs after a warm-up. Texts have no end token, so that all write as much.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.bench.aims import product_figures, section
from tests.bench.answering import LICENCE, Asker, median_s, text_ids

PROMPT_TOKENS = 100
NEW_TOKENS = 64
LONG_PROMPT_TOKENS = 1000
NUM_STREAMS = 8
NUM_ROWS = 16
ROW_TOKENS = 30
PASS_TOKENS = (ROW_TOKENS, 256)
ADAPTER_NUMBERS = (1, 10, 100)
TITLES = {
    "decode": "one text, with guesses where it repeats itself, tokens/s",
    "decode_unguessed": "the same without guesses, tokens/s",
    "decode_adapter": "one text with an adapter and guesses, tokens/s",
    "prompt": f"prompt of {LONG_PROMPT_TOKENS} tokens, tokens/s",
    "streams": f"{NUM_STREAMS} texts at once over 5 adapters, tokens/s in all",
    "streams_base": f"{NUM_STREAMS} texts at once without adapters, tokens/s in all",
    "llama_server": "the same from llama-server over HTTP, tokens/s in all",
    "llama_cpp_server": "the same from llama-cpp-python's server over HTTP, tokens/s in all",
    "first_token_ms": f"first token after {PROMPT_TOKENS} beside another text, ms",
    "pass_30_ms": "one pass of 30 tokens with an adapter, ms",
    "pass_256_ms": "one pass of 256 tokens with an adapter, ms",
    "rows_together": f"{NUM_ROWS} rows of {ROW_TOKENS} tokens and mixed adapters in one pass, rows/s",
    "rows_apart": "the same one at a time, rows/s",
    "same_document_ms": "second question about a document of 500 tokens, first token, ms",
    "cold_adapter_ms": "loading an adapter, ms",
    "resident_mb": "memory with five adapters after all this, MB",
    "resting_mb": "the same once the engine has rested for two seconds, MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inference", description="Times answers.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--markdown", type=Path, help="file for a table of them")
    parser.add_argument("--llama", default=sys.executable, help="interpreter that has llama-cpp-python")
    parser.add_argument("--contender", choices=MEASURED, help="only this one, its figures as JSON on stdout")
    parser.add_argument("--gguf", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(MEASURED[options.contender](options)))
        return
    figures = {"machine": machine(), **{name: _fresh(name, options) for name in MEASURED}}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    table = markdown(figures, options.markdown or Path("docs/BENCHMARKS.md"))
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    print(table)


def _fresh(name: str, options: argparse.Namespace) -> dict[str, float]:
    """The figures of one contender; none where its packages are missing or it breaks down."""
    interpreter = options.llama if name == "llama.cpp" else sys.executable
    if name == "llama.cpp" and not _has_llama_cpp(interpreter):
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        command = [interpreter, "-m", "tests.bench.inference", "--contender", name, "--repeats", str(options.repeats)]
        if name == "llama.cpp":
            from playground.backbones.embedded import assemble

            gguf = Path(scratch) / "backbone.gguf"
            assemble(gguf, lambda *_: None)
            command += ["--gguf", str(gguf)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        print(f"{name} ended with {done.returncode}, so its figures are missing.", file=sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def _has_llama_cpp(interpreter: str) -> bool:
    found = subprocess.run([interpreter, "-c", "import llama_cpp"], check=False, capture_output=True)
    return found.returncode == 0


def _resident_mb() -> float:
    from tests.bench.asking import memory_mb

    return memory_mb(os.getpid())["now"]


def of_engine(options: argparse.Namespace) -> dict[str, float]:
    from playground.backbones.release import share_heaps
    from playground.engine.engine import IDLE_S
    from playground.engine.requests import Decoding

    share_heaps()  # as app.py does
    asker, repeats = Asker(), options.repeats
    engine, adapters = asker.engine, asker.adapters

    def seconds(wanted: list[Any], length: int = PROMPT_TOKENS, new: int = NEW_TOKENS) -> float:
        return median_s(lambda: asker.write(wanted, length, new), repeats)

    def rate(wanted: list[Any]) -> float:
        """Tokens a second after the first ones."""
        return len(wanted) * (NEW_TOKENS - 1) / (seconds(wanted) - seconds(wanted, new=1))

    with patch("playground.engine.continuous.draft", return_value=[]):
        unguessed = rate([None])
    figures = {
        "decode": rate([None]),
        "decode_unguessed": unguessed,
        "decode_adapter": rate([adapters["translate"]]),
        "prompt": LONG_PROMPT_TOKENS / seconds([None], LONG_PROMPT_TOKENS, 1),
        "streams": rate(asker.mixed_adapters(NUM_STREAMS)),
        "streams_base": rate([None] * NUM_STREAMS),
    }
    endless = Decoding(max_new_tokens=1_000_000)
    other = engine.generate([(asker.prompt(PROMPT_TOKENS), adapters["summarize"])], endless)
    figures["first_token_ms"] = 1000 * seconds([adapters["translate"]], new=1)
    other.cancel()

    for length in PASS_TOKENS:
        asked = [asker.row("sentiment", length)]
        figures[f"pass_{length}_ms"] = 1000 * median_s(lambda asked=asked: engine.encode(asked).wait(), 3 * repeats)
    mixed = asker.mixed_rows(NUM_ROWS, ROW_TOKENS)
    figures["rows_together"] = NUM_ROWS / median_s(lambda: engine.encode(mixed).wait(), repeats)
    figures["rows_apart"] = NUM_ROWS / median_s(lambda: [engine.encode([one]).wait() for one in mixed], repeats)

    def second_question() -> None:
        document, question = asker.prompt(500), asker.prompt(20)
        for prompt in ([*document, *asker.prompt(20)], [*document, *question]):
            began = time.perf_counter()
            engine.generate([(prompt, None)], Decoding(max_new_tokens=1)).wait()
            took.append(time.perf_counter() - began)

    took: list[float] = []
    median_s(second_question, repeats)
    figures["same_document_ms"] = 1000 * statistics.median(took[1::2])
    figures["resident_mb"] = _resident_mb()
    time.sleep(IDLE_S + 1)
    figures["resting_mb"] = _resident_mb()
    return figures | _with_many_adapters(engine, asker.records["translate"], repeats)


def _with_many_adapters(engine: Any, record: Any, repeats: int) -> dict[str, float]:
    """Milliseconds to load one, and of a pass with a warm one while so many are registered."""
    import shutil
    from dataclasses import replace

    from playground.engine.requests import Decoding

    figures: dict[str, float] = {}
    prompt = [2, *range(1000, 1000 + PROMPT_TOKENS)]
    with tempfile.TemporaryDirectory() as scratch:
        loads = []
        for number in range(max(ADAPTER_NUMBERS)):
            copy = replace(record, path=Path(scratch) / str(number))
            shutil.copytree(record.path, copy.path)
            began = time.perf_counter()
            adapter = engine.adapter(copy)
            loads.append(time.perf_counter() - began)
            if number + 1 in ADAPTER_NUMBERS:
                warm = median_s(
                    lambda used=adapter: engine.generate([(prompt, used)], Decoding(max_new_tokens=16)).wait(), repeats
                )
                figures[f"warm_of_{number + 1}_ms"] = 1000 * warm
    return figures | {"cold_adapter_ms": 1000 * statistics.median(loads)}


def of_plain(options: argparse.Namespace) -> dict[str, float]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    from playground import settings
    from playground.backbones.catalogue import EMBEDDED_ID
    from playground.settings import REPOSITORY

    folder = settings.backbone_cache() / EMBEDDED_ID
    ids = text_ids(AutoTokenizer.from_pretrained(folder))
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def write(length: int, new: int) -> None:
        wanted = torch.tensor([[2, *ids[: length - 1]]])
        model.generate(wanted, max_new_tokens=new, min_new_tokens=new, do_sample=False)

    def seconds(length: int, new: int) -> float:
        return median_s(lambda: write(length, new), options.repeats)

    rate = (NEW_TOKENS - 1) / (seconds(PROMPT_TOKENS, NEW_TOKENS) - seconds(PROMPT_TOKENS, 1))
    figures = {"decode": rate, "prompt": LONG_PROMPT_TOKENS / seconds(LONG_PROMPT_TOKENS, 1)}
    model = PeftModel.from_pretrained(model, REPOSITORY / "adapters/translate/multilingual").eval()
    rate = (NEW_TOKENS - 1) / (seconds(PROMPT_TOKENS, NEW_TOKENS) - seconds(PROMPT_TOKENS, 1))
    # One request at a time, so that more of them bring nothing.
    figures |= {"decode_adapter": rate, "streams": rate}
    classifier = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, num_labels=3)
    classifier = PeftModel.from_pretrained(classifier, REPOSITORY / "adapters/sentiment/multilingual").eval()
    with torch.inference_mode():
        for length in PASS_TOKENS:
            wanted = torch.tensor([[2, *ids[: length - 1]]])
            figures[f"pass_{length}_ms"] = 1000 * median_s(lambda wanted=wanted: classifier(wanted), options.repeats)
    return figures | {"rows_apart": 1000 / figures["pass_30_ms"], "resident_mb": _resident_mb()}


def of_llama(options: argparse.Namespace) -> dict[str, float]:
    from llama_cpp import Llama

    from tests.bench.llama_peers import THREADS, batch_seconds, server_rates

    llama = Llama(options.gguf, n_ctx=2048, n_threads=THREADS, n_threads_batch=THREADS, n_batch=2048, verbose=False)
    ids = llama.tokenize(LICENCE.read_bytes())

    def write(length: int, new: int) -> None:
        llama.reset()
        llama.eval(ids[:length])
        for token in ids[length : length + new - 1]:
            llama.eval([token])

    def seconds(length: int, new: int) -> float:
        return median_s(lambda: write(length, new), options.repeats)

    decode_s = seconds(PROMPT_TOKENS, NEW_TOKENS) - seconds(PROMPT_TOKENS, 1)
    together_s = batch_seconds(llama, ids, NUM_STREAMS, PROMPT_TOKENS, NEW_TOKENS, options.repeats)
    return {
        "decode": (NEW_TOKENS - 1) / decode_s,
        "prompt": LONG_PROMPT_TOKENS / seconds(LONG_PROMPT_TOKENS, 1),
        "streams_base": NUM_STREAMS * (NEW_TOKENS - 1) / together_s,
        **server_rates(options.gguf, NUM_STREAMS, NEW_TOKENS, options.repeats),
    }


def of_products(options: argparse.Namespace) -> dict[str, float]:
    """By themselves: beside those of an engine their threads would be more than there are cores, and wait asleep."""
    from transformers import AutoConfig

    from playground import settings
    from playground.backbones.catalogue import EMBEDDED_ID

    config = AutoConfig.from_pretrained(settings.backbone_cache() / EMBEDDED_ID)
    return product_figures(config, NUM_ROWS, ROW_TOKENS, options.repeats)


CONTENDERS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "engine": of_engine,
    "plain": of_plain,
    "llama.cpp": of_llama,
}
MEASURED = CONTENDERS | {"products": of_products}


def machine() -> dict[str, Any]:
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def markdown(figures: dict[str, Any], path: Path) -> str:
    """A table of all contenders, and what they were measured on, for the file at `path`."""
    of = figures["machine"]
    lines = [
        "# Benchmarks",
        "",
        f"Written by `python -m tests.bench.inference --markdown {path}`, not by hand.",
        f"Medians on {of['cores']} {of['processor']} cores with {of['instructions']}, torch {of['torch']}.",
        "",
        "| | " + " | ".join(CONTENDERS) + " |",
        "| --- |" + " ---: |" * len(CONTENDERS),
    ]
    many = {f"warm_of_{number}_ms": f"16 tokens, {number} adapters loaded, ms" for number in ADAPTER_NUMBERS}
    for key, title in (TITLES | many).items():
        cells = [f"{figures[name][key]:,.1f}" if key in figures[name] else "-" for name in CONTENDERS]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if figures["engine"] and figures["products"]:
        lines += section({name: figures[name] for name in MEASURED})
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
