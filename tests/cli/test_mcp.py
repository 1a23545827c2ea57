"""`fixer mcp`: what a coding agent may read, and what only a person can set going; by the SDK's own client."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lab.database import Database
from lab.passwords import PASSWORD
from lab.process import CLEAN, HOUSE

CONTRACT = "contracts.trading:metadata"


def told(result: Any) -> str:
    return "".join(part.text for part in result.content)


def with_client(dsn: str, work: Callable[[Any], Any], answer: Callable[[str], str | None], mode: str = "auto") -> Any:
    """Let a client of the SDK work with `fixer mcp`; `answer` is what the person types, None to decline."""
    pytest.importorskip("mcp", reason="pip install pgmend[mcp]")
    from mcp import StdioServerParameters, stdio_client
    from mcp.client import Client
    from mcp_types import ElicitResult

    async def person(_: Any, asked: Any) -> ElicitResult:
        typed = answer(asked.message)
        return (
            ElicitResult(action="decline")
            if typed is None
            else ElicitResult(action="accept", content={"identity": typed})
        )

    async def main() -> Any:
        words = ["-m", "fixer", "mcp", "--contract", CONTRACT]
        environment = {**CLEAN, "PYTHONPATH": str(HOUSE), "DATABASE_URL": dsn}
        parameters = StdioServerParameters(command=sys.executable, args=words, env=environment, cwd=HOUSE)
        async with Client(stdio_client(parameters), elicitation_callback=person, mode=mode) as client:
            return await work(client)

    return asyncio.run(main())


def the_identity(message: str) -> str:
    return re.findall(r"identity(?: of its plan)?: (\w+)$", message)[0]


async def plan_and_apply(client: Any) -> tuple[Any, Any]:
    planned = json.loads(told(await client.call_tool("plan", {})))
    words = {"plan": planned["identity"], "allow_hazards": planned["hazards"]}
    return planned, await client.call_tool("apply", words)


def test_the_tools_that_only_read_say_so() -> None:
    async def work(client: Any) -> dict[str, bool]:
        return {tool.name: tool.annotations.read_only_hint for tool in (await client.list_tools()).tools}

    tools = with_client("postgresql://u@127.0.0.1:1/d", work, the_identity)

    assert tools == {"check": True, "plan": True, "explain": True, "history": True, "apply": False, "undo": False}


def test_an_agent_reads_and_a_person_applies_and_undoes(broken: Database) -> None:
    asked: list[str] = []

    def person(message: str) -> str:
        asked.append(message)
        return the_identity(message)

    async def work(client: Any) -> list[Any]:
        before = await client.call_tool("check", {})
        explained = await client.call_tool("explain", {"slug": "orphan-rows"})
        planned, applied = await plan_and_apply(client)
        after = await client.call_tool("check", {})
        history = await client.call_tool("history", {})
        undone = await client.call_tool("undo", {"run": json.loads(told(applied))["run"]})
        again = await client.call_tool("check", {})
        answers = (before, explained, applied, after, history, undone, again)
        return [json.loads(told(each)) for each in answers] + [planned]

    before, explained, applied, after, history, undone, again, planned = with_client(broken.dsn, work, person)

    assert (before["ok"], explained["slug"], after["ok"]) == (False, "orphan-rows", True)
    assert applied["run"] == undone["undone"] == history["runs"][0]["run"]
    assert planned["steps"][0]["title"] in asked[0]
    assert planned["identity"] in asked[0]
    assert again["findings"] == before["findings"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("typed", [None, "", "yes", "0123456789abcdef"], ids=["declines", "empty", "yes", "another"])
def test_nothing_is_changed_unless_the_identity_is_typed(broken: Database, typed: str | None, mode: str) -> None:
    before = broken.dump()

    async def work(client: Any) -> Any:
        return (await plan_and_apply(client))[1]

    result = with_client(broken.dsn, work, lambda message: typed, mode)

    assert result.is_error
    assert "Nothing was changed." in told(result)
    assert broken.dump() == before


def test_a_plan_that_was_not_made_here_is_not_asked_about(broken: Database) -> None:
    asked: list[str] = []

    async def work(client: Any) -> Any:
        return await client.call_tool("apply", {"plan": "0123456789abcdef"})

    result = with_client(broken.dsn, work, lambda message: asked.append(message) or "0123456789abcdef")

    assert result.is_error
    assert "There is no plan '0123456789abcdef' here: call plan, and take its identity." in told(result)
    assert asked == []


def test_hazards_that_are_not_allowed_stop_it(broken: Database) -> None:
    before = broken.dump()

    async def work(client: Any) -> Any:
        planned = json.loads(told(await client.call_tool("plan", {})))
        return await client.call_tool("apply", {"plan": planned["identity"]})

    result = with_client(broken.dsn, work, the_identity)

    assert result.is_error
    assert "moves-rows" in told(result)
    assert broken.dump() == before


def test_no_answer_holds_a_password() -> None:
    async def work(client: Any) -> str:
        calls = [await client.call_tool(name, {}) for name in ("check", "plan", "history")]
        assert all(call.is_error for call in calls)
        return "".join(map(told, calls))

    from urllib.parse import quote

    text = with_client(f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:1/d", work, the_identity)

    assert PASSWORD not in text
    assert quote(PASSWORD, safe="") not in text
    assert "postgresql://u@127.0.0.1:1/d" in text or "127.0.0.1" in text


def test_without_the_sdk_one_sentence_says_what_to_install(broken: Database, tmp_path: Any) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError('No module named mcp', name='mcp')\n")
    environment = {**CLEAN, "PYTHONPATH": f"{tmp_path}:{HOUSE}", "DATABASE_URL": broken.dsn}
    words = [sys.executable, "-m", "fixer", "mcp"]
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "fixer: fixer mcp needs the official SDK, which is not installed: pip install 'pgmend[mcp]'.\n"
    )
