"""The command line: ``python -m playground predict|evaluate|inspect|train|adapters|serve``.

A person's mistake prints one line on stderr and exits with 2; a training run whose slice of time is over exits with 3
(with 0 under a launcher of several processes).
"""

import argparse
import contextlib
import json
import math
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from playground import settings
from playground.adapters import edit, store
from playground.adapters.figures import metric_title
from playground.adapters.record import CARD_FILE, REPORT_FILE, AdapterRecord, check_name
from playground.adapters.report import PAGE_FILE
from playground.adapters.scoreboard import scoreboard, write_scoreboard
from playground.adapters.transfer import import_zip
from playground.data import doctor
from playground.data.batch import read_inputs
from playground.data.columns import ColumnMap, propose
from playground.data.fixes import FIXES
from playground.data.reading import read_table
from playground.data.rows import LoadedRows, load_training_rows, map_table
from playground.data.splits import SPLITS
from playground.data.text import excerpt, join_surrogates
from playground.errors import AdapterError, InputError, Paused, PlaygroundError
from playground.evaluation.metrics import by_language, score
from playground.exporting.formats import FORMATS
from playground.tasks import Task, get_task, list_tasks, must_be_known
from playground.training.options import OPTIONS, Option
from playground.types import Row

if TYPE_CHECKING:
    from playground.engine.engine import Engine
    from playground.training.config import RunConfig

