"""What columns are called in many languages, and which role a name speaks for."""

import re
import unicodedata

ROLES: dict[str, frozenset[str]] = {
    role: frozenset(unicodedata.normalize("NFKC", names).casefold().split("|"))
    for role, names in {
        "text": "text|texts|sentence|sentences|review|reviews|comment|comments|content|body|message|msg|tweet|post"
        "|utterance|feedback|opinion|snippet|phrase|input|verbatim|description|beschreibung|freitext|kundentext"
        "|descripción|descrição|descrizione|omschrijving|описание"
        "|kommentar|kommentare|rezension|rezensionen|kundenmeinung|satz|sätze|beitrag|nachricht|inhalt|meinung"
        "|rückmeldung|bewertung|bewertungen|bewertungstext|texte|commentaire|commentaires|avis|critique|contenu"
        "|texto|textos|comentario|comentarios|reseña|reseñas|opinión|opiniones|mensaje|contenido|frase|crítica"
        "|comentário|comentários|avaliação|avaliações|resenha|opinião|mensagem|conteúdo"
        "|testo|testi|commento|commenti|recensione|recensioni|opinione|messaggio|contenuto"
        "|tekst|teksten|recensie|recensies|beoordeling|bericht|opmerking|reactie"
        "|teksty|komentarz|komentarze|recenzja|recenzje|opinia|opinie|wiadomość|treść"
        "|komentář|komentáře|recenze|zpráva|názor|comentariu|comentarii|recenzie|mesaj|propoziție"
        "|recension|recensioner|omdöme|meddelande|mening|anmeldelse|anmeldelser|besked|sætning"
        "|teksti|arvostelu|arvostelut|kommentti|viesti|palaute|lause|κείμενο|σχόλιο|σχόλια|κριτική|κριτικές|μήνυμα"
        "|szöveg|vélemény|vélemények|értékelés|hozzászólás|anmeldelse|melding|kommentarer|tekst|отзиви|коментар|мнение"
        "|текст|тексты|отзыв|отзывы|комментарий|комментарии|сообщение|предложение|рецензия"
        "|тексти|відгук|відгуки|коментар|коментарі|повідомлення|речення"
        "|metin|yorum|yorumlar|inceleme|değerlendirme|cümle|نص|تعليق|مراجعة|رأي|تغريدة|رسالة"
        "|متن|نظر|نظرات|دیدگاه|پیام|جمله|טקסט|ביקורת|תגובה|הודעה|משפט"
        "|पाठ|टिप्पणी|समीक्षा|वाक्य|संदेश|পাঠ্য|মন্তব্য|পর্যালোচনা|রিভিউ|বাক্য"
        "|teks|ulasan|komentar|kalimat|pesan|văn bản|bình luận|đánh giá|nhận xét|câu"
        "|ข้อความ|รีวิว|ความคิดเห็น|ประโยค|文本|评论|評論|内容|內容|正文|句子|留言|评价|評價|点评"
        "|テキスト|本文|レビュー|コメント|文|口コミ|感想|텍스트|리뷰|댓글|내용|문장|후기|maandishi|maoni|sentensi",
        "label": "label|labels|class|category|sentiment|polarity|rating|ratings|stars|score|grade|target|topic|intent"
        "|emotion|tag|gold|annotation|verdict|type|y|note|noten|kategorie|klasse|stimmung|bewertung|bewertungen|sterne"
        "|thema|étiquette|catégorie|classe|sentimento|étoiles|avis|etiqueta|categoría|clase|sentimiento|estrellas"
        "|calificación|puntuación|valoración|categoria|rótulo|nota|avaliação|estrelas|etichetta|valutazione|voto"
        "|categorie|klasse|beoordeling|sterren|etykieta|kategoria|ocena|štítek|kategorie|hodnocení|etichetă"
        "|etikett|kategori|betyg|bedømmelse|stjerner|luokka|arvosana|ετικέτα|κατηγορία|βαθμολογία"
        "|címke|kategória|osztály|osztályzat|merkelapp|vurdering|karakter|етикет|клас|oznaka|kategorija|ocjena|oznaka"
        "|тональність|لیبل|زمرہ|வகை|மதிப்பீடு|லேபிள்|kelas|kategori"
        "|метка|категория|класс|оценка|тональность|мітка|категорія|оцінка|etiket|puan|duygu"
        "|تصنيف|فئة|تقييم|مشاعر|برچسب|امتیاز|دسته|תווית|דירוג|קטגוריה|लेबल|श्रेणी|रेटिंग|भावना"
        "|লেবেল|বিভাগ|রেটিং|sentimen|penilaian|nhãn|phân loại|xếp hạng|ป้ายกำกับ|หมวดหมู่|คะแนน"
        "|标签|標籤|类别|類別|分类|情感|评分|評分|星级|ラベル|カテゴリ|分類|評価|星|라벨|레이블|분류|감정|평점|lebo|kundi",
        "entities": "entities|entity|spans|ner|annotations|entitäten|entités|entidades|entità|сущности|实体|엔티티",
        "tokens": "tokens|words|token list|token|word",
        "tags": "tags|tag|ner tags|ner tag|ner labels|word labels|token labels|bio tags|iob tags|labels|bio|iob|ner",
        "context": "context|passage|paragraph|contexte|contexto|contesto|kontext|контекст|سياق|上下文|文脈|지문"
        "|absatz|textstelle|passagem|parágrafo|trecho|párrafo|pasaje|paragrafo|brano|alinea|akapit|абзац|отрывок"
        "|уривок|bağlam|paragraf|pasaj|فقرة|پاراگراف|פסקה|קטע|अनुच्छेद|गद्यांश|अवतरण|संदर्भ|অনুচ্ছেদ|konteks"
        "|ngữ cảnh|đoạn văn|บริบท|段落|문단|문맥|stycke|afsnit|kappale|παράγραφος|odstavec|kifungu"
        "|परिच्छेद|पैराग्राफ|பத்தி",
        "question": "question|query|problem|request|problema|problème|задача|题目|題目"
        "|frage|pregunta|pergunta|domanda|vraag|pytanie|вопрос|запитання|питання|soru|سؤال"
        "|پرسش|שאלה|प्रश्न|প্রশ্ন|pertanyaan|câu hỏi|คำถาม|问题|問題|質問|질문|fråga|spørgsmål|kysymys|ερώτηση"
        "|otázka|întrebare|swali|सवाल|سوال|கேள்வி|ప్రశ్న",
        "answers": "answers|answer|answer text|antwort|réponse|respuesta|resposta|risposta|antwoord|odpowiedź|ответ"
        "|відповідь|cevap|جواب|إجابة|پاسخ|תשובה|उत्तर|উত্তর|jawaban|câu trả lời|คำตอบ|答案|答え|回答|答|답변|정답"
        "|svar|vastaus|απάντηση|odpověď|răspuns|jibu|जवाब|பதில்|సమాధానం",
        "answer_start": "answer start|start|answer offset",
        "document": "document|article|source text|dialogue|story|news|dokument|artikel|documento|artículo|artigo"
        "|articolo|статья|документ|makale|مقال|مقالة|مقاله|خبر|מאמר|כתבה|लेख|নিবন্ধ"
        "|文章|文档|新闻|記事|기사|문서|บทความ|bài báo",
        "summary": "summary|highlights|abstract|headline|tldr|zusammenfassung|résumé|resumen|resumo|riassunto"
        "|samenvatting|streszczenie|краткое содержание|саммари|özet|ملخص|خلاصة|موجز|مختصر|خلاصه|چکیده|خلاصہ|תקציר|סיכום"
        "|सारांश|সারাংশ|ringkasan|tóm tắt|摘要|总结|要約|요약|บทสรุป|sammanfattning|resumé|tiivistelmä|περίληψη"
        "|shrnutí|rezumat",
        "source_text": "source text|source|src|source sentence|original|quelltext|ausgangstext|原文|texto original",
        "target_text": "target text|target|tgt|translation|target sentence|reference|übersetzung|zieltext|traduction"
        "|traducción|tradução|traduzione|vertaling|перевод|переклад|çeviri|ترجمة|ترجمه|अनुवाद|অনুবাদ|翻译|訳文|번역",
        "source_lang": "source lang|src lang|source language|from",
        "target_lang": "target lang|tgt lang|target language|to",
        "prompt": "prompt|instruction|instructions|input|inputs|anweisung|instrucción|instrucciones|instrução"
        "|istruzione|instructie|polecenie|инструкция|запрос|інструкція|talimat|تعليمات|دستور|निर्देश|নির্দেশ|instruksi"
        "|perintah|hướng dẫn|คำสั่ง|指令|指示|プロンプト|프롬프트|지시",
        "prompt_input": "input|context|eingabe|entrada|entrée|ввод|girdi|مدخلات|masukan|输入|輸入|入力|입력",
        "completion": "completion|response|output|answer|reply|target|targets|chosen|solution|generated solution"
        "|demonstration|ausgabe|lösung|salida|solución|saída|solução|sortie|uscita|soluzione|uitvoer|oplossing|wyjście"
        "|rozwiązanie|вывод|решение|розв'язок|çıktı|çözüm|ناتج|حل|خروجی|आउटपुट|keluaran|solusi|đầu ra|lời giải"
        "|ผลลัพธ์|输出|輸出|回复|回覆|响应|解答|出力|応答|返答|출력|응답|해답",
        "messages": "messages|conversations|conversation|dialog",
    }.items()
}
# Names of a column about the text rather than the text itself.
_ABOUT = frozenset(
    "id ids length len count date time url link number no nr lang language author user split fold partition".split()
)

