import pytest

from playground.errors import DataError

TMX = """<?xml version="1.0"?>
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-GB"><seg>Hello <bpt i="1">&lt;b&gt;</bpt>world</seg></tuv>
<tuv xml:lang="de"><seg>Hallo Welt</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Alone</seg></tuv></tu>
<tu><tuv lang="en"><seg>Bye</seg></tuv><tuv lang="de"><seg>Tschüss</seg></tuv></tu>
</body></tmx>"""
XLIFF = """<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2">
<file source-language="en" target-language="de"><body>
<trans-unit id="1"><source>Bye</source><target>Tschüss</target></trans-unit></body></file></xliff>"""
BYE = {"source_text": "Bye", "target_text": "Tschüss", "source_lang": "en", "target_lang": "de"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_units_of_tmx_are_rows(read_as, encoding):
    table = read_as("memory.tmx", TMX.encode(encoding))
    assert table.rows == [
        {"source_text": "Hello world", "target_text": "Hallo Welt", "source_lang": "en-GB", "target_lang": "de"},
        BYE,
    ]
    assert [(one.line, one.reason) for one in table.rejected] == [(2, "has 1 text where a translation needs two")]


def test_units_of_xliff_are_rows(read_as):
    assert read_as("memory.xlf", XLIFF).rows == [BYE]


def test_broken_xml_keeps_what_came_before(read_as):
    table = read_as("memory.tmx", TMX[: TMX.index("<seg>Bye")])
    assert len(table.rows) == 1
    assert "is broken XML" in table.rejected[-1].reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("filler", ["", f"<!--<tmx {'x' * 2_000_000}-->"])
def test_entities_are_never_expanded(read_as, encoding, filler):
    bomb = f'{filler}<!DOCTYPE tmx [<!ENTITY a "{"b" * 100}"><!ENTITY c "{"&a;" * 100}">]><tmx'
    with pytest.raises(DataError, match=r"memory\.tmx declares XML entities"):
        read_as("memory.tmx", TMX.replace("<tmx", bomb, 1).replace("Bye", "&c;").encode(encoding))
