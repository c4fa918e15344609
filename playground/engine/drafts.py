"""Guesses at the next tokens of a text that copies: names, numbers and sentences of the prompt come again.

Prompt lookup decoding, https://github.com/apoorvumang/prompt-lookup-decoding: where the last tokens occurred before,
what followed them there is checked in one pass. The text is the one that would be written token by token.
"""

from playground.engine.decode import DecodeRow

SAME_TOKENS = 3
"""So many last tokens must have occurred before; fewer are a poor reason to guess."""
DRAFTED_TOKENS = 6


def draft(row: DecodeRow, most: int) -> list[int]:
    """At most `most` tokens that may follow the last one of `row`.

    None where it is sampled, searched by beams, or repeats nothing.
    """
    written = row.output_ids
    room = min(DRAFTED_TOKENS, most, row.decoding.max_new_tokens - len(written) - 1)
    if room <= 0 or row.beams is not None or row.decoding.temperature > 0 or len(written) < SAME_TOKENS:
        return []
    seen = [*row.prompt_ids, *written]
    last = seen[-SAME_TOKENS:]
    for start in range(len(seen) - SAME_TOKENS - 1, -1, -1):
        if seen[start : start + SAME_TOKENS] == last:
            follows = start + SAME_TOKENS
            return seen[follows : follows + room]
    return []
