"""Where nothing is sent to, however it is written."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.outward import Forbidden, check_url, host_address, read_networks, refusal

REFUSED_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "::7f00:1", "::a00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2001:10::1", "2002:7f00:1::1", "2002:808:808::1",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%1", "fec0::1", "ff02::1",
    "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1", "4000::1",
]  # fmt: skip
PUBLIC_ADDRESSES = [
    "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "::ffff:8.8.8.8",
    "64:ff9b::808:808", "2606:4700:4700::1111", "2a00:1450:4001::1",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(ip_address(address)) is not None


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_allowed(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("10.2.3.4", "10.2.0.0/16, fd00::/8"),
        ("fd00::1", "10.2.0.0/16, fd00::/8"),
        ("::ffff:10.2.3.4", "10.2.0.0/16"),
        ("64:ff9b::a02:304", "10.2.0.0/16"),
    ],
)
def test_configuration_allows_a_network(address: str, networks: str) -> None:
    assert refusal(ip_address(address), read_networks(networks)) is None


@pytest.mark.parametrize("address", ["10.3.0.1", "127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "2002:a02:304::1"])
def test_configuration_allows_no_other_network(address: str) -> None:
    assert refusal(ip_address(address), read_networks("10.2.0.0/16")) is not None


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "10.0.0.0/33", "127.0.0.1;8.8.8.8"])
def test_what_is_no_network_is_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="PROMOTION_GATEWAY_ALLOWED_NETWORKS"):
        read_networks(text)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://gateway/", "ftp://gateway", "//gateway", "gateway:8080", "http://", "http:///x",
        "http://user@gateway", "http://user:secret@gateway", "http://gateway@10.0.0.1", "http://127.1",
        "http://127.0.1", "http://0x7f000001", "http://0x7f.0.0.1", "http://2130706433", "http://017700000001",
        "http://0177.0.0.1", "http://0127.0.0.1", "http://0", "http://0x", "http://1", "http://127.0.0.1",
        "http://127.0.0.1.", "http://010.0.0.1", "http://8.8.8", "http://8.8.8.8.8", "http://256.0.0.1",
        "http://gateway.1", "http://gateway.0x1f", "http://[::1]", "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]",
        "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]", "http://[::127.0.0.1]", "http://[fe80::1%25eth0]",
        "http://[::1", "http://[v1.a]", "http://[zz]", "http://localhost", "http://LOCALHOST:8080",
        "http://a.localhost", "http://localhost.", "http://169.254.169.254/latest/meta-data",
        "http://gateway:5432", "http://gateway:9092", "http://gateway:22", "http://gateway:6379", "http://gateway:0",
        "http://gateway:65536", "http://gateway:-1", "http://gateway:x", "http://①②⑦.⓪.⓪.①", "http://gateway\u3002x",
        "http://-gateway", "http://gateway-", "http://a..b", "http://.a", "http://" + "a" * 64,
        "http://" + ".".join(["a" * 60] * 5), "http://gate way", "http://gateway\\@10.0.0.1", "http://gateway%2e",
        "http://productіon.example",
    ],
)  # fmt: skip
def test_a_gateway_is_not_registered_there(url: str) -> None:
    with pytest.raises(Forbidden):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway", "https://gateway.example:8443/api", "http://gateway_1.internal:8080", "http://8.8.8.8",
        "https://[2606:4700:4700::1111]:443", "http://xn--bcher-kva.example", "http://gateway.example.", "http://1a",
        "HTTPS://GATEWAY.EXAMPLE",
    ],
)  # fmt: skip
def test_a_gateway_may_be_there(url: str) -> None:
    check_url(url)


def test_a_gateway_may_be_where_configuration_says() -> None:
    allowed = read_networks("127.0.0.0/8")

    check_url("http://127.0.0.1:18081", allowed)
    check_url("http://localhost:18081", allowed)
    with pytest.raises(Forbidden):
        check_url("http://127.0.0.1:5432", allowed)
    with pytest.raises(Forbidden):
        check_url("http://10.0.0.1", allowed)


@given(st.integers(min_value=0, max_value=2**32 - 1), st.sampled_from(["::ffff:", "64:ff9b::"]))
def test_an_address_in_disguise_is_refused_as_the_one_within(number: int, prefix: str) -> None:
    within = ip_address(number)

    assert (refusal(ip_address(f"{prefix}{within}")) is None) is (refusal(within) is None)


@given(st.text(max_size=80))
def test_no_host_breaks_the_check(host: str) -> None:
    try:
        host_address(host)
        check_url(f"http://{host}")
    except Forbidden:
        pass
