"""Good conversations, spoilt: whatever becomes of them, a result comes out, and nothing else."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.probes.net.tls import TlsContexts
from tests.probes.mutations import FUZZ_FACTOR, MUTATIONS
from tests.probes.recordings import RECORDINGS, Recording
from tests.probes.replay_server import ReplayFiles, assert_valid_result, replay

if TYPE_CHECKING:
    from tests.probes.mutations import Mutation

OVER_TLS = [name for name, each in RECORDINGS.items() if "TLS" in str(each.steps)]


def authority(folder: pytest.TempPathFactory, highest: ssl.TLSVersion) -> ReplayFiles:
    place = folder.mktemp("files")
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = highest
    ca.cert_pem.write_to_path(place / "ca.pem")
    ca.issue_cert("127.0.0.1").configure_cert(context)
    (place / "password").write_text("gizli")
    return ReplayFiles(context, place / "ca.pem", place / "password", TlsContexts())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ReplayFiles:
    return authority(tmp_path_factory, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> ReplayFiles:
    """The same with a server whose certificate travels in clear."""
    return authority(tmp_path_factory, ssl.TLSVersion.TLSv1_2)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_of_a_good_server(files: ReplayFiles, name: str) -> None:
    seen = replay(RECORDINGS[name], files)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps


def test_names_and_versions_of_a_server_move_no_cursor(files: ReplayFiles) -> None:
    greeting, *rest = RECORDINGS["mysql"].steps
    said = (greeting.replace(b"8.0.36", b"\x1b[2J\r\7"), *rest)
    seen = replay(Recording("mysql", said), files)
    assert seen.outcome is Outcome.OK
    assert "version \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in "".join(
        step.text for step in seen.steps
    )


@pytest.mark.parametrize("name", [name for name in RECORDINGS if not name.startswith("tls")])
@settings(max_examples=15 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(spoils=MUTATIONS)
def test_a_conversation_that_is_spoilt_ends_in_a_result(files: ReplayFiles, name: str, spoils: list[Mutation]) -> None:
    assert_valid_result(replay(RECORDINGS[name], files, spoils))


@pytest.mark.parametrize("name", OVER_TLS)
@settings(max_examples=6 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(spoils=MUTATIONS, data=st.data())
def test_tls_that_is_spoilt_on_its_way_ends_in_a_result(
    files: ReplayFiles, older: ReplayFiles, name: str, spoils: list[Mutation], data: st.DataObject
) -> None:
    assert_valid_result(replay(RECORDINGS[name], data.draw(st.sampled_from([files, older])), spoils, below_tls=True))
