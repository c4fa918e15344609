from playground.evaluation.suspects import MAX_SUSPECTS, suspicious_labels
from playground.tasks import get_task


def prediction(label, score):
    return {"label": label, "scores": {label: score, "other": 1 - score}}


def test_confident_disagreement_is_suspicious_and_the_surest_comes_first():
    rows = [{"text": f"text {n}", "label": "a"} for n in range(4)]
    found = [prediction("b", 0.91), prediction("a", 0.99), prediction("b", 0.97), prediction("b", 0.6)]
    suspects = suspicious_labels(get_task("classify"), rows, found)
    assert [(one["text"], one["label"], one["predicted"], one["score"]) for one in suspects] == [
        ("text 2", "a", "b", 0.97),
        ("text 0", "a", "b", 0.91),
    ]


def test_only_tasks_with_one_label_a_row_have_suspects_and_not_too_many():
    rows = [{"text": "t", "label": "a"}] * (MAX_SUSPECTS + 5)
    found = [prediction("b", 0.95)] * len(rows)
    assert len(suspicious_labels(get_task("sentiment"), rows, found)) == MAX_SUSPECTS
    assert suspicious_labels(get_task("ner"), [{"text": "t", "entities": []}], [{"entities": []}]) == []
