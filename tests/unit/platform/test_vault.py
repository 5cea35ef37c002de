"""A sealed credential opens in its place, under its key, and nowhere else."""

import base64
import secrets

import pytest

from services.platform.credential_keys import read_keys
from services.platform.vault import NoKeys, NotOpened, Place, Vault

PLACE = Place("acme", "gw-1", "https://gateway.example:8443/api")


def _vault(*keys: bytes) -> Vault:
    return Vault(read_keys(",".join(base64.b64encode(key).decode() for key in keys)))


OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def test_what_is_sealed_opens_in_its_place() -> None:
    vault = _vault(OLD)

    sealed = vault.seal("s3cret", PLACE)

    assert vault.open(sealed, PLACE) == "s3cret"
    assert "s3cret" not in sealed
    assert "s3cret" not in base64.urlsafe_b64decode(sealed.split(".")[2]).decode("latin-1")


def test_the_same_credential_is_never_sealed_alike() -> None:
    vault = _vault(OLD)

    assert len({vault.seal("s3cret", PLACE) for _ in range(100)}) == 100


def test_another_path_is_the_same_place() -> None:
    vault = _vault(OLD)

    sealed = vault.seal("s3cret", PLACE)

    assert vault.open(sealed, Place("acme", "gw-1", "HTTPS://Gateway.example.:8443")) == "s3cret"


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("globex", "gw-1", PLACE.url),
        Place("acme", "gw-2", PLACE.url),
        Place("acme", "gw-1", "https://evil.example:8443/api"),
        Place("acme", "gw-1", "http://gateway.example:8443/api"),
        Place("acme", "gw-1", "https://gateway.example/api"),
        Place("acme\ngw-1", "", PLACE.url),
    ],
)
def test_it_does_not_open_elsewhere(elsewhere: Place) -> None:
    sealed = _vault(OLD).seal("s3cret", PLACE)

    with pytest.raises(NotOpened):
        _vault(OLD).open(sealed, elsewhere)


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    sealed_before = _vault(OLD).seal("s3cret", PLACE)
    rotated = _vault(NEW, OLD)

    sealed_after = rotated.seal("s3cret", PLACE)

    assert rotated.open(sealed_before, PLACE) == "s3cret"
    assert _vault(NEW).open(sealed_after, PLACE) == "s3cret"
    with pytest.raises(NotOpened):
        _vault(NEW).open(sealed_before, PLACE)


@pytest.mark.parametrize("stored", ["", "s3cret", "v1", "v1.x", "v1.00000000.AAAA", "v2.x.y", "v1..", "é"])
def test_what_is_not_sealed_does_not_open(stored: str) -> None:
    with pytest.raises(NotOpened):
        _vault(OLD).open(stored, PLACE)


def test_a_changed_byte_does_not_open() -> None:
    vault = _vault(OLD)
    version, name, encoded = vault.seal("s3cret", PLACE).split(".")
    sealed = bytearray(base64.urlsafe_b64decode(encoded))

    for place in range(len(sealed)):
        changed = bytes(byte ^ (index == place) for index, byte in enumerate(sealed))
        with pytest.raises(NotOpened):
            vault.open(f"{version}.{name}.{base64.urlsafe_b64encode(changed).decode()}", PLACE)


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(NoKeys, match="PROMOTION_CREDENTIAL_KEYS"):
        Vault().seal("s3cret", PLACE)


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"k" * 31).decode(), "ü" * 43, "a" * 43 + ","])
def test_a_wrong_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        read_keys(text)

    assert not text or text not in str(caught.value)


def test_keys_are_not_shown() -> None:
    assert OLD.hex() not in repr(_vault(OLD))
    assert repr(OLD) not in repr(_vault(OLD))
