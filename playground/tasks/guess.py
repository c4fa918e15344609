"""What the bare backbone can say without an adapter: prompts with a few examples, and how to read what it writes."""

import re
from collections.abc import Mapping, Sequence

from playground.data.text import in_one_line
from playground.tasks.languages import base_code, english_name
from playground.tasks.task import Task
from playground.types import Row

NO_ANSWER = "unanswerable"
MAX_SHOTS = 12
MAX_SHOT_CHARS = 200
MAX_LABELS_CHARS = 2000
"""Of the names of all labels together, which may all stand in the prompt of every row."""
DEFAULT_LABELS = ("positive", "neutral", "negative")

_SENTIMENT_SHOTS: Mapping[str, str] = {
    "The room was clean and the breakfast delicious.": "positive",
    "Der Zug fährt um acht Uhr ab.": "neutral",
    "Llegó roto y nadie contesta al teléfono.": "negative",
    "とても楽しい一日でした。": "positive",
    "الخدمة سيئة جدا ولن أعود.": "negative",
    "会议将在三楼举行。": "neutral",
}
_ENTITY_SHOTS: Sequence[tuple[str, Mapping[str, str]]] = (
    (
        "Anna Kowalska moved from Lisbon to Oslo to work for Telenor.",
        {"PER": "Anna Kowalska", "ORG": "Telenor", "LOC": "Lisbon, Oslo"},
    ),
    ("La réunion de demain est annulée.", {"PER": "-", "ORG": "-", "LOC": "-"}),
    ("习近平在北京会见了苹果公司的代表。", {"PER": "习近平", "ORG": "苹果公司", "LOC": "北京"}),
)
_ENTITY_WORDS = {"PER": "People", "ORG": "Organisations", "LOC": "Places"}
_QA_SHOTS: Sequence[tuple[str, str, str]] = (
    ("The bridge was built in 1932 by a Danish firm.", "When was the bridge built?", "1932"),
    ("La biblioteca abre de lunes a viernes.", "¿Quién fundó la biblioteca?", NO_ANSWER),
    ("この寺は京都の北にあります。", "寺はどこにありますか。", "京都の北"),
)
_SUMMARY_SHOTS: Sequence[tuple[str, str]] = (
    (
        """The city council met on Tuesday evening. After three hours of debate it voted to close the old market hall, \
which had needed repairs for years. Traders may move to the new square in spring.""",
        "The council is closing the old market hall, and traders move to the new square in spring.",
    ),
    (
        """Die Forscher untersuchten 400 Seen in Finnland. In fast allen fanden sie Mikroplastik, am meisten in der \
Nähe von Städten. Sie fordern nun bessere Filter in Kläranlagen.""",
        "Forscher fanden in fast allen untersuchten finnischen Seen Mikroplastik und fordern bessere Filter.",
    ),
)
_PARALLEL: Mapping[str, tuple[str, str]] = {
    "ar": ("أين أقرب محطة قطار؟", "افتتحت المدينة أمس مكتبة جديدة."),
    "bn": ("সবচেয়ে কাছের রেলস্টেশন কোথায়?", "শহরটি গতকাল একটি নতুন গ্রন্থাগার খুলেছে।"),
    "cs": ("Kde je nejbližší nádraží?", "Město včera otevřelo novou knihovnu."),
    "da": ("Hvor er den nærmeste togstation?", "Byen åbnede et nyt bibliotek i går."),
    "de": ("Wo ist der nächste Bahnhof?", "Die Stadt hat gestern eine neue Bibliothek eröffnet."),
    "el": ("Πού είναι ο πλησιέστερος σιδηροδρομικός σταθμός;", "Η πόλη άνοιξε χθες μια νέα βιβλιοθήκη."),
    "en": ("Where is the nearest train station?", "The city opened a new library yesterday."),
    "es": ("¿Dónde está la estación de tren más cercana?", "La ciudad abrió ayer una nueva biblioteca."),
    "fa": ("نزدیک‌ترین ایستگاه قطار کجاست؟", "شهر دیروز یک کتابخانه جدید افتتاح کرد."),
    "fi": ("Missä on lähin rautatieasema?", "Kaupunki avasi eilen uuden kirjaston."),
    "fr": ("Où est la gare la plus proche ?", "La ville a ouvert hier une nouvelle bibliothèque."),
    "he": ("איפה תחנת הרכבת הקרובה ביותר?", "העיר פתחה אתמול ספרייה חדשה."),
    "hi": ("सबसे नज़दीकी रेलवे स्टेशन कहाँ है?", "शहर ने कल एक नया पुस्तकालय खोला।"),
    "id": ("Di mana stasiun kereta terdekat?", "Kota itu membuka perpustakaan baru kemarin."),
    "it": ("Dov'è la stazione ferroviaria più vicina?", "La città ha aperto ieri una nuova biblioteca."),
    "ja": ("一番近い駅はどこですか。", "市は昨日、新しい図書館を開きました。"),
    "ko": ("가장 가까운 기차역이 어디예요?", "시는 어제 새 도서관을 열었습니다."),
    "nl": ("Waar is het dichtstbijzijnde treinstation?", "De stad opende gisteren een nieuwe bibliotheek."),
    "pl": ("Gdzie jest najbliższy dworzec?", "Miasto otworzyło wczoraj nową bibliotekę."),
    "pt": ("Onde fica a estação de trem mais próxima?", "A cidade abriu ontem uma nova biblioteca."),
    "ro": ("Unde este cea mai apropiată gară?", "Orașul a deschis ieri o bibliotecă nouă."),
    "ru": ("Где находится ближайший вокзал?", "Вчера в городе открыли новую библиотеку."),
    "sv": ("Var ligger närmaste tågstation?", "Staden öppnade ett nytt bibliotek i går."),
    "sw": ("Kituo cha treni cha karibu kiko wapi?", "Jiji lilifungua maktaba mpya jana."),
    "th": ("สถานีรถไฟที่ใกล้ที่สุดอยู่ที่ไหน", "เมืองเปิดห้องสมุดใหม่เมื่อวานนี้"),
    "tr": ("En yakın tren istasyonu nerede?", "Şehir dün yeni bir kütüphane açtı."),
    "uk": ("Де найближчий вокзал?", "Учора місто відкрило нову бібліотеку."),
    "vi": ("Ga tàu gần nhất ở đâu?", "Hôm qua thành phố đã mở một thư viện mới."),
    "zh": ("最近的火车站在哪里？", "这座城市昨天开放了一座新图书馆。"),
}


