"""spool_dir: what is not delivered is found by the next process, and nothing that a disk does harms more than the spool."""

import errno
import os
import signal
import stat
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from driver import KEY, launch, run
from platform_server import Answer
from spool_files import RECORD, File


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def down(platform):
    """A platform whose intake fails."""
    return platform.always("traces", Answer(503)).always("logs", Answer(503))


def up(platform):
    platform.always("traces", None).always("logs", None)


def init(spool, **more):
    more = {"spool_dir": str(spool), "sample_ratio": 1, **more}
    return f"init(**{more!r})"


def files(spool):
    return sorted(spool.glob("*.spool"))


def leave(platform, spool, code='[Span(f"s{n}", text="hello").end() for n in range(10)]', **options):
    """Records without a receiver and ends."""
    return run(platform, f"{init(spool, **options)}\n{code}\nout['flush'] = flush(20)\nout['end'] = shutdown(200)")


def find(platform, spool, **options):
    """A next process; the numbers when all that it found is settled."""
    return run(
        platform,
        f"""
        {init(spool, **options)}
        import pathlib
        wait_until(lambda: not list(pathlib.Path({str(spool)!r}).glob("*.spool")))
        out["end"] = shutdown()
        """,
    )


def names(platform):
    return Counter(span["name"] for span in platform.spans)


def test_the_next_process_delivers(platform, down, spool):
    result = run(
        platform,
        f"""
        {init(spool, service_name="earlier")}
        start(CONTINUOUS)
        [Span(f"s{{n}}").end() for n in range(5)]
        error_span("broken")
        write_log("said", of=Span("with a log").end())
        out["flush"] = flush(50)
        out["end"] = shutdown(300)
        """,
    )
    assert (result["flush"], result["end"]) == ("TIMEOUT", "OK"), "nothing is lost"
    now = result.stats
    assert (now["accepted"], now["spooled"], now["queued"], now["dropped_shutdown"]) == (8, 8, 0, 0)
    assert sum(File(path).waiting for path in files(spool)) == 8
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.iterdir()} == {0o600}
    assert not any(KEY.encode() in path.read_bytes() for path in spool.iterdir())
    up(platform)
    result = find(platform, spool, service_name="later")
    now = result.stats
    assert (now["accepted"], now["recovered"], now["exported"], now["spooled"]) == (8, 8, 8, 0)
    assert names(platform) == Counter(["broken", "with a log", *(f"s{n}" for n in range(5))])
    assert {span["resource"]["service.name"] for span in platform.spans} == {"earlier"}
    assert [log["body"] for log in platform.logs] == ["said"]
    prefix = platform.spans[0]["trace_id"][:14]
    assert prefix.startswith("cdbcdb") and {span["trace_id"][:14] for span in platform.spans} == {prefix}
    assert [span["name"] for span in platform.spans][-1] == "broken", "errors of a continuous session go last"


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_what_is_delivered_at_once_leaves_nothing(platform, spool, protocol):
    result = run(
        platform,
        f"""
        {init(spool, protocol=protocol)}
        [Span().end() for n in range(1000)]
        out["flush"] = flush()
        out["during"] = stats()
        out["end"] = shutdown()
        """,
    )
    assert (result["flush"], result["end"]) == ("OK", "OK")
    assert files(spool) == [] and result.stats["exported"] == 1000


def test_without_a_spool_nothing_is_written(platform, tmp_path):
    run(platform, f"import os; os.chdir({str(tmp_path)!r}); init(); start(); Span().end(); flush()")
    assert not list(tmp_path.iterdir())


def test_an_outage_that_memory_cannot_hold(platform, down, spool):
    """20 MB are recorded with 1 MiB of memory; all of it arrives, and a flush waits for all of it."""
    running = launch(
        platform,
        f"""
        {init(spool, queue_max_bytes=1 << 20, spool_max_bytes=64 << 20)}
        for n in range(4000):
            Span(f"s{{n}}", padding="x " * 2500).end()
            if n % 20 == 19:
                wait_until(lambda: stats()["queued_bytes"] < 900_000)
        out["outage"] = stats()
        out["flush while down"] = flush(10)
        tell("recorded")
        pause()
        out["flush"] = flush(30_000)
        out["then"] = stats()
        """,
    )
    running.wait_for("recorded", 60)
    up(platform)
    running.go()
    result = running.result()
    outage, then = result["outage"], result["then"]
    assert outage["spooled"] > 3000 and outage["queued_bytes"] <= 1 << 20 and outage["dropped_queue_full"] == 0
    assert outage["spool_bytes"] > 20_000_000
    assert (result["flush while down"], result["flush"]) == ("TIMEOUT", "OK")
    assert then["exported"] == then["accepted"] == 4000 and then["recovered"] == 0
    assert names(platform) == Counter(f"s{n}" for n in range(4000))
    assert files(spool) == []


