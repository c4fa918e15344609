import pytest

from playground.chat.folding import fold
from playground.chat.languages import (
    SUPPORTED,
    detect_language,
    find_language,
    find_mentions,
    find_unsupported,
    language_name,
)

SENTENCES = {
    "ar": "انتقلت العائلة إلى بيت جديد قرب النهر",
    "bn": "পরিবারটি নদীর কাছে একটি নতুন বাড়িতে উঠেছে",
    "cs": "Rodina se přestěhovala do nového domu u řeky",
    "da": "Familien er flyttet til et nyt hus ved åen, og børnene er glade for det",
    "de": "Die Familie ist in ein neues Haus am Fluss gezogen",
    "el": "Η οικογένεια μετακόμισε σε ένα νέο σπίτι κοντά στο ποτάμι",
    "en": "The family moved to a new house by the river",
    "es": "La familia se mudó a una casa nueva junto al río",
    "fa": "خانواده به خانه‌ای نو در کنار رودخانه رفتند",
    "fi": "Perhe muutti uuteen taloon joen rannalle",
    "fr": "La famille a emménagé dans une nouvelle maison près de la rivière",
    "he": "המשפחה עברה לבית חדש ליד הנהר",
    "hi": "परिवार नदी के पास एक नए घर में चला गया",
    "id": "Keluarga itu pindah ke rumah baru di tepi sungai",
    "it": "La famiglia si è trasferita in una casa nuova vicino al fiume",
    "ja": "家族は川のそばの新しい家に引っ越した",
    "ko": "가족은 강가의 새 집으로 이사했다",
    "nl": "Het gezin is verhuisd naar een nieuw huis bij de rivier",
    "pl": "Rodzina przeprowadziła się do nowego domu nad rzeką",
    "pt": "A família mudou-se para uma casa nova à beira do rio",
    "ro": "Familia s-a mutat într-o casă nouă lângă râu",
    "ru": "Семья переехала в новый дом у реки",
    "sv": "Familjen har flyttat till ett nytt hus vid ån och barnen är glada",
    "sw": "Familia ilihamia kwenye nyumba mpya karibu na mto",
    "th": "ครอบครัวย้ายไปอยู่บ้านใหม่ริมแม่น้ำ",
    "tr": "Aile nehir kenarında yeni bir eve taşındı",
    "uk": "Родина переїхала до нового будинку біля річки",
    "vi": "Gia đình đã chuyển đến ngôi nhà mới bên sông",
    "zh": "这家人搬到了河边的新房子里",
}
IN_SENTENCES = [
    ("de", "Übersetz es ins Französische", "fr"),
    ("de", "auf Niederländisch", "nl"),
    ("ru", "переведи на немецкий язык", "de"),
    ("ru", "по-польски", "pl"),
    ("uk", "перекладіть японською", "ja"),
    ("pl", "po grecku", "el"),
    ("cs", "do maďarštiny ne, do finštiny", "fi"),
    ("cs", "řekni to německy", "de"),
    ("fi", "englanniksi", "en"),
    ("fi", "käännä turkiksi", "tr"),
    ("tr", "Rusça'ya çevir", "ru"),
    ("ar", "بالإنجليزية", "en"),
    ("ar", "إلى اللغة الصينية", "zh"),
    ("he", "תרגם לספרדית", "es"),
    ("fa", "به زبان ژاپنی", "ja"),
    ("hi", "अंग्रेजी में", "en"),
    ("bn", "আরবিতে", "ar"),
    ("ja", "スワヒリ語で", "sw"),
    ("ko", "독일어로", "de"),
    ("zh", "译成韩文", "ko"),
    ("zh", "翻譯成法文", "fr"),
    ("th", "เป็นภาษาอินโดนีเซีย", "id"),
    ("vi", "sang tiếng Bồ Đào Nha", "pt"),
    ("id", "ke dalam bahasa Belanda", "nl"),
    ("sw", "kwa Kijerumani", "de"),
    ("el", "στα ιταλικά", "it"),
    ("ro", "în spaniolă", "es"),
    ("en", "into Farsi", "fa"),
]  # fmt: skip


@pytest.mark.parametrize("lang", SUPPORTED)
def test_language_of_a_sentence_is_detected(lang):
    assert detect_language(SENTENCES[lang]) == lang


@pytest.mark.parametrize("text", ["", "   ", "12 + 7 = 19", "🙂🙂", "\ud83d", "a\ud800b"])
def test_text_without_words_is_no_failure(text):
    assert detect_language(text) in SUPPORTED


def test_text_without_letters_counts_as_english():
    assert detect_language("1234 — 5678") == "en"


def test_only_the_allowed_languages_are_found():
    assert detect_language(SENTENCES["es"], among=("pt", "ja")) == "pt"


@pytest.mark.parametrize(("locale", "piece", "code"), IN_SENTENCES)
def test_language_is_recognised_in_the_words_of_each_language(locale, piece, code):
    assert [mention.code for mention in find_mentions(fold(piece), [locale])] == [code]


@pytest.mark.parametrize("lang", SUPPORTED)
def test_each_language_knows_the_names_of_all_the_others(lang):
    missing = [
        code
        for code in SUPPORTED
        if code not in [mention.code for mention in find_mentions(fold(language_name(code, lang)), [lang])]
    ]
    assert not missing


def test_countries_are_no_languages():
    assert not find_mentions(fold("Germany, Vietnam, Romania and Thailand"), ["en"])


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("fr", "fr"),
        ("FR", "fr"),
        ("pt-BR", "pt-BR"),
        ("zh_TW", "zh"),
        ("French", "fr"),
        ("français", "fr"),
        ("日本語", "ja"),
        ("العربية", "ar"),
        ("русский", "ru"),
        ("Hungarian", "hu"),
        ("hu", "hu"),
        ("xx", None),
        ("blarg", None),
    ],
)
def test_codes_and_names_are_found(word, code):
    assert find_language(word) == code


def test_languages_out_of_reach_are_noticed():
    assert find_unsupported(fold("translate it into Hungarian"), "en") == "hu"
    assert find_unsupported(fold("translate it into French"), "en") is None


def test_names_can_be_given_in_any_language():
    assert language_name("fr") == "French"
    assert language_name("fr", "ja") == "フランス語"
    assert language_name("pt-BR") == "Brazilian Portuguese"
    assert language_name("qq") == "qq"
