"""A stream as Google's SDK tells it, by its own streaming method: ../readers.mjs has what an answer is made of."""

import json
from functools import cache

from google import genai
from google.genai.errors import APIError
from google.genai.types import HttpOptions
from jobs import serve, told

client = cache(lambda base, key: genai.Client(api_key=key, http_options=HttpOptions(base_url=base)))


def read(sdk, model, seen):
    for chunk in sdk.models.generate_content_stream(model=model, contents="What is the weather?"):
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            seen["finish"] = chunk.prompt_feedback.block_reason.value
        for candidate in (chunk.candidates or [])[:1]:
            for part in (candidate.content and candidate.content.parts) or []:
                if part.text and not part.thought:
                    seen["text"] += part.text
                if part.function_call:
                    seen["calls"].append({"name": part.function_call.name, "arguments": json.dumps(part.function_call.args or {})})
            if candidate.finish_reason:
                seen["finish"] = candidate.finish_reason.value
        seen["completed"] = seen["calls"]


def handle(job):
    sdk = client(job["base"], job["key"])
    return told(lambda seen: read(sdk, job["model"], seen), APIError)


serve(handle)
