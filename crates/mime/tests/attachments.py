"""What Python's email package takes for named parts: one JSON line a file given on stdin."""
import email
import email.policy
import json
import sys


def decoded(name):
    out = []
    for text, charset in email.header.decode_header(name):
        if isinstance(text, bytes):
            try:
                text = text.decode(charset or "utf-8", "replace")
            except LookupError:
                text = text.decode("utf-8", "replace")
        out.append(text)
    return "".join(out)


def named(message, found):
    for part in message.walk():
        if part.get_content_maintype() == "multipart":
            continue
        try:
            name = part.get_filename()
        except Exception:
            name = None
        if name:
            try:
                name = decoded(str(name))
            except Exception:
                name = str(name)
            found.append([name, part.get_content_type()])


for line in sys.stdin:
    path = line.rstrip("\n")
    found = []
    with open(path, "rb") as file:
        try:
            named(email.message_from_binary_file(file, policy=email.policy.compat32), found)
        except Exception as fault:
            found = None
    print(json.dumps(found))
