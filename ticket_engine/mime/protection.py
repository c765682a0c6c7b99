"""S/MIME and PGP: whether a mail is signed or encrypted; the parts themselves are kept as what they are."""

from __future__ import annotations

from ticket_engine.mime.structure import Part

_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}


def protection_of(root: Part, text: str) -> str:
    """``S/MIME signed``, ``S/MIME encrypted``, ``PGP signed``, ``PGP encrypted``, or the empty text.

    Nothing is decrypted and no signature is checked. A signed mail whose content is inside of the signature
    (``smime-type=signed-data``) can only be read after it is saved and opened.
    """
    for part in root.walk():
        protocol = part.parameters.get("protocol", "").lower()
        if part.type == "multipart/encrypted":
            return "PGP encrypted" if "pgp" in protocol else "S/MIME encrypted"
        if part.type == "multipart/signed":
            return "PGP signed" if "pgp" in protocol else "S/MIME signed"
        if part.type in _SMIME:
            signed = part.parameters.get("smime-type", "").lower() == "signed-data"
            return "S/MIME signed" if signed else "S/MIME encrypted"
    if text.startswith("-----BEGIN PGP MESSAGE-----"):
        return "PGP encrypted"
    return "PGP signed" if text.startswith("-----BEGIN PGP SIGNED MESSAGE-----") else ""
