"""Personal details in texts: e-mail addresses, phone numbers, payment cards, IBANs and IP addresses.

Checked as far as they can be: cards by issuer and Luhn digit (ISO/IEC 7812-1), IBANs by country, length and remainder
(ISO 13616), IP addresses by their parts. Phone numbers have no check digit; what looks like a date, or is called an
order or an invoice, is none. Digits of all scripts count. Names of persons, which no rule finds, are in
`playground.data.names`.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

KINDS = {
    "email": "e-mail address",
    "iban": "IBAN",
    "card": "payment card",
    "ip": "IP address",
    "phone": "phone number",
}
"""What is looked for, in order: of two that overlap, the first one counts."""

_LOOKALIKES = str.maketrans("＋－‐‑–−（）＠．／：\u00a0\u202f\u2009\u3000", "+-----()@./:    ")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_MAY_HOLD = re.compile(r"@|\d[\d\W]{0,3}\d|::", re.ASCII)
_LETTER = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ"  # scripts of addresses; Chinese or Thai around an address has no blank before it
_EMAIL = re.compile(
    rf"(?<![{_LETTER}\d._%+-])[{_LETTER}\d._%+-]{{1,64}}@(?:[{_LETTER}\d-]{{1,63}}\.)+[{_LETTER}]{{2,24}}"
)
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.ASCII | re.IGNORECASE)
_CARD = re.compile(r"(?<![\w#+])(?<![\w#]-)\d(?:[ -]?\d){12,18}(?![\w])(?!-\w)", re.ASCII)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F:]{2,39}(?![\w:])", re.ASCII)
_VERSION = re.compile(r"\b(?:v|version|build|release)[\s.:]*$", re.IGNORECASE)

_PHONE = re.compile(
    r"(?<![\w#+/.,:-])(?<![\w#][ ./-]\()\(?\+?\(?\d(?:[ ./()-]{0,2}\d){5,17}(?![\w%€$£]|[.,:/-]\d)", re.ASCII
)
_DATE = re.compile(r"(?<!\d)(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2}))(?!\d)")
_INTERNATIONAL = re.compile(
    r"(?:\+|00)(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
    r"2[1-689]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[679]\d)\d{6,12}"
)  # country codes of ITU-T E.164
_MOBILE = re.compile(r"1[3-9]\d{9}|01\d{8,10}|0[5-9]\d{8,10}")
"""Mobile numbers as they are written without a blank in China, and with the leading 0 of most other countries."""
_NORTH_AMERICAN = re.compile(r"(?:1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}")
_BRAZILIAN = re.compile(r"\([1-9]\d\) ?9?\d{4}-\d{4}")
_GROUPED = re.compile(r"\(?0\d{1,5}\)?[ ./-]{1,2}\d[\d ./-]*\d")
_CALLED_PHONE = re.compile(
    r"(?:\b(?:phone|tel|mobile|cell|handy|fax|whats ?app|call|anruf|mobil|rufnummer|móvil|llam|appel|portable|celular|"
    r"cep|numaram|тел|звон|моб|sđt|simu)|phone|telefon|teléfono|هاتف|تلفون|جوال|موبايل|واتساب|رقمي|اتصل|تماس|شماره|"
    r"फ़ोन|फोन|मोबाइल|कॉल|মোবাইল|ফোন|טלפון|נייד|电话|電話|手机|手機|致电|携帯|전화|휴대폰|โทร|เบอร์|điện thoại)"
    r"[^\d\n]{0,16}$",
    re.IGNORECASE,
)
_CALLED_OTHER = re.compile(
    r"(?:\b(?:order|invoice|ticket|tracking|ref|reference|account|serial|sku|isbn|ean|item|id|bestell|rechnung|auftrag|"
    r"artikel|kunden|sendung|commande|facture|pedido|factura|fatura|ordine|fattura|заказ|сч[её]т|sipariş)|طلب|"
    r"فاتورة|ऑर्डर|订单|訂單|注文|주문)[^\d\n]{0,12}$",
    re.IGNORECASE,
)
_CUE_CHARS = 32

_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[3-6])\d{14}|(?:22[2-9]|27[0-2])\d{13}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|"
    r"(?:6011|65\d\d|64[4-9]\d|62\d\d|35[2-8]\d|220[0-4]|60\d\d|81\d\d|82\d\d|508\d)\d{12}"
)
"""Visa, Mastercard, American Express, Diners; Discover, UnionPay, JCB, Mir, RuPay."""
_IBAN_CHARS = {
    country: chars
    for chars, countries in {
        15: "NO", 16: "BE", 18: "DK FO FI GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""Length of an IBAN by country, from the SWIFT IBAN registry."""


