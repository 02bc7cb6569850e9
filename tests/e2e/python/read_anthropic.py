"""A stream as Anthropic's SDK tells it, by its own streaming helper: ../readers.mjs has what an answer is made of."""

import json
from functools import cache

from anthropic import Anthropic, AnthropicError
from jobs import serve, told

client = cache(lambda base, key: Anthropic(base_url=base, api_key=key, max_retries=0))


def call(block):
    return {"name": block.name, "arguments": json.dumps(block.input)}


def read(sdk, model, seen):
    question = [{"role": "user", "content": "What is the weather?"}]
    with sdk.messages.stream(model=model, max_tokens=4096, messages=question) as stream:
        for event in stream:
            if event.type == "content_block_stop" and event.content_block.type == "tool_use":
                seen["completed"].append(call(event.content_block))
        final = stream.get_final_message()
    seen["text"] = "".join(block.text for block in final.content if block.type == "text")
    seen["calls"] = [call(block) for block in final.content if block.type == "tool_use"]
    seen["finish"] = final.stop_reason


def handle(job):
    sdk = client(job["base"], job["key"])
    return told(lambda seen: read(sdk, job["model"], seen), AnthropicError)


serve(handle)
