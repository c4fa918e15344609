from playground.engine.startup import LoadStatus
from playground.ui.status import banner_of


def test_banner_says_how_far_the_backbone_is():
    html = banner_of(LoadStatus("loading", 0.43, "Converting <weights>"))
    assert "43%: Converting &lt;weights&gt;." in html
    assert 'value="43"' in html


def test_banner_goes_when_the_backbone_is_ready():
    assert banner_of(LoadStatus("ready", 1.0, "Ready")) == ""


def test_banner_says_why_loading_failed():
    html = banner_of(LoadStatus("failed", 0.0, "The checksum is wrong."))
    assert "The checksum is wrong." in html
    assert 'role="alert"' in html
