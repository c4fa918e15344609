"""What each process of `test_team` does: ``python -m tests.training.together FOLDER ARGUMENT...``.

First a model whose weights can be compared exactly, then the command line with the arguments.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from playground import cli
from playground.training import passes, trainee
from playground.training.checkpoint import Checkpoint
from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.loop import train
from playground.training.team import assemble

FEATURES = [Feature([4 + number % 7] * (1 + number % 9), [3]) for number in range(41)]
WATCHED = [Feature([4 + number % 7] * 3, [1]) for number in range(17)]
SETTINGS = RunConfig(
    task="classify", data="", name="x", backbone="b", batch_size=7, epochs=20.0, learning_rate=0.05, early_stopping=2
)


class Slopes(nn.Module):
    """Learns a number for each first token; has no memory for more than `room` rows at once."""

    def __init__(self, room):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(6))
        self.rest = nn.Parameter(torch.zeros(3, 2))
        self.room = room

    def forward(self, input_ids, kept, labels):
        if len(input_ids) > self.room:
            raise MemoryError
        return self.row_losses(input_ids, kept, labels).mean()

    def row_losses(self, input_ids, kept, labels):
        numbers = torch.cat([self.first, self.rest.flatten()])[input_ids[:, 0]]
        return (numbers - labels[:, 0].float()) ** 2


def learn(folder, team, rooms=(99, 99)):
    """Trains with a break after three steps, which the main process alone wishes; returns what there is to compare."""
    steps, notes = [], []
    for most in (3, 10**6):
        model = Slopes(rooms[team.index])
        taken = []
        train(
            model, FEATURES, SETTINGS, 0, taken.append,
            lambda taken=taken, most=most: team.is_main and len(taken) >= most,
            Checkpoint(folder, {}), held_back=WATCHED, on_note=notes.append, team=team,
        )  # fmt: skip
        steps.append([(step.step, step.loss, step.gradient_norm, step.validation_loss) for step in taken])
    return {"weights": [*model.first.tolist(), *model.rest.flatten().tolist()], "steps": steps, "notes": notes}


def main(folder, arguments):
    passes.fast_bfloat16 = trainee.fast_bfloat16 = lambda: False  # figures are compared
    team = assemble()
    learnt = learn(folder / "state", team, rooms=(99, 1))
    (folder / f"{team.index}.json").write_text(json.dumps(learnt))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
