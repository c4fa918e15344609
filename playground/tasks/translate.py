"""Translation between English and many languages, and between many of them directly."""

from playground.tasks.task import Example, Field, Task

EXAMPLES = (
    Example(
        "en",
        {
            "source_text": (
                "The meeting starts at nine. Please bring the signed contract and two copies of your passport."
            ),
            "source_lang": "en",
            "target_lang": "es",
        },
    ),
    Example(
        "en",
        {
            "source_text": (
                "Take one tablet after breakfast and drink plenty of water. Call the doctor if the "
                "fever lasts more than three days."
            ),
            "source_lang": "en",
            "target_lang": "hi",
        },
    ),
    Example(
        "es",
        {
            "source_text": (
                "El tren de las ocho se ha cancelado por la nieve. Los viajeros pueden usar su "
                "billete en cualquier autobús de hoy."
            ),
            "source_lang": "es",
            "target_lang": "en",
        },
    ),
    Example(
        "de",
        {
            "source_text": (
                "Bitte gießen Sie die Pflanzen auf dem Balkon jeden zweiten Tag.\n\n"
                "Der Schlüssel liegt bei der Nachbarin im dritten Stock."
            ),
            "source_lang": "de",
            "target_lang": "en",
        },
    ),
    Example(
        "fr",
        {
            "source_text": (
                "Nous cherchons une cuisinière ou un cuisinier pour la saison d'été. Le logement est fourni."
            ),
            "source_lang": "fr",
            "target_lang": "en",
        },
    ),
    Example(
        "ru",
        {
            "source_text": "Магазин закрыт на ремонт до пятницы. Заказы можно получить в соседнем здании.",
            "source_lang": "ru",
            "target_lang": "en",
        },
    ),
    Example(
        "ar",
        {
            "source_text": "سيُفتح المعرض يوم السبت في الساعة العاشرة صباحاً، والدخول مجاني للأطفال.",
            "source_lang": "ar",
            "target_lang": "en",
        },
    ),
    Example(
        "hi",
        {
            "source_text": "कल से बाज़ार सुबह सात बजे खुलेगा। कृपया अपना थैला साथ लाएँ।",
            "source_lang": "hi",
            "target_lang": "en",
        },
    ),
    Example(
        "ja",
        {
            "source_text": "明日は大雨の予報です。傘を持って、早めに家を出てください。",
            "source_lang": "ja",
            "target_lang": "en",
        },
    ),
    Example(
        "zh",
        {
            "source_text": "请在出发前检查护照和机票。行李不能超过二十公斤。",
            "source_lang": "zh",
            "target_lang": "en",
        },
    ),
    Example(
        "tr",
        {
            "source_text": "Dersler pazartesi günü başlıyor. Kayıt için kimliğinizi getirmeniz yeterli.",
            "source_lang": "tr",
            "target_lang": "en",
        },
    ),
    Example(
        "en",
        {
            "source_text": "Thank you for your order. We will send it tomorrow morning.",
            "source_lang": "en",
            "target_lang": "ar",
        },
    ),
)

TASK = Task(
    name="translate",
    shape="generate",
    title="Translate",
    summary="Translates a text sentence by sentence and keeps its paragraphs.",
    action="Translate",
    inputs=(
        Field("source_text", "Text", placeholder="Paste the text to translate"),
        Field("source_lang", "From", kind="language", default="en"),
        Field("target_lang", "To", kind="language", default="es"),
    ),
    target="target_text",
    output="translation",
    endpoint="translate",
    metric="chrf++",
    order=60,
    max_length=256,
    prompt="{source_language}: {source_text}\n{target_language}:",
    max_new_tokens=160,
    examples=EXAMPLES,
)
