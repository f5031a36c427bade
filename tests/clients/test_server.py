"""mlx_lm.server: OpenAI-style requests, streamed or not, from many clients at once."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environment import SIDES, checkpoints, needs, surroundings

pytestmark = needs("clients")

CLIENTS = 20
PROMPTS = ["The red fox", "The grey owl hears", "The small mouse follows the", "The old crow greets"]


class Server:
    """A running server of one side."""

    def __init__(self, side: str, log: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        command = [*SIDES[side], "-m", "mlx_lm", "server", "--model", str(checkpoints() / "trained")]
        command += ["--port", str(port), *options]
        with open(log, "w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=surroundings())

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise AssertionError("no answer\n" + self.log.read_text())

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer; like the usual clients it connects again when it is turned away.

        The server lets five connections queue, so on a busy machine some of many at once are reset.
        """
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        for attempt in range(5):
            try:
                with urllib.request.urlopen(request, timeout=120) as response:
                    return response.read()
            except ConnectionResetError:
                if attempt == 4:
                    raise
                time.sleep(0.2 * 2**attempt)
        raise AssertionError("not reached")

    def text(self, prompt: str, *, chat: bool, stream: bool, **more: Any) -> str:
        """The text of one completion, with its protocol checked."""
        path = "/v1/chat/completions" if chat else "/v1/completions"
        request: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "stream": stream} | more
        request |= {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
        body = self.post(path, json.dumps(request).encode())
        if not stream:
            answer = json.loads(body)
            usage = answer["usage"]
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            choice = answer["choices"][0]
            assert choice["finish_reason"] in ("length", "stop")
            return choice["message"]["content"] if chat else choice["text"]
        lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]" and len(lines) > 3
        choices = [json.loads(line)["choices"][0] for line in lines[:-1]]
        assert choices[-1]["finish_reason"] in ("length", "stop")
        return "".join(c["delta"].get("content") or "" if chat else c["text"] for c in choices)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One on mica."""
    running = Server("mica", tmp_path_factory.mktemp("server") / "log")
    try:
        running.wait()
        yield running
    finally:
        running.close()


def test_concurrent_clients(server: Server) -> None:
    """20 clients, chats and completions, streamed and whole, get what one alone gets."""
    kinds = [(prompt, chat) for prompt in PROMPTS for chat in (True, False)]
    alone = {(prompt, chat): server.text(prompt, chat=chat, stream=False) for prompt, chat in kinds}
    assert len(set(alone.values())) > 2

    def ask(number: int) -> None:
        for turn in range(2):
            prompt, chat = PROMPTS[(number + turn) % len(PROMPTS)], number % 2 == 0
            assert server.text(prompt, chat=chat, stream=number % 4 > 1) == alone[prompt, chat]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))
    assert "Traceback" not in server.log.read_text()


def test_options(server: Server) -> None:
    """Log probabilities, stop words, a seed, and requests that are wrong."""
    request = {"prompt": "The red fox", "max_tokens": 4, "logprobs": True, "top_logprobs": 3}
    answer = json.loads(server.post("/v1/completions", json.dumps(request).encode()))
    assert len(answer["choices"][0]["logprobs"]["content"]) == 4
    text = server.text("The red fox", chat=False, stream=False)
    word = text.split()[2]
    assert word not in server.text("The red fox", chat=False, stream=False, stop=[word])
    drawn = [server.text("The red fox", chat=False, stream=False, temperature=0.9, seed=4) for _ in range(2)]
    assert drawn[0] == drawn[1]
    for path, body in (("/v1/completions", b"{"), ("/v1/completions", b"[]"), ("/v1/nothing", b"{}")):
        with pytest.raises(urllib.error.HTTPError) as error:
            server.post(path, body)
        assert error.value.code in (400, 404)
    assert server.text("The red fox", chat=False, stream=False) == text


@pytest.mark.long
def test_same_as_the_wheel(server: Server, tmp_path: Path) -> None:
    """Both servers answer with the same text."""
    reference = Server("mlx", tmp_path / "log")
    try:
        reference.wait()
        for prompt in PROMPTS:
            for chat in (True, False):
                texts = [side.text(prompt, chat=chat, stream=chat) for side in (server, reference)]
                assert texts[0] == texts[1]
    finally:
        reference.close()


@pytest.mark.long
@pytest.mark.parametrize("words", ["--draft-model {trained}", "--kv-bits 8 --kv-group-size 32"])
def test_served_one_by_one(words: str, tmp_path: Path) -> None:
    """With a draft model, or a quantized cache, requests queue up and are all answered."""
    options = words.format(trained=checkpoints() / "trained").split()
    running = Server("mica", tmp_path / "log", *options)

    def ask(_: int) -> str:
        return running.text(PROMPTS[0], chat=False, stream=True)

    try:
        running.wait()
        # The first answer fills the cache of prompts; those after it begin there, and scores move a little.
        ask(0)
        expected = ask(0)
        with ThreadPoolExecutor(CLIENTS) as pool:
            assert set(pool.map(ask, range(CLIENTS))) == {expected}
        assert expected and "Traceback" not in running.log.read_text()
    finally:
        running.close()
