"""Jobs as lines of JSON on the standard input, each answered by a line on the standard output: see ../python.mjs."""

import json
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor


def serve(handle, at_once=8):
    """Answers jobs until there are no more: `handle` takes a job's input and gives its answer. It is called on several threads."""
    # What an SDK prints must not get between the answers.
    out, sys.stdout = sys.stdout, sys.stderr
    lock = threading.Lock()

    def work(job, given):
        try:
            told = {"job": job, "answer": handle(given)}
        except BaseException:
            told = {"job": job, "exception": traceback.format_exc()}
        line = json.dumps(told) + "\n"
        with lock:
            out.write(line)
            out.flush()

    with ThreadPoolExecutor(at_once) as pool:
        for line in sys.stdin:
            job = json.loads(line)
            pool.submit(work, job["job"], job["input"])


def told(read, own):
    """What `read` puts into the answer that it is given, and what it raises; `own`: the class of the SDK's own exceptions."""
    seen = {"text": "", "refusal": "", "calls": [], "completed": [], "finish": None}
    try:
        read(seen)
    except Exception as error:
        seen["failure"] = {"name": type(error).__name__, "message": str(error), "own": isinstance(error, own)}
    return seen
