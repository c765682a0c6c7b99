"""The new text of an answer apart from what it quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Nobody writes an attribution ("On …, … wrote:") over more lines than this.
_ATTRIBUTION_LINES = 4
_ATTRIBUTION_LENGTH = 300
_MAX_LINES = 5_000
# "wrote" in the languages of the common mailers, some of which put the writer behind it.
_WROTE = re.compile(
    r"(?:\b(?:wrote|schrieb|geschrieben|a écrit|escribi[óo]|ha scritto|escreveu|schreef|skrev|napisał(?:\(a\))?"
    r"|kirjoitti|написал(?:а|\(а\))?|пишет|yazdı)|写道|のメール|さんは書きました)(\s*[:：])?",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op|Den|På|W dniu|Dnia)\b|\d{1,4}[./年-]|.{0,80}<[^<>\s]{3,100}@",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"\s*(?:-{2,}|_{2,})\s*(?:Original Message|Original Appointment|Ursprüngliche Nachricht|Originalnachricht"
    r"|Message d'origine|Message original|Mensaje original|Messaggio originale|Mensagem original"
    r"|Oorspronkelijk bericht|Ursprungligt meddelande|Oryginalna wiadomość|Исходное сообщение|原始邮件|元のメッセージ)"
    r"\s*(?:-{2,}|_{2,})\s*\Z",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\s*(?:-{2,}\s*(?:Forwarded message|Weitergeleitete Nachricht|Message transféré|Mensaje reenviado"
    r"|Messaggio inoltrato|Mensagem encaminhada|Doorgestuurd bericht|Forwarded by .{1,100})\s*-{2,}"
    r"|Begin forwarded message:|Anfang der weitergeleiteten Nachricht:|Début du message réexpédié :)\s*\Z",
    re.IGNORECASE,
)
# Outlook quotes behind a block of the mail's own header.
_FIELD = re.compile(
    r"\s*\*?(From|Von|De|Da|Van|Från|Fra|Od|Lähettäjä|Kimden|От|发件人|差出人"
    r"|Sent|Gesendet|Envoyé|Enviado(?: el)?|Inviato|Verzonden|Skickat|Sendt|Wysłano|Отправлено"
    r"|发送时间|送信日時|Date|Datum|Data|Fecha"
    r"|To|An|À|Para|A|Aan|Till|Til|Do|Кому|收件人|宛先|Cc|Kopie"
    r"|Subject|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp|Ämne|Emne|Temat|Тема|主题|件名)\s?\*?\s*[:：]",
    re.IGNORECASE,
)
_SENDER = re.compile(
    r"\s*\*?(?:From|Von|De|Da|Van|Från|Fra|Od|Lähettäjä|Kimden|От|发件人|差出人)\s?\*?\s*[:：]", re.IGNORECASE
)
_RULE = re.compile(r"\s*(?:_{10,}|-{4,}|\*{10,})\s*\Z")
_FIELDS_OF_A_BLOCK = 3
# Where an attribution ends.
_ENDS_IN_COLON = re.compile(r"[:：]\s*(?:\n|\Z)")


@dataclass(frozen=True)
class Answer:
    """``new`` is what its writer wrote, ``quoted`` what stands in it of earlier mails."""

    new: str
    quoted: str


def split_quoted(text: str) -> Answer:
    """Part a mail's text into what is new and what it quotes.

    The quotation begins at a separator ("-----Original Message-----"), at an Outlook header block, or at an
    attribution ("On …, … wrote:") that quoted lines or nothing but the end follow. Without any of these, quoted lines
    at the end are the quotation. Answers between quoted lines are new text: those lines stay where they are, so that
    the answers can be understood. What is forwarded is new, and so is everything where nothing else would be.
    """
    if not _may_quote(text):
        return Answer(text.strip() or text, "")
    lines = text.split("\n")
    head = lines[:_MAX_LINES]
    foreign = _written_amid_quotes(head)
    for number in range(len(head)):
        if _FORWARDED.match(head[number]):
            break
        at = _quotation_at(head, number, foreign)
        if at is not None:
            return _parted(lines, at, text)
    return _parted(lines, _trailing_quotes(lines), text)


def _may_quote(text: str) -> bool:
    """Whether anything that a quotation begins with could be there; most mails have none, and this is quick."""
    if ">" in text or "--" in text or "__" in text or _ENDS_IN_COLON.search(text):
        return True
    return any(_SENDER.match(line) for line in text.split("\n") if ":" in line or "：" in line)


def _parted(lines: list[str], at: int, text: str) -> Answer:
    new = "\n".join(lines[:at]).strip()
    if not new:
        return Answer(text, "")
    return Answer(new, "\n".join(lines[at:]).strip())


def _quotation_at(lines: list[str], number: int, foreign: list[bool]) -> int | None:
    line = lines[number]
    if _SEPARATOR.match(line):
        return number
    if _SENDER.match(line) and _is_block(lines, number):
        return number - 1 if number and _RULE.match(lines[number - 1]) else number
    if _is_attribution(lines, number, foreign):
        return number
    return None


def _is_block(lines: list[str], number: int) -> bool:
    fields = 0
    for line in lines[number : number + 8]:
        if _FIELD.match(line):
            fields += 1
        elif not line.strip():
            # Text made of HTML may have blank lines between the fields.
            continue
        elif not fields:
            return False
    return fields >= _FIELDS_OF_A_BLOCK


def _is_attribution(lines: list[str], number: int, foreign: list[bool]) -> bool:
    """Whether an attribution begins here that no answers between quoted lines follow."""
    first = lines[number].strip()
    if not first or first.startswith(">") or not _BEGINS.match(first):
        return False
    joined = ""
    for end in range(number, min(number + _ATTRIBUTION_LINES, len(lines))):
        piece = lines[end].strip()
        if not piece:
            return False
        joined = f"{joined} {piece}"
        if len(joined) > _ATTRIBUTION_LENGTH:
            return False
        if _ends_attribution(joined):
            return not foreign[end + 1]
    return False


def _ends_attribution(text: str) -> bool:
    wrote = _WROTE.search(text)
    # Where the writer comes behind the verb, the date is there to tell an attribution from a sentence.
    return (
        wrote is not None
        and text.endswith((":", "："))
        and (wrote[1] is not None or re.search(r"\d", text) is not None)
    )


def _written_amid_quotes(lines: list[str]) -> list[bool]:
    """For each line, and for the end, whether from there on quoted lines and written ones are mixed.

    Mailers that quote by indenting, or not at all, have no quoted line; an answer in between has both kinds.
    """
    mixed = [False]
    quoted = written = False
    for line in reversed(lines):
        text = line.lstrip()
        quoted = quoted or text.startswith(">")
        written = written or (bool(text) and not text.startswith(">"))
        mixed.append(quoted and written)
    return mixed[::-1]


def _trailing_quotes(lines: list[str]) -> int:
    at = len(lines)
    while at and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith(">")):
        at -= 1
    return at
