"""The command line: what it prints where, and with which exit code it ends."""

import io
import json
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from playground import settings
from playground.adapters import store
from playground.adapters.hub import push
from playground.adapters.record import read_record, write_record
from playground.adapters.transfer import export_zip
from playground.cli import main
from playground.errors import AdapterError
from tests.fake_hub import Dataset, fake_hub

ROWS = [{"text": "Sehr gut!", "id": 1}, {"text": ""}, {"text": "海 \ud800", "label": "positive"}]


@pytest.fixture(autouse=True)
def _no_shipped_ones(no_shipped_adapters):
    """Only the adapters that a test makes are there."""


@pytest.fixture(scope="session")
def made_for(tiny_backbone_folder):
    from playground.backbones.loading import load

    checksum = load(str(tiny_backbone_folder), "none", lambda fraction, message: None).checksum
    return {"id": str(tiny_backbone_folder), "checksum": checksum}


@pytest.fixture
def adapter(save_tiny_adapter, made_for):
    return save_tiny_adapter("sentiment", "mine", backbone=made_for)


@pytest.fixture
def rows_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


@pytest.fixture
def run(capsys, tiny_backbone_folder):
    """``run(*words)``: exit code, stdout and stderr; the tiny backbone answers where one is needed."""

    def call(*words):
        engine = ["--backbone", str(tiny_backbone_folder)] if words[0] in ("predict", "evaluate", "train") else []
        try:
            code = main([*map(str, words), *engine])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def assert_mistake(result, words):
    assert result.code == 2
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert words in result.err


def test_predict_adds_the_output_and_keeps_order_and_fields(run, adapter, rows_file, tmp_path):
    result = run("predict", "sentiment", "--input", rows_file, "--output", tmp_path / "out.jsonl")
    assert (result.code, result.out) == (0, "")
    first, empty, last = lines((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert first["id"] == 1
    assert first["label"] in adapter.labels
    assert "The text is empty" in empty["error"]
    assert "label" not in empty
    assert (last["text"], last["gold"]) == ("海 \ufffd", "positive")
    assert "row 2: The text is empty" in result.err
    assert "1 of 3 rows could not be used" in result.err


def test_a_dash_reads_stdin_and_writes_stdout(run, adapter, monkeypatch):
    given = io.BytesIO(b'{"text": "a", "id": "x"}\n{"text": "b"}\n')
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=given))
    result = run("predict", "sentiment", "--input", "-", "--output", "-")
    assert result.code == 0
    assert [row["text"] for row in lines(result.out)] == ["a", "b"]


def test_predict_reads_tables_too(run, adapter, tmp_path):
    table = tmp_path / "reviews.csv"
    table.write_text("Review;Stars\nsehr gut;5\nnaja;3\n", encoding="utf-8")
    result = run("predict", "sentiment", "--input", table, "--output", "-")
    assert [row["text"] for row in lines(result.out)] == ["sehr gut", "naja"]


def test_the_bare_base_guesses(run, adapter, rows_file):
    result = run("predict", "sentiment", "--input", rows_file, "--output", "-", "--adapter", "none")
    assert result.code == 0
    assert set(lines(result.out)[0]["scores"]) == {"positive", "neutral", "negative"}


def test_adapters_of_related_tasks_are_found_and_the_tasks_own_come_first(
    run, adapter, save_tiny_adapter, made_for, rows_file
):
    labels = ("a", "b", "c")
    save_tiny_adapter("classify", "topics", backbone=made_for, labels=labels)
    save_tiny_adapter("classify", "mine", backbone=made_for, labels=labels)
    topics, mine = (
        lines(run("predict", "sentiment", "--input", rows_file, "--output", "-", "--adapter", name).out)[0]["label"]
        for name in ("topics", "mine")
    )
    assert topics in labels
    assert mine in adapter.labels