LANGUAGES = {
    name: code
    for code, names in {
        "en": "english",
        "zh": "chinese 中文",
        "es": "spanish español",
        "fr": "french français",
        "de": "german deutsch",
        "it": "italian italiano",
        "pt": "portuguese português",
        "nl": "dutch nederlands",
        "ru": "russian русский",
        "uk": "ukrainian українська",
        "pl": "polish polski",
        "cs": "czech čeština",
        "tr": "turkish türkçe",
        "ar": "arabic العربية",
        "fa": "persian فارسی",
        "hi": "hindi हिन्दी",
        "bn": "bengali বাংলা",
        "id": "indonesian indonesia",
        "vi": "vietnamese",
        "th": "thai ไทย",
        "ja": "japanese 日本語",
        "ko": "korean 한국어",
        "sw": "swahili kiswahili",
        "ro": "romanian română",
        "sv": "swedish svenska",
        "da": "danish dansk",
        "fi": "finnish suomi",
        "el": "greek ελληνικά",
        "he": "hebrew עברית",
    }.items()
    for name in names.split()
}
_CODES = frozenset(LANGUAGES.values())
_SHORT = {
    long: short
    for pair in (
        "eng:en zho:zh chi:zh cmn:zh spa:es fra:fr fre:fr deu:de ger:de ita:it por:pt nld:nl dut:nl rus:ru ukr:uk "
        "pol:pl ces:cs cze:cs tur:tr ara:ar arb:ar fas:fa per:fa pes:fa hin:hi ben:bn ind:id vie:vi tha:th jpn:ja "
        "kor:ko swa:sw swh:sw ron:ro rum:ro swe:sv dan:da fin:fi ell:el gre:el heb:he"
    ).split()
    for long, short in [pair.split(":")]
}
"""ISO 639-3 and 639-2 to ISO 639-1."""


