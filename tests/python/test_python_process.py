"""Threads, fork and the ends of processes."""

import time


def test_sixteen_threads(run_python, local, recorded):
    """Everything that is hot, at once, and sessions that start and stop meanwhile."""
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        begin = threading.Barrier(16)
        failures = []
        def work(number):
            begin.wait()
            try:
                for n in range(50):
                    with session_recorder.span("span %d/%d" % (number, n), kind=SpanKind.SERVER) as span:
                        span.capture_payload(PayloadKind.HTTP_REQUEST, {"Content-Type": "application/json"},
                                             b'{"password": "hunter2"}')
                        with session_recorder.span("child"):
                            session_recorder.log("log %d/%d" % (number, n))
            except BaseException as error:
                failures.append(repr(error))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        session_recorder.stop()
        stats = session_recorder.stats()
        session_recorder.shutdown()
        tell(failures=failures, stats=stats, whole=nothing_lost(stats))
        """,
        to=local,
    )
    assert told["failures"] == [] and told["whole"], told
    one = recorded()
    roots = {s["spanId"]: s["name"] for s in one.spans if s["name"] != "child"}
    assert sorted(roots.values()) == sorted(f"span {a}/{b}" for a in range(16) for b in range(50))
    children = [s for s in one.spans if s["name"] == "child"]
    assert sorted(roots[s["parentSpanId"]] for s in children) == sorted(roots.values())
    assert len({s["spanId"] for s in one.spans}) == 1600
    assert sorted(log["body"] for log in one.logs) == sorted(f"log {a}/{b}" for a in range(16) for b in range(50))


def test_sixteen_threads_call_everything(run_python, local):
    """Also start, stop, save, flush and shutdown at once: each answers a status, and nobody waits for ever."""
    told = run_python(
        """
        begin = threading.Barrier(16)
        answers = []
        def work(number):
            begin.wait()
            for n in range(20):
                turn = (number + n) % 8
                if turn == 0: answers.append(lib.mpr_init(None))
                elif turn == 1: answers.append(lib.mpr_start(n % 2, None))
                elif turn == 2: answers.append(lib.mpr_stop(None))
                elif turn == 3: answers.append(lib.mpr_save(None))
                elif turn == 4: answers.append(lib.mpr_flush(2000))
                elif turn == 5: answers.append(lib.mpr_cancel())
                elif turn == 6: answers.append(lib.mpr_shutdown(2000) if number == 6 else lib.mpr_check_remote(None))
                else: answers.append(lib.mpr_session_info(None, 0, None))
                span = lib.mpr_span_begin(b"span", 0, None)
                lib.mpr_span_set_int(span, b"n", n)
                lib.mpr_span_end(span)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(60)
        stuck = [thread.name for thread in threads if thread.is_alive()]
        lib.mpr_shutdown(5000)
        tell(stuck=stuck, answers=sorted(set(answers)), panics=raw_stats()["panics"])
        """,
        to=local,
    )
    assert told["stuck"] == [] and told["panics"] == 0
    allowed = {0, 1, -2, -3, -4, -6, -8, -10}
    assert set(told["answers"]) <= allowed, told["answers"]


def test_fork(run_python, local, recorded):
    """Ids of the parent and four children are unique; each child's spans arrive once, under the parent's span; what the
    parent had queued is delivered once, by the parent."""
    told = run_python(
        """
        session_recorder.init(flush_interval_ms=600000)
        session_recorder.start()
        def ids(count):
            trace, span = ctypes.create_string_buffer(16), ctypes.create_string_buffer(8)
            found = set()
            for _ in range(count):
                lib.mpr_generate_trace_id(trace); lib.mpr_generate_span_id(span)
                found.add(trace.raw); found.add(span.raw)
            return found
        for n in range(20):
            with session_recorder.span("before the fork %d" % n): pass
        queued = session_recorder.stats()["queued"]
        children = []
        with session_recorder.span("around the fork") as around:
            for number in range(4):
                read_end, write_end = os.pipe()
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        mine = ids(10000)
                        with session_recorder.span("child %d" % number, parent=around.traceparent):
                            session_recorder.log("from child %d" % number)
                        session_recorder.flush(20000)
                        stats = session_recorder.stats()
                        with os.fdopen(write_end, "wb") as pipe:
                            pipe.write(json.dumps(stats).encode().ljust(4096))
                            pipe.write(b"".join(one.ljust(16) for one in mine))
                        code = 0
                    finally:
                        os._exit(code)
                os.close(write_end)
                children.append((pid, read_end))
        everything, report, total = ids(10000), [], 20000
        for pid, read_end in children:
            with os.fdopen(read_end, "rb") as pipe:
                content = pipe.read()
            report.append(json.loads(content[:4096]))
            mine = [content[at:at + 16] for at in range(4096, len(content), 16)]
            total += len(mine)
            everything |= {one[:8] if one.endswith(b" " * 8) else one for one in mine}
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, "waitstatus_to_exitcode")
                 else os.waitpid(pid, 0)[1] for pid, _ in children]
        session_recorder.stop()
        stats = session_recorder.stats()
        session_recorder.shutdown()
        tell(queued=queued, report=report, unique=len(everything), total=total, codes=codes, stats=stats)
        """,
        to=local,
    )
    assert told["codes"] == [0, 0, 0, 0], told
    assert told["queued"] == 20 and told["unique"] == told["total"] == 100000
    for stats in told["report"]:
        assert stats["fork_generation"] == 1
        assert (stats["accepted"], stats["exported"], stats["queued"]) == (2, 2, 0)
    assert told["stats"]["exported"] == told["stats"]["accepted"] == 21 and told["stats"]["fork_generation"] == 0
    one = recorded()
    names = [s["name"] for s in one.spans]
    wanted = [f"before the fork {n}" for n in range(20)] + [f"child {n}" for n in range(4)] + ["around the fork"]
    assert sorted(names) == sorted(wanted)
    assert sorted(log["body"] for log in one.logs) == [f"from child {n}" for n in range(4)]
    around = one.span("around the fork")
    for number in range(4):
        child = one.span(f"child {number}")
        assert (child["traceId"], child["parentSpanId"]) == (around["traceId"], around["spanId"])
    assert not one.session["live"]


def test_fork_while_delivering(run_python, local, recorded):
    """The worker may be at anything when the process forks."""
    told = run_python(
        """
        session_recorder.init(flush_interval_ms=10)
        session_recorder.start()
        codes = []
        for n in range(40):
            for m in range(20):
                with session_recorder.span("parent %d/%d" % (n, m)): pass
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    with session_recorder.span("child %d" % n): pass
                    session_recorder.flush(20000)
                    code = 0
                finally:
                    os._exit(code)
            codes.append(os.waitpid(pid, 0)[1])
        session_recorder.stop()
        stats = session_recorder.stats()
        session_recorder.shutdown()
        tell(codes=codes, whole=nothing_lost(stats))
        """,
        to=local,
    )
    assert told["codes"] == [0] * 40 and told["whole"]
    wanted = [f"child {n}" for n in range(40)] + [f"parent {n}/{m}" for n in range(40) for m in range(20)]
    assert sorted(s["name"] for s in recorded().spans) == sorted(wanted)


def test_children_have_their_own_pid(run_python, local, recorded):
    """Otherwise the workers of a pre-forking server cannot be told apart."""
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        with session_recorder.span("parent"): pass
        child = os.fork()
        if child == 0:
            try:
                with session_recorder.span("child"): pass
                session_recorder.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        session_recorder.shutdown()
        tell(parent=os.getpid(), child=child)
        """,
        to=local,
    )
    one = recorded()
    assert one.span("parent")["resource"]["process.pid"] == told["parent"]
    assert one.span("child")["resource"]["process.pid"] == told["child"]


