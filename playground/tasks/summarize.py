"""Summaries in the language of the text."""

from playground.tasks.task import Example, Field, Task

EXAMPLES = (
    Example(
        "en",
        {
            "document": (
                "The town council of Alderby voted on Tuesday to close the High Street to cars from "
                "next spring. Buses, taxis and delivery vans may still use it before ten in the "
                "morning. The council expects the change to cut noise and to bring more visitors to "
                "the forty shops along the street. Several shop owners spoke against the plan, "
                "because they fear that older customers will no longer come. A new car park with 200 "
                "places will be built behind the station to make up for the lost spaces. The trial "
                "lasts one year, after which the residents will be asked for their opinion. The "
                "opposition called the decision rushed but did not vote against it."
            ),
        },
    ),
    Example(
        "es",
        {
            "document": (
                "La cooperativa eléctrica de Valdeharo ha puesto en marcha la mayor instalación "
                "solar comunitaria de la provincia. Los 1.200 paneles cubren los tejados de la "
                "escuela, el polideportivo y once naves agrícolas. Según la gerente, la instalación "
                "producirá el sesenta por ciento de la energía que consume el pueblo. Los 340 socios "
                "pagaron una cuota de 500 euros y recibirán un descuento en su factura durante "
                "veinte años. Las obras se retrasaron ocho meses por la falta de inversores. El "
                "ayuntamiento estudia ahora añadir baterías para aprovechar la energía también de "
                "noche."
            ),
        },
    ),
    Example(
        "de",
        {
            "document": (
                "Der Fluss Wern ist nach zwölf Jahren Bauzeit wieder auf seiner ganzen Länge für "
                "Fische passierbar. Als letztes Hindernis wurde in dieser Woche das Wehr bei "
                "Altmühle durch eine flache Rampe aus Felsblöcken ersetzt. Insgesamt wurden neunzehn "
                "Wehre umgebaut oder entfernt. Die Kosten von 14 Millionen Euro tragen das Land und "
                "ein Verband der Anliegergemeinden. Biologen haben bereits erste Lachse im Oberlauf "
                "nachgewiesen, wo die Art seit 1950 als verschwunden galt. Die Betreiber kleiner "
                "Wasserkraftwerke wurden für den Verlust ihrer Anlagen entschädigt."
            ),
        },
    ),
    Example(
        "fr",
        {
            "document": (
                "Une équipe de l'université de Nantes a mis au point un revêtement de sol fabriqué à "
                "partir de coquilles d'huîtres broyées. Le matériau laisse passer l'eau de pluie et "
                "reste frais en plein soleil. Une cour d'école de la ville en est équipée depuis "
                "deux ans. Les mesures montrent une température inférieure de six degrés à celle de "
                "l'asphalte. Les coquilles proviennent des ostréiculteurs de la région, qui devaient "
                "jusqu'ici payer pour s'en débarrasser. La fabrication coûte encore un tiers de plus "
                "qu'un sol classique, mais les chercheurs espèrent réduire l'écart en produisant de "
                "plus grandes quantités."
            ),
        },
    ),
    Example(
        "ru",
        {
            "document": (
                "В Ярославле после трёх лет реставрации открылся речной вокзал. Здание построили в "
                "1961 году, и до сих пор его ни разу полностью не ремонтировали. Реставраторы "
                "восстановили мозаику на фасаде и часы на башне, которые не работали с восьмидесятых "
                "годов. Внутри теперь находятся не только кассы, но и кафе, выставочный зал и "
                "детская студия. Летом отсюда каждый день будут отправляться теплоходы в Кострому и "
                "Рыбинск. Городские власти рассчитывают, что число туристов вырастет на четверть."
            ),
        },
    ),
    Example(
        "ar",
        {
            "document": (
                "أعلنت بلدية المدينة الساحلية عن خطة لتحويل الميناء القديم إلى حديقة عامة مفتوحة "
                "للجميع. وستضم الحديقة مسارات للمشي والدراجات وسوقاً صغيرة للصيادين ومتحفاً عن تاريخ "
                "الملاحة. ويبدأ العمل في الخريف المقبل ويستمر سنتين ونصف السنة. وتبلغ كلفة المشروع "
                "ثلاثين مليون دولار، يأتي نصفها من قرض دولي. وقد رحّب معظم السكان بالخطة، لكن بعض "
                "أصحاب القوارب يخشون أن يفقدوا أماكن الرسو. ووعدت البلدية بتوفير مرسى جديد لهم على "
                "بعد كيلومترين."
            ),
        },
    ),
    Example(
        "hi",
        {
            "document": (
                "राजस्थान के एक छोटे गाँव में महिलाओं के समूह ने बारिश का पानी जमा करने के लिए "
                "पुराने तालाब को फिर से खोद डाला। पिछले दस साल से तालाब सूखा पड़ा था और लोगों को "
                "पाँच किलोमीटर दूर से पानी लाना पड़ता था। चालीस महिलाओं ने छह महीने तक काम किया और "
                "सरकार ने केवल औज़ार दिए। इस साल की बारिश के बाद तालाब पूरा भर गया। अब गाँव के तीन "
                "सौ परिवारों को साल भर पानी मिल सकेगा। आसपास के चार गाँव भी यही तरीका अपनाना चाहते "
                "हैं।"
            ),
        },
    ),
    Example(
        "ja",
        {
            "document": (
                "山間の小さな町で、廃校になった小学校が図書館と宿泊施設に生まれ変わった。建物は昭和十二年に建てられた木造二階建てで、耐震工事のあと、教室は本棚と寝室に改装された。"
                "蔵書は約二万冊で、その多くは全国からの寄付による。宿泊客は夜通し本を読むことができ、町の食堂が朝食を届ける。"
                "開館から半年で三千人以上が訪れ、予約は二か月先まで埋まっている。町は来年、体育館も音楽ホールとして使う計画だ。"
            ),
        },
    ),
    Example(
        "zh",
        {
            "document": (
                "南方一座海滨城市最近在全市推广雨水花园。这些花园建在路边和小区里，表面种植耐水植物，下面铺有沙石，可以在暴雨时吸收积水。"
                "过去五年，该市几乎每年夏天都发生内涝，造成不小的损失。试点小区的数据显示，积水时间从平均六小时缩短到四十分钟。全市计划三年内建成五百座雨水花园，总投资约两亿元。"
                "专家提醒，花园需要定期清理，否则效果会逐渐下降。"
            ),
        },
    ),
    Example(
        "tr",
        {
            "document": (
                "Karadeniz kıyısındaki küçük bir kasabada balıkçılar, denizden topladıkları eski "
                "ağları geri dönüşüme kazandırıyor. Geçen yıl başlayan projede bugüne kadar on iki "
                "ton ağ toplandı. Ağlar önce temizleniyor, sonra Samsun'daki bir fabrikada ipliğe "
                "dönüştürülüyor. Bu iplikten çanta ve halı üretiliyor. Elde edilen gelirin yarısı "
                "balıkçılara, yarısı deniz temizliğine gidiyor. Komşu kasabalar da gelecek yıl "
                "projeye katılmak istiyor."
            ),
        },
    ),
)

TASK = Task(
    name="summarize",
    shape="generate",
    title="Summarize",
    summary="Says in a sentence or two what a long text is about, in the language of the text.",
    action="Summarize",
    inputs=(Field("document", "Text", placeholder="Paste an article, minutes or a documentation page"),),
    target="summary",
    output="summary",
    endpoint="summarize",
    metric="rougeL",
    order=50,
    max_length=768,
    # Summaries of parts lose what the whole is about: see adapters/ABLATIONS.md.
    reads_at_once=2048,
    prompt="{document}\n\nSummary:",
    max_new_tokens=96,
    examples=EXAMPLES,
)
