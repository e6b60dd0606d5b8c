"""The Model Context Protocol over standard input and output, as an agent's host speaks it."""

import json
import subprocess

import local_recorder as c
import pytest


class Agent:
    def __init__(self, database):
        self.process = subprocess.Popen([c.BINARY, "mcp", "--db", str(database)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)  # fmt: skip
        self.ids = 0

    def send(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, method, **params):
        self.ids += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params}))
        answer = self.read()
        assert answer["jsonrpc"] == "2.0" and answer["id"] == self.ids
        return answer

    def call(self, tool, failed=False, **arguments):
        result = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        [content] = result["content"]
        assert content["type"] == "text" and result["isError"] is failed, content
        assert len(content["text"].encode()) < 70_000
        return content["text"] if failed else json.loads(content["text"])


@pytest.fixture
def agent(local):
    one = Agent(local.database)
    yield one
    one.process.kill()
    one.process.wait()


def test_versions(agent):
    for asked, given in (("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25")):
        result = agent.ask("initialize", protocolVersion=asked, capabilities={}, clientInfo={"name": "t", "version": "0"})["result"]
        assert result["protocolVersion"] == given and result["capabilities"] == {"tools": {}}
        assert result["serverInfo"]["name"] == "mpr-local" and "list_sessions" in result["instructions"]
    agent.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert agent.ask("ping")["result"] == {}


def test_tools_are_described(agent):
    tools = agent.ask("tools/list")["result"]["tools"]
    assert {t["name"] for t in tools} == {
        "list_sessions", "session_summary", "list_errors", "list_spans", "get_span", "get_content", "search", "diff_sessions",
    }  # fmt: skip
    for tool in tools:
        schema = tool["inputSchema"]
        assert schema["type"] == "object" and set(schema["required"]) <= set(schema["properties"])
        assert tool["annotations"]["readOnlyHint"] and tool["description"]


def test_what_is_no_request(agent):
    agent.send("no JSON")
    assert agent.read()["error"]["code"] == -32700
    agent.send("[]")
    assert agent.read()["error"]["code"] == -32600
    agent.send('{"id": 1, "method": "ping"}')
    assert agent.read()["error"]["code"] == -32600
    assert agent.ask("nothing/such")["error"]["code"] == -32601
    assert agent.ask("tools/call", name="rm_rf")["error"]["code"] == -32602
    agent.send('{"jsonrpc":"2.0","id":"s","result":{}}\n\n[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"x"}]')
    assert agent.read() == [{"jsonrpc": "2.0", "id": "a", "result": {}}]
    agent.process.stdin.close()
    assert agent.process.wait(10) == 0


def record(local, name, total):
    session = local.start(name=name)
    body = json.dumps({"total": total, "text": "long " * 20_000})
    attributes = {"http.route": "/buy", "multiplayer.http.response.body": body}
    local.send_spans(
        c.span(c.manual(session), "POST /buy", spanId="1" * 16, kind=2, attributes=c.attributes(attributes)),
        c.span(c.manual(session), "charge", spanId="2" * 16, parentSpanId="1" * 16, status={"code": 2, "message": "declined"}),
    )
    local.send_logs(c.record(c.manual(session), "a line", spanId="1" * 16))
    return session, body


def test_from_the_list_to_the_content(local, agent):
    session, body = record(local, "bad", 1)
    local.start(name="empty")
    sessions = agent.call("list_sessions")["sessions"]
    assert [s["name"] for s in sessions] == ["empty", "bad"]
    [found] = agent.call("list_sessions", errors_only=True, service="shop", limit=5)["sessions"]
    id = found["_id"]
    assert id == session["_id"] and found["counts"]["errors"] == 1
    summary = agent.call("session_summary", session=id)
    assert summary["routes"][0]["name"] == "POST /buy" and summary["errors"][0]["message"] == "declined"
    assert agent.call("list_errors", session=id)["errors"][0]["span_id"] == "2" * 16
    page = agent.call("list_spans", session=id, limit=1)
    assert page["rows"][0][3] == "POST /buy" and page["more"]
    assert agent.call("list_spans", session=id, after=page["next"])["rows"][0][3] == "charge"
    assert [r[3] for r in agent.call("list_spans", session=id, errors_only=True)["rows"]] == ["charge"]
    trace = c.manual(session)
    span = agent.call("get_span", session=id, trace_id=trace, span_id="1" * 16)
    assert span["attributes"] == {"http.route": "/buy"} and [log["body"] for log in span["logs"]] == ["a line"]
    assert span["content"][0]["size"] == len(body) and len(span["content"][0]["body"]) < 2100
    text, offset = "", 0
    while offset is not None:
        piece = agent.call("get_content", session=id, trace_id=trace, span_id="1" * 16, direction="response", offset=offset)
        text, offset = text + piece["text"], piece["next"]
    assert text == body
    assert agent.call("search", session=id, text="LONG long")["rows"] == [[trace, "1" * 16]]
    assert agent.call("search", session=id, attribute="http.route=/buy")["rows"] == [[trace, "1" * 16]]
    good, _ = record(local, "good", 2)
    rows = agent.call("diff_sessions", a=good["_id"], b=id)["rows"]
    assert [(r["state"], r["content"][0]["where"]) for r in rows] == [("content", "response body $.total")]


def test_bounds(local, agent):
    session = local.start()
    spans = [c.span(c.manual(session), "n" * 3000 + str(i), attributes=c.attributes({"a": "x" * 9000})) for i in range(600)]
    for at in range(0, 600, 100):
        local.send_spans(*spans[at : at + 100])
    result = agent.ask("tools/call", name="list_spans", arguments={"session": session["_id"], "limit": 5000})["result"]
    text = result["content"][0]["text"]
    assert len(text.encode()) < 61_000 and "cut here" in text
    agent.call("session_summary", session=session["_id"])


def test_what_goes_wrong_is_told_to_the_agent(local, agent, tmp_path):
    assert "no session" in agent.call("session_summary", failed=True, session="abcdabcd")
    assert agent.call("session_summary", failed=True).startswith("session: is required")
    assert "must be of type integer" in agent.call("list_sessions", failed=True, limit="many")
    assert "no argument" in agent.call("list_sessions", failed=True, order="up")
    id = local.start()["_id"]
    assert "say what to look for" in agent.call("search", failed=True, session=id)
    assert "hexadecimal" in agent.call("get_span", failed=True, session=id, trace_id="x", span_id="y")
    other = Agent(tmp_path / "none.sqlite")
    assert "nothing was recorded yet" in other.call("list_sessions", failed=True)
    other.process.kill()
    other.process.wait()
