"""Private servers: their data survive a crash, their ports stay, and nothing of them stays behind."""

import os
import pwd
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest

from common.testing import docker_servers, servers
from common.testing.keeper import is_free, temporary_folder
from common.testing.postgres_server import PostgresFailed, PrivatePostgres, account, reachable_folder
from common.testing.rabbitmq_server import PrivateRabbitmq, RabbitmqFailed
from common.testing.servers import Given, NotOurs, ServersMissing, postgres, rabbitmq, run_sql

TESTING = Path(servers.__file__).parent


@pytest.fixture(scope="module")
def database():
    with temporary_folder() as folder:
        server = PrivatePostgres(folder / "postgres")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def broker():
    with temporary_folder() as folder:
        server = PrivateRabbitmq(folder / "rabbitmq")
        server.start()
        yield server
        server.stop()
        assert all(is_free(port) for port in server._ports)


def one(server, statement):
    return run_sql(server.url, statement)[0][0][0]


def test_postgres_keeps_what_it_confirmed_over_a_kill_on_the_same_port(database):
    run_sql(database.url, "create table kept (n int)", "insert into kept values (1)")
    url = database.url
    database.kill()
    assert is_free(database.port)
    database.restart()
    assert database.url == url
    assert one(database, "select n from kept") == 1
    assert one(database, "show fsync") == "on"


def test_postgres_starts_beside_a_pid_file_that_names_another_process(database):
    database.kill()
    pid_file = database._data / "postmaster.pid"
    lines = pid_file.read_text().splitlines() if pid_file.exists() else ["", "", "", "", "", "", "", ""]
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    database.restart()
    assert one(database, "select 1") == 1


def test_a_server_that_outlived_its_runner_is_ended_and_its_data_are_kept(database):
    run_sql(database.url, "create table if not exists outlived (n int)", "insert into outlived values (7)")
    second = PrivatePostgres(database.folder)
    second.start()
    try:
        assert not database.is_running
        assert one(second, "select n from outlived") == 7
    finally:
        second.stop()
    database.restart()


def test_postgres_has_our_extensions_letters_of_every_script_and_few_resources(database):
    run_sql(database.url, *(f"create extension if not exists {name}" for name in servers.EXTENSIONS))
    assert one(database, "select show_trgm('ёж')::text") != "{}"
    assert one(database, "show shared_buffers") == "64MB"
    assert one(database, "show max_connections") == "200"
    assert one(database, "show listen_addresses") == "127.0.0.1"
    with pytest.raises(asyncpg.InvalidPasswordError):
        run_sql(database.url.replace("@", "x@"), "select 1")


def test_data_of_another_version_are_refused_in_words():
    with temporary_folder() as folder:
        (folder / "data").mkdir()
        (folder / "data/PG_VERSION").write_text("9\n")
        with pytest.raises(PostgresFailed, match=r"belong to PostgreSQL 9; installed here: .*make reset"):
            PrivatePostgres(folder)


def test_data_stand_where_their_user_may_walk(tmp_path):
    """As root the server runs as another user, who may not enter a checkout below /root, say."""
    tmp_path.chmod(0o700)
    where = reachable_folder(tmp_path / "postgres", account())
    if os.geteuid() == 0:
        assert where.is_relative_to("/var/lib/lectern")
        tmp_path.chmod(0o711)
        for folder in list(tmp_path.parents)[:-2]:
            folder.chmod(folder.stat().st_mode | 0o011)
    assert reachable_folder(tmp_path / "postgres", account()) == tmp_path / "postgres"


def test_rabbitmq_keeps_its_data_ports_and_users_over_a_kill(broker):
    url = broker.add_vhost("a/b")
    assert url.endswith("/a%2Fb")
    assert broker.add_user("registrar", "s/cret").startswith("amqp://registrar:s%2Fcret@127.0.0.1:")
    before = broker.url
    broker.kill()
    assert not broker.is_running
    assert is_free(broker.port)
    broker.restart()
    assert broker.url == before
    assert {"a/b", "lectern"} <= set(broker.ctl("list_vhosts").split())
    assert "registrar" in broker.ctl("list_users")
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    ours = [line for line in listening.splitlines() if f"pid={broker._node.pid}," in line]
    assert ours
    assert all(line.split()[3].startswith("127.0.0.1:") for line in ours)


