"""``gateway secret``: the signing keys, next to a real server that shares their file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psycopg
import pytest

from commands import Command
from fake_ears import silent_ear
from gateway.storage import ringfile
from serving import COOKIE, Served


def keys_file(command: Command) -> Path:
    return Path(command.environ["GATEWAY_SERVER_DATA_DIR"], "keys.json")


def test_a_withdrawn_key_makes_warm_tokens_refused(command: Command, served: Served) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    _, key = served.key("alice")
    assert [served.check(cookie=cookie).status, served.check(key=key).status] == [200, 200]
    said = command.done("secret", "rotate", "--withdraw")
    assert [served.check(cookie=cookie).status, served.check(key=key).status] == [302, 302]
    assert "sign in again" in said.err
    fresh = command.done("session", "create", "alice").last
    assert served.check(cookie=f"{COOKIE}={fresh}").status == 200


def test_after_a_rotation_old_tokens_and_new_ones_are_good(command: Command, served: Served) -> None:
    served.user("alice")
    _, before = served.session("alice")
    command.done("secret", "rotate")
    _, after = served.session("alice")
    assert [served.check(cookie=cookie).status for cookie in (before, after)] == [200, 200]
    command.done("secret", "rotate", "--withdraw")
    assert [served.check(cookie=cookie).status for cookie in (before, after)] == [302, 302]


def test_the_new_key_is_written_down_by_its_id_alone(command: Command, psql: psycopg.Connection) -> None:
    command.done("secret", "rotate")
    old = set(ringfile.read(keys_file(command)).roots)
    said = command.done("secret", "rotate", "--withdraw")
    ring = ringfile.read(keys_file(command))
    assert f"the signing key is now {ring.current.hex()}\n" in said.err
    assert said.out == ""
    rows = psql.execute("SELECT id, withdrawn_at IS NULL FROM signing_keys").fetchall()
    assert dict(rows) == {ring.current.hex(): True} | {key.hex(): False for key in old}
    record = command.done("audit", "list", "--most", "1", "--json").json[0]
    assert record["action"] == "secret.rotate"
    assert record["subject"] == f"key:{ring.current.hex()}"
    assert record["detail"]["withdrawn"] == sorted(key.hex() for key in old)


def test_the_export_is_the_file(command: Command) -> None:
    said = command.done("secret", "export")
    assert said.out == keys_file(command).read_text() + "\n"
    assert said.err == ""
    assert command.done("audit", "list", "--json").json[0]["action"] == "secret.export"


def test_an_exported_ring_serves_another_replica(command: Command, tmp_path: Path) -> None:
    text = command.done("secret", "export").out
    copy = tmp_path / "copy.json"
    copy.write_text(text)
    copy.chmod(0o600)
    command.user("alice")
    command.environ["GATEWAY_SERVER_KEYS_FILE"] = str(copy)
    command.done("session", "create", "alice")


def test_a_copy_from_before_a_withdrawal_is_refused(command: Command, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text(command.done("secret", "export").out)
    copy.chmod(0o600)
    command.done("secret", "rotate", "--withdraw")
    command.user("alice")
    command.environ["GATEWAY_SERVER_KEYS_FILE"] = str(copy)
    assert "an old copy, with a key that was withdrawn" in command.refused(2, "session", "create", "alice")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_rotation_by_root_leaves_the_file_to_the_account_that_serves(command: Command) -> None:
    command.done("secret", "rotate")
    os.chown(keys_file(command), 4711, 4712)
    command.done("secret", "rotate")
    after = keys_file(command).stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (4711, 4712, 0o600)


def test_replicas_that_stay_silent_are_named(command: Command, database: str) -> None:
    with silent_ear(database, "deaf-replica:1"):
        assert "deaf-replica:1 did not acknowledge" in command.done("secret", "rotate", "--withdraw").err


@pytest.mark.parametrize("verb", ["rotate", "export"])
def test_keys_of_another_installation_are_refused(command: Command, verb: str) -> None:
    command.done("secret", "rotate")
    text = keys_file(command).read_text()
    keys_file(command).write_text(text.replace('"id": "', '"id": "f'))
    assert "another installation" in command.refused(2, "secret", verb)
    keys_file(command).write_text("{")
    assert "cannot read the signing keys" in command.refused(2, "secret", verb)
    keys_file(command).write_text(text)
    keys_file(command).chmod(0o644)
    assert "can be read by others: chmod 600" in command.refused(2, "secret", verb)
    keys_file(command).unlink()
    assert "are not there" in command.refused(2, "secret", verb)