def classify_prompt(row: Row, shots: Sequence[tuple[str, str]] = (), labels: Sequence[str] = ()) -> str:
    """A prompt with `shots`, pairs of text and label, else with those of sentiment; `labels` without one are named."""
    word = "Label" if shots else "Sentiment"
    pairs = shots or tuple(_SENTIMENT_SHOTS.items())
    is_named = shots and set(labels) - {label for _, label in shots}
    names = f"Labels: {', '.join(map(in_one_line, labels))}\n\n" if is_named else ""
    examples = "".join(f"Text: {in_one_line(text)}\n{word}: {in_one_line(label)}\n\n" for text, label in pairs)
    return f"{names}{examples}Text: {in_one_line(row['text'])}\n{word}:"


def label_ending(label: str) -> str:
    """How the prompt goes on where `label` is right; none is the beginning of another's."""
    return f" {in_one_line(label)}\n"


def shots_of(rows: Sequence[Row], labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The same number of short rows of each label that has some, by turns; of too many labels the commonest have one.

    None where the names of all labels are too long to be read for every row.
    """
    if sum(map(len, labels)) > MAX_LABELS_CHARS:
        return ()
    texts: dict[str, list[str]] = {label: [] for label in labels}
    for row in rows:
        if row["label"] in texts:
            texts[row["label"]].append(in_one_line(row["text"])[:MAX_SHOT_CHARS])
    commonest = sorted(filter(texts.get, labels), key=lambda label: -len(texts[label]))[:MAX_SHOTS]
    shown = [label for label in labels if label in commonest]
    each = min(MAX_SHOTS // len(shown), *(len(texts[label]) for label in shown)) if shown else 0
    return tuple((texts[label][turn], label) for turn in range(each) for label in shown)


def tag_prompt(row: Row) -> str:
    shots = "".join(f"Text: {text}\n{_entity_lines(found)}\n\n" for text, found in _ENTITY_SHOTS)
    return f"{shots}Text: {in_one_line(row['text'])}\nPeople:"


def _entity_lines(found: Mapping[str, str]) -> str:
    return "\n".join(f"{_ENTITY_WORDS[label]}: {found[label]}" for label in _ENTITY_WORDS)


def read_entities(text: str, output: str) -> list[Row]:
    """Entities of `text` named in the prompt's continuation; names that do not stand in the text are dropped."""
    found: dict[tuple[int, int], Row] = {}
    lines = f"People:{output}".split("\n")
    for label, word in _ENTITY_WORDS.items():
        line = next((line for line in lines if line.startswith(f"{word}:")), "")
        for name in map(str.strip, re.split(r"[,;、，،]", line.partition(":")[2])):
            at = text.find(name) if len(name) > 1 else -1
            if at >= 0 and not any(start < at + len(name) and at < end for start, end in found):
                found[at, at + len(name)] = {"start": at, "end": at + len(name), "label": label, "text": name}
    return [found[place] for place in sorted(found)]


def span_prompt(row: Row) -> str:
    shots = "".join(f"Text: {text}\nQuestion: {ask}\nAnswer: {reply}\n\n" for text, ask, reply in _QA_SHOTS)
    return f"{shots}Text: {in_one_line(row['context'])}\nQuestion: {in_one_line(row['question'])}\nAnswer:"


def read_answer(context: str, output: str) -> Row | None:
    """The written answer where it stands in `context`, whatever its case; None when it does not."""
    reply = output.strip().strip(".。")
    found = re.search(re.escape(reply), context, re.IGNORECASE) if reply and reply.lower() != NO_ANSWER else None
    return {"text": found.group(), "start": found.start(), "end": found.end()} if found else None


def generate_prompt(task: Task, row: Row) -> str:
    """Few-shot prompt of a generate task; ``instruct`` has none, its prompt speaks for itself."""
    if task.name == "translate":
        pair = [base_code(row["source_lang"]), base_code(row["target_lang"])]
        source, target = (english_name(code) for code in pair)
        shots = zip(_PARALLEL[pair[0]], _PARALLEL[pair[1]], strict=True)
        examples = "".join(f"{source}: {a}\n{target}: {b}\n\n" for a, b in shots)
        return f"{examples}{source}: {in_one_line(row['source_text'])}\n{target}:"
    if task.name == "summarize":
        examples = "".join(f"Text: {text}\nSummary: {summary}\n\n" for text, summary in _SUMMARY_SHOTS)
        return f"{examples}Text: {in_one_line(row['document'])}\nSummary:"
    prompt: str = row["prompt"]
    return prompt