@dataclass(frozen=True)
class Detail:
    kind: str
    """Key of `KINDS`."""
    start: int
    end: int

    @property
    def tag(self) -> str:
        """What it is replaced by."""
        return f"[{self.kind.upper()}]"


def find_details(text: str, kinds: Iterable[str] = KINDS) -> list[Detail]:
    """The personal details of these `kinds` in `text`, in their order, without overlaps."""
    folded = text if text.isascii() else _folded(text)
    if not _MAY_HOLD.search(folded):
        return []
    found: list[Detail] = []
    for kind in KINDS:
        for start, end in _FINDERS[kind](folded):
            if all(end <= one.start or start >= one.end for one in found):
                found.append(Detail(kind, start, end))
    wanted = set(kinds)
    return sorted((one for one in found if one.kind in wanted), key=lambda one: one.start)


def _folded(text: str) -> str:
    """`text` with ASCII digits and signs, as long as before."""
    return _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.decimal(match.group())), text.translate(_LOOKALIKES))


_Spans = Iterable[tuple[int, int]]


def _emails(text: str) -> _Spans:
    return (match.span() for match in _EMAIL.finditer(text)) if "@" in text else ()


def _ibans(text: str) -> _Spans:
    position = 0
    while match := _IBAN.search(text, position):
        position = match.end()
        needed = _IBAN_CHARS.get(match.group()[:2].upper(), 0)
        places = [place for place in range(*match.span()) if text[place] not in " -"][:needed]
        iban = "".join(text[place] for place in places).upper()
        if needed and len(iban) == needed and _remainder(iban) == 1:
            yield match.start(), places[-1] + 1
            position = places[-1] + 1


def _remainder(iban: str) -> int:
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def _cards(text: str) -> _Spans:
    for match in _CARD.finditer(text):
        digits, before = _digits(match.group()), text[max(0, match.start() - _CUE_CHARS) : match.start()]
        is_order = match.group() == digits and _CALLED_OTHER.search(before)
        if not is_order and _ISSUERS.fullmatch(digits) and _has_luhn_digit(digits):
            yield match.span()


def _has_luhn_digit(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def _addresses(text: str) -> _Spans:
    for match in (*_IPV4.finditer(text), *(_IPV6.finditer(text) if ":" in text else ())):
        if ":" in match.group() and len(list(filter(None, match.group().split(":")))) < 3:
            continue  # C++ and Rust write names so
        try:
            address = ip_address(match.group())
        except ValueError:
            continue
        is_nobodys = address.is_loopback or address.is_unspecified
        if not is_nobodys and not _VERSION.search(text, max(0, match.start() - _CUE_CHARS), match.start()):
            yield match.span()


def _phones(text: str) -> _Spans:
    for match in _PHONE.finditer(text):
        if _is_phone(match.group(), text[max(0, match.start() - _CUE_CHARS) : match.start()]):
            yield match.span()


def _is_phone(number: str, before: str) -> bool:
    digits = _digits(number)
    if number.startswith(("+", "(+")):
        return _INTERNATIONAL.fullmatch(f"+{digits}") is not None
    if _DATE.search(number) or len(set(digits)) < 3:
        return False
    as_phone, as_other = _CALLED_PHONE.search(before), _CALLED_OTHER.search(before)
    if as_phone and not (as_other and as_other.start() > as_phone.start()):
        return 6 <= len(digits) <= 15
    if as_other:
        return False
    if digits.startswith("00"):
        return _INTERNATIONAL.fullmatch(digits) is not None and number.startswith("00")
    if _NORTH_AMERICAN.fullmatch(number) or _BRAZILIAN.fullmatch(number):
        return True
    if number.isdigit():
        return _MOBILE.fullmatch(number) is not None
    return 9 <= len(digits) <= 12 and _GROUPED.fullmatch(number) is not None


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


_FINDERS = {"email": _emails, "iban": _ibans, "card": _cards, "ip": _addresses, "phone": _phones}
