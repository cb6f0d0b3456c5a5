"""Receives messages by long-poll with nothing but http.client, and prints one text a line.

usage: poll.py HOST:PORT NAME PASSWORD COUNT

Whatever breaks, it asks again with the key of what it has printed. It ends after COUNT messages.
"""
import http.client
import json
import sys
import time
import urllib.parse

server, name, password, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def ask(method, path, body=None, token=None):
    """Asks until there is an answer. A refusal that will not change by asking again ends the program."""
    while True:
        link = http.client.HTTPConnection(server, timeout=35)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            if token:
                headers["Authorization"] = "Bearer " + token
            link.request(method, "/v1/" + path, None if body is None else json.dumps(body), headers)
            answer = link.getresponse()
            text = answer.read()
            if answer.status == 200:
                return json.loads(text)
            problem = json.loads(text)
            assert answer.getheader("Content-Type") == "application/problem+json", answer.getheader("Content-Type")
            assert problem["status"] == answer.status and problem["detail"] and problem["code"], problem
            if problem["code"] not in ("BUSY", "UNAVAILABLE", "INTERNAL", "THROTTLED", "STORAGE_LOW"):
                sys.exit("refused: %s" % problem)
            time.sleep(problem.get("retryAfterMs", 100) / 1000)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            link.close()


def show(changes):
    global count
    for change in changes:
        if "message" in change:
            print(change["message"]["content"]["text"], flush=True)
            count -= 1


token = ask("POST", "login", {"name": name, "password": password, "device": {"class": "BOT"}})["deviceToken"]
page = ask("POST", "sync", {}, token)
rest = page["reset"].get("backfill")
while rest:
    more = ask("POST", "backfill", {"token": rest}, token)
    show(more.get("changes", []))
    rest = more.get("token")
while count > 0:
    query = urllib.parse.urlencode({"key": page["key"], "waitMs": 20000})
    page = ask("GET", "sync?" + query, token=token)
    show(page.get("changes", []))