def test_evaluate_prints_one_json_object(run, adapter, tmp_path):
    data = tmp_path / "gold.jsonl"
    rows = [{"text": f"text {n}", "label": adapter.labels[n % 3], "lang": "en"} for n in range(9)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run("evaluate", "sentiment", "--data", data, "--json")
    assert result.code == 0
    (found,) = lines(result.out)
    assert (found["task"], found["adapter"], found["n"], found["main"]) == ("sentiment", "mine", 9, "macro_f1")
    assert set(found["by_language"]) == {"en"}
    plain = run("evaluate", "sentiment", "--data", data, "--max-rows", 6)
    assert "sentiment, mine, 6 rows" in plain.out
    assert re.search(r"^  Macro-F1 +\d+\.\d\d  \(95 % interval ", plain.out, re.MULTILINE)
    assert plain.err == ""
    data.write_text('{"text": "text", "label": "furious"}\n')
    assert "did not learn and can't give: furious" in run("evaluate", "sentiment", "--data", data).err


def test_evaluate_measures_on_the_rows_of_a_source(run, adapter, tmp_path):
    data = tmp_path / "gold.jsonl"
    rows = [{"text": f"text {n}", "label": adapter.labels[n % 3], "source": "abc"[n % 3]} for n in range(9)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ", 6 rows" in run("evaluate", "sentiment", "--data", data, "--source", "a", "--source", "c").out
    refused = run("evaluate", "sentiment", "--data", data, "--source", "d")
    assert refused.code == 2
    assert "No row of" in refused.err
    assert "source d" in refused.err


def test_the_number_of_beams_stands_before_what_the_adapter_says(run, save_tiny_adapter, made_for, tmp_path):
    for name, generation in (("greedy", {}), ("beams", {"num_beams": 4}), ("hot", {"temperature": 0.7})):
        save_tiny_adapter("summarize", name, backbone=made_for, generation={"max_new_tokens": 12, **generation})
    data = tmp_path / "rows.jsonl"
    rows = [{"document": text, "summary": "Sea.", "lang": "en"} for text in ("The sea.", "Rome was not built.", "海")]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def summaries(*words):
        result = run("predict", "summarize", "--input", data, "--output", "-", "--adapter", *words)
        assert result.code == 0, result.err
        return [row["summary"] for row in lines(result.out)]

    assert summaries("greedy") == summaries("beams", "--num-beams", 1)
    assert summaries("greedy", "--num-beams", 4) == summaries("beams") != summaries("greedy")
    assert summaries("none", "--num-beams", 2) != summaries("none")
    asked = ("evaluate", "summarize", "--data", data, "--json", "--adapter")
    by_beams, asked_beams = (run(*asked, *words).out for words in (("beams",), ("greedy", "--num-beams", 4)))
    assert lines(by_beams)[0]["metrics"] == lines(asked_beams)[0]["metrics"]
    assert_mistake(run(*asked, "hot", "--num-beams", 2), "2 beams and the temperature 0.7 can't go together")


def test_train_makes_an_adapter_that_predicts(run, tmp_path):
    data = tmp_path / "lamps.csv"
    data.write_text("what,verdict\n" + "".join(f"lamp {n},{'keep' if n % 2 else 'return'}\n" for n in range(20)))
    result = run(
        "train", "classify", "--data", data, "--name", "lamps", "--preset", "quick", "--epochs", 1, "--max-length", 32,
        "--column", "text=what", "--column", "label=verdict", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    (found,) = lines(result.out)
    assert (found["task"], found["name"]) == ("classify", "lamps")
    assert "rows to learn from" in result.err
    assert re.search(r"^  lamp \d+  ->  (keep|return)  \(right: (keep|return)\)$", result.err, re.MULTILINE)
    assert store.find("classify", "lamps").labels == ("keep", "return")
    again = run("train", "classify", "--data", data, "--name", "lamps")
    assert_mistake(again, "already an adapter or a run called 'lamps'")


@pytest.fixture
def training_words(tmp_path):
    data = tmp_path / "lamps.csv"
    data.write_text("what,label\n" + "".join(f"lamp {n},{'keep' if n % 2 else 'return'}\n" for n in range(20)))
    return ("train", "classify", "--data", data, "--name", "lamps", "--preset", "quick", "--max-length", 32)


@pytest.mark.parametrize("variable", ["TORCHELASTIC_RUN_ID", "ACCELERATE_MIXED_PRECISION"])
def test_the_end_of_a_slice_is_no_crash_to_a_launcher(run, training_words, monkeypatch, variable):
    monkeypatch.setenv(variable, "no")
    paused = run(*training_words, "--slice-s", 0.01, "--json")
    assert paused.code == 0
    assert lines(paused.out) == [{"task": "classify", "name": "lamps", "paused": True}]
    assert "Paused after" in paused.err


def test_a_training_run_in_slices_goes_on_with_the_same_command(run, training_words):
    words = training_words
    paused = run(*words, "--slice-s", 0.01)
    assert paused.code == 3
    assert "Paused after" in paused.err
    done = run(*words)
    assert done.code == 0
    saved = store.find("classify", "lamps")
    assert saved.training["steps"] == 4
    use, report = done.out.splitlines()[-2:]
    assert report == f"How it does beside the base: {saved.path / 'report.html'}"
    used = run(*use.removeprefix("Use it: python -m playground ").replace("rows.jsonl", str(words[3])).split())
    assert {row["label"] for row in lines(used.out)} <= {"keep", "return"}


def test_a_training_run_cut_while_it_measured_is_measured_by_the_same_command(run, training_words, monkeypatch):
    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("playground.training.finetune.measure", cut)
        assert run(*training_words).code == 130
    saved = store.find("classify", "lamps")
    assert not saved.metrics
    assert_mistake(run(*training_words, "--seed", 1), "already an adapter or a run called 'lamps'")
    again = run(*training_words)
    assert again.code == 0, again.err
    measured = store.find("classify", "lamps")
    assert measured.metrics["adapter"]["n"] > 0
    assert (measured.path / "adapter_model.safetensors").stat().st_mtime == (
        saved.path / "adapter_model.safetensors"
    ).stat().st_mtime
    assert_mistake(run(*training_words), "already an adapter or a run called 'lamps'")


@pytest.mark.parametrize("place", ["finetune.release", "measure.save_report", "measure.describe"])
def test_a_training_run_cut_at_any_place_after_its_adapter_was_saved_ends_with_the_same_command(
    run, training_words, monkeypatch, place
):
    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(f"playground.training.{place}", cut)
        assert run(*training_words).code == 130
    again = run(*training_words)
    assert again.code == 0, again.err
    assert "report.json" in store.find("classify", "lamps").files
    assert not list(settings.checkpoints().glob("*"))
    assert_mistake(run(*training_words), "already an adapter or a run called 'lamps'")


def test_a_training_run_killed_before_it_could_say_that_it_was_done_says_so_when_asked_again(run, training_words):
    assert run(*training_words).code == 0
    (settings.checkpoints() / "classify-lamps").mkdir()
    assert "Saved classify/lamps" in run(*training_words).out


def test_a_training_run_cut_while_it_measured_knows_what_its_parent_decided(run, training_words, monkeypatch):
    def cut(*_, **__):
        raise KeyboardInterrupt

    assert run(*training_words, "--rank", 2).code == 0
    words = (*training_words[:4], "--name", "brighter", *training_words[6:], "--parent", "lamps")
    with monkeypatch.context() as broken:
        broken.setattr("playground.training.finetune.measure", cut)
        assert run(*words).code == 130
    again = run(*words)
    assert again.code == 0, again.err


@pytest.fixture
def six_rows(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"row {n}", "label": "positive"}) + "\n" for n in range(6)))
    return rows


