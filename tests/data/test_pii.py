import random

import pytest

from playground.data.pii import KINDS, find_details


def found(text, kinds=KINDS):
    return [(detail.kind, text[detail.start : detail.end]) for detail in find_details(text, kinds)]


@pytest.mark.parametrize(
    ("text", "kind", "piece"),
    [
        ("mail to anna.b@example.co.uk.", "email", "anna.b@example.co.uk"),
        ("请联系zhang@example.com谢谢", "email", "zhang@example.com"),
        ("müller@müller.de", "email", "müller@müller.de"),
        ("DE89 3704 0044 0532 0130 00 is it", "iban", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432 PLEASE", "iban", "GB82WEST12345698765432"),
        ("card 4111 1111 1111 1111.", "card", "4111 1111 1111 1111"),
        ("Карта 5500-0000-0000-0004", "card", "5500-0000-0000-0004"),
        ("البطاقة ٤١١١ ١١١١ ١١١١ ١١١١", "card", "٤١١١ ١١١١ ١١١١ ١١١١"),
        ("from 192.168.10.77, today", "ip", "192.168.10.77"),
        ("at 2001:db8::8a2e:370:7334", "ip", "2001:db8::8a2e:370:7334"),
        ("call +49 171 1234567", "phone", "+49 171 1234567"),
        ("call (+44) 20 7946 0958", "phone", "(+44) 20 7946 0958"),
        ("اتصل ٠٥٠١٢٣٤٥٦٧", "phone", "٠٥٠١٢٣٤٥٦٧"),
        ("+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "phone", "+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧"),
        ("मोबाइल ९८७६५४३२१०", "phone", "९८७६५४३२१०"),
        ("030 1234567 Berlin", "phone", "030 1234567"),
        ("le 06 12 34 56 78", "phone", "06 12 34 56 78"),
        ("(555) 234-5678", "phone", "(555) 234-5678"),
        ("ou (11) 98765-4321", "phone", "(11) 98765-4321"),
        ("fixo (21)3456-7890", "phone", "(21)3456-7890"),
        ("我的电话13812345678，谢谢", "phone", "13812345678"),
        ("phone: 9876543210", "phone", "9876543210"),
        ("เบอร์ 0812345678", "phone", "0812345678"),
    ],
)
def test_a_detail_is_found_where_it_stands(text, kind, piece):
    assert found(text) == [(kind, piece)]


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111111111112",
        "Order #4111111111111111",
        "order 4111111111111111",
        "1234567890123456",
        "card 4111 1111 1111 1112",
        "on 2024-01-15 10:30 or 15.01.2024 12:30",
        "01.02.2024 12.03.2024",
        "2024/01/15 and 20240115",
        "version 1.2.3.4 and v10.0.0.1",
        "127.0.0.1 or 999.1.1.1",
        "std::vector a::b 12:30:45",
        "Bestellung 0171-1234567",
        "order no. 0123 456789",
        "order number 12345678901",
        "ISBN 978-3-16-148410-0 and 0-306-40615-2",
        "costs 1 000 000 000 dollars, or 1,234,567,890",
        "0.123 0.456 0.789 and 3.14159265358979",
        "@user at 5, user@host",
        "DE89 3704 0044 0532 0130 01",
        "from 1990-2000 to 2010-2020, 1998 2002 2006 2010",
        "550e8400-e29b-41d4-a716-446655440000",
        "",
    ],
)
def test_orders_dates_and_versions_are_none(text):
    assert found(text) == []


def test_only_the_wanted_kinds_are_found_and_what_overlaps_counts_once():
    text = "a@b.com or DE89370400440532013000 or +49 171 1234567"
    assert [kind for kind, _ in found(text)] == ["email", "iban", "phone"]
    assert found(text, ["phone"]) == [("phone", "+49 171 1234567")]


def test_one_wrong_digit_makes_an_iban_or_a_card_none():
    chance = random.Random(0)
    for number in ("DE89370400440532013000", "4111111111111111", "5500000000000004"):
        place = chance.randrange(4, len(number))
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert found(f"paid with {number} today")[0][0] in ("iban", "card")
        assert [kind for kind, _ in found(f"paid with {wrong} today") if kind in ("iban", "card")] == []
