"""Downloads against a server on the loopback whose behaviour each test chooses."""

import hashlib
import http.server
import threading
import time
from types import SimpleNamespace

import pytest

from cimlnk.cohort.download import download
from cimlnk.common.errors import UserError

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(DATA).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves DATA; `behave` is a list of behaviours, one per request, the last one for all further requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.requests, self.content = ["well"], [], DATA

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/a.fcs"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server: Server = self.server
        wanted = self.headers.get("Range")
        server.requests.append(wanted)
        behaviour = server.behave.pop(0) if len(server.behave) > 1 else server.behave[0]
        if isinstance(behaviour, int):
            self.send_error(behaviour)
            return
        if behaviour == "silent":
            time.sleep(1)
            return
        data, start = server.content, 0
        if wanted and behaviour != "no ranges":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if behaviour != "no length":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        self.wfile.write(body[: len(body) // 2] if behaviour == "breaks off" else body)


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(server, target, sha256=SHA, **settings):
    settings = {"timeout": 5, "retries": 2, "pause": 0.01} | settings
    download(server.url, target, sha256, file="samples.tsv", where="row 2, column path", **settings)


def test_a_file_is_fetched_once_verified_and_left_alone_thereafter(server, tmp_path):
    target = tmp_path / "deep" / "a.fcs"
    fetch(server, target, SHA.upper())
    assert target.read_bytes() == DATA
    fetch(server, target)
    assert server.requests == [None]
    assert [p.name for p in target.parent.iterdir()] == ["a.fcs"]


def test_a_file_with_another_checksum_is_fetched_anew(server, tmp_path):
    target = tmp_path / "a.fcs"
    target.write_bytes(b"old")
    fetch(server, target)
    assert target.read_bytes() == DATA


def test_a_broken_download_goes_on_where_it_broke_off(server, tmp_path):
    server.behave = ["breaks off", "breaks off", "well"]
    fetch(server, tmp_path / "a.fcs")
    assert (tmp_path / "a.fcs").read_bytes() == DATA
    assert server.requests == [None, f"bytes={len(DATA) // 2}-", f"bytes={len(DATA) * 3 // 4}-"]


def test_the_next_run_goes_on_with_what_the_last_one_left(server, tmp_path):
    server.behave = ["breaks off"]
    with pytest.raises(UserError, match="the connection ended 524288 bytes too early .1 tries."):
        fetch(server, tmp_path / "a.fcs", retries=0)
    assert not (tmp_path / "a.fcs").exists()
    server.behave = ["well"]
    fetch(server, tmp_path / "a.fcs", retries=0)
    assert (tmp_path / "a.fcs").read_bytes() == DATA
    assert server.requests[-1] == f"bytes={len(DATA) // 2}-"


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.behave = ["breaks off", "no ranges"]
    fetch(server, tmp_path / "a.fcs")
    assert (tmp_path / "a.fcs").read_bytes() == DATA


def test_a_part_that_is_already_whole_is_verified_not_fetched(server, tmp_path):
    (tmp_path / f"a.fcs.{SHA[:8]}.part").write_bytes(DATA)
    fetch(server, tmp_path / "a.fcs")
    assert (tmp_path / "a.fcs").read_bytes() == DATA


@pytest.mark.parametrize("old", [b"x" * 1000, b"x" * (len(DATA) + 1)])
def test_a_part_of_another_file_does_not_spoil_the_download(server, tmp_path, old):
    (tmp_path / f"a.fcs.{SHA[:8]}.part").write_bytes(old)
    fetch(server, tmp_path / "a.fcs")
    assert (tmp_path / "a.fcs").read_bytes() == DATA


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.behave = [503, 429, "well"]
    fetch(server, tmp_path / "a.fcs")
    assert len(server.requests) == 3


def failure(server, tmp_path, **settings):
    with pytest.raises(UserError) as caught:
        fetch(server, tmp_path / "a.fcs", **settings)
    text = str(caught.value)
    assert text.startswith("samples.tsv: row 2, column path: found ") and "\n" not in text
    assert not (tmp_path / "a.fcs").exists()
    return text


def test_an_address_that_does_not_exist_is_told_at_once(server, tmp_path):
    server.behave = [404]
    assert f"found '{server.url}', expected an address that can be fetched, but the server says 404" in failure(
        server, tmp_path
    )
    assert len(server.requests) == 1


def test_a_silent_server_is_told_after_its_tries(server, tmp_path):
    server.behave = ["silent"]
    assert "no byte came in 0.1 s (2 tries)" in failure(server, tmp_path, timeout=0.1, retries=1)


def test_no_server_at_all(server, tmp_path):
    server.shutdown()
    server.server_close()
    assert "Connection refused (3 tries)" in failure(server, tmp_path)


def test_a_wrong_checksum_removes_the_file_so_that_the_next_run_can_succeed(server, tmp_path):
    server.content = b"another file"
    text = failure(server, tmp_path)
    found = hashlib.sha256(b"another file").hexdigest()
    assert f"found sha256 {found} (12 bytes) at {server.url}, expected sha256 {SHA}" in text
    assert list(tmp_path.iterdir()) == []
    server.content = DATA
    fetch(server, tmp_path / "a.fcs")


@pytest.mark.parametrize("behaviour", ["well", "no length"])
def test_a_file_above_the_limit_is_refused_by_its_length_or_stopped_at_the_limit(server, tmp_path, behaviour):
    server.behave = [behaviour]
    most = len(DATA) - 1
    found = f"a file of {len(DATA):,} bytes" if behaviour == "well" else "a file that does not end there"
    expected = f"expected a file of at most {most:,} bytes (cohort.download_most_gb)"
    assert f"found {found} at {server.url}, {expected}" in failure(server, tmp_path, most=most)
    assert len(server.requests) == 1 and list(tmp_path.iterdir()) == [], "asked once, nothing kept"
    fetch(server, tmp_path / "a.fcs", most=len(DATA))


def test_a_file_that_the_disk_has_no_room_for_is_not_begun(server, tmp_path, monkeypatch):
    monkeypatch.setattr("cimlnk.cohort.download.shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    text = failure(server, tmp_path)
    assert f"found {len(DATA):,} bytes to fetch" in text and "no more than the disk has room for, 1,000 bytes" in text
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_in_the_store_is_taken_by_its_checksum_and_nothing_is_fetched(server, tmp_path, monkeypatch):
    store = tmp_path / "store"
    (store / "deep").mkdir(parents=True)
    (store / "a.fcs").write_bytes(b"the same name, other bytes")
    (store / "deep/other_name.fcs").write_bytes(DATA)
    for variable in ("CIMLNK_TEST_DATA", "CIMLNK_OFFLINE"):
        monkeypatch.setenv(variable, str(store))
        target = tmp_path / variable / "x.fcs"
        fetch(server, target)
        assert target.read_bytes() == DATA and server.requests == []
        monkeypatch.delenv(variable)


def test_offline_asks_no_network_and_a_store_without_the_file_does(server, tmp_path, monkeypatch):
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("CIMLNK_TEST_DATA", str(tmp_path / "store"))
    fetch(server, tmp_path / "x.fcs")
    assert len(server.requests) == 1
    monkeypatch.setenv("CIMLNK_OFFLINE", str(tmp_path / "store"))
    with pytest.raises(UserError, match=f"a file with sha256 {SHA} below"):
        fetch(server, tmp_path / "y.fcs")
    assert len(server.requests) == 1