def test_child_does_not_end_the_session(run_python, local, recorded):
    """A child that shuts down delivers its own; the parent's session goes on."""
    told = run_python(
        """
        session_recorder.init()
        session_recorder.start()
        pid = os.fork()
        if pid == 0:
            with session_recorder.span("child"): pass
            sys.exit(0)  # through atexit, as a worker of a pre-forking server ends
        os.waitpid(pid, 0)
        with session_recorder.span("parent"): pass
        state = session_recorder.session_info()["state"]
        session_recorder.shutdown()
        tell(state=state)
        """,
        to=local,
    )
    assert told["state"] == "started"
    one = recorded()
    assert sorted(s["name"] for s in one.spans) == ["child", "parent"]


def test_fork_of_a_fork_and_before_init(run_python, local):
    """A server that forks before anything is turned on, and a child that forks again."""
    told = run_python(
        """
        with session_recorder.span("off"): pass
        def in_child(work):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    work()
                    code = 0
                finally:
                    os._exit(code)
            return os.waitpid(pid, 0)[1]
        def grandchild():
            with session_recorder.span("grandchild"): pass
            session_recorder.flush()
        def child():
            session_recorder.init()
            session_recorder.start(session={"name": "of the child"})
            status = in_child(grandchild)
            with session_recorder.span("child"): pass
            session_recorder.shutdown()
            assert status == 0
        tell(status=in_child(child))
        """,
        to=local,
    )
    assert told["status"] == 0
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    assert sorted(local.span_names(session["_id"])) == ["child", "grandchild"]


def test_multiprocessing(run_python, local, recorded):
    """A pool that forks: spans of its workers arrive when the workers flush."""
    run_python(
        """
        import multiprocessing
        def square(n):
            with session_recorder.span("square %d" % n):
                pass
            session_recorder.flush()
            return n * n
        session_recorder.init()
        session_recorder.start()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(square, range(9)) == [n * n for n in range(9)]
        session_recorder.shutdown()
        """,
        to=local,
    )
    assert sorted(s["name"] for s in recorded().spans) == [f"square {n}" for n in range(9)]


def test_exit_with_a_server_that_hangs(run_python, platform):
    """The interpreter ends in bounded time and in peace, though the worker still has something to say."""
    from platform_server import Answer

    told = run_python(
        """
        import logging
        logger = logging.getLogger("multiplayer.session_recorder")
        logger.addHandler(logging.StreamHandler(open(os.devnull, "w"))); logger.setLevel("DEBUG")
        session_recorder.init(log_level="debug", flush_interval_ms=10)
        session_recorder.start()
        with session_recorder.span("never delivered"): pass
        tell(begin=time.time())
        """,
        to=platform.always("traces", Answer(hang=True)).always("stop", Answer(hang=True)),
    )
    assert time.time() - told["begin"] < 4
