"""Charsets of texts: by name, by the names that mailers give them, by detection, declared wrongly or not at all."""

from tests.corpus.case import Case, b64, plain, qp

_GERMAN = "Grüße aus München: der Drucker kostet 5 € und schläft für immer."
_WESTERN = "Grüße aus München: der Drucker schläft für immer, naïve façade."
_RUSSIAN = "Здравствуйте, принтер на третьем этаже сломан, помогите пожалуйста."
_JAPANESE = "お世話になっております。三階のプリンターが動きません。よろしくお願いいたします。"
_CHINESE = "您好，三楼的打印机坏了，请尽快派人来修理，谢谢。"
_TAIWANESE = "您好，三樓的印表機壞了，請盡快派人來修理，謝謝。"
_KOREAN = "안녕하세요, 삼층 프린터가 고장났습니다. 확인 부탁드립니다."
_GREEK = "Καλημέρα, ο εκτυπωτής στον τρίτο όροφο δεν λειτουργεί."
_POLISH = "Dzień dobry, drukarka na trzecim piętrze źle działa, proszę o pomoc."
_TURKISH = "Günaydın, üçüncü kattaki yazıcı çalışmıyor, yardım eder misiniz?"
_HEBREW = "שלום, המדפסת בקומה השלישית לא עובדת, אנא עזרו לנו."
_ARABIC = "مرحبا، الطابعة في الطابق الثالث لا تعمل، الرجاء المساعدة."
_THAI = "สวัสดีครับ เครื่องพิมพ์ชั้นสามเสีย กรุณาช่วยด้วย"


def _named(label: str, codec: str, text: str, *, encoding: str = "base64") -> Case:
    """A text part whose charset is called by this label."""
    data = text.encode(codec)
    body = {"base64": b64, "quoted-printable": qp, "8bit": bytes}[encoding](data)
    raw = plain(f"Content-Type: text/plain; charset={label}", f"Content-Transfer-Encoding: {encoding}", body=body)
    name = "".join(char if char.isalnum() else "-" for char in label).strip("-").lower()
    return Case(f"charset-{name}-{encoding[0]}", raw, {"kind": "parsed", "text": text})


def _unnamed(name: str, codec: str, text: str, *lines: str) -> Case:
    """A text part that doesn't say its charset, or says a wrong one."""
    raw = plain(*lines, "Content-Transfer-Encoding: 8bit", body=text.encode(codec))
    return Case(f"charset-unnamed-{name}", raw, {"kind": "parsed", "text": text})


CASES = [
    _named("utf-8", "utf-8", _GERMAN, encoding="quoted-printable"),
    _named('"UTF8"', "utf-8", _GERMAN),
    _named("utf8mb4", "utf-8", _GERMAN),
    _named("iso-8859-1", "latin-1", _WESTERN, encoding="quoted-printable"),
    _named("ISO_8859-1", "latin-1", _WESTERN, encoding="8bit"),
    _named("latin1", "cp1252", _GERMAN),
    _named("us-ascii", "utf-8", _GERMAN, encoding="8bit"),
    _named("iso-8859-2", "iso8859-2", _POLISH),
    _named("windows-1250", "cp1250", _POLISH, encoding="8bit"),
    _named("iso-8859-15", "iso8859-15", _GERMAN),
    _named("windows-1252", "cp1252", _GERMAN, encoding="8bit"),
    _named("cp-1252", "cp1252", _GERMAN),
    _named("x-cp1252", "cp1252", _GERMAN),
    _named("macintosh", "mac_roman", _GERMAN),
    _named("ibm850", "cp850", _WESTERN),
    _named("koi8-r", "koi8-r", _RUSSIAN, encoding="8bit"),
    _named("windows-1251", "cp1251", _RUSSIAN, encoding="quoted-printable"),
    _named("iso-8859-5", "iso8859-5", _RUSSIAN),
    _named("x-mac-cyrillic", "mac_cyrillic", _RUSSIAN),
    _named("iso-2022-jp", "iso2022_jp", _JAPANESE, encoding="8bit"),
    _named("Shift_JIS", "cp932", _JAPANESE),
    _named("x-sjis", "cp932", "①②③株式会社"),
    _named("euc-jp", "euc_jp", _JAPANESE, encoding="8bit"),
    _named("gb2312", "gb18030", _CHINESE, encoding="8bit"),
    _named("gbk", "gbk", _CHINESE),
    _named("x-gbk", "gbk", _CHINESE),
    _named("gb18030", "gb18030", "打印机坏了 🖨"),
    _named("big5", "big5", _TAIWANESE),
    _named("euc-kr", "euc_kr", _KOREAN),
    _named("ks_c_5601-1987", "cp949", _KOREAN),
    _named("iso-8859-7", "iso8859-7", _GREEK),
    _named("windows-1253", "cp1253", _GREEK),
    _named("iso-8859-9", "iso8859-9", _TURKISH),
    _named("windows-1255", "cp1255", _HEBREW),
    _named("iso-8859-8-i", "iso8859-8", _HEBREW),
    _named("windows-1256", "cp1256", _ARABIC),
    _named("tis-620", "cp874", _THAI),
    _named("utf-16", "utf-16", _GERMAN),
    _named("utf-16le", "utf-16-le", _GERMAN),
    _named("utf-7", "utf-7", _WESTERN, encoding="8bit"),
    _named("unicode-1-1-utf-7", "utf-7", _WESTERN, encoding="8bit"),
    _named("utf-8*en", "utf-8", _GERMAN),
    _named("x-unknown", "utf-8", _GERMAN),
    _named("punycode", "utf-8", _GERMAN),
    _named("unicode_escape", "utf-8", "C:\\new\\table – ü"),
    _named("rot13", "utf-8", _GERMAN),
    _unnamed("utf-8", "utf-8", _GERMAN),
    _unnamed("windows-1252", "cp1252", _GERMAN),
    _unnamed("koi8-r", "koi8-r", _RUSSIAN),
    _unnamed("windows-1251", "cp1251", _RUSSIAN),
    _unnamed("shift-jis", "cp932", _JAPANESE),
    _unnamed("euc-kr", "euc_kr", _KOREAN),
    _unnamed("gb18030", "gb18030", _CHINESE),
    _unnamed("declared-utf-8-is-latin-1", "latin-1", _WESTERN, "Content-Type: text/plain; charset=utf-8"),
    _unnamed("declared-utf-16-is-ascii", "ascii", "The printer is broken.", "Content-Type: text/plain; charset=utf-16"),
    Case(
        "charset-utf-8-cut-within-a-character",
        plain("Content-Type: text/plain; charset=utf-8", body=(_RUSSIAN * 3).encode()[:-2]),
        {"kind": "parsed", "text": _RUSSIAN * 2 + _RUSSIAN[:-2] + "�"},
    ),
]
