"""Conversations through the vendors' Python SDKs: the face of ../clients.mjs, as jobs. Which SDK it is, the environment tells.

A job is {"talk": id, "do": "new" | "say" | "results" | "again" | "use", ...}; its answer {"text", "reasoning", "calls"}, or
{"failure"} with the words of an exception of the SDK's. What is said goes through the SDK as its documentation shows it, and
histories are what it gave back, unchanged.
"""

import base64

from jobs import serve

talks = {}


def plain(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def data_url(image):
    return f"data:{image['mime']};base64,{image['data']}"


class Chat:
    def __init__(self, base, key, model, system, tools, thinking):
        from openai import OpenAI

        self.sdk = OpenAI(base_url=base, api_key=key, max_retries=0)
        self.model, self.thinking = model, thinking or {}
        self.messages = [{"role": "system", "content": system}]
        self.tools = [{"type": "function", "function": {"name": t["name"], "description": t["description"], "parameters": t["schema"]}} for t in tools]

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def results(self, results):
        import json

        for result in results:
            self.messages.append({"role": "tool", "tool_call_id": result["call"]["id"], "content": result["output"]})
        images = [{"type": "image_url", "image_url": {"url": data_url(r["image"])}} for r in results if r.get("image")]
        if images:
            self.messages.append({"role": "user", "content": images})

    def run(self, stream):
        import json

        request = dict(model=self.model, messages=self.messages, tools=self.tools, **self.thinking)
        if stream:
            deltas = []
            with self.sdk.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
                for event in events:
                    if event.type == "chunk" and event.chunk.choices:
                        deltas.append(event.chunk.choices[0].delta)
                message = events.get_final_completion().choices[0].message
            message = message.model_dump(exclude_none=True, exclude={"parsed"})
            for call in message.get("tool_calls", []):
                call["function"].pop("parsed_arguments", None)
            # Of a list whose entries it does not know the helper joins what is to be told apart.
            details = [entry for delta in deltas for entry in getattr(delta, "reasoning_details", None) or []]
            if details:
                message["reasoning_details"] = details
        else:
            message = self.sdk.chat.completions.create(**request).choices[0].message.model_dump(exclude_none=True)
        self.messages.append(message)
        calls = [{"id": c["id"], "name": c["function"]["name"], "args": json.loads(c["function"]["arguments"])} for c in message.get("tool_calls", [])]
        reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
        return {"text": message.get("content") or "", "reasoning": reasoning, "calls": calls}


class Responses:
    def __init__(self, base, key, model, system, tools, thinking):
        from openai import OpenAI

        self.sdk = OpenAI(base_url=base, api_key=key, max_retries=0)
        self.model, self.thinking, self.system = model, thinking or {}, system
        self.input = []
        self.tools = [{"type": "function", "name": t["name"], "description": t["description"], "parameters": t["schema"], "strict": False} for t in tools]

    def say(self, text):
        self.input.append({"role": "user", "content": text})

    def results(self, results):
        for result in results:
            output = result["output"]
            if result.get("image"):
                output = [{"type": "input_text", "text": output}, {"type": "input_image", "detail": "auto", "image_url": data_url(result["image"])}]
            self.input.append({"type": "function_call_output", "call_id": result["call"]["id"], "output": output})

    def run(self, stream):
        import json

        request = dict(model=self.model, input=self.input, instructions=self.system, tools=self.tools, store=False, **self.thinking)
        if stream:
            with self.sdk.responses.stream(**request) as events:
                for _ in events:
                    pass
                response = events.get_final_response()
        else:
            response = self.sdk.responses.create(**request)
        # What the helper has parsed is the client's own.
        self.input += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        for item in self.input:
            for part in item.get("content") or [] if item.get("type") == "message" else []:
                part.pop("parsed", None)
        calls = [{"id": i.call_id, "name": i.name, "args": json.loads(i.arguments)} for i in response.output if i.type == "function_call"]
        reasoning = "".join(part.text for i in response.output if i.type == "reasoning" for part in i.summary)
        return {"text": response.output_text, "reasoning": reasoning, "calls": calls}


class Claude:
    def __init__(self, base, key, model, system, tools, thinking):
        from anthropic import Anthropic

        self.sdk = Anthropic(base_url=base, api_key=key, max_retries=0)
        self.model, self.thinking, self.system = model, thinking or {}, system
        self.messages = []
        self.tools = [{"name": t["name"], "description": t["description"], "input_schema": t["schema"]} for t in tools]

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def results(self, results):
        def content(result):
            if not result.get("image"):
                return result["output"]
            image = result["image"]
            return [{"type": "text", "text": result["output"]}, {"type": "image", "source": {"type": "base64", "media_type": image["mime"], "data": image["data"]}}]

        blocks = [plain(type="tool_result", tool_use_id=r["call"]["id"], content=content(r), is_error=r.get("error")) for r in results]
        self.messages.append({"role": "user", "content": blocks})

    def run(self, stream):
        request = dict(model=self.model, max_tokens=4096, system=self.system, messages=self.messages, tools=self.tools, **self.thinking)
        if stream:
            with self.sdk.messages.stream(**request) as events:
                message = events.get_final_message()
        else:
            message = self.sdk.messages.create(**request)
        self.messages.append({"role": "assistant", "content": message.content})
        calls = [{"id": b.id, "name": b.name, "args": b.input} for b in message.content if b.type == "tool_use"]
        return {
            "text": "".join(b.text for b in message.content if b.type == "text"),
            "reasoning": "".join(b.thinking for b in message.content if b.type == "thinking"),
            "calls": calls,
        }


class Gemini:
    """The SDK's own chat keeps the history; functions are called by hand."""

    def __init__(self, base, key, model, system, tools, thinking):
        from google import genai
        from google.genai import types

        self.types = types
        self.sdk = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base))
        self.model = model
        declarations = [types.FunctionDeclaration(name=t["name"], description=t["description"], parameters_json_schema=t["schema"]) for t in tools]
        self.config = types.GenerateContentConfig(
            system_instruction=system,
            tools=[types.Tool(function_declarations=declarations)],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(**thinking) if thinking else None,
        )
        self.contents = []

    def say(self, text):
        self.contents.append(self.types.Content(role="user", parts=[self.types.Part(text=text)]))

    def results(self, results):
        types = self.types
        parts = []
        for r in results:
            image = r.get("image")
            shown = [types.FunctionResponsePart(inline_data=types.FunctionResponseBlob(mime_type=image["mime"], data=base64.b64decode(image["data"])))] if image else None
            response = {"error" if r.get("error") else "output": r["output"]}
            parts.append(types.Part(function_response=types.FunctionResponse(id=r["call"]["id"], name=r["call"]["name"], response=response, parts=shown)))
        self.contents.append(types.Content(role="user", parts=parts))

    def run(self, stream):
        request = dict(model=self.model, contents=self.contents, config=self.config)
        if stream:
            chunks = list(self.sdk.models.generate_content_stream(**request))
        else:
            chunks = [self.sdk.models.generate_content(**request)]
        if not any(c.candidates and c.candidates[0].finish_reason for c in chunks):
            raise ValueError("the stream has no end")
        # As the SDK's chats keep them: each chunk's content by itself.
        contents = [c.candidates[0].content for c in chunks if c.candidates and c.candidates[0].content]
        self.contents += contents
        parts = [part for content in contents for part in content.parts or []]
        calls = [{"id": p.function_call.id, "name": p.function_call.name, "args": p.function_call.args or {}} for p in parts if p.function_call]
        return {
            "text": "".join(p.text for p in parts if p.text and not p.thought),
            "reasoning": "".join(p.text for p in parts if p.text and p.thought),
            "calls": calls,
        }


KINDS = {"chat": Chat, "responses": Responses, "claude": Claude, "gemini": Gemini}


def handle(job):
    if job["do"] == "new":
        talks[job["talk"]] = KINDS[job["kind"]](job["base"], job["key"], job["model"], job["system"], job["tools"], job.get("thinking"))
        return {}
    talk = talks[job["talk"]]
    if job["do"] == "use":
        talk.model = job["model"]
        return {}
    if job["do"] == "say":
        talk.say(job["text"])
    elif job["do"] == "results":
        talk.results(job["results"])
    try:
        return talk.run(job.get("stream", False))
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}"}


serve(handle)
