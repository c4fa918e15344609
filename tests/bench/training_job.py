"""What the contestants of the training benchmark have in common: the rows and settings, and what they report."""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import load_tokenizer, locate
from playground.tasks import get_task
from playground.training.config import RunConfig, make_config
from playground.training.corpus import load_corpus
from playground.training.features import IGNORED, Feature, build_features, head_labels

DATA = {
    "classify": ("sentiment", "sentiment"),
    "tag": ("ner", "ner"),
    "generate": ("translate", "translation"),
}
"""Task, and folder of its rows in data/train, by shape."""
HELD_OUT = 96
"""Rows that nobody trains on."""


@dataclass(frozen=True)
class Job:
    """What one contestant is to train."""

    config: RunConfig
    shape: str
    source: str
    features: list[Feature]
    held_out: list[Feature]
    num_labels: int
    pad_id: int
    threads: int


@dataclass
class Outcome:
    """What came of it."""

    rows: int = 0
    """Taken through the model, those of each epoch counted."""
    seconds: float = 0.0
    """Of the training loop alone."""
    losses: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    """Highest resident memory of the process up to the end of the training, loading included."""
    held_out_loss: float = 0.0
    """Of the saved adapter, loaded by plain PEFT in fp32."""

    @contextmanager
    def timed(self):
        began = time.monotonic()
        yield
        self.seconds = time.monotonic() - began
        self.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_job(settings: dict) -> Job:
    """The job that `settings`, made by `tests.bench.training`, ask for."""
    task_name, folder = DATA[settings["shape"]]
    task = get_task(task_name)
    preset = settings["preset"]
    chosen = {key: settings[key] for key in ("epochs", "seed", "rank", "alpha", "learning_rate", "batch_size")}
    chosen |= {"max_rows": settings["rows"] + HELD_OUT, "time_limit_s": 0.0}
    config = make_config(task_name, Path("data/train") / folder, "bench", preset, EMBEDDED_ID, **chosen)
    rows = load_corpus(Path(config.data), task_name, {}, config.max_rows, config.seed).rows
    # By languages at first: every nth row is held out, so that each has some.
    spacing = max(len(rows) // HELD_OUT, 2)
    held_out = rows[::spacing][:HELD_OUT]
    rows = [row for row in rows if row not in held_out][: settings["rows"]]
    source = locate(EMBEDDED_ID, lambda *_: None)
    tokenizer = load_tokenizer(source)
    labels = head_labels(task, rows)
    features, unseen = (
        build_features(task, some, tokenizer, labels, config.max_length, config.seed).features
        for some in (rows, [row for row in held_out if settings["shape"] != "classify" or row["label"] in labels])
    )
    return Job(
        config,
        task.shape,
        source,
        features,
        unseen,
        len(labels),
        tokenizer.pad_token_id,
        settings["threads"],
    )


def contest(train: Callable[[Job, Outcome], PeftModel]) -> None:
    """Does the job in the file that the command names, and prints the outcome as the last line."""
    job = read_job(json.loads(sys.argv[1]))
    torch.set_num_threads(job.threads)
    outcome = Outcome()
    model = train(job, outcome)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, save_embedding_layers=False)
        del model
        outcome.held_out_loss = held_out_loss(job, folder)
    print(json.dumps(vars(outcome)))


def bare_model(job: Job):
    """The backbone in fp32, with a head for labels unless it writes."""
    options = {"dtype": torch.float32}
    if job.config.attention == "bidirectional":
        options["use_bidirectional_attention"] = True
    if job.shape == "generate":
        return AutoModelForCausalLM.from_pretrained(job.source, **options)
    return AutoModelForSequenceClassification.from_pretrained(job.source, num_labels=job.num_labels, **options)


@torch.no_grad()
def held_out_loss(job: Job, folder: str) -> float:
    """Mean over the held-out rows of the mean loss of each, over all of the vocabulary."""
    model = PeftModel.from_pretrained(bare_model(job), folder).eval().get_base_model()
    losses = []
    for feature in job.held_out:
        states = model.base_model(input_ids=torch.tensor([feature.input_ids])).last_hidden_state[0]
        labels = torch.tensor(feature.labels)
        if job.shape == "classify":
            states = states[-1:]
        elif job.shape == "generate":
            states, labels = states[:-1], labels[1:]
        wanted = labels != IGNORED
        head = model.get_output_embeddings() if job.shape == "generate" else model.score
        losses.append(float(cross_entropy(head(states[wanted]), labels[wanted])))
    return sum(losses) / len(losses)
