from tests.bench.aims import AIMS, Aim, section

ENGINE = {
    "decode": 60.0,
    "decode_unguessed": 30.0,
    "decode_adapter": 50.0,
    "prompt": 900.0,
    "streams": 100.0,
    "first_token_ms": 80.0,
    "pass_30_ms": 20.0,
    "pass_256_ms": 160.0,
    "rows_together": 60.0,
    "rows_apart": 50.0,
    "cold_adapter_ms": 20.0,
    "resting_mb": 1300.0,
    "warm_of_1_ms": 100.0,
    "warm_of_10_ms": 109.0,
}
PRODUCTS = {"products_apart": 70.0, "products_together": 100.0, "products_decode": 80.0}


def test_each_aim_says_what_was_reached_and_whether_that_is_enough():
    peers = {"plain": {"decode": 10.0}, "llama.cpp": {"decode": 40.0}}
    lines = section({"engine": ENGINE, "products": PRODUCTS, **peers})
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:5]] for line in lines if "|" in line
    }
    assert rows["one text, with guesses, over llama.cpp"] == ["at least 0.9x", "1.50x", "yes"]
    assert rows["one text, without guesses, over llama.cpp"] == ["at least 0.9x", "0.75x", "no"]
    assert rows["8 texts over one, with adapters and guesses"] == ["at least 3x", "2.00x", "no"]
    assert rows["warm adapter among 1 to 100, slowest over fastest"] == ["at most 10 % more", "9.00 % more", "yes"]
    assert rows["memory at rest with five adapters"] == ["at most 1,200 MB", "1,300.00 MB", "no"]
    assert "it would do 2.0x" in lines[-1]


def test_without_a_peer_its_aims_are_not_measured():
    line = next(aim for aim in AIMS if "llama-server" in aim.title).line(
        {"engine": ENGINE, "plain": {}, "llama.cpp": {}}
    )
    assert line.endswith("| - | not measured |")


def test_a_bound_itself_is_met():
    assert Aim("x", lambda _: 4.0, 4).line({}).endswith("| yes |")