def test_all_processes_together_keep_the_bound(platform, down, spool):
    code = f"""
    {init(spool, queue_max_bytes=1 << 20, spool_max_bytes=2 << 20)}
    tell("ready")
    pause()
    for n in range(1000):
        Span(padding="x " * 2500).end()
    out["flush"] = flush(100)
    tell("recorded")
    pause()
    """
    all_of_them = [launch(platform, code) for _ in range(4)]
    [running.wait_for("ready") for running in all_of_them]
    [running.go() for running in all_of_them]
    largest = 0

    def size():
        nonlocal largest
        largest = max(largest, sum(path.stat().st_size for path in files(spool) if path.exists()))

    for running in all_of_them:
        running.wait_for("recorded")
        size()
    [running.go() for running in all_of_them]
    results = [running.result() for running in all_of_them]
    size()
    assert 1 << 20 < largest <= 2 << 20
    assert all(result.stats["dropped_queue_full"] > 0 for result in results), "counted, not silent"
    assert any("the spool is full; what comes is kept in memory only" in result.log for result in results)
    up(platform)
    found = find(platform, spool).stats
    assert found["recovered"] == found["exported"] == sum(result.stats["spooled"] for result in results) == len(platform.spans)


def test_files_of_a_process_that_lives_are_its_own(platform, down, spool):
    running = launch(platform, f"{init(spool)}\nSpan('mine').end(); flush(10); tell('written'); pause(); out['end'] = shutdown(100)")
    running.wait_for("written")
    (path,) = files(spool)
    assert leave(platform, spool, "Span('another').end()").stats["recovered"] == 0
    assert path in files(spool) and len(files(spool)) == 2
    running.go()
    assert running.result()["end"] == "OK"
    up(platform)
    assert find(platform, spool).stats["recovered"] == 2 and names(platform) == Counter(["mine", "another"])


def test_the_same_process_after_a_shutdown(platform, down, spool):
    running = launch(
        platform,
        f"""
        {init(spool)}
        Span("before").end()
        out["first"] = shutdown(100)
        tell("shut down")
        pause()
        {init(spool)}
        wait_until(lambda: stats()["exported"] == 1)
        """,
    )
    running.wait_for("shut down")
    up(platform)
    running.go()
    assert running.result().stats["recovered"] == 1 and names(platform) == Counter(["before"])


@pytest.mark.slow
def test_every_byte_flipped_and_every_cut(platform, down, spool):
    """Each damaged copy of a file gives what is undamaged in it, as it was."""
    leave(platform, spool, "[Span(f's{n}', text='hello').end() for n in range(4)]", spool_max_bytes=1 << 20)
    (path,) = files(spool)
    whole = File(path)
    data, places = bytes(whole.data[: whole.end]), [at for at, _, _ in whole.items]
    path.unlink()
    up(platform)
    expected = Counter()

    def add(n, damaged, found):
        (spool / f"mpr-{n:016x}.spool").write_bytes(damaged)
        (spool / f"mpr-{n:016x}.spool").chmod(0o600)
        expected.update(f"s{one}" for one in found)

    for n, at in enumerate(range(whole.start, len(data))):
        damaged = bytearray(data)
        damaged[at] ^= 1 << n % 8
        # The first record is the envelope, which all need.
        hit = max((one for one, place in enumerate(places) if place <= at), default=None)
        add(n, damaged, [one for one in range(4) if one != hit and hit is not None])
    for n, length in enumerate(range(whole.start, len(data), 7), start=len(data)):
        add(n, data[:length], [one for one in range(4) if length >= [*places, len(data)][one + 1]])
    heads = range(3 * len(data), 3 * len(data) + whole.start)
    for n in heads:
        damaged = bytearray(data)
        damaged[n - heads.start] ^= 0x81
        in_head = n - heads.start < 64
        add(n, damaged, () if in_head else range(4))
    result = run(
        platform,
        f"""
        {init(spool, spool_max_bytes=1 << 20)}
        import pathlib
        left = lambda: [path for path in pathlib.Path({str(spool)!r}).glob("*.spool")]
        wait_until(lambda: len(left()) == 64, 60)
        """,
    )
    assert result.stats["spool_damaged"] > len(data) / 2
    assert names(platform) == expected
    # Those whose head cannot be read are left for a version that can, for some hours.
    assert len(files(spool)) == 64
    for path in files(spool):
        os.utime(path, times=(time.time() - 4 * 3600,) * 2)
    run(platform, init(spool) + f"\nSpan().end()\nimport pathlib\nwait_until(lambda: len(list(pathlib.Path({str(spool)!r}).glob('*.spool'))) <= 1)")


