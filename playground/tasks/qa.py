"""Extractive question answering: the answer is a part of the context, or there is none."""

from playground.tasks.task import Example, Field, Task

EXAMPLES = (
    Example(
        "en",
        {
            "context": (
                "The Bergfield library moved into the old tram depot in 2019. The reading room seats "
                "140 people and is open until ten at night, except on Sundays, when it closes at "
                "six. Membership is free for residents; everyone else pays 20 euros a year."
            ),
            "question": "How much does a non-resident pay for membership?",
        },
    ),
    Example(
        "en",
        {
            "context": (
                "The museum ferry leaves pier 4 every half hour from April to October. Bicycles "
                "travel free of charge, and dogs are welcome on the upper deck."
            ),
            "question": "Who is the captain of the ferry?",
        },
    ),
    Example(
        "es",
        {
            "context": (
                "El mercado de San Telmo abrió sus puertas en 1897. Hoy reúne a unos ochenta puestos "
                "de fruta, pescado y flores, y los sábados por la mañana hay degustaciones gratuitas "
                "de queso."
            ),
            "question": "¿Cuándo se puede probar queso gratis?",
        },
    ),
    Example(
        "de",
        {
            "context": (
                "Die Werkstatt am Hafen repariert Fahrräder, Kinderwagen und Rollstühle. Gegründet "
                "wurde sie 2014 von Petra Lindner, die früher als Schiffsmechanikerin arbeitete. "
                "Heute beschäftigt sie elf Personen."
            ),
            "question": "Wer hat die Werkstatt gegründet?",
        },
    ),
    Example(
        "fr",
        {
            "context": (
                "La piscine municipale sera fermée du 3 au 17 août pour le remplacement des filtres. "
                "Pendant cette période, les abonnés peuvent nager gratuitement au stade nautique de "
                "Villeneuve."
            ),
            "question": "Pourquoi la piscine est-elle fermée ?",
        },
    ),
    Example(
        "ru",
        {
            "context": (
                "Поезд отправляется из Самары в 21:40 и прибывает в Уфу в 6:15 утра. В составе "
                "двенадцать вагонов, вагон-ресторан находится в середине поезда."
            ),
            "question": "Во сколько поезд прибывает в Уфу?",
        },
    ),
    Example(
        "ar",
        {
            "context": (
                "تأسست التعاونية عام 2008 في مدينة صفاقس على يد مجموعة من مزارعي الزيتون. وهي تصدّر "
                "اليوم نحو أربعمئة طن من الزيت إلى خمس عشرة دولة."
            ),
            "question": "أين تأسست التعاونية؟",
        },
    ),
    Example(
        "hi",
        {
            "context": (
                "गाँव का नया स्कूल पिछले साल जुलाई में खुला। इसमें आठ कमरे और एक पुस्तकालय है, जिसकी किताबें पुणे के एक संगठन ने दान कीं।"
            ),
            "question": "पुस्तकालय की किताबें किसने दान कीं?",
        },
    ),
    Example(
        "ja",
        {
            "context": (
                "この温泉旅館は明治三十五年に創業した。客室は十二室で、露天風呂からは谷川と紅葉の山が見える。"
                "朝食には近くの農家の野菜が使われる。"
            ),
            "question": "旅館の客室はいくつありますか。",
        },
    ),
    Example(
        "zh",
        {
            "context": (
                "这条步道全长十八公里，从湖边的码头开始，到山顶的观景台结束。"
                "公园管理处建议游客在上午九点前出发，因为下午常有雷雨。"
            ),
            "question": "为什么建议上午九点前出发？",
        },
    ),
    Example(
        "tr",
        {
            "context": (
                "Atölye her perşembe saat yedide toplanır. Katılımcılar kendi kilini getirir, fırını "
                "ise belediye sağlar. Kurs ücreti aylık üç yüz liradır."
            ),
            "question": "Fırını kim sağlıyor?",
        },
    ),
    Example(
        "id",
        {
            "context": (
                "Pasar terapung itu buka setiap hari sejak pukul lima pagi. Para pedagang datang "
                "dari tujuh desa di sepanjang sungai dan menjual buah, ikan, serta kain tenun."
            ),
            "question": "Dari berapa desa para pedagang datang?",
        },
    ),
)

TASK = Task(
    name="qa",
    shape="span",
    title="Question answering",
    summary="Answers a question with words of your text, or says that the text does not answer it.",
    action="Answer",
    inputs=(
        Field("context", "Text", placeholder="Paste the text that holds the answer"),
        Field("question", "Question", kind="line", placeholder="What do you want to know?"),
    ),
    target="answers",
    output="answer",
    endpoint="qa",
    metric="f1",
    order=40,
    attention="bidirectional",
    max_length=384,
    examples=EXAMPLES,
)
