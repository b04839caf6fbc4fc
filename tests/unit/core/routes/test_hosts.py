from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.ids import encode
from spunto.core.routes.hosts import Addresses, HostTarget, base_domain_problem, slug_of, target_of

SUBJECT = "01j0000000000000000000000z"
SLUG = f"worker-3-{SUBJECT}"
BASE = "w.localhost"


def test_a_port_of_a_worker() -> None:
    assert target_of(f"{SLUG}-3000.{BASE}", base_domain=BASE) == HostTarget(
        subject=SUBJECT, index=3, port=3000, label=SLUG
    )


def test_the_editor_has_a_name_of_its_own() -> None:
    assert target_of(f"{SLUG}-code.{BASE}", base_domain=BASE) == HostTarget(
        subject=SUBJECT, index=3, port=8080, label=SLUG, is_code=True
    )


@pytest.mark.parametrize("port", [1, 80, 65_535])
def test_every_port_has_a_host(port: int) -> None:
    target = target_of(f"{SLUG}-{port}.{BASE}", base_domain=BASE)

    assert target is not None
    assert target.port == port


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        BASE,
        f".{BASE}",
        f"{SLUG}-3000",
        f"{SLUG}-3000.",
        f"{SLUG}.{BASE}",
        f"{SLUG}-.{BASE}",
        # Ports that are none, and digits that are no ASCII.
        f"{SLUG}-0.{BASE}",
        f"{SLUG}-65536.{BASE}",
        f"{SLUG}-99999.{BASE}",
        f"{SLUG}-100000.{BASE}",
        f"{SLUG}-03000.{BASE}",
        f"{SLUG}-+80.{BASE}",
        f"{SLUG}--80.{BASE}",
        f"{SLUG}-8_0.{BASE}",
        f"{SLUG}-80 .{BASE}",
        f"{SLUG}-٨٠.{BASE}",
        f"{SLUG}-8٠.{BASE}",
        f"{SLUG}-８０.{BASE}",
        f"{SLUG}-Code.{BASE}",
        f"{SLUG}-code-80.{BASE}",
        f"{SLUG}-80-code.{BASE}",
        # Subjects and indexes that are none.
        f"worker-03-{SUBJECT}-80.{BASE}",
        f"worker-٣-{SUBJECT}-80.{BASE}",
        f"worker-3٣-{SUBJECT}-80.{BASE}",
        f"worker--{SUBJECT}-80.{BASE}",
        f"worker-1234567890-{SUBJECT}-80.{BASE}",
        f"worker-3-{SUBJECT.upper()}-80.{BASE}",
        f"worker-3-{SUBJECT[:-1]}-80.{BASE}",
        f"worker-3-{SUBJECT}0-80.{BASE}",
        f"worker-3-8{SUBJECT[1:]}-80.{BASE}",
        f"worker-3-{SUBJECT[:-1]}i-80.{BASE}",
        f"worker-3-{SUBJECT[:-1]}_-80.{BASE}",
        f"wkr-3-{SUBJECT}-80.{BASE}",
        f"xworker-3-{SUBJECT}-80.{BASE}",
        f"WORKER-3-{SUBJECT}-80.{BASE}",
        # Domains that are not ours, or ours with something around it.
        f"{SLUG}-80.{BASE}.",
        f"{SLUG}-80.{BASE}:8000",
        f"{SLUG}-80.{BASE}\n",
        f"{SLUG}-80\n.{BASE}",
        f"{SLUG}-80.W.localhost",
        f"{SLUG}-80.localhost",
        f"{SLUG}-80.x.{BASE}",
        f"x.{SLUG}-80.{BASE}",
        f"{SLUG}-80..{BASE}",
        f"{SLUG}-80.x{BASE}",
        f"{SLUG}-80.{BASE}.evil.example",
        f"{SLUG}-80.evil.example",
        f"{SLUG}-80.evil.example/.{BASE}",
        f"evil.example/{SLUG}-80.{BASE}",
        f"user@{SLUG}-80.{BASE}",
        f"{'a' * 64}.{BASE}",
        "127.0.0.1",
        "[::1]",
    ],
)
def test_everything_else_leads_nowhere(host: str) -> None:
    assert target_of(host, base_domain=BASE) is None


INDEXES = st.integers(0, 999_999_999)
IDS = st.integers(0, 2**128 - 1).map(lambda value: f"wkr_{encode(value)}")
PORTS: st.SearchStrategy[int | Literal["code"]] = st.integers(1, 65_535) | st.just("code")


@given(index=INDEXES, worker_id=IDS, port=PORTS)
def test_what_is_written_is_read(index: int, worker_id: str, port: int | Literal["code"]) -> None:
    host = Addresses(scheme="https", base_domain="example.dev").host_of(index, worker_id, port)

    target = target_of(host, base_domain="example.dev")

    assert len(host.partition(".")[0]) <= 63
    assert target == HostTarget(
        subject=worker_id[4:],
        index=index,
        port=8080 if port == "code" else port,
        label=slug_of(index, worker_id),
        is_code=port == "code",
    )


@given(index=INDEXES, worker_id=IDS, port=PORTS, at=st.integers(0, 80), put=st.text(max_size=2))
def test_each_host_has_one_spelling(index: int, worker_id: str, port: int | Literal["code"], at: int, put: str) -> None:
    addresses = Addresses(scheme="https", base_domain="example.dev")
    host = addresses.host_of(index, worker_id, port)

    target = target_of(host[:at] + put + host[at:], base_domain="example.dev")

    if target is not None:
        read: int | Literal["code"] = "code" if target.is_code else target.port
        assert addresses.host_of(target.index, f"wkr_{target.subject}", read) == host[:at] + put + host[at:]


@pytest.mark.parametrize(
    ("addresses", "url"),
    [
        (Addresses(scheme="http", base_domain=BASE, port=8000), f"http://{SLUG}-3000.{BASE}:8000"),
        (Addresses(scheme="http", base_domain=BASE, port=80), f"http://{SLUG}-3000.{BASE}"),
        (Addresses(scheme="http", base_domain=BASE), f"http://{SLUG}-3000.{BASE}"),
        (Addresses(scheme="https", base_domain=BASE, port=443), f"https://{SLUG}-3000.{BASE}"),
        (Addresses(scheme="https", base_domain=BASE, port=80), f"https://{SLUG}-3000.{BASE}:80"),
    ],
)
def test_a_url_has_the_port_that_its_scheme_does_not_imply(addresses: Addresses, url: str) -> None:
    assert addresses.url_of(3, f"wkr_{SUBJECT}", 3000) == url


@pytest.mark.parametrize("domain", ["w.localhost", "localhost", "example.dev", "a-b.example.dev", "x" * 63])
def test_good_base_domains(domain: str) -> None:
    assert base_domain_problem(domain) is None


@pytest.mark.parametrize(
    "domain",
    [
        "",
        ".",
        "W.localhost",
        "w.localhost.",
        ".w.localhost",
        "w.localhost:80",
        "w..localhost",
        "-w.localhost",
        "w-.x",
        "127.0.0.1",
        "[::1]",
        "w_x.dev",
        "bücher.dev",
        "x" * 64,
        ".".join(["x" * 60] * 4),
        "w.localhost\n",
        "https://x.dev",
    ],
)
def test_bad_base_domains(domain: str) -> None:
    assert base_domain_problem(domain) is not None
