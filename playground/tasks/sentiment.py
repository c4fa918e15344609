"""Sentiment of a text: positive, neutral or negative."""

from playground.tasks.task import Example, Field, Task

EXAMPLES = (
    Example(
        "en",
        {
            "text": (
                "The kettle looks great and boils in two minutes, but the lid started to leak after "
                "a week and support never answered."
            ),
        },
    ),
    Example(
        "es",
        {
            "text": (
                "Llegó un día antes de lo previsto y es aún más cómodo de lo que parece en las fotos. Repetiré seguro."
            ),
        },
    ),
    Example(
        "de",
        {
            "text": ("Das Zimmer war sauber, aber so hellhörig, dass wir die ganze Nacht kein Auge zugemacht haben."),
        },
    ),
    Example("fr", {"text": "Le magasin ouvre à neuf heures et ferme à dix-neuf heures, du lundi au samedi."}),
    Example(
        "ru",
        {
            "text": ("Заказывал второй раз, и снова всё на высоте: курьер вежливый, упаковка целая, кофе свежий."),
        },
    ),
    Example("ar", {"text": "التطبيق جميل وسهل الاستخدام، لكنه يتوقف عن العمل كلما حاولت رفع صورة. تجربة محبطة."}),
    Example("hi", {"text": "फ़ोन की बैटरी पूरे दो दिन चलती है और कैमरा भी उम्मीद से बेहतर निकला। पैसे वसूल!"}),
    Example(
        "ja", {"text": "スタッフの対応がとても丁寧で、料理も想像以上に美味しかったです。また家族で来たいと思います。"}
    ),
    Example("zh", {"text": "衣服的颜色和图片差太多了，洗了一次就缩水，客服还一直不理人，再也不会买了。"}),
    Example("tr", {"text": "Kitap zamanında geldi. Kapağı mavi, üç yüz sayfa."}),
    Example("pt", {"text": "O som é bom pelo preço, mas a bateria não dura nem metade do que prometem."}),
    Example("ko", {"text": "배송은 빨랐는데 상자가 찌그러져 있었어요. 다행히 제품은 멀쩡하고 잘 작동합니다."}),
)

TASK = Task(
    name="sentiment",
    shape="classify",
    title="Sentiment",
    summary="Tells whether a text is positive, neutral or negative, or gives the labels of an adapter of your own.",
    action="Analyse",
    inputs=(Field("text", "Text", placeholder="Paste a review, a post or a comment in any language"),),
    target="label",
    output="label",
    endpoint="classify",
    metric="macro_f1",
    order=20,
    also_adapters_of=("classify",),
    max_length=256,
    labels=("positive", "neutral", "negative"),
    examples=EXAMPLES,
)
