import re

import pytest

from playground.ui import theme

AA = 4.5


def luminance(colour):
    """Relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colour_of(name):
    """The hex value of a setting of the theme."""
    value = getattr(theme.theme(), name)
    if value.startswith("*"):
        hue, number = value[1:].rsplit("_", 1)
        scale = {"primary": theme.ACCENT, "neutral": theme.NEUTRAL}[hue]
        return getattr(scale, f"c{number}")
    return {"white": "#ffffff"}.get(value, value)


PAIRS = [
    ("body_text_color", "body_background_fill"),
    ("body_text_color_subdued", "body_background_fill"),
    ("body_text_color_subdued", "block_background_fill"),
    ("block_title_text_color", "block_background_fill"),
    ("block_info_text_color", "block_background_fill"),
    ("block_label_text_color", "block_background_fill"),
    ("input_placeholder_color", "input_background_fill"),
    ("button_primary_text_color", "button_primary_background_fill"),
    ("button_primary_text_color", "button_primary_background_fill_hover"),
    ("button_secondary_text_color", "button_secondary_background_fill"),
    ("button_cancel_text_color", "button_cancel_background_fill"),
    ("button_cancel_text_color", "button_cancel_background_fill_hover"),
    ("link_text_color", "body_background_fill"),
]


@pytest.mark.parametrize("suffix", ["", "_dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_is_readable_on_its_ground(text, ground, suffix):
    assert contrast(colour_of(text + suffix), colour_of(ground + suffix)) >= AA


def test_entity_labels_and_notices_are_readable():
    style = theme.STYLE_PATH.read_text(encoding="utf-8")
    pairs = re.findall(r"--pg-tint: (#\w{6}); --pg-ink: (#\w{6})", style)
    pairs += re.findall(r"--pg-\w+-text: (#\w{6});\s+--pg-\w+-ground: (#\w{6})", style)
    assert len(pairs) == 2 * 6 + 2 * 2
    assert all(contrast(first, second) >= AA for first, second in pairs)


def test_nothing_is_fetched_from_elsewhere():
    texts = [theme.head(), theme.STYLE_PATH.read_text(encoding="utf-8")]
    assert not [text for text in texts if re.search(r"(src=|url\(|@import)", text)]
    assert set(re.findall(r"https?://\S+?/", " ".join(texts))) <= {"http://www.w3.org/"}
