"""What the empty chat offers to try: (title, message) pairs."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "English · entities",
        (
            "Which people and places are mentioned here?\n\nIn 1903 Marie Curie travelled from Paris to Stockholm with "
            "Pierre, where the Academy honoured them together with Henri Becquerel."
        ),
    ),
    (
        "Español · opinión",
        (
            "¿Esta reseña es positiva o negativa? La habitación olía a humedad y nadie respondió al teléfono, pero el "
            "desayuno estaba delicioso."
        ),
    ),
    (
        "العربية · سؤال",
        (
            "متى افتتحت المكتبة؟\n\nافتتحت مكتبة الإسكندرية الجديدة عام 2002 قرب موقع المكتبة القديمة، وتضم ملايين "
            "الكتب وعدة متاحف ومراكز بحثية."
        ),
    ),
    ("中文 · 翻译", "请翻译成英语：昨晚下了一整夜的雨，今天早上街道像镜子一样发亮。"),
    (
        "हिन्दी · सवाल",
        ("पुल कितना लंबा है?\n\nनदी पर बना नया पुल 900 मीटर लंबा है। इसे बनाने में चार साल लगे और अब रोज़ हज़ारों लोग इससे गुज़रते हैं।"),
    ),
    (
        "Русский · кратко",
        (
            "Кратко перескажи: Городской совет решил закрыть центральную улицу для машин на всё лето. Владельцы кафе "
            "довольны, а водители автобусов просят изменить маршруты. Решение пересмотрят в октябре."
        ),
    ),
    (
        "日本語 · 感情",
        "この口コミはポジティブですか？\n\n店員さんがとても親切で、料理も期待以上でした。また必ず行きます。",
    ),
    ("Deutsch · Übersetzung", "Übersetze ins Französische: Der letzte Zug fährt um Mitternacht vom alten Bahnhof ab."),
)