def test_a_node_that_outlived_its_runner_is_ended(broker):
    """Before the next one starts on its data."""
    if not broker.is_running:
        broker.restart()
    PrivateRabbitmq(broker.folder)._end_leftovers()
    assert not broker.is_running
    assert broker._epmd.wait(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_an_ordinary_user_has_private_servers_too(processes_of):
    """With the machine's own Python: what starts servers needs nothing but the standard library."""
    user = pwd.getpwnam("nobody")
    script = """
    from pathlib import Path
    from common.testing.postgres_server import PrivatePostgres
    from common.testing.rabbitmq_server import PrivateRabbitmq
    import sys
    here = Path(sys.argv[1])
    broker, database = PrivateRabbitmq(here / "rabbitmq"), PrivatePostgres(here / "postgres")
    broker.begin()
    database.start()
    database.kill()
    database.restart()
    broker.wait_ready()
    print(database.how, broker.how, sep="\\n", flush=True)
    if sys.argv[2] == "stop":
        database.stop()
        broker.stop()
    """
    python = next(path for path in ("/usr/bin/python3", sys.executable) if Path(path).exists())
    with temporary_folder() as folder:
        package = folder / "common/testing"
        package.mkdir(parents=True)
        for name in ("keeper.py", "postgres_server.py", "rabbitmq_server.py"):
            shutil.copy(TESTING / name, package)
        home = folder / "home"
        home.mkdir()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        done = subprocess.run(
            [python, "-c", textwrap.dedent(script), str(home), "leave"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "as user" not in done.stdout
        # it never stopped them: the watchdog did, when it left
        assert processes_of(home) == []


def test_urls_in_the_environment_come_first_and_are_not_ours_to_kill(monkeypatch, tmp_path, database):
    monkeypatch.setenv("LECTERN_POSTGRES_URL", database.url)
    monkeypatch.setenv("LECTERN_AMQP_URL", "amqp://somebody:secret@broker.example/vhost")
    with postgres(tmp_path) as given, rabbitmq(tmp_path) as bus:
        assert (given.url, bus.url) == (database.url, "amqp://somebody:secret@broker.example/vhost")
        assert "secret" not in bus.how
        assert list(tmp_path.iterdir()) == []
        for refused in (given.kill, given.restart, bus.kill, bus.restart, lambda: bus.ctl("stop_app")):
            with pytest.raises(NotOurs):
                refused()


def test_a_postgres_without_contrib_is_refused_in_words(database, monkeypatch):
    monkeypatch.setattr(servers, "EXTENSIONS", ("pg_trgm", "no_such_extension"))
    with pytest.raises(
        servers.ExtensionsMissing, match=r"lacks the extensions no_such_extension: .*postgresql-contrib"
    ):
        servers.check_extensions(Given(database.url, "LECTERN_POSTGRES_URL"))


def test_where_nothing_can_be_had_one_message_names_the_four_ways(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    servers.postgres_server.binaries.cache_clear()
    try:
        with pytest.raises(ServersMissing) as refused:
            servers.ensure_available(postgres_variable=None, amqp_variable=None)
    finally:
        servers.postgres_server.binaries.cache_clear()
    text = str(refused.value)
    assert "PostgreSQL and RabbitMQ" in text
    ways = ("LECTERN_POSTGRES_URL=", "on the PATH", "Docker engine", "apt-get")
    assert [way for way in ways if way not in text] == []


def test_docker_is_asked_only_where_an_engine_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert not docker_servers.engine_answers()


@pytest.mark.docker
@pytest.mark.skipif(not docker_servers.engine_answers(), reason="no Docker engine answers")
def test_servers_run_in_docker(tmp_path):
    for server in (docker_servers.DockerPostgres(tmp_path / "pg"), docker_servers.DockerRabbitmq(tmp_path / "mq")):
        server.start()
        try:
            server.kill()
            server.restart()
            assert server.is_running
        finally:
            server.stop()


def test_without_programs_the_classes_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    servers.postgres_server.binaries.cache_clear()
    try:
        with pytest.raises(PostgresFailed, match="No PostgreSQL 15 or newer"):
            PrivatePostgres(tmp_path)
        with pytest.raises(RabbitmqFailed, match="No RabbitMQ"):
            PrivateRabbitmq(tmp_path)
    finally:
        servers.postgres_server.binaries.cache_clear()
