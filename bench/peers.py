"""Postfix handing to Dovecot over LMTP, in a folder and on ports of their own. No filter. Dovecot's
IMAP beside it, with TLS and without."""
import glob
import json
import os
import pwd
import shutil
import subprocess
import time

DOMAINS = "example.jp example.net"
# A number that no account has: Dovecot keeps the mail under it.
KEEPER = 64190

MAIN = """compatibility_level = 3.6
queue_directory = {queue}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = {folder}/postfix-data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.peer.localhost
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1/32
relay_domains = {domains}
relay_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = discard
virtual_alias_domains =
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
biff = no
message_size_limit = 52428800
maillog_file_prefixes = /
maillog_file = {folder}/postfix.log
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 100
smtp_dns_support_level = disabled
lmtp_destination_concurrency_limit = 20
smtp_tls_security_level = none
smtpd_tls_security_level = none
"""

MASTER = """127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT = """base_dir = {folder}/dovecot-run
state_dir = {folder}/dovecot-state
protocols = lmtp imap
listen = 127.0.0.1
log_path = {folder}/dovecot.log
ssl = {tls}
{certificate}
disable_plaintext_auth = no
mail_max_userip_connections = 5000
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_fsync = optimized
default_process_limit = 2500
default_client_limit = 5000
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={keeper} gid={keeper} home={folder}/mail/%d/%n
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
  process_min_avail = 2
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service imap {{
  process_limit = 2500
}}
namespace inbox {{
  inbox = yes
}}
"""


class Peers:
    """Both of them; `group` counts them together."""

    def __init__(self, folder, port, group):
        self.folder = f"{folder}/peers"
        self.port = port
        self.group = group
        self.queue = f"{self.folder}/queue"
        self.config = f"{self.folder}/postfix"
        self.dovecot = None
        # What `load idle --ready` reads: with TLS (none where no certificate could be made), without.
        self.imaps = f"{self.folder}/imaps.json"
        self.imap = f"{self.folder}/imap.json"

    @staticmethod
    def are_here():
        here = all(os.path.exists(path) for path in
                   ("/usr/sbin/postfix", "/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp"))
        return here and os.geteuid() == 0

    def start(self):
        lmtp = self.port + 1
        for name in ("queue", "postfix", "postfix-data", "mail", "dovecot-run", "dovecot-state"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.chown(f"{self.folder}/mail", KEEPER, KEEPER)
        os.chown(f"{self.folder}/postfix-data", pwd.getpwnam("postfix").pw_uid, -1)
        words = {"folder": self.folder, "queue": self.queue, "smtp": self.port, "lmtp": lmtp,
                 "domains": DOMAINS, "keeper": KEEPER, "imap": self.port + 2,
                 "imaps": self.port + 3, **self.certificate()}
        for path, text in ((f"{self.config}/main.cf", MAIN), (f"{self.config}/master.cf", MASTER),
                           (f"{self.folder}/dovecot.conf", DOVECOT)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.format(**words))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.dovecot = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", f"{self.folder}/dovecot.conf"],
            preexec_fn=self.group.enter, **quiet)
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "check"], check=False, **quiet)
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "start"], check=True,
                       preexec_fn=self.group.enter, **quiet)
        time.sleep(2)

    def certificate(self):
        """Dovecot's own words about TLS, for a certificate of one day that `load` trusts."""
        key, certificate = f"{self.folder}/key.pem", f"{self.folder}/ca.pem"
        made = shutil.which("openssl") and not subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", key, "-out", certificate],
            check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        if not made:
            return {"tls": "no", "certificate": ""}
        return {"tls": "yes", "certificate": f"ssl_cert = <{certificate}\nssl_key = <{key}"}

    def tell_readers(self):
        """Writes down where IMAP is, as `sekisho demo --json` does: who has mail may sign in."""
        people = sorted(path.split("/")[-2:] for path in glob.glob(f"{self.folder}/mail/*/*"))
        accounts = [{"address": f"{name}@{domain}", "app_password": "any"}
                    for domain, name in people]
        authority = f"{self.folder}/ca.pem"
        for path, port, trusted in ((self.imap, self.port + 2, ""),
                                    (self.imaps, self.port + 3, authority)):
            if trusted and not os.path.exists(trusted):
                continue
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"imaps": f"127.0.0.1:{port}", "ca": trusted, "accounts": accounts},
                          file)

    def waiting(self):
        """Messages accepted and not yet delivered."""
        count = 0
        for name in ("incoming", "active", "deferred", "maildrop"):
            count += sum(len(files) for _, _, files in os.walk(f"{self.queue}/{name}"))
        return count

    def delivered(self):
        return len(glob.glob(f"{self.folder}/mail/*/*/Maildir/new/*"))

    def deliver(self):
        """Waits until what is accepted is delivered."""
        until = time.monotonic() + 60
        while self.waiting() and time.monotonic() < until:
            time.sleep(0.1)

    settle = deliver

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.dovecot:
            self.dovecot.terminate()
            self.dovecot.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def versions():
    def said(*command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stdout.split()[0 if "dovecot" in command[0] else -1]
        except (OSError, subprocess.CalledProcessError, IndexError):
            return "?"
    return (f"Postfix {said('/usr/sbin/postconf', '-d', 'mail_version')}, "
            f"Dovecot {said('/usr/sbin/dovecot', '--version')}")