@pytest.fixture
def on_the_hub(monkeypatch):
    """A dataset there of which the command line hears."""
    rows = b"what,label\n" + b"".join(b"lamp %d,%s\n" % (n, b"keep" if n % 2 else b"return") for n in range(20))
    with fake_hub() as served:
        monkeypatch.setattr("playground.adapters.hub.connect", lambda: served.api(None))
        served.datasets["somebody/lamps"] = Dataset({"train.csv": rows})
        yield served


def test_a_training_takes_a_dataset_of_the_hub_and_goes_on_with_the_same_rows(run, on_the_hub):
    words = ("train", "classify", "--data", "hub:somebody/lamps", "--name", "lamps", "--preset", "quick")
    assert run(*words, "--max-length", 32, "--slice-s", 0.01).code == 3
    paused = run(*words, "--max-length", 32, "--slice-s", 0.01)
    assert paused.code == 3
    assert "somebody/lamps: 1 file, 0.0 MB." in paused.err
    kept = re.search("^Kept as (.*)$", paused.err, re.MULTILINE)[1]
    on_the_hub.is_down = True
    assert_mistake(run(*words, "--max-length", 32), "try again later")
    on_the_hub.is_down = False
    assert run(*words[:3], kept, *words[4:], "--max-length", 32, "--slice-s", 0.01).code == 3
    done = run(*words, "--max-length", 32)
    assert done.code == 0, done.err
    assert len([path for path in on_the_hub.asked if "/resolve/" in path]) == 2  # one HEAD, one GET
    saved = store.find("classify", "lamps").training
    assert saved["data"] == "hub:somebody/lamps"
    assert "--data hub:somebody/lamps " in saved["command"]


