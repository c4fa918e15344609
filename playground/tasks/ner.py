"""Named entities: people, organisations and places, with their character offsets."""

from playground.tasks.task import Example, Field, Task

EXAMPLES = (
    Example(
        "en",
        {
            "text": (
                "Maria Okafor left Siemens in Munich last spring to lead the new research centre of "
                "the University of Nairobi."
            ),
        },
    ),
    Example(
        "es",
        {
            "text": (
                "La ministra Lucía Herrera visitó ayer la planta de Seat en Martorell antes de viajar a Bruselas."
            ),
        },
    ),
    Example(
        "de",
        {
            "text": (
                "Nach Angaben der Stadtwerke Leipzig wird Jonas Brandt im Januar das neue Kraftwerk "
                "in Markkleeberg eröffnen."
            ),
        },
    ),
    Example(
        "fr",
        {
            "text": (
                "À Lyon, l'architecte Camille Rousseau a présenté à la SNCF les plans de la future "
                "gare de la Part-Dieu."
            ),
        },
    ),
    Example(
        "ru",
        {
            "text": ("Анна Соколова из Казанского университета получила премию Российской академии наук в Москве."),
        },
    ),
    Example("ar", {"text": "التقت الكاتبة ليلى منصور بطلاب جامعة القاهرة قبل سفرها إلى معرض الكتاب في الشارقة."}),
    Example("hi", {"text": "बेंगलुरु की कंपनी इन्फ़ोसिस ने कल अनीता राव को दिल्ली कार्यालय का प्रमुख नियुक्त किया।"}),
    Example("ja", {"text": "東京大学の佐藤健一教授は、来月から大阪のパナソニックで共同研究を始める。"}),
    Example("zh", {"text": "清华大学的王丽教授上周在北京会见了来自新加坡国立大学的陈伟。"}),
    Example(
        "tr",
        {
            "text": ("Elif Demir, İzmir'deki fabrikayı gezdikten sonra Arçelik yönetimiyle Ankara'da bir araya geldi."),
        },
    ),
    Example(
        "pt",
        {
            "text": (
                "A cantora Beatriz Nogueira vai abrir em Salvador a nova temporada da Orquestra Sinfônica da Bahia."
            ),
        },
    ),
    Example("uk", {"text": "Олена Коваль розповіла журналістам Суспільного, що музей у Львові відкриють навесні."}),
)

TASK = Task(
    name="ner",
    shape="tag",
    title="Entities",
    summary="Finds the names of people, organisations and places in a text.",
    action="Find entities",
    inputs=(Field("text", "Text", placeholder="Paste a news item, a mail or a contract in any language"),),
    target="entities",
    output="entities",
    endpoint="ner",
    metric="entity_f1",
    order=30,
    attention="bidirectional",
    max_length=256,
    labels=("PER", "ORG", "LOC"),
    examples=EXAMPLES,
)