def test_what_is_too_old_is_not_sent(platform, down, spool):
    code = "{}\n[Span(f'{}{{n}}').end() for n in range(3)]"
    leave(platform, spool, code.format("start(CONTINUOUS)", "continuous"))
    leave(platform, spool, code.format("start()", "manual"))
    for path in files(spool):
        File(path).make_older(10 * 60 * 1000)
    up(platform)
    assert find(platform, spool).stats["dropped_expired"] == 3
    assert names(platform) == Counter(f"manual{n}" for n in range(3))
    platform.always("traces", Answer(503))
    leave(platform, spool, code.format("", "other"))
    for path in files(spool):
        File(path).make_older(4 * 3600 * 1000)
    up(platform)
    now = find(platform, spool).stats
    assert (now["dropped_expired"], now["recovered"], now["exported"]) == (3, 3, 0)


def test_another_projects_data_is_not_sent(platform, down, spool):
    leave(platform, spool, "Span('ours').end()")
    (path,) = files(spool)
    up(platform)
    run(platform, f"{init(spool)}\nSpan('theirs').end(); flush(); shutdown()", key="another-key")
    assert names(platform) == Counter(["theirs"]) and files(spool) == [path]
    os.utime(path, times=(time.time() - 4 * 3600,) * 2)
    run(platform, f"{init(spool)}\nSpan('theirs').end(); flush(); shutdown()", key="another-key")
    assert files(spool) == [], "nobody came for it"
    assert names(platform) == Counter(["theirs", "theirs"])


def test_directories_that_are_refused(platform, tmp_path):
    (tmp_path / "file").write_text("")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    result = run(
        platform,
        f"""
        out["file"] = init(spool_dir={str(tmp_path / "file")!r})
        out["below a file"] = init(spool_dir={str(tmp_path / "file" / "below")!r})
        out["open"] = init(spool_dir={str(open_to_all)!r})
        out["made"] = init(spool_dir={str(tmp_path / "a" / "b" / "c")!r})
        """,
    )
    assert dict(result, shutdown=None) == {**{name: "IO" for name in ("file", "below a file", "open")}, "made": "OK", "shutdown": None}
    said = [message for message in result.messages if "spool_dir" in message]
    assert len(said) == 3 and all(str(tmp_path) in message for message in said) and "chmod 700" in said[2]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory to another user")
