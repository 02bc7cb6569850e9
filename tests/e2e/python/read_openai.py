"""A stream as OpenAI's SDK tells it, by its own streaming helpers: ../readers.mjs has what an answer is made of."""

from functools import cache

from jobs import serve, told
from openai import ContentFilterFinishReasonError, LengthFinishReasonError, OpenAI, OpenAIError

QUESTION = "What is the weather?"
client = cache(lambda base, key: OpenAI(base_url=base, api_key=key, max_retries=0))


def chat(sdk, model, seen):
    def call(made):
        if made.type == "custom":
            return {"name": made.custom["name"], "arguments": made.custom["input"]}
        return {"name": made.function.name, "arguments": made.function.arguments}

    question = [{"role": "user", "content": QUESTION}]
    with sdk.chat.completions.stream(model=model, messages=question, stream_options={"include_usage": True}) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.done":
                seen["completed"].append({"name": event.name, "arguments": event.arguments})
        [choice] = final_completion(stream).choices
    calls = choice.message.tool_calls or []
    # The helper has no such event for custom tools: theirs are whole when the message is.
    seen["completed"] += [call(made) for made in calls if made.type == "custom"]
    seen |= {"text": choice.message.content or "", "refusal": choice.message.refusal or "", "calls": [call(made) for made in calls], "finish": choice.finish_reason}


def final_completion(stream):
    snapshot = stream.current_completion_snapshot
    if any(made.type == "custom" for made in snapshot.choices[0].message.tool_calls or []):
        # The helper of this version cannot make a final completion of any stream with a custom tool's call.
        return snapshot
    try:
        return stream.get_final_completion()
    except (LengthFinishReasonError, ContentFilterFinishReasonError):
        # So the helper tells that an answer was cut short; what it has of it is the snapshot.
        return snapshot


def responses(sdk, model, seen):
    calls = {"function_call": "arguments", "custom_tool_call": "input"}

    def call(item):
        return {"name": item.name, "arguments": getattr(item, calls[item.type])}

    last = None
    with sdk.responses.stream(model=model, input=QUESTION, store=False) as stream:
        for event in stream:
            if event.type == "response.output_item.done" and event.item.type in calls and event.item.status == "completed":
                seen["completed"].append(call(event.item))
            elif event.type in ("response.incomplete", "response.failed"):
                # The helper's final response is there for answers that were completed, and for no others.
                last = event.response
        final = last or stream.get_final_response()
    parts = [part for item in final.output if item.type == "message" for part in item.content]
    seen["text"] = final.output_text
    seen["refusal"] = "".join(part.refusal for part in parts if part.type == "refusal")
    seen["calls"] = [call(item) for item in final.output if item.type in calls]
    seen["finish"] = final.incomplete_details.reason if final.incomplete_details else final.status
    if final.status == "failed":
        seen["failure"] = {"name": "failed", "message": final.error.message, "own": True}


def handle(job):
    sdk = client(job["base"], job["key"])
    read = {"chat": chat, "responses": responses}[job["client"]]
    return told(lambda seen: read(sdk, job["model"], seen), OpenAIError)


serve(handle)