def test_inspect_and_rows_to_measure_on_may_be_a_dataset_of_the_hub(run, on_the_hub, tmp_path):
    reviews = tmp_path / "reviews.csv"
    reviews.write_text("what,label\n" + "".join(f"chair {n},{['keep', 'return'][n % 2]}\n" for n in range(20)))
    result = run("inspect", "hub:somebody/lamps", "--validation", "hub:somebody/lamps")
    assert result.code == 0, result.err
    assert "20 usable rows for classify" in result.out
    words = ("train", "classify", "--data", reviews, "--validation", "hub:somebody/lamps", "--preset", "quick")
    trained = run(*words, "--name", "lamps", "--epochs", 1, "--max-length", 32, "--no-learning-curve")
    assert trained.code == 0, trained.err
    assert store.find("classify", "lamps").metrics["adapter"]["n"] == 20
    measured = run("evaluate", "classify", "--data", "hub:somebody/lamps", "--adapter", "lamps", "--json")
    assert json.loads(measured.out)["n"] == 20, measured.err
    assert_mistake(run("inspect", "hub:lamps"), "'lamps' is no id of the Hub; it looks like owner/name.")
    assert_mistake(run("inspect", "hub:somebody/nothing"), "There is no dataset 'somebody/nothing' on the Hub")


def test_an_adapter_can_be_measured_again(run, adapter, six_rows):
    measured = run("adapters", "measure", "sentiment/mine", "--data", six_rows, "--max-rows", 5)
    assert measured.code == 0, measured.err
    assert "| Macro-F1 |" in measured.out
    assert "--max-rows 5" in measured.out
    assert store.find("sentiment", "mine").metrics["adapter"]["n"] == 5


def test_the_base_can_be_measured_on_fewer_rows(run, adapter, six_rows):
    measured = run("adapters", "measure", "sentiment/mine", "--data", six_rows, "--base-rows", 2)
    assert measured.code == 0, measured.err
    assert "--base-rows 2 --max-rows 500" in measured.out
    metrics = store.find("sentiment", "mine").metrics
    assert (metrics["adapter"]["n"], metrics["base"]["n"]) == (6, 2)


def test_an_adapter_can_be_measured_on_the_rows_of_a_recipe(run, adapter, tmp_path):
    recipes = settings.shipped_adapters() / "recipes"
    recipes.mkdir(parents=True)
    recipe = {"task": "sentiment", "data": "train", "validation": "dev", "validation_shares": {"elsewhere": 0.0}}
    (recipes / "soups.json").write_text(json.dumps(recipe))
    rows = [{"text": f"Good soup {n}.", "label": "positive", "source": "elsewhere" if n < 3 else ""} for n in range(8)]
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "en.jsonl").write_text("\n".join(map(json.dumps, rows)))
    measured = run("adapters", "measure", "sentiment/mine", "--recipe", "soups", "--data", tmp_path, "--base-rows", 0)
    assert measured.code == 0, measured.err
    assert f"--recipe soups --data {tmp_path.name} --base-rows 0 --max-rows 500" in measured.out
    assert "5 held-out rows of" in measured.out
    assert store.find("sentiment", "mine").metrics["adapter"]["n"] == 5
    assert_mistake(run("adapters", "measure", "sentiment/mine"), "give --data")
    assert_mistake(run("adapters", "measure", "sentiment/mine", "--recipe", "pasta"), "no recipe 'pasta'")


