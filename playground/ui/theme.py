"""The page's look: one accent colour on quiet neutrals, system fonts only, nothing fetched from elsewhere."""

from pathlib import Path

import gradio as gr

STYLE_PATH = Path(__file__).with_name("page.css")
SCRIPT_PATH = Path(__file__).with_name("page.js")

ACCENT = gr.themes.Color(
    c50="#edf7f5",
    c100="#d3ece7",
    c200="#a9dad1",
    c300="#74c2b5",
    c400="#43a698",
    c500="#23897c",
    c600="#0f6d62",
    c700="#0c5850",
    c800="#0b4741",
    c900="#0a3a36",
    c950="#042321",
    name="accent",
)
NEUTRAL = gr.themes.Color(
    c50="#f8f9fa",
    c100="#f0f2f4",
    c200="#e1e5e9",
    c300="#c9d0d6",
    c400="#98a3ad",
    c500="#68747f",
    c600="#4b5661",
    c700="#37414b",
    c800="#232b33",
    c900="#181e24",
    c950="#10151a",
    name="neutral",
)
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")

SURFACES = {
    "body_background_fill": "*neutral_50",
    "body_background_fill_dark": "*neutral_950",
    "background_fill_primary_dark": "*neutral_900",
    "background_fill_secondary_dark": "*neutral_800",
    "body_text_color": "*neutral_900",
    "body_text_color_dark": "*neutral_100",
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_300",
    "border_color_primary": "*neutral_200",
    "border_color_primary_dark": "*neutral_700",
    "block_background_fill": "white",
    "block_background_fill_dark": "*neutral_900",
    "block_border_color": "*neutral_200",
    "block_border_color_dark": "*neutral_800",
    "block_border_width": "1px",
    "block_border_width_dark": "1px",
    "block_shadow": "none",
    "block_shadow_dark": "none",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_label_border_width_dark": "0px",
    "block_label_text_color": "*neutral_600",
    "block_label_text_color_dark": "*neutral_300",
    "block_title_text_color": "*neutral_700",
    "block_title_text_color_dark": "*neutral_200",
    "block_title_text_weight": "600",
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_300",
    "panel_background_fill": "transparent",
    "panel_background_fill_dark": "transparent",
    "panel_border_width": "0px",
    "panel_border_width_dark": "0px",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
    "link_text_color_visited": "*primary_700",
    "link_text_color_visited_dark": "*primary_300",
}
INPUTS = {
    "input_background_fill": "white",
    "input_background_fill_dark": "*neutral_950",
    "input_border_color": "*neutral_300",
    "input_border_color_dark": "*neutral_700",
    "input_border_color_focus": "*primary_600",
    "input_border_color_focus_dark": "*primary_300",
    "input_border_width": "1px",
    "input_border_width_dark": "1px",
    "input_placeholder_color": "*neutral_500",
    "input_placeholder_color_dark": "*neutral_400",
    "input_shadow_focus": "0 0 0 3px *primary_100",
    "input_shadow_focus_dark": "0 0 0 3px *primary_900",
    "checkbox_background_color_selected": "*primary_600",
    "checkbox_background_color_selected_dark": "*primary_600",
    "checkbox_border_color": "*neutral_400",
    "checkbox_border_color_dark": "*neutral_500",
    "checkbox_border_color_selected": "*primary_600",
    "checkbox_border_color_selected_dark": "*primary_300",
    "slider_color": "*primary_600",
    "slider_color_dark": "*primary_400",
    "loader_color": "*primary_600",
    "loader_color_dark": "*primary_300",
}
BUTTONS = {
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_dark": "*primary_300",
    "button_primary_background_fill_hover": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_200",
    "button_primary_border_color": "*primary_600",
    "button_primary_border_color_dark": "*primary_300",
    "button_primary_text_color": "white",
    "button_primary_text_color_dark": "*primary_950",
    "button_secondary_background_fill": "white",
    "button_secondary_background_fill_dark": "*neutral_900",
    "button_secondary_background_fill_hover": "*neutral_100",
    "button_secondary_background_fill_hover_dark": "*neutral_800",
    "button_secondary_border_color": "*neutral_300",
    "button_secondary_border_color_dark": "*neutral_600",
    "button_secondary_text_color": "*neutral_800",
    "button_secondary_text_color_dark": "*neutral_100",
    "button_cancel_background_fill": "white",
    "button_cancel_background_fill_dark": "*neutral_900",
    "button_cancel_background_fill_hover": "#fdf0ef",
    "button_cancel_background_fill_hover_dark": "#3a1d1c",
    "button_cancel_border_color": "#b3261e",
    "button_cancel_border_color_dark": "#f2a39d",
    "button_cancel_text_color": "#a01f18",
    "button_cancel_text_color_dark": "#f6b8b3",
    "button_border_width": "1px",
    "button_border_width_dark": "1px",
    "button_primary_shadow": "none",
    "button_primary_shadow_hover": "none",
    "button_secondary_shadow": "none",
    "button_secondary_shadow_hover": "none",
    "button_transform_hover": "none",
    "button_large_text_weight": "600",
    "button_large_text_size": "*text_md",
    "button_large_padding": "*spacing_md calc(2 * *spacing_lg)",
}


def theme() -> gr.themes.Base:
    """The theme; every pair of text and ground in it has a contrast of 4.5 or more, light and dark."""
    base = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=NEUTRAL,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    )
    return base.set(**SURFACES, **INPUTS, **BUTTONS)


def head() -> str:
    """Script and icon for the page's head; both come with the page."""
    icon = (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
        "%3Crect width='32' height='32' rx='7' fill='%230f6d62'/%3E"
        "%3Cpath d='M8 23V9h8.5a5 5 0 0 1 0 10H12v4z' fill='white'/%3E"
        "%3Ccircle cx='23' cy='22' r='2.5' fill='%23a9dad1'/%3E%3C/svg%3E"
    )
    return f'<link rel="icon" href="{icon}">\n<script>\n{SCRIPT_PATH.read_text(encoding="utf-8")}</script>'
