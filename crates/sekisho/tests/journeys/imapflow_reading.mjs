// A mailbox through imapflow. Arguments: port, the authority's file, address, app password.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, port, authority, user, pass] = process.argv.slice(2);
const { ImapFlow } = createRequire(`${modules}/`)("imapflow");
const client = new ImapFlow({
  host: "localhost",
  port: Number(port),
  secure: true,
  tls: { ca: readFileSync(authority) },
  auth: { user, pass },
  logger: false,
});
await client.connect();
const lock = await client.getMailboxLock("INBOX");
let count = 0;
for await (const one of client.fetch("1:*", { envelope: true, bodyStructure: true, source: true })) {
  if (!one.source.length || !one.bodyStructure) throw new Error(`nothing in ${one.seq}`);
  count += 1;
}
if (count !== client.mailbox.exists || count === 0) throw new Error(`${count} read`);
lock.release();
await client.logout();
console.log("read by imapflow");