def test_adapters_can_be_listed_shown_checked_moved_and_removed(run, adapter, tmp_path, monkeypatch):
    (adapter.path / "README.md").write_text("# The card\n")
    (listed,) = lines(run("adapters", "list", "--json").out)
    assert [(one["task"], one["name"], one["origin"]) for one in listed["adapters"]] == [("sentiment", "mine", "own")]
    assert "sentiment/mine" in run("adapters", "list").out
    assert run("adapters", "show", "sentiment/mine").out.strip() == "# The card"
    assert "is whole" in run("adapters", "verify", "sentiment/mine", "--files-only").out
    archive = run("adapters", "export", "sentiment/mine", "--output", tmp_path).out.strip()
    assert "Removed" in run("adapters", "remove", "sentiment/mine").out
    assert_mistake(run("adapters", "verify", "sentiment/mine"), "There is no adapter 'mine'")
    assert_mistake(run("adapters", "import", archive), "which runs here; import it where its own backbone runs")
    monkeypatch.setenv("PLAYGROUND_BACKBONE", adapter.backbone["id"])
    assert "Imported sentiment/mine" in run("adapters", "import", archive).out
    assert run("adapters", "verify", "sentiment/mine", "--files-only").code == 0


def test_what_was_removed_is_restored_and_what_is_broken_can_be_removed(run, adapter):
    assert "adapters restore sentiment/mine" in run("adapters", "remove", "sentiment/mine").out
    assert "is back" in run("adapters", "restore", "sentiment/mine").out
    (adapter.path / "playground.json").write_text("{")
    assert "Removed sentiment/mine" in run("adapters", "remove", "sentiment/mine").out
    assert not adapter.path.exists()
    assert_mistake(run("adapters", "restore", "sentiment/other"), "there is nothing to put back")


def test_an_import_that_says_something_else_is_not_kept(run, adapter, tmp_path, monkeypatch):
    def differs(record, _say):
        raise AdapterError(f"{record.title} does not say what it should")

    archive = export_zip(adapter, tmp_path)
    monkeypatch.setenv("PLAYGROUND_BACKBONE", adapter.backbone["id"])
    monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
    monkeypatch.setattr("playground.exporting.verify.must_say_the_same", differs)
    assert_mistake(run("adapters", "import", archive, "--name", "copy"), "does not say what it should")
    assert [record.name for record in store.list_adapters()] == ["mine"]


@pytest.mark.parametrize(("task", "says"), [("poems", "only sentiment, "), ("qa", "shape 'span', not 'classify'")])
def test_an_import_for_a_task_that_can_not_be_done_here_is_not_kept(run, adapter, tmp_path, monkeypatch, task, says):
    monkeypatch.setenv("PLAYGROUND_BACKBONE", adapter.backbone["id"])
    moved = tmp_path / task / "mine"
    shutil.copytree(adapter.path, moved)
    write_record(replace(adapter, task=task), moved)
    archive = export_zip(read_record(moved, "own"), tmp_path)
    assert_mistake(run("adapters", "import", archive), says)
    assert [record.name for record in store.list_adapters()] == ["mine"]


def test_an_import_that_was_broken_off_before_its_check_says_so(run, adapter, tmp_path, monkeypatch):
    def killed(_record, _say):
        raise KeyboardInterrupt

    monkeypatch.setenv("PLAYGROUND_BACKBONE", adapter.backbone["id"])
    monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
    monkeypatch.setattr("playground.exporting.verify.must_say_the_same", killed)
    run("adapters", "import", export_zip(adapter, tmp_path), "--name", "copy")
    listed = {line.split()[0]: line for line in run("adapters", "list").out.splitlines()}
    assert "not checked since its import: adapters verify" in listed["sentiment/copy"]
    assert "not checked" not in listed["sentiment/mine"]


