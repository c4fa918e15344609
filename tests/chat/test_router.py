import pytest

from playground.chat.intent import Context
from playground.chat.router import route

TEXT = "Apple was founded by Steve Jobs in Cupertino. It makes phones and computers for people all over the world."
NOTHING = Context()
GIVEN = Context(text=TEXT)

WITH_TEXT = [
    ("Summarize this: {}", "summarize", None, None),
    ("Fasse zusammen:\n\n{}", "summarize", None, None),
    ("{}\n\nÜbersetze das ins Französische", "translate", "fr", None),
    ("Who founded Apple?\n{}", "qa", None, "Who founded Apple?"),
    ("{}\n\nwho founded it", "qa", None, "who founded it"),
    ("{} Who founded Apple?", "qa", None, "Who founded Apple?"),
    ("Context: {}\nQuestion: Who founded Apple?", "qa", None, "Who founded Apple?"),
    ("質問：誰が設立しましたか？\n本文：{}", "qa", None, "誰が設立しましたか？"),
    ("{}\n\nGive me a short summary, please", "summarize", None, None),
    ("{} Please summarize.", "summarize", None, None),
    ("Could you tell me the sentiment of this text?\n\n{}", "sentiment", None, None),
    ("Résume en allemand : {}", "summarize", "de", None),
]  # fmt: skip
PHRASES = [
    ("Traduci in tedesco: Buongiorno a tutti", "translate", "de", "Buongiorno a tutti"),
    ("日本語に翻訳: Hello world", "translate", "ja", "Hello world"),
    ("把下面的文字翻译成日语：今天天气很好", "translate", "ja", "今天天气很好"),
    ("把早上好翻译成法语", "translate", "fr", "早上好"),
    ("翻译成英文 我爱你", "translate", "en", "我爱你"),
    ("ترجم إلى الإنجليزية: صباح الخير", "translate", "en", "صباح الخير"),
    ("переведи на английский: доброе утро", "translate", "en", "доброе утро"),
    ('Translate "The weather is nice" to Russian.', "translate", "ru", "The weather is nice"),
    ("¿Cómo se dice 'buenas noches' en inglés?", "translate", "en", "buenas noches"),
    ("Comment dit-on merci en japonais ?", "translate", "ja", "merci"),
    ("How do you say good night in Korean?", "translate", "ko", "good night"),
    ("Please translate I love you to Arabic", "translate", "ar", "I love you"),
    ("Übersetze guten Morgen ins Französische", "translate", "fr", "guten Morgen"),
    ("günaydın kelimesini Fransızcaya çevir", "translate", "fr", "günaydın"),
    ('"Ich liebe dich" auf Polnisch', "translate", "pl", "Ich liebe dich"),
    ("Find entities: Angela Merkel met Macron in Paris.", "ner", None, "Angela Merkel met Macron in Paris."),
    ("Is this review positive? The hotel was dirty.", "sentiment", None, "The hotel was dirty."),
    ("Le film était nul. Est-ce positif ou négatif ?", "sentiment", None, "Le film était nul."),
    ("Translate to French: He said: \"I'm here\"", "translate", "fr", "He said: \"I'm here\""),
    ("Translate to French: Hello!\nHow are you: fine?", "translate", "fr", "Hello!\nHow are you: fine?"),
]  # fmt: skip
ARTICLES = [
    TEXT,
    "The translation industry grew by five percent. Analysts expect more.\nA summary was published on Monday.",
    "Die Stimmung im Land ist gut, sagte der Minister. Er sprach von einer Zusammenfassung der Ergebnisse in Bonn.",
    "Le traducteur a gagné un prix. Son roman parle de la mer et des gens qui y vivent depuis longtemps.",
    "公司昨天公布了新的财报，销售额增长了百分之十。分析师认为明年会更好。",
    "القمر تابع طبيعي يدور حول الأرض، ويستغرق دورانه شهرا تقريبا. وقد زاره الإنسان أول مرة عام 1969.",
    "私は毎朝公園を散歩します。桜の季節はとても美しいです。",
]


@pytest.mark.parametrize(("form", "task", "target", "question"), WITH_TEXT)
def test_instruction_and_text_are_told_apart(form, task, target, question):
    intent = route(form.format(TEXT), NOTHING)
    assert (intent.task, intent.target_lang, intent.text, intent.question) == (task, target, TEXT, question or "")


@pytest.mark.parametrize(("message", "task", "target", "text"), PHRASES)
def test_short_texts_inside_a_sentence_are_found(message, task, target, text):
    intent = route(message, NOTHING)
    assert (intent.task, intent.target_lang, intent.text) == (task, target, text)


