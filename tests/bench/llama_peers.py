"""Several texts at once from llama.cpp: in one batch of its library, and from the servers that an interpreter has.

Needs nothing but `llama-cpp-python`, because it runs in the interpreter that has that.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.bench.answering import LICENCE, STEP, median_s

PROMPT_CHARS = 440
"""About 100 tokens."""
PLACE_TOKENS = 512
"""Room for one text."""
THREADS = 2
END_IDS = (1, 106)
"""Tokens that end a text of Gemma, forbidden so that all texts are equally long."""
SERVER_NEEDS = ("uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings")
"""Packages of ``llama-cpp-python[server]``."""
START_S = 120
PATIENCE_S = 600


def batch_seconds(llama: Any, ids: Sequence[int], number: int, length: int, new: int, repeats: int) -> float:
    """Seconds that `number` texts take from their first to their last token, each step one batch of all of them."""
    import llama_cpp

    settings = llama.context_params
    settings.n_ctx, settings.n_seq_max, settings.kv_unified = number * PLACE_TOKENS, number, False
    context = llama_cpp.llama_init_from_model(llama.model, settings)
    batch = llama_cpp.llama_batch_init(number * length, 0, 1)

    def decode(tokens: Sequence[Sequence[int]], position: int) -> None:
        """One pass over the next tokens of each text, which begin at `position`; logits of the last of each."""
        place = 0
        for text, of_text in enumerate(tokens):
            for offset, token in enumerate(of_text):
                batch.token[place], batch.pos[place] = token, position + offset
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, text
                batch.logits[place] = offset == len(of_text) - 1
                place += 1
        batch.n_tokens = place
        failed = llama_cpp.llama_decode(context, batch)
        if failed:
            raise SystemExit(f"llama_decode failed with {failed}.")

    def write(new: int) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        decode([ids[STEP * text : STEP * text + length] for text in range(number)], 0)
        for step in range(new - 1):
            decode([[ids[STEP * text + step]] for text in range(number)], length + step)

    try:
        return median_s(lambda: write(new), repeats) - median_s(lambda: write(1), repeats)
    finally:
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)


def server_rates(gguf: str, number: int, new: int, repeats: int) -> dict[str, float]:
    """Tokens a second, of all of `number` requests sent at once, of each server that there is."""
    return {name: _rate(command, number, new, repeats) for name, command in _servers(gguf, number).items()}


def _servers(gguf: str, places: int) -> dict[str, list[str]]:
    """Commands, without the port."""
    beside = Path(sys.executable).parent
    found: dict[str, list[str]] = {}
    own = shutil.which("llama-server", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if own:
        # Without --kv-unified each text has its share of the context.
        room = ["--ctx-size", str(places * PLACE_TOKENS), "--parallel", str(places), "--no-kv-unified"]
        threads = ["--threads", str(THREADS), "--threads-batch", str(THREADS)]
        found["llama_server"] = [own, "--model", gguf, *room, *threads]
    if all(importlib.util.find_spec(package) for package in SERVER_NEEDS):
        settings = {"n_ctx": 2048, "n_threads": THREADS, "n_threads_batch": THREADS, "logits_all": False}
        chosen = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        found["llama_cpp_server"] = [sys.executable, "-m", "llama_cpp.server", "--model", gguf, *chosen]
    return found


def _rate(command: Sequence[str], number: int, new: int, repeats: int) -> float:
    text = LICENCE.read_text(encoding="utf-8")
    used = 0

    def ask(address: str, prompt: str, new: int) -> None:
        never = {str(token): -100 for token in END_IDS}
        said = {"prompt": prompt, "max_tokens": new, "temperature": 0, "logit_bias": never}
        asked = Request(f"{address}/v1/completions", json.dumps(said).encode(), {"Content-Type": "application/json"})
        with urlopen(asked, timeout=PATIENCE_S) as answer:
            written = json.load(answer)["usage"]["completion_tokens"]
        if written != new:
            raise SystemExit(f"The server wrote {written} tokens, not {new}.")

    def ask_all(address: str, new: int) -> None:
        nonlocal used
        starts = [30 * (used + one) for one in range(number)]
        used += number
        prompts = [text[start % (len(text) - PROMPT_CHARS) :][:PROMPT_CHARS] for start in starts]
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(lambda prompt: ask(address, prompt, new), prompts))

    with _running(command) as address:
        long_s, short_s = (median_s(lambda new=new: ask_all(address, new), repeats) for new in (new, 1))
    return number * (new - 1) / (long_s - short_s)


@contextmanager
def _running(command: Sequence[str]) -> Iterator[str]:
    """Address of the server while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait_until_ready(process, address)
            yield address
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urlopen(f"{address}/v1/models", timeout=10) as answer:
                answer.read()
                return
        except (URLError, OSError) as err:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"'{process.args[0]}' did not start.") from err
            time.sleep(0.2)