def test_a_version_of_an_adapter_on_the_hub_is_imported_by_its_tag(run, adapter, on_the_hub, monkeypatch):
    push(adapter, "somebody/mine", on_the_hub.api())
    repository = on_the_hub.repositories["somebody/mine"]
    repository.private, repository.revisions["v1"], repository.files = False, repository.files, {}
    monkeypatch.setenv("PLAYGROUND_BACKBONE", adapter.backbone["id"])
    assert run("adapters", "import", "somebody/mine@v1", "--name", "copy").code == 0
    assert store.find("sentiment", "copy").files == adapter.files
    assert_mistake(run("adapters", "import", "somebody/mine@v2"), "has no tag, branch or commit 'v2'")
    assert_mistake(run("adapters", "import", "somebody/mine@"), "can't be a tag, branch or commit")


def test_an_empty_list_is_still_one_json_object(run):
    assert lines(run("adapters", "list", "--json").out) == [{"adapters": []}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "sentimnt", "--input", "-", "--output", "-"), "Did you mean 'sentiment'?"),
        (("predict", "sentiment", "--input", "missing.csv", "--output", "-"), "missing.csv"),
        (("predict", "sentiment", "--input", "{rows}", "--output", "-", "--adapter", "minne"), "did you mean mine?"),
        (("predict", "sentiment", "--input", "{rows}"), "--output"),
        (("evaluate", "ner", "--data", "missing"), "missing"),
        (("predict", "ner", "--input", "{rows}", "--output", "-", "--num-beams", "4"), "ner writes no text"),
        (("evaluate", "sentiment", "--data", "{rows}", "--num-beams", "1"), "sentiment writes no text"),
        (("predict", "translate", "--input", "{rows}", "--output", "-", "--num-beams", "17"), "from 1 to 16, not 17"),
        (("evaluate", "summarize", "--data", "{rows}", "--num-beams", "0"), "from 1 to 16, not 0"),
        (("evaluate", "summarize", "--data", "{rows}", "--num-beams", "two"), "two"),
        (("train", "classify", "--data", "{rows}", "--name", "Bad Name"), "'Bad Name' can't be the name"),
        (("train", "classify", "--data", "{rows}", "--name", "x", "--preset", "huge"), "There is no preset 'huge'"),
        (("train", "classify", "--data", "{rows}", "--name", "x", "--column", "text"), "FIELD=COLUMN"),
        (("train", "classify", "--data", "{rows}", "--name", "x", "--fix", "polish"), "no fix 'polish'"),
        (("train", "classify", "--data", "{rows}", "--name", "x", "--split", "time"), "needs a column"),
        (("inspect", "missing.csv"), "missing.csv"),
        (("inspect", "{rows}", "--task", "poetry"), "poetry"),
        (("inspect", "{rows}", "--column", "text=nothing"), "no column 'nothing'"),
        (("inspect", "{rows}", "--column", "txt=text"), "no field 'txt'"),
        (("adapters", "show", "mine"), "TASK/NAME"),
        (("adapters", "show", "sentiment/other"), "There is no adapter 'other'"),
        (("adapters", "import", "missing.zip"), "missing.zip"),
        (("adapters",), "ACTION"),
        (("no-such-command",), "invalid choice"),
        (("evaluate", "sentiment", "--data", "x", "--max-rows", "many"), "many"),
    ],
)
def test_a_mistake_prints_one_line_and_exits_with_2(words, message, run, adapter, rows_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert_mistake(run(*(word.format(rows=rows_file) for word in words)), message)


def test_an_unknown_backbone_is_one_line(run, rows_file, capsys):
    code = main(["predict", "sentiment", "--input", str(rows_file), "--output", "-", "--backbone", "no such thing"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err == (
        "There is no backbone 'no such thing': give a folder with a config.json, a Hub id such as Qwen/Qwen3-0.6B, "
        "or 'gemma-3-270m-q4_k_m' for the embedded one.\n"
    )


def test_an_adapter_of_another_backbone_ends_with_its_name(run, save_tiny_adapter, rows_file):
    save_tiny_adapter("sentiment", "foreign")
    result = run("predict", "sentiment", "--input", rows_file, "--output", "-", "--adapter", "foreign")
    assert (result.code, result.out) == (2, "")
    assert "'foreign' was made for the backbone 'tiny'" in result.err.splitlines()[-1]


def test_a_file_of_nothing_usable_is_one_line(run, adapter, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    assert_mistake(run("predict", "sentiment", "--input", empty, "--output", "-"), "empty.csv")


def test_an_output_that_cannot_be_written_is_said(run, adapter, rows_file, tmp_path):
    result = run("predict", "sentiment", "--input", rows_file, "--output", tmp_path / "no" / "folder" / "out.jsonl")
    assert result.code == 2
    assert "out.jsonl" in result.err.splitlines()[-1]


def test_interrupting_is_no_traceback(run, monkeypatch):
    def interrupted(task=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "list_adapters", interrupted)
    result = run("adapters", "list")
    assert (result.code, result.err) == (130, "Stopped.\n")


@pytest.fixture
def tickets(tmp_path):
    path = tmp_path / "tickets.csv"
    rows = ["It broke,shop", "It broke,shop", "it BROKE!,city", "Call +49 171 1234567,shop", ",city"]
    path.write_text("comment,team\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_inspect_says_what_is_wrong_and_which_switch_helps(run, tickets):
    result = run("inspect", tickets)
    assert result.code == 0
    assert "4 usable rows for classify, 1 set aside" in result.out
    assert "  line 6: The text is empty" in result.out
    assert "conflicts: 3 rows" in result.out
    assert "(--fix mask-phone)" in result.out


def test_inspect_says_why_the_columns_are_taken_for_what_they_are(run, tickets):
    assert "label comes from the column 'team', after what it holds." in run("inspect", tickets).out
    assert lines(run("inspect", tickets, "--json").out)[0]["reasons"]


def test_inspect_prints_one_json_object(run, tickets):
    (found,) = lines(run("inspect", tickets, "--json").out)
    assert found["columns"] == {"text": "comment", "label": "team"}
    kinds = [finding["kind"] for finding in found["findings"]]
    assert kinds == ["exact-duplicates", "conflicts", "pii-phone"]
    assert found["findings"][0]["examples"][0]["line"] == 3
    assert [one["line"] for one in found["rejected"]] == [6]


def test_inspect_looks_for_names_where_an_adapter_fits(run, tickets, tiny_backbone_folder, make_name_adapter):
    words = ["inspect", tickets, "--names", "--backbone", tiny_backbone_folder]
    assert "no adapter for entities with the label PER fits this backbone" in run(*words).out
    make_name_adapter(str(tiny_backbone_folder))
    assert "Names of persons were looked for in all 4 rows by the adapter 'ner/tiny'." in run(*words).out


def test_inspect_takes_a_task_columns_own_rows_and_tokens(run, tickets, tiny_backbone_folder, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("comment,team\nIt broke,shop\n", encoding="utf-8")
    words = ["--task", "sentiment", "--column", "text=team", "--column", "label=comment", "--validation", own]
    (found,) = lines(run("inspect", tickets, *words, "--json", "--tokens", "--backbone", tiny_backbone_folder).out)
    assert (found["task"], found["columns"]["text"], found["lengths"]["unit"]) == ("sentiment", "team", "tokens")
    assert found["lengths"]["longest"] == 4  # a byte is a token there
    assert "leakage" in [finding["kind"] for finding in found["findings"]]


@pytest.mark.parametrize(
    "command", [(), ("predict",), ("evaluate",), ("inspect",), ("train",), ("adapters",), ("serve",)]
)
def test_help_is_there_for_every_command(command, run, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert "usage: python -m playground" in capsys.readouterr().out
