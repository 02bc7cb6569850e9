"""The SDKs' own loops, which call functions by themselves until the model is done: a job is {"sdk", "base", "key", "model",
"prompt", "stream", "version"}, its answer {"text", "called"} and what the SDK counted, or {"failure"}."""

from typing import Literal

from jobs import serve


def tools_of(called):
    def list_files(path: str) -> str:
        """Names the files of a folder.

        Args:
            path: The folder.
        """
        called.append(["list_files", path])
        return f"{path}/a.txt\n{path}/b.txt"

    def read_file(path: str, lines: int) -> str:
        """The text of a file.

        Args:
            path: The file.
            lines: How many.
        """
        called.append(["read_file", path, lines])
        return f"the text of {path}"

    def run(command: str, how: Literal["quietly", "aloud"] = "aloud") -> str:
        """Runs a command.

        Args:
            command: The command.
            how: Whether its output is shown.
        """
        called.append(["run", command])
        if command == "make":
            raise ValueError("no rule to make target")
        return "built"

    def screenshot() -> str:
        """A picture of the screen."""
        called.append(["screenshot"])
        return "taken"

    return [list_files, read_file, run, screenshot]


def gemini(job, called):
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=job["base"], api_version=job.get("version"))
    client = genai.Client(api_key=job["key"], http_options=options)
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_level="LOW")
    chat = client.chats.create(model=job["model"], config=types.GenerateContentConfig(tools=tools_of(called), system_instruction="You are an agent.", thinking_config=thinking))
    if job["stream"]:
        text = "".join(chunk.text or "" for chunk in chat.send_message_stream(job["prompt"]))
    else:
        text = chat.send_message(job["prompt"]).text
    more = chat.send_message("hello").text
    counted = client.models.count_tokens(model=job["model"], contents="hello").total_tokens
    return {"text": text, "more": more, "called": called, "counted": counted}


def claude(job, called):
    from anthropic import Anthropic, beta_tool

    client = Anthropic(base_url=job["base"], api_key=job["key"], max_retries=0)
    runner = client.beta.messages.tool_runner(
        model=job["model"],
        max_tokens=4096,
        system="You are an agent.",
        tools=[beta_tool(tool) for tool in tools_of(called)],
        messages=[{"role": "user", "content": job["prompt"]}],
        thinking={"type": "adaptive", "display": "summarized"},
        stream=job["stream"],
    )
    last = None
    for step in runner:
        last = step.get_final_message() if job["stream"] else step
    text = "".join(block.text for block in last.content if block.type == "text")
    counted = client.messages.count_tokens(model=job["model"], messages=[{"role": "user", "content": "hello"}]).input_tokens
    return {"text": text, "called": called, "counted": counted}


def handle(job):
    try:
        return {"gemini": gemini, "claude": claude}[job["sdk"]](job, [])
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}"}


serve(handle)
