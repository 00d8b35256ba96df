// A gateway in another language: node's `redis` and `ioredis` against the daemon.
//
// node gateway.cjs LIBRARY, with a JSON object on standard input: {to: {port} or {path}, ca, name,
// token, protocol, commands: [[word, ...], ...]}. Prints the replies as a JSON array, an error as
// {error: text}. Whatever else goes wrong ends it with a message and exit code 1.
const fs = require("node:fs");

const asked = JSON.parse(fs.readFileSync(0, "utf8"));

async function byRedis() {
  const { createClient } = require("redis");
  const place = asked.to.path ? { path: asked.to.path } : { host: "localhost", port: asked.to.port };
  const tls = asked.ca ? { tls: true, ca: fs.readFileSync(asked.ca) } : {};
  const client = createClient({
    socket: { ...place, ...tls, reconnectStrategy: false },
    username: asked.name,
    password: asked.token,
    RESP: asked.protocol,
  });
  client.on("error", () => {});
  await client.connect();
  const said = await Promise.all(asked.commands.map((words) => answer(client.sendCommand(words))));
  client.destroy();
  return said;
}

async function byIoredis() {
  const { Redis } = require("ioredis");
  const place = asked.to.path ? { path: asked.to.path } : { host: "localhost", port: asked.to.port };
  const tls = asked.ca ? { tls: { ca: fs.readFileSync(asked.ca) } } : {};
  const client = new Redis({
    ...place, ...tls,
    username: asked.name,
    password: asked.token,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  });
  client.on("error", () => {});
  await client.connect();
  const said = await Promise.all(asked.commands.map(([name, ...rest]) => answer(client.call(name, ...rest))));
  client.disconnect();
  return said;
}

function answer(reply) {
  return reply.catch((error) => ({ error: error.message }));
}

({ redis: byRedis, ioredis: byIoredis })[process.argv[2]]().then(
  (said) => console.log(JSON.stringify(said)),
  (error) => {
    console.error(`${error.message}`);
    process.exit(1);
  },
);
