"""App settings are read once, and a wrong one is named with what it takes."""

from datetime import timedelta

import pytest

from ticket_engine.settings import SettingError, Settings

GOOD = {
    "STORAGE_TABLES_URL": "https://tables.example/",
    "STORAGE_BLOBS_URL": "https://blobs.example",
    "KEY_VAULT_URL": "https://vault.example",
}


def test_defaults_are_sane() -> None:
    settings = Settings.from_environment(GOOD)
    assert settings.tables_url == "https://tables.example"
    assert settings.mail_poll_schedule == "0 */10 * * * *"
    assert settings.token_rotate_after == timedelta(days=1)
    assert settings.max_message_bytes == 50 * 1024 * 1024
    assert settings.authority_host == "https://login.microsoftonline.com"


def test_every_missing_setting_is_named() -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environment({})
    assert all(name in str(caught.value) for name in GOOD)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KEY_VAULT_URL", "http://vault.example", "https://"),
        ("TOKEN_ROTATE_AFTER", "soon", "24h"),
        ("MAX_MESSAGE_BYTES", "big", "bytes"),
        ("MAIL_POLL_SCHEDULE", "*/10 * * * *", "six fields"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environment({**GOOD, name: value})
    assert name in str(caught.value)
    assert says in str(caught.value)


def test_durations_and_sizes_have_units() -> None:
    settings = Settings.from_environment({**GOOD, "TOKEN_ROTATE_AFTER": "12h", "MAX_MESSAGE_BYTES": "25 MB"})
    assert settings.token_rotate_after == timedelta(hours=12)
    assert settings.max_message_bytes == 25 * 1024 * 1024
