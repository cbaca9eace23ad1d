"""A mailbox through Python's imaplib: everything that a client does in a day.

Arguments: host, port, the authority's file, address, app password, the SMTP port.
"""

import imaplib
import smtplib
import ssl
import sys
import time

host, port, authority, address, secret, smtp_port = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)


def connect():
    return imaplib.IMAP4_SSL(host, int(port), ssl_context=context)


def ok(answer):
    kind, data = answer
    assert kind == "OK", (kind, data)
    return data


def deliver(subject, text):
    with smtplib.SMTP(host, int(smtp_port), local_hostname="sender.example") as post:
        head = f"From: carol@sender.example\r\nTo: {address}\r\nSubject: {subject}\r\n\r\n"
        post.sendmail("carol@sender.example", [address], (head + text + "\r\n").encode())


wrong = connect()
try:
    wrong.login(address, "sk-wrong")
except imaplib.IMAP4.error as error:
    assert "AUTHENTICATIONFAILED" in str(error), error
else:
    raise AssertionError("a wrong password was taken")

mail = connect()
ok(mail.login(address, secret))
known = ok(mail.capability())[0].decode()
for word in ["IDLE", "UIDPLUS", "MOVE", "NAMESPACE", "SPECIAL-USE", "LITERAL+", "ID", "ENABLE",
             "CONDSTORE", "QUOTA", "UNSELECT"]:
    assert word in known.split(), (word, known)

names = b" ".join(ok(mail.list()))
for name in [b"INBOX", b"Junk", b"Trash", b"Sent", b"Drafts"]:
    assert name in names, names
ok(mail.namespace())

# Folders, with a Japanese name in modified UTF-7.
japanese = "&i8tsQmb4-"
for name in ["Work", "Work/2026", japanese]:
    ok(mail.create(name))
assert any(japanese.encode() in line for line in ok(mail.list()))
ok(mail.subscribe("Work"))
ok(mail.rename("Work/2026", "Work/2027"))
assert not any(b"2026" in line for line in ok(mail.list()))

# APPEND and UIDPLUS.
letter = "From: a@sender.example\r\nSubject: =?UTF-8?B?5pel5pys6Kqe?=\r\n\r\nowned words\r\n".encode()
data = ok(mail.append("Work", "(\\Seen $Label)", imaplib.Time2Internaldate(time.time()), letter))
assert b"APPENDUID" in data[0], data
ok(mail.append(japanese, None, None, letter))
assert ok(mail.select("Work"))[0] == b"1"
data = ok(mail.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"))
assert data[0][1] == letter, data
assert b"$Label" in b"".join(part if isinstance(part, bytes) else part[0] for part in data)

# Searches.
ok(mail.select("INBOX"))
deliver("imaplib first", "one")
deliver("imaplib second", "two, a little longer than one")
deliver("imaplib third", "three")
ok(mail.noop())


def search(*words):
    return [int(number) for number in ok(mail.search(None, *words))[0].split()]


mine = search("SUBJECT", '"imaplib"')
assert len(mine) == 3, mine
assert search("SUBJECT", '"imaplib second"') == [mine[1]]
assert set(mine) <= set(search("FROM", "carol@sender.example"))
assert set(mine) <= set(search("UNSEEN"))
assert search("NOT", "SUBJECT", '"imaplib"', "SINCE", "1-Jan-2040") == []
assert mine[1] in search("LARGER", "10", "SMALLER", "100000")

# Flags, and CONDSTORE.
ok(mail.store(str(mine[0]), "+FLAGS", "(\\Seen \\Flagged Important)"))
assert mine[0] in search("FLAGGED") and mine[0] in search("KEYWORD", "Important")
data = ok(mail.fetch(str(mine[0]), "(FLAGS MODSEQ)"))[0]
modseq = int(data.split(b"MODSEQ (")[1].split(b")")[0])
ok(mail.store(str(mine[0]), "-FLAGS", "(Important)"))
kind, data = mail._simple_command("STORE", str(mine[0]), f"(UNCHANGEDSINCE {modseq})", "+FLAGS", "(Late)")
assert kind == "OK" and b"MODIFIED" in data[0], (kind, data)
data = ok(mail.fetch("1:*", f"(FLAGS) (CHANGEDSINCE {modseq})"))
assert len([one for one in data if one]) == 1, data

# COPY, MOVE, EXPUNGE by UID.
uids = ok(mail.uid("SEARCH", None, "SUBJECT", '"imaplib"'))[0].split()
ok(mail.uid("COPY", uids[0], "Work"))
assert mail.response("COPYUID")[1][0] is not None
ok(mail.uid("MOVE", uids[1], japanese))
left = ok(mail.uid("SEARCH", None, "SUBJECT", '"imaplib"'))[0].split()
assert left == [uids[0], uids[2]], left
ok(mail.uid("STORE", uids[2], "+FLAGS", "(\\Deleted)"))
ok(mail.uid("EXPUNGE", uids[2]))
left = ok(mail.uid("SEARCH", None, "SUBJECT", '"imaplib"'))[0].split()
assert left == [uids[0]], left
assert ok(mail.select(japanese, readonly=True))[0] == b"2"
assert ok(mail.select("Work"))[0] == b"2"
ok(mail.store("1:*", "+FLAGS", "\\Deleted"))
assert len(ok(mail.expunge())) == 2
ok(mail.close())

# Quota and STATUS.
data = ok(mail.getquotaroot("INBOX"))
assert b"STORAGE" in data[1][0], data
assert b"MESSAGES" in ok(mail.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"))[0]

# IDLE: a letter is pushed.
ok(mail.select("INBOX"))
mail.send(b"idle1 IDLE\r\n")
assert mail.readline().startswith(b"+")
deliver("imaplib pushed", "while idle")
mail.sock.settimeout(20)
pushed = mail.readline()
while b"EXISTS" not in pushed:
    pushed = mail.readline()
mail.send(b"DONE\r\n")
while not mail.readline().startswith(b"idle1 OK"):
    pass

for name in ["Work/2027", "Work", japanese]:
    ok(mail.delete(name))
kind, _ = mail.select("Work")
assert kind == "NO", kind
mail.logout()
print("read by imaplib")