def test_a_directory_of_another_user_is_refused(platform, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    result = run(platform, f"out['init'] = init(spool_dir={str(theirs)!r})")
    assert result["init"] == "IO" and any("another user" in message for message in result.messages)


def test_what_is_no_file_of_ours_is_left_alone(platform, spool, tmp_path):
    spool.mkdir(mode=0o700)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (spool / "mpr-0000000000000001.spool").symlink_to(precious)
    (spool / "mpr-0000000000000002.spool").mkdir()
    os.mkfifo(spool / "mpr-0000000000000003.spool")
    (spool / "notes.txt").write_text("notes")
    (spool / "mpr.lock").symlink_to(precious)
    result = run(platform, f"{init(spool)}\nSpan().end()\nout['flush'] = flush()\nout['end'] = shutdown()")
    assert (result["flush"], result["end"]) == ("OK", "OK")
    assert precious.read_text() == "precious" and len(list(spool.iterdir())) == 5


# ---- disks that fail ----


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    path = tmp_path_factory.mktemp("shim") / "disk_fails.so"
    source = Path(__file__).with_name("disk_fails.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.mark.parametrize("call", ["pwrite", "short", "open", "ftruncate"])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_disk_that_fails_costs_the_spool_alone(platform, spool, shim, tmp_path, call, error):
    """Delivery goes on from memory; when the disk works again, what waits is written."""
    fails = tmp_path / "fails"
    if call in ("open", "ftruncate"):  # once a file is open and long enough, there is no need of these
        fails.write_text(f"{call} {getattr(errno, error)}")
    running = launch(
        platform,
        f"""
        {init(spool)}
        Span("a").end()
        out["delivered"] = flush()
        before = out["before"] = stats()["spool_written"]  # 1 when it was written before the answer came
        tell("down")
        pause()
        spans = [Span(f"b{{n}}").end() for n in range(100)]
        out["during"] = [flush(200), stats()]
        tell("disk again")
        pause()
        wait_until(lambda: stats()["spool_written"] == before + 100)
        out["end"] = shutdown(100)
        """,
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(fails),
    )
    running.wait_for("down")
    platform.always("traces", Answer(503))
    fails.write_text(f"{call} {getattr(errno, error)}")
    running.go()
    running.wait_for("disk again")
    fails.unlink()
    running.go()
    result = running.result()
    flushed, during = result["during"]
    assert (result["delivered"], flushed) == ("OK", "TIMEOUT")
    assert during["spool_failures"] >= 1 and during["spool_written"] == result["before"] and during["queued"] == 100
    assert any("the spool in" in line and "is off for" in line for line in result.log)
    assert result["end"] == "OK" and result.stats["spooled"] == 100
    up(platform)
    assert find(platform, spool).stats["recovered"] == 100
    assert names(platform) == Counter(["a", *(f"b{n}" for n in range(100))])


def test_a_disk_that_fails_until_the_end(platform, down, spool, shim, tmp_path):
    (tmp_path / "fails").write_text(f"pwrite {errno.EIO}")
    result = run(
        platform,
        f"{init(spool)}\n[Span().end() for n in range(10)]\nflush(50)\nout['end'] = timed(shutdown, 300)",
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(tmp_path / "fails"),
    )
    status, took = result["end"]
    assert status == "TIMEOUT" and took < 800
    assert result.stats["dropped_shutdown"] == 10 and result.stats["spooled"] == 0


def test_a_disk_that_hangs_holds_up_nothing_else(platform, spool, shim, tmp_path):
    fails = tmp_path / "fails"
    fails.write_text("hang 1")
    running = launch(
        platform,
        f"""
        {init(spool)}
        [Span(f"s{{n}}").end() for n in range(100)]
        out["flush"] = timed(flush, 20_000)
        [Span(f"t{{n}}").end() for n in range(100)]
        out["end"] = timed(shutdown, 2_000)
        """,
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(fails),
    )
    result = running.result()
    (flushed, _), (ended, took) = result["flush"], result["end"]
    assert (flushed, ended) == ("OK", "OK") and took < 4_000
    assert result.stats["exported"] == 200 == len(platform.spans) and result.stats["spool_written"] == 0


def test_a_disk_that_hangs_during_an_outage(platform, down, spool, shim, tmp_path):
    """What cannot be written is lost in the end, which comes when it should all the same."""
    fails = tmp_path / "fails"
    fails.write_text("hang 1")
    running = launch(
        platform,
        f"""
        {init(spool)}
        [Span(f"s{{n}}").end() for n in range(100)]
        out["end"] = timed(shutdown, 500)
        """,
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(fails),
    )
    result = running.result()
    ended, took = result["end"]
    assert ended == "TIMEOUT" and took < 2_500
    assert result.stats["dropped_shutdown"] == 100


def test_what_cannot_be_read_back_is_counted(platform, down, spool, shim, tmp_path):
    fails = tmp_path / "fails"
    running = launch(
        platform,
        f"""
        {init(spool, queue_max_bytes=1 << 20)}
        for n in range(400):
            Span(f"s{{n}}", padding="x " * 2500).end()
            if n % 20 == 19:
                wait_until(lambda: stats()["queued_bytes"] < 900_000)
        out["before"] = stats()
        tell("spooled")
        pause()
        out["flush"] = flush(20_000)
        """,
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(fails),
    )
    running.wait_for("spooled")
    fails.write_text(f"pread {errno.EIO}")
    up(platform)
    running.go()
    result = running.result()
    assert result["flush"] == "OK" and result["before"]["spooled"] > 100
    # Not all of them: as long as the disk still reads, a few come back into what memory has room for.
    assert result.stats["dropped_spool"] > result["before"]["spooled"] / 2 and result.stats["spooled"] == 0
    assert result.stats["exported"] == 400 - result.stats["dropped_spool"] == len(platform.spans)


def test_a_shutdown_delivers_what_is_in_the_spool_alone(platform, down, spool):
    running = launch(
        platform,
        f"""
        {init(spool, queue_max_bytes=1 << 20)}
        for n in range(1000):
            Span(f"s{{n}}", padding="x " * 2500).end()
            if n % 20 == 19:
                wait_until(lambda: stats()["queued_bytes"] < 900_000)
        out["before"] = stats()
        tell("spooled")
        pause()
        out["end"] = timed(shutdown, 30_000)
        """,
    )
    running.wait_for("spooled")
    up(platform)
    running.go()
    result = running.result()
    status, took = result["end"]
    assert result["before"]["spooled"] > 500 and status == "OK"
    assert result.stats["exported"] == 1000 and len(names(platform)) == 1000 and files(spool) == []
    assert took < 25_000, "it ends when all is delivered"


def test_a_directory_that_is_deleted(platform, down, spool):
    running = launch(
        platform,
        f"""
        {init(spool)}
        Span("before").end()
        flush(20)
        tell("written")
        pause()
        [Span(f"after{{n}}").end() for n in range(10)]
        wait_until(lambda: stats()["spool_written"] >= 11)
        out["end"] = shutdown(100)
        """,
    )
    running.wait_for("written")
    import shutil

    shutil.rmtree(spool)
    running.go()
    assert running.result()["end"] == "OK"
    up(platform)
    find(platform, spool)
    assert set(names(platform)) >= {f"after{n}" for n in range(10)}, "in a new directory"


# ---- processes ----


def test_a_child_that_forks_off_holds_no_lock(platform, down, spool):
    """The parent is killed while a child of it, which never calls the library, lives on."""
    running = launch(
        platform,
        f"""
        {init(spool)}
        Span("parent's").end()
        flush(20)
        import os, signal
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.read(reader, 1)  # until the test ends it
            os._exit(0)
        tell("forked", pid=os.getpid(), pipe=[reader, writer])
        pause()
        """,
    )
    parent = running.wait_for("forked")["pid"]
    children = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    assert len(children) == 1
    os.kill(parent, signal.SIGKILL)
    try:
        up(platform)
        assert find(platform, spool).stats["recovered"] == 1
        os.kill(int(children[0]), 0)
    finally:
        os.kill(int(children[0]), signal.SIGKILL)


def test_children_have_files_of_their_own(platform, down, spool):
    result = run(
        platform,
        f"""
        {init(spool)}
        Span("parent's").end()
        flush(20)
        import os
        pids = []
        for n in range(3):
            pid = os.fork()
            if pid == 0:
                Span(f"child{{n}}").end()
                flush(20)
                os._exit(0 if stats()["spool_written"] == 1 else 1)
            pids.append(pid)
        out["children"] = [os.waitpid(pid, 0)[1] for pid in pids]
        out["end"] = shutdown(100)
        """,
    )
    assert result["children"] == [0, 0, 0] and result["end"] == "OK"
    assert len(files(spool)) == 4
    up(platform)
    assert find(platform, spool).stats["recovered"] == 4
    assert names(platform) == Counter(["parent's", "child0", "child1", "child2"])


# ---- consent ----


def test_consent_taken_back(platform, down, spool):
    leave(platform, spool, "Span('earlier').end()")
    assert len(files(spool)) == 1
    running = launch(
        platform,
        f"""
        {init(spool)}
        [Span(f"s{{n}}").end() for n in range(10)]
        flush(20)
        wait_until(lambda: stats()["recovered"] == 1)
        out["revoked"] = name_of(lib.mpr_set_consent(0))
        out["then"] = stats()
        import os
        out["files"] = [name for name in os.listdir({str(spool)!r}) if name.endswith(".spool")]
        out["again"] = name_of(lib.mpr_set_consent(0))
        Span("refused").end()
        out["refused"] = stats()["dropped_consent"]
        pid = os.fork()
        if pid == 0:
            Span("in a child").end()
            os._exit(0 if stats()["dropped_consent"] == 1 else 1)
        out["child"] = os.waitpid(pid, 0)[1]
        tell("revoked")
        pause()
        out["given"] = [name_of(lib.mpr_set_consent(1)) for _ in range(2)]
        Span("given again").end()
        out["flush"] = flush()
        out["wrong"] = name_of(lib.mpr_set_consent(2))
        """,
    )
    running.wait_for("revoked")
    up(platform)
    running.go()
    result = running.result()
    then = result["then"]
    assert (result["revoked"], result["again"], result["files"]) == ("OK", "SKIPPED", [])
    assert (then["dropped_consent"], then["queued"], then["spooled"], then["spool_bytes"]) == (11, 0, 0, 0)
    assert result["refused"] == 12 and result["child"] == 0
    assert result["given"] == ["OK", "SKIPPED"] and result["flush"] == "OK" and result["wrong"] == "INVALID_ARGUMENT"
    assert names(platform) == Counter(["given again"])


def test_consent_taken_back_while_the_disk_hangs(platform, down, spool, shim, tmp_path):
    """The call says that the files are not gone yet; they go when the disk answers."""
    fails = tmp_path / "fails"
    running = launch(
        platform,
        f"""
        {init(spool)}
        [Span(f"s{{n}}").end() for n in range(10)]
        wait_until(lambda: stats()["spool_written"] == 10)
        tell("written")
        pause()
        import pathlib
        Span("more").end()
        wait_until(lambda: pathlib.Path({str(fails)!r} + ".hangs").exists())
        out["revoked"] = timed(lambda: name_of(lib.mpr_set_consent(0)))
        out["dropped"] = stats()["dropped_consent"]
        tell("revoked")
        pause()
        wait_until(lambda: not list(pathlib.Path({str(spool)!r}).glob("*.spool")))
        """,
        LD_PRELOAD=str(shim),
        DISK_FAILS=str(fails),
    )
    running.wait_for("written")
    fails.write_text("hang 1")
    running.go()
    running.wait_for("revoked")
    assert files(spool)
    fails.write_text("")
    running.go()
    result = running.result()
    status, took = result["revoked"]
    assert status == "TIMEOUT"
    assert took < 8_000 and result["dropped"] == 11
    assert files(spool) == [] and not platform.spans


def test_consent_taken_back_in_the_middle_of_a_request(platform, spool):
    """Also without a spool: the request is cut off, and nobody tries again."""
    platform.always("traces", Answer(hang=True))
    running = launch(
        platform,
        """
        init(sample_ratio=1, timeout_ms=60_000)
        Span("cut off").end()
        tell("sent")
        pause()
        out["revoked"] = timed(lambda: name_of(lib.mpr_set_consent(0)))
        out["flush"] = timed(flush)
        out["end"] = timed(shutdown)
        """,
    )
    running.wait_for("sent")
    platform.wait_for_requests("traces")
    running.go()
    result = running.result()
    assert result["revoked"][0] == result["flush"][0] == result["end"][0] == "OK"
    assert max(result["revoked"][1], result["flush"][1], result["end"][1]) < 2000
    assert result.stats["dropped_consent"] == 1 and len(platform.of("traces")) == 1


def test_consent_before_init(platform):
    assert run(platform, "out['said'] = name_of(lib.mpr_set_consent(0))")["said"] == "NOT_INITIALIZED"


def test_record_size_is_as_documented():
    assert RECORD.size == 40


def busy(code):
    """How much of a processor is used in the second behind this code."""
    return f"""
        {code}
        import time
        before = time.process_time()
        time.sleep(1)
        out["busy"] = time.process_time() - before
        """


def test_an_outage_with_little_memory_keeps_no_processor_busy(platform, down, spool):
    """What would be left to the spool again at once is not read from the disk again and again."""
    result = run(
        platform,
        f"""
        {init(spool, queue_max_bytes=65536)}
        def record_until_some_are_away():
            while stats()["spooled"] == 0:
                Span("s", text="x" * 900).end()
                wait_until(lambda: stats()["spool_written"] == stats()["accepted"])
        {busy("record_until_some_are_away()")}
        out["end"] = shutdown(100)
        """,
    )
    assert result["busy"] < 0.2


def test_consent_taken_back_keeps_no_processor_busy(platform, spool):
    result = run(platform, f"""
        {init(spool)}
        {busy("lib.mpr_set_consent(0)")}
        out["end"] = shutdown(100)
        """)
    assert result["busy"] < 0.2