@pytest.mark.parametrize("article", ARTICLES)
@pytest.mark.parametrize("context", [NOTHING, GIVEN], ids=["first", "later"])
def test_a_bare_text_is_kept_whatever_words_it_has(article, context):
    intent = route(article, context)
    assert (intent.task, intent.text) == ("keep", article)


def test_a_pasted_text_replaces_the_one_before_only_when_it_is_one():
    assert route("Thanks! Now translate it to German.", GIVEN).text is None
    assert route("I loved this phone for years. Is that positive or negative?", GIVEN).text is not None


@pytest.mark.parametrize(
    ("message", "source", "target"),
    [
        ("Translate from German to English", "de", "en"),
        ("übersetze vom Englischen ins Deutsche", "en", "de"),
        ("traduis de l'anglais au français", "en", "fr"),
        ("переведи с английского на русский", "en", "ru"),
        ("ترجم من الإنجليزية إلى الفرنسية", "en", "fr"),
        ("英語からフランス語に翻訳して", "en", "fr"),
        ("İngilizceden Türkçeye çevir", "en", "tr"),
        ("תרגם מאנגלית לצרפתית", "en", "fr"),
        ("translate into French this German text", "de", "fr"),
        ("translate this French text", "fr", None),
        ("übersetze den englischen Text ins Polnische", "en", "pl"),
    ],
)
def test_source_and_target_are_told_apart(message, source, target):
    intent = route(message, GIVEN)
    assert (intent.task, intent.source_lang, intent.target_lang) == ("translate", source, target)


@pytest.mark.parametrize(
    ("message", "target"),
    [
        ("and in German?", "de"),
        ("et en allemand ?", "de"),
        ("y en chino", "zh"),
        ("ドイツ語では？", "de"),
        ("한국어로", "ko"),
        ("Kannst du das auf Französisch sagen?", "fr"),
        ("give me this in simplified chinese", "zh"),
        ("Now Danish", "da"),
    ],
)
def test_a_language_alone_asks_for_a_translation(message, target):
    intent = route(message, GIVEN)
    assert (intent.task, intent.target_lang, intent.text) == ("translate", target, None)


@pytest.mark.parametrize("message", ["Did Steve Jobs speak French?", "Who was the German partner?", "Is it Italian?"])
def test_a_question_that_names_a_language_stays_a_question(message):
    assert route(message, GIVEN).task == "qa"


def test_an_incomplete_question_gets_the_one_before_it():
    context = Context(text=TEXT, last_task="qa", last_question="When was Apple founded?")
    assert route("and Google?", context).question == "When was Apple founded? and Google?"
    assert route("and who founded it?", context).question == "and who founded it?"


def test_what_about_this_repeats_the_task():
    intent = route("What about this one: I hated it", Context(text=TEXT, last_task="sentiment"))
    assert (intent.task, intent.text) == ("sentiment", "I hated it")


def test_summary_in_another_language_is_both_tasks():
    intent = route("Now summarize it in German", GIVEN)
    assert (intent.task, intent.target_lang) == ("summarize", "de")


def test_the_summary_itself_can_be_translated():
    intent = route("translate the summary to French", GIVEN)
    assert (intent.task, intent.target_lang, intent.of_summary) == ("translate", "fr", True)


def test_a_language_out_of_reach_is_named():
    intent = route("Translate it into Hungarian", GIVEN)
    assert "Hungarian" in intent.problem


@pytest.mark.parametrize(
    "message", ["What can you do?", "help", "Was kannst du?", "你能做什么？", "¿qué puedes hacer?"]
)
def test_help_is_given(message):
    assert route(message, NOTHING).task == "help"


@pytest.mark.parametrize(("message", "lang"), [("hola", "es"), ("Привет", "ru"), ("hello", "en"), ("asdf", "en")])
def test_small_talk_is_answered_in_its_language(message, lang):
    intent = route(message, NOTHING)
    assert (intent.task, intent.lang) == ("talk", lang)


def test_a_question_without_a_text_has_none():
    intent = route("Who founded Apple?", NOTHING)
    assert (intent.task, intent.text) == ("qa", None)


@pytest.mark.parametrize(
    "message",
    ["' a" * 50_000, "a\n" * 50_000, "“x " * 50_000, ": " * 50_000, "Who? " * 50_000, "\u200f" * 500, "?" * 5000, "/"],
)
def test_strange_messages_get_some_intent(message):
    assert route(message, GIVEN).lang
