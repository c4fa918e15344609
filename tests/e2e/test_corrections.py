"""An answer is corrected under it, and the corrections are taken as rows to train on."""

from playwright.sync_api import expect

NARROW = {"width": 390, "height": 844}


def correct(visitor, text, label):
    visitor.tab("Sentiment")
    visitor.box("sentiment-text").fill(text)
    visitor.run("sentiment", "Analyse")
    area = visitor.page.locator("#sentiment-correction")
    area.get_by_text("Wrong? Correct it").click()
    visitor.choose("Right answer", label)
    visitor.page.locator("#sentiment-correction-save").click()
    return area


def test_corrections_become_rows_for_a_training_that_goes_on_from_the_adapter(visit, picture):
    visitor = visit("?__theme=light", NARROW)
    for number, text in enumerate(("الخدمة بطيئة", "Ganz großes Kino, wieder mal zu spät."), start=1):
        area = correct(visitor, text, "neutral")
        expect(area).to_contain_text(f"you have {number} correction")
    assert visitor.sticking_out() == []
    picture(visitor, "correction")
    visitor.tab("Fine-tune")
    visitor.page.get_by_text("Or take your corrections").click()
    expect(visitor.picker("Corrections of")).to_have_value("Sentiment (2)")
    visitor.page.locator("#finetune-use-corrections").click()
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("neutral 2")
    expect(visitor.picker("Start from")).to_have_value("multilingual (shipped)")
    picture(visitor, "finetune-corrections")
    visitor.button("Delete them").click()
    expect(visitor.page.locator("#finetune-corrections")).to_contain_text("The corrections are deleted.")