USER_ERROR = 2
PAUSED = 3
INTERRUPTED = 130
SET_BY_LAUNCHERS = ("TORCHELASTIC_RUN_ID", "ACCELERATE_MIXED_PRECISION")
"""By torchrun, and by ``accelerate launch`` where it starts a single process."""
SAMPLE_CHARS = 60
"""Of a text in a line about answers during a training."""
LOADING_FROM = 0.9
TRAINING_OPTIONS = (
    *("name", "preset", "validation", "base_rows", "description", "licence", "data_description"),
    *("fixes", "split", "split_column", "parent", "replay"),
    *(option.name for option in OPTIONS),
)
"""Settings of a run that the command line may change."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; argparse itself prints the usage first."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except Paused as err:
        print(err, file=sys.stderr)
        return 0 if _is_launched() else PAUSED
    except PlaygroundError as err:
        print(" ".join(str(err).split()), file=sys.stderr)
        return USER_ERROR
    except FileNotFoundError as err:
        print(f"There is no file '{err.filename}'.", file=sys.stderr)
        return USER_ERROR
    except OSError as err:
        print(f"'{err.filename}' can't be used: {err.strerror}.", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _is_launched() -> bool:
    """Whether 'accelerate launch' or 'torchrun' started this process: they take each status but 0 for a crash."""
    return any(name in os.environ for name in SET_BY_LAUNCHERS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m playground", description="One backbone, many small adapters.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_evaluate(commands)
    _add_inspect(commands)
    _add_train(commands)
    _add_adapters(commands)
    serve = commands.add_parser("serve", help="open the page; the same as python app.py")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default: the first free one from 7860)")
    serve.set_defaults(run=_serve)
    return parser


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--adapter", help="adapter name, or 'none' for the bare base (default: the shipped one)")
    parser.add_argument("--backbone", default=settings.backbone_id(), help="folder or Hub id (default: %(default)s)")
    parser.add_argument("--quantization", choices=("auto", "none", "8-bit", "4-bit"), default="auto")
    parser.add_argument(
        "--num-beams", type=int, help="beams of a task that writes text (default: what the adapter says)"
    )


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK", help=", ".join(task.name for task in list_tasks()))


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser("predict", help="add a task's output to rows")
    _add_task(parser)
    parser.add_argument("--input", required=True, help="rows to read; '-' for JSON Lines on stdin")
    parser.add_argument("--output", required=True, help="JSON Lines to write; '-' for stdout")
    _add_engine_options(parser)
    parser.set_defaults(run=_predict)


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure an adapter on rows with known answers")
    _add_task(parser)
    parser.add_argument("--data", required=True, type=Path, help="file, folder of JSON Lines files, or hub:owner/name")
    parser.add_argument("--max-rows", type=int, default=settings.MAX_ROWS, help="a balanced sample of that many rows")
    parser.add_argument("--source", action="append", help="only rows with this 'source'; may be given several times")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_engine_options(parser)
    parser.set_defaults(run=_evaluate)


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser("inspect", help="what is wrong with rows before they are learnt from")
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="rows in any format that can be read, or hub:owner/name@config/split for a dataset of the Hub",
    )
    parser.add_argument("--task", help="what they are for (default: recognised)")
    parser.add_argument("--column", action="append", default=[], metavar="FIELD=COLUMN", help="which column holds what")
    parser.add_argument("--validation", type=Path, help="rows of your own to measure on, which must not be among them")
    parser.add_argument("--tokens", action="store_true", help="lengths in tokens of the backbone, not in characters")
    parser.add_argument("--names", action="store_true", help="look for names of persons too, with the entity adapter")
    parser.add_argument("--backbone", default=settings.backbone_id(), help="folder or Hub id (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_inspect)


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="make an adapter from rows")
    _add_task(parser)
    parser.add_argument(
        "--recipe", help="settings of a shipped adapter, by name; --data is then the folder of its data"
    )
    parser.add_argument("--data", type=Path, help="file, folder of JSON Lines files, * pattern, or hub:owner/name")
    parser.add_argument("--validation", help="rows to measure on, in any of these forms (default: some of --data)")
    parser.add_argument("--name", help="name of the new adapter")
    parser.add_argument("--preset", help="turbo, quick, balanced or best (default: balanced)")
    parser.add_argument("--backbone", default=settings.backbone_id(), help="folder or Hub id (default: %(default)s)")
    parser.add_argument("--quantization", choices=("auto", "none", "8-bit", "4-bit"), help="of the frozen weights")
    parser.add_argument("--column", action="append", default=[], metavar="FIELD=COLUMN", help="which column holds what")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as the page gives them to download")
    for option in OPTIONS:
        _add_option(parser, option)
    parser.add_argument("--estimate", action="store_true", help="only say what it would take, after a few real steps")
    parser.add_argument("--base-rows", type=int, help="how many rows the base is measured on too (default all; 0 none)")
    parser.add_argument("--parent", metavar="ADAPTER", help="adapter of the same task to go on from")
    parser.add_argument(
        "--no-replay", action="store_false", dest="replay", default=None, help="repeat none of the rows of --parent"
    )
    parser.add_argument("--fix", action="append", dest="fixes", metavar="FIX", help=f"one of {', '.join(FIXES)}")
    parser.add_argument("--split", help=f"rows to hold out: {', '.join(SPLITS)} (default stratified)")
    parser.add_argument(
        "--split-column", help="column with the group, the time or the mark (train, test, validation) of each row"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="folder of the run's state; the same command goes on from there after a break"
    )
    parser.add_argument("--tensorboard", type=Path, metavar="FOLDER", help="where to write curves for TensorBoard")
    parser.add_argument(
        "--slice-s", type=float, help="pause after that many seconds (exit status 3; under a launcher 0)"
    )
    parser.add_argument("--description", help="a sentence for the card")
    parser.add_argument("--licence", help="licence of the rows, for the card")
    parser.add_argument("--data-description", help="what the rows are, for the card")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.set_defaults(run=_train)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    meaning = option.info.replace("%", "%%")
    if option.kind is bool:
        parser.add_argument(option.flag, action=argparse.BooleanOptionalAction, default=None, help=meaning)
    elif option.kind is list:
        parser.add_argument(option.flag, type=lambda names: names.split(","), metavar="NAME,NAME", help=meaning)
    elif option.choices:
        parser.add_argument(option.flag, choices=option.choices, help=meaning)
    else:
        parser.add_argument(option.flag, type=option.kind, help=meaning)


def _add_adapters(commands: Any) -> None:
    parser = commands.add_parser(
        "adapters", help="list, show, verify, export, import, push, remove or restore adapters"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all adapters")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list_adapters)
    for name, run, meaning in (
        ("show", _show_adapter, "the card of an adapter"),
        ("verify", _verify_adapter, "check its files, load it in a fresh process and compare its outputs"),
        ("remove", _remove_adapter, "delete an adapter of yours, also a broken one; for a day it can be put back"),
        ("restore", _restore_adapter, "put back what was deleted"),
    ):
        action = actions.add_parser(name, help=meaning)
        action.add_argument("adapter", metavar="TASK/NAME")
        action.set_defaults(run=run)
        if name == "verify":
            action.add_argument("--files-only", action="store_true", help="only that the files are as they were saved")
    measuring = actions.add_parser("measure", help="measure an adapter and the base; record and card get the figures")
    measuring.add_argument("adapter", metavar="TASK/NAME")
    measuring.add_argument("--data", type=Path, help="rows that it was not trained on; of a recipe, the folder of all")
    measuring.add_argument("--recipe", help="measure on the rows that this recipe measures on")
    measuring.add_argument("--max-rows", type=int, default=500, help="a balanced sample of that many (default 500)")
    measuring.add_argument("--base-rows", type=int, help="how many of them the base gets too (default all; 0 none)")
    measuring.add_argument("--seed", type=int, default=0, help="seed of the sample")
    measuring.set_defaults(run=_measure_adapter)
    exporting = actions.add_parser("export", help="write an adapter, load the copy again and compare its outputs")
    exporting.add_argument("adapter", metavar="TASK/NAME")
    exporting.add_argument(
        "--format",
        choices=FORMATS,
        default="zip",
        help="; ".join(f"{one.name}: {one.summary}" for one in FORMATS.values()) + " (default: %(default)s)",
    )
    exporting.add_argument("--output", type=Path, default=Path(), help="file or folder (default: here)")
    exporting.add_argument("--numbers", help="number format of merged weights: float32, bfloat16, float16 or q8_0")
    exporting.set_defaults(run=_export_adapter)
    board = actions.add_parser("scoreboard", help="table of what the shipped adapters reach")
    board.add_argument("--write", type=Path, metavar="FILE", help="put it between its marks in FILE, such as README.md")
    board.set_defaults(run=_scoreboard)
    importing = actions.add_parser("import", help="add an adapter from a zip, or from the Hub by its id")
    importing.add_argument("source", metavar="ZIP_OR_ID", help="file, or an id such as your-name/my-adapter, @revision")
    importing.add_argument("--name", help="another name for it")
    importing.set_defaults(run=_import_adapter)
    pushing = actions.add_parser("push", help="put an adapter and its card on the Hub, fetch it again and compare")
    pushing.add_argument("adapter", metavar="TASK/NAME")
    pushing.add_argument("repository", metavar="OWNER/NAME", help="made when there is none; private unless --public")
    pushing.add_argument("--public", action="store_true", help="everybody may see it")
    pushing.set_defaults(run=_push_adapter)


@contextlib.contextmanager
def _engine(options: argparse.Namespace) -> Iterator["Engine"]:
    # torch and transformers take seconds to import, which `adapters list` need not wait for.
    from playground.backbones.loading import automatic_quantization, load
    from playground.engine.engine import Engine

    precision = automatic_quantization() if options.quantization == "auto" else options.quantization
    engine = Engine(load(options.backbone, precision, _say_progress))
    try:
        yield engine
    finally:
        engine.close()


def _say_progress(fraction: float, message: str) -> None:
    if not sys.stderr.isatty() and fraction >= LOADING_FROM:
        return  # scripts read stderr for mistakes; only the one long conversion is worth a line there
    print(f"{fraction:4.0%}  {message}", file=sys.stderr)


def _predict(options: argparse.Namespace) -> None:
    from playground.engine.predict import predict_many

    task = get_task(options.task)
    adapter = store.choose((task.name, *task.also_adapters_of), options.adapter, options.backbone)
    _check_beams(options.num_beams, task, adapter)
    rows = _input_rows(options.input, task)
    failed = 0
    with _engine(options) as engine, _output(options.output) as out:
        for index, prediction in predict_many(engine, task, rows, adapter, num_beams=options.num_beams):
            if not prediction.done:
                continue
            row = prediction.row
            if prediction.error:
                failed += 1
                print(f"row {index + 1}: {prediction.error}", file=sys.stderr)
                row = {**row, "error": prediction.error}
            print(join_surrogates(json.dumps(row, ensure_ascii=False)), file=out, flush=True)
    if failed:
        print(f"{failed} of {len(rows)} rows could not be used; they have an 'error' field.", file=sys.stderr)


def _check_beams(num_beams: int | None, task: Task, adapter: AdapterRecord | None) -> None:
    """Raises InputError before the backbone is loaded, instead of once for each row."""
    from playground.engine.plans import adapter_decoding

    if task.shape == "generate":
        adapter_decoding(task, adapter, num_beams)
    elif num_beams is not None:
        raise InputError(
            f"The task {task.name} writes no text, so that there is nothing to try beams on; leave out --num-beams."
        )


def _input_rows(source: str, task: Task) -> list[Row]:
    if source != "-":
        return read_inputs(Path(source), task.name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.jsonl"
        path.write_bytes(sys.stdin.buffer.read())
        return read_inputs(path, task.name)


@contextlib.contextmanager
def _output(target: str) -> Iterator[Any]:
    if target == "-":
        yield sys.stdout
        return
    with Path(target).open("w", encoding="utf-8") as stream:
        yield stream


def _evaluate(options: argparse.Namespace) -> None:
    from playground.engine.predict import predict_many
    from playground.training.corpus import balanced, keep, read_corpus
    from playground.training.measure import unlearnt_labels, without_target

    task = get_task(options.task)
    adapter = store.choose((task.name, *task.also_adapters_of), options.adapter, options.backbone)
    _check_beams(options.num_beams, task, adapter)
    parts = read_corpus(_brought_here(options.data), task.name, {})
    if options.source:
        parts = keep(parts, lambda row: row.get("source") in options.source)
    rows = balanced(parts, options.max_rows, seed=0).rows
    if not rows:
        raise InputError(f"No row of '{options.data}' has the source {' or '.join(options.source)}.")
    if adapter and (note := unlearnt_labels(adapter, rows)):
        print(note, file=sys.stderr)
    inputs = [without_target(task, row) for row in rows]
    with _engine(options) as engine:
        found = predict_many(engine, task, inputs, adapter, batch_rows=32, num_beams=options.num_beams)
        predictions = [prediction.row for _, prediction in found if prediction.done]
    scores = score(task, rows, predictions)
    result = {
        "task": task.name,
        "adapter": adapter.name if adapter else None,
        "backbone": options.backbone,
        **scores.as_dict(),
        "by_language": {lang: part.as_dict() for lang, part in by_language(task, rows, predictions).items()},
    }
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return
    low, high = scores.interval
    print(f"{task.name}, {result['adapter'] or 'no adapter'}, {scores.n} rows")
    for name, value in scores.metrics.items():
        interval = f"  (95 % interval {low:.2f} to {high:.2f})" if name == scores.main else ""
        print(f"  {metric_title(name):36} {value:6.2f}{interval}")


def _inspect(options: argparse.Namespace) -> None:
    from playground.chat.languages import detect_language

    table = read_table(_brought_here(options.file))
    proposed = propose(table, get_task(options.task).name if options.task else None)
    mapping = ColumnMap(proposed.task, proposed.columns | _columns(options.column))
    found, task = map_table(table, mapping), get_task(mapping.task)
    own: list[Row] = []
    if options.validation:
        own = load_training_rows(_brought_here(options.validation), task.name, mapping.columns, is_strict=False).rows
    checkup = doctor.examine(
        task.name,
        found.rows,
        found.lines,
        detect_language=detect_language,
        count_tokens=_token_counter(options.backbone) if options.tokens else None,
        max_tokens=task.max_length + (task.max_new_tokens if task.shape == "generate" else 0),
        held_out=own,
    )
    if options.names:
        checkup = _with_names(checkup, found, options.backbone)
    if options.json:
        facts = {
            "columns": mapping.columns,
            "reasons": _reasons(proposed, mapping),
            "rejected": [asdict(one) for one in found.rejected],
            "notes": found.notes,
        }
        print(json.dumps({**asdict(checkup), **facts}, ensure_ascii=False))
        return
    print(f"{table.name}: {len(found.rows):,} usable rows for {task.name}, {len(found.rejected):,} set aside")
    print("\n".join([*_reasons(proposed, mapping), *found.notes]))
    for one in found.rejected[: doctor.NUM_EXAMPLES]:
        print(f"  line {one.line}: {one.reason}")
    if found.rows:
        print("\n".join(doctor.in_words(checkup)))


def _reasons(proposed: ColumnMap, mapping: ColumnMap) -> list[str]:
    """Why the columns are taken for what they are, but for those that the person chose."""
    if mapping.columns == proposed.columns:
        return proposed.reasons
    return [f"{name} comes from the column '{column}'." for name, column in mapping.columns.items()]


def _with_names(checkup: doctor.Checkup, found: LoadedRows, backbone: str) -> doctor.Checkup:
    """`checkup` with the names of persons, where an adapter for them fits the backbone."""
    from playground.backbones.loading import automatic_quantization, load
    from playground.engine.engine import Engine
    from playground.engine.names import name_finder

    engine = Engine(load(backbone, automatic_quantization(), _say_progress))
    try:
        return doctor.with_names(checkup, found.rows, found.lines, name_finder(engine))
    finally:
        engine.close()


def _token_counter(backbone: str) -> Callable[[Sequence[str]], list[int]]:
    from playground.backbones.loading import load_tokenizer, locate

    tokenizer = load_tokenizer(locate(backbone, _say_progress))
    return lambda texts: [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def _train(options: argparse.Namespace) -> None:
    from playground.training.config import make_config
    from playground.training.curves import curves
    from playground.training.finetune import finetune, help_finetune, measure_saved
    from playground.training.runs import is_taken
    from playground.training.team import assemble

    config = make_config(backbone=options.backbone, **_training_settings(options))
    check_name(config.name)
    team = assemble()
    if options.estimate and team.size > 1:
        raise InputError("An estimate is made for one process; ask for it without 'accelerate launch' or 'torchrun'.")
    if options.estimate:
        _say_estimate(config, as_json=options.json)
        return
    state = options.checkpoint or settings.checkpoints() / f"{config.task}-{config.name}"
    saved = _saved_before_a_break(config, state)
    if not saved and is_taken(config.task, config.name):
        raise InputError(f"There is already an adapter or a run called '{config.name}'; choose another name.")
    deadline = time.monotonic() + (options.slice_s or math.inf)
    if not team.is_main:
        if not saved:
            help_finetune(config, state, team)
        return
    try:
        with curves(options.tensorboard, config, _say_event) as emit:
            if saved:
                record = measure_saved(config, saved, emit, lambda: "", state)
            else:
                record = finetune(config, emit, lambda: "pause" if time.monotonic() >= deadline else "", state, team)
    except Paused:
        if options.json:
            print(json.dumps({"task": config.task, "name": config.name, "paused": True}))
        raise
    if options.json:
        print(json.dumps({"task": record.task, "name": record.name, "metrics": dict(record.metrics)}))
    else:
        print(f"Saved {record.task}/{record.name} in {record.path}")
        is_usual = config.backbone == settings.backbone_id()
        backbone = "" if is_usual else f" --backbone {shlex.quote(config.backbone)}"
        predict = f"predict {record.task} --adapter {record.name}{backbone} --input rows.jsonl --output -"
        print(f"Use it: python -m playground {predict}")
        if REPORT_FILE in record.files:
            print(f"How it does beside the base: {record.path / PAGE_FILE}")
    with contextlib.suppress(OSError):  # somebody's own folder may hold more than the state
        state.rmdir()


def _saved_before_a_break(config: "RunConfig", state: Path) -> AdapterRecord | None:
    """The adapter that the same command saved, but was cut before it had measured it and said so.

    Args:
        state: folder of the command's state; an empty one is there until it has said so.
    """
    from playground.training.command import command_line
    from playground.training.continuing import parent_of, with_settings_of

    try:
        record, parent = store.find(config.task, config.name), parent_of(config)
    except AdapterError:
        return None
    begun = with_settings_of(parent, config) if parent else config
    is_same = record.training.get("command") == command_line(begun)
    is_cut = REPORT_FILE not in record.files or (state.is_dir() and not any(state.iterdir()))
    return record if is_same and record.origin == "own" and is_cut else None


def _say_estimate(config: "RunConfig", *, as_json: bool) -> None:
    from playground.training.estimate import estimate

    found = estimate(config)
    print(json.dumps(asdict(found)) if as_json else found.in_words())


def _training_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says, before what its recipe says."""
    from playground.backbones.loading import training_quantization
    from playground.training.recipes import read_recipe
    from playground.training.settings_file import read_settings

    said = {name: getattr(options, name) for name in TRAINING_OPTIONS if getattr(options, name) is not None}
    recipe = read_recipe(options.recipe, options.data, get_task(options.task).name) if options.recipe else {}
    if options.data and not recipe:
        said["data"] = options.data
    if options.config:
        said = read_settings(options.config) | said
    if options.quantization:
        said["quantization"] = options.quantization
    # What the command line says holds in every part of the training.
    parts = [{key: value for key, value in part.items() if key not in said} for part in recipe.get("stages", [])]
    recipe |= {"stages": parts} if parts else {}
    known = {"preset": "balanced", "quantization": "auto", **recipe}
    found = {**known, **said, "task": options.task, "columns": _columns(options.column)}
    missing = [f"--{name}" for name in ("data", "name") if name not in found]
    if missing:
        raise InputError(f"{' and '.join(missing)} must be given, unless there is a --recipe.")
    if found["quantization"] == "auto":
        found["quantization"] = training_quantization()
    if _is_of_hub(found["data"]):
        found["data"], found["data_name"] = _fetched(found["data"])
    if found.get("validation"):
        found["validation"] = str(_brought_here(found["validation"]))
    return found


