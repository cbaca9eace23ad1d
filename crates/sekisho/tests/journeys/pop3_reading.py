"""A mailbox through Python's poplib.

Arguments: host, port, the authority's file, address, app password.
"""

import poplib
import ssl
import sys

host, port, authority, address, secret = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)


def connect():
    return poplib.POP3_SSL(host, int(port), context=context, timeout=30)


wrong = connect()
try:
    wrong.user(address)
    wrong.pass_("sk-wrong")
except poplib.error_proto as error:
    assert b"-ERR" in error.args[0], error
else:
    raise AssertionError("a wrong password was taken")

post = connect()
capabilities = post.capa()
for word in ["UIDL", "TOP", "USER"]:
    assert word in capabilities, capabilities
post.user(address)
post.pass_(secret)
count, size = post.stat()
assert count >= 2, count
assert len(post.list()[1]) == count
uids = [line.split()[1] for line in post.uidl()[1]]
assert len(set(uids)) == count
_, lines, octets = post.retr(1)
assert octets > 100 and any(line.lower().startswith(b"received:") for line in lines)
_, top, _ = post.top(1, 0)
assert len(top) < len(lines)
post.dele(1)
post.rset()
assert post.stat()[0] == count
post.dele(1)
assert post.stat()[0] == count - 1
post.quit()

post = connect()
post.user(address)
post.pass_(secret)
assert [line.split()[1] for line in post.uidl()[1]] == uids[1:]
post.quit()
print("read by poplib")