def normal_name(name: str) -> str:
    """`name` in lower case, with its words apart: "reviewText", "Review_Text" and "review-text" are one name.

    Arabic words lose their article: "الملخص" and "ملخص" are one name too.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    words = re.sub(r"[\s_\-./:#()]+", " ", apart).split()
    return " ".join(re.sub(r"^ال(?=\w{2})", "", word) for word in words).casefold()


def role_score(name: str, role: str) -> int:
    """How much `name` speaks for `role`: 3 is its name, 2 begins or ends with it, 1 is a compound of it, 0 nothing."""
    names = ROLES[role]
    plain = normal_name(name)
    if plain in names:
        return 3
    words = plain.split()
    if not words or _ABOUT & set(words):
        return 0
    if words[-1] in names or words[0] in names:
        return 2
    return int(any(len(known) >= 5 and plain.endswith(known) for known in names))


def has_role(name: str) -> bool:
    """Whether `name` is what a column with one of the `ROLES` is called."""
    return any(normal_name(name) in names for names in ROLES.values())


def is_about(name: str) -> bool:
    """Whether `name` speaks of the row, such as its number, its date or its language, rather than of what it says."""
    return bool(_ABOUT & set(normal_name(name).split()))


def is_known(name: str) -> bool:
    """Whether `name` is what a column is called, rather than a value."""
    return has_role(name) or normal_name(name) in _ABOUT or language_of(name) is not None


def language_of(name: str) -> str | None:
    """The ISO 639-1 code of a language given by code ("de", "pt_BR", "deu", "deu_Latn") or by name, or None."""
    plain = name.strip().replace("_", "-")
    code, _, rest = plain.partition("-")
    known = _SHORT.get(code.lower()) if len(code) == 3 else None
    if known and (not rest or re.fullmatch(r"[A-Z][a-z]{3}", rest)):
        return known
    if re.fullmatch(r"[A-Za-z]{2}(-[A-Za-z0-9]{2,8})?", plain) and plain[:2].lower() in _CODES:
        # mBART writes XX where no region is meant.
        return plain[:2].lower() + plain[2:] if rest != "XX" else plain[:2].lower()
    return LANGUAGES.get(name.strip().casefold())


def language_in(name: str) -> tuple[str, str] | None:
    """What a name such as "text_en" or "sentence_deu_Latn" has before its language, and the language."""
    match = re.fullmatch(r"(.+?)[_\-. ]((?:[A-Za-z]{2}|[A-Za-z]{3}(?:_[A-Z][a-z]{3})?)|[^\W\d_]{4,})", name.strip())
    language = language_of(match[2]) if match else None
    return (normal_name(match[1]), language) if match and language else None