def _is_of_hub(data: Path | str) -> bool:
    return str(data).startswith(settings.HUB)


def _brought_here(data: Path | str) -> Path:
    """The path that `data` is, or of the rows of the dataset ``hub:owner/name``."""
    return _fetched(data)[0] if _is_of_hub(data) else Path(data)


def _fetched(data: Path | str) -> tuple[Path, str]:
    """The dataset ``hub:owner/name`` as a file, and its name, which also says which of its parts it is."""
    from playground.adapters.hub import connect
    from playground.training.hub_dataset import find, kept

    api = connect()
    found = find(str(data).removeprefix(settings.HUB), api)
    _say(str(found))
    path = kept(found, api)
    # With it as --data, a run goes on although the dataset changed or the Hub can't be reached.
    _say(f"Kept as {path}")
    return path, f"{settings.HUB}{found.name}"


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise InputError(f"--column wants FIELD=COLUMN, such as text=Review, not '{pair}'.")
    return dict(pair.split("=", 1) for pair in pairs)


def _say_event(event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "phase" or kind == "reloaded":
        print(event["message"], file=sys.stderr)
    elif kind == "material":
        print(
            f"{event['training_rows']} rows to learn from, {event['held_out_rows']} held out, "
            f"{event['num_rejected']} set aside, {event['duplicates']} dropped as duplicates of rows to measure on",
            file=sys.stderr,
        )
        for fix, count in event["fixes"].items():
            print(f"{fix}: {count} rows", file=sys.stderr)
    elif kind == "features" and event["parts"] > 1:
        print(f"part {event['part']} of {event['parts']}: {event['features']} examples", file=sys.stderr)
    elif kind == "note":
        print(event["message"], file=sys.stderr)
    elif kind == "samples":
        for row in event["rows"]:
            said, answer, expected = (excerpt(row[part], SAMPLE_CHARS) for part in ("input", "answer", "expected"))
            print(f"  {said}  ->  {answer}  (right: {expected})", file=sys.stderr)
    elif kind == "step" and (event["step"] % 10 == 0 or event["step"] == event["steps"] or "validation_loss" in event):
        held_back = f" (held back {event['validation_loss']:.3f})" if "validation_loss" in event else ""
        print(
            f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}{held_back}  "
            f"{event['tokens_per_s']:.0f} tokens/s  {event['memory_mb']:.0f} MB  {event['eta_s']:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def _named(options: argparse.Namespace) -> AdapterRecord:
    task, _, name = options.adapter.partition("/")
    if not name:
        raise InputError(f"Name the adapter as TASK/NAME, such as sentiment/multilingual, not '{options.adapter}'.")
    return store.find(task, name)


def _list_adapters(options: argparse.Namespace) -> None:
    records = store.list_adapters()
    if options.json:
        listed = [
            {"task": r.task, "name": r.name, "origin": r.origin, "backbone": r.backbone["id"], "created": r.created}
            for r in records
        ]
        print(json.dumps({"adapters": listed}))
        return
    for record in records:
        note = "  not checked since its import: adapters verify" if store.is_unchecked(record) else ""
        print(f"{record.task}/{record.name:24} {record.origin:8} {record.backbone['id']}{note}")
    for folder, reason in store.list_broken():
        print(f"{folder}: {reason}", file=sys.stderr)


def _show_adapter(options: argparse.Namespace) -> None:
    print((_named(options).path / CARD_FILE).read_text(encoding="utf-8"))


def _verify_adapter(options: argparse.Namespace) -> None:
    from playground.exporting.verify import must_say_the_same

    record = _named(options)
    store.verify(record)
    print(f"{record.task}/{record.name} is whole: all {len(record.files)} files are as they were saved.")
    if not options.files_only:
        print(f"Loaded again: {must_say_the_same(record, _say)}.")


def _measure_adapter(options: argparse.Namespace) -> None:
    from playground.training.corpus import load_corpus
    from playground.training.measure import measure
    from playground.training.recipes import rows_to_measure_on

    record = _named(options)
    store.verify(record)
    sample = (options.max_rows, options.seed)
    if options.recipe:
        held_out = rows_to_measure_on(options.recipe, record.task, options.data, *sample)
        source, said = f"--recipe {options.recipe}", ""
    elif options.data:
        held_out = load_corpus(options.data, record.task, {}, *sample).rows
        source, said = "", f"{len(held_out)} rows of {options.data.name}"
    else:
        raise InputError("Say what to measure on: give --data, a file or folder of rows, or --recipe.")
    words = ["python -m playground adapters measure", options.adapter, source]
    words += [f"--data {shlex.quote(str(options.data))}"] if options.data else []
    words += [] if options.base_rows is None else [f"--base-rows {options.base_rows}"]
    command = " ".join(filter(None, [*words, f"--max-rows {options.max_rows} --seed {options.seed}"]))
    base_rows = options.base_rows
    measured = measure(record, held_out, _say_event, lambda: "", data=said, command=command, base_rows=base_rows)
    print((measured.path / CARD_FILE).read_text(encoding="utf-8"))


def _remove_adapter(options: argparse.Namespace) -> None:
    broken = {f"{folder.parent.name}/{folder.name}": folder for folder, _ in store.list_broken()}
    is_broken = options.adapter in broken
    removed = edit.take_away_broken(broken[options.adapter]) if is_broken else edit.take_away(_named(options))
    again = f"python -m playground adapters restore {shlex.quote(removed.key)}"
    print(f"Removed {removed.key}. For a day it can be put back: {again}")


def _restore_adapter(options: argparse.Namespace) -> None:
    removed = next((one for one in edit.list_removed() if one.key == options.adapter), None)
    if removed is None:
        raise AdapterError(f"No adapter '{options.adapter}' was deleted in the last day; there is nothing to put back.")
    edit.put_back(removed)
    print(f"{options.adapter} is back.")


def _export_adapter(options: argparse.Namespace) -> None:
    from playground.exporting.export import export

    exported = export(_named(options), options.format, options.output, _say, numbers=options.numbers)
    _say(f"Loaded again: {exported.verdict}.")
    print(exported.path)


def _scoreboard(options: argparse.Namespace) -> None:
    shipped = [record for record in store.list_adapters() if record.origin == "shipped"]
    if options.write:
        write_scoreboard(options.write, shipped)
    else:
        print(scoreboard(shipped))


def _import_adapter(options: argparse.Namespace) -> None:
    from playground.adapters.hub import connect, import_from_hub, is_hub_id

    path = Path(options.source)
    if is_hub_id(options.source.partition("@")[0]) and not path.exists() and path.suffix.lower() != ".zip":
        record = import_from_hub(options.source, connect(), settings.backbone_id(), name=options.name)
    else:
        record = import_zip(path, settings.backbone_id(), name=options.name)
    must_be_known(record)
    if settings.reloads_saved():
        _keep_if_sound(record)
    print(f"Imported {record.task}/{record.name}.")


def _keep_if_sound(record: AdapterRecord) -> None:
    from playground.exporting.verify import must_say_the_same

    try:
        _say(f"Loaded again: {must_say_the_same(record, _say)}.")
    except PlaygroundError:
        store.remove(record)
        raise


def _push_adapter(options: argparse.Namespace) -> None:
    from playground.adapters.hub import connect
    from playground.exporting.publish import publish

    verdict = publish(_named(options), options.repository, connect(), _say, public=options.public)
    print(f"Pushed to {options.repository}, {'public' if options.public else 'private'}; fetched again: {verdict}.")


def _serve(options: argparse.Namespace) -> None:
    from playground.ui.serving import serve

    serve(host=options.host, port=options.port)
