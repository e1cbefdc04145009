import { expect, test } from "vitest";
import { VirtualClock } from "../../../../src/kernel/virtual-clock.ts";
import { ITEMS_PER_REQUEST, MAX_IN_FLIGHT } from "../../../../src/lease/limits.ts";
import { type LeaseReply, type LeaseRequest, makeSessionId } from "../../../../src/lease/requests.ts";
import { RequestBatches } from "../../../../src/node/strict/request-batches.ts";

const SESSION = makeSessionId("a", 1);

function setUp() {
  const clock = new VirtualClock();
  const sent: { readonly server: number; readonly id: number; readonly request: LeaseRequest }[] = [];
  const replies: { readonly id: number; readonly reply: LeaseReply }[] = [];
  const batches = new RequestBatches({
    clock,
    send: (server, id, request) => sent.push({ server, id, request }),
    onReply: (_server, id, reply) => replies.push({ id, reply }),
  });
  /** What went to each server: the kind, and the names in it. */
  const told = (): readonly string[] =>
    sent.map(({ id, request, server }) => {
      const items = "items" in request ? request.items : [];
      return `${server} ${id} ${request.kind} ${items.map(({ name }) => name).join()}`;
    });
  return { batches, clock, replies, sent, told };
}

function acquire(name: string, session = SESSION, connection = 1): LeaseRequest {
  const value = new Uint8Array();
  const items = [{ name, claim: 1, proposal: 1, value, ticket: undefined }];
  return { kind: "acquire", session, connection, items };
}

function release(...names: readonly string[]): LeaseRequest {
  const items = names.map((name) => ({ name, claim: 1, leave: true }));
  return { kind: "release", session: SESSION, connection: 1, items };
}

test("what is asked of one server in one turn goes together, and to each server by itself", () => {
  const { batches, clock, told } = setUp();
  batches.send(0, 1, acquire("a"));
  batches.send(1, 2, acquire("a"));
  batches.send(0, 3, acquire("b"));
  batches.send(1, 4, acquire("b"));
  expect(told()).toEqual([]);
  clock.runUntil(0);
  expect(told()).toEqual(["0 1 acquire a,b", "1 2 acquire a,b"]);
  batches.send(0, 5, acquire("c"));
  clock.runUntil(1);
  expect(told().slice(2)).toEqual(["0 5 acquire c"]);
});

test("the order in which things are sent to a server stays, whatever lies between", () => {
  const { batches, clock, told } = setUp();
  batches.send(0, 1, acquire("a"));
  batches.send(0, 2, release("b"));
  batches.send(0, 3, release("c"));
  batches.send(0, 4, { kind: "renew", session: SESSION, connection: 1 });
  batches.send(0, 5, acquire("d"));
  batches.send(0, 6, acquire("e", makeSessionId("a", 2)));
  batches.send(0, 7, acquire("f", makeSessionId("a", 2), 2));
  clock.runUntil(0);
  expect(told()).toEqual([
    "0 1 acquire a",
    "0 2 release b,c",
    "0 4 renew ",
    "0 5 acquire d",
    "0 6 acquire e",
    "0 7 acquire f",
  ]);
});

test("no request has more items than a server takes at once", () => {
  const { batches, clock, sent } = setUp();
  for (let id = 1; id <= 2 * ITEMS_PER_REQUEST + 1; id += 1) batches.send(0, id, acquire(`n${id}`));
  clock.runUntil(0);
  const sizes = sent.map(({ request }) => ("items" in request ? request.items.length : 0));
  expect(sizes).toEqual([ITEMS_PER_REQUEST, ITEMS_PER_REQUEST, 1]);
});

test("each is answered with what is said of its own items, and all by what is said of the whole", () => {
  const { batches, clock, replies } = setUp();
  batches.send(0, 1, release("a"));
  batches.send(0, 2, release("b", "c"));
  batches.send(0, 3, release("d"));
  clock.runUntil(0);
  const next = ["a", "b", "c", "d"].map((owner) => ({ next: makeSessionId(owner, 1) }));
  batches.reply(0, 1, { kind: "released", items: next });
  expect(replies).toEqual([
    { id: 1, reply: { kind: "released", items: next.slice(0, 1) } },
    { id: 2, reply: { kind: "released", items: next.slice(1, 3) } },
    { id: 3, reply: { kind: "released", items: next.slice(3) } },
  ]);
  replies.length = 0;
  batches.send(0, 4, acquire("a"));
  batches.send(0, 5, acquire("b"));
  clock.runUntil(1);
  const granted = [1, 2].map((token) => ({ kind: "granted", token }) as const);
  batches.reply(0, 4, { kind: "acquired", items: granted });
  expect(replies).toEqual([
    { id: 4, reply: { kind: "acquired", items: granted.slice(0, 1) } },
    { id: 5, reply: { kind: "acquired", items: granted.slice(1) } },
  ]);
  replies.length = 0;
  batches.send(0, 6, acquire("a"));
  batches.send(0, 7, acquire("b"));
  clock.runUntil(2);
  batches.reply(0, 6, { kind: "noSession" });
  expect(replies).toEqual([6, 7].map((id) => ({ id, reply: { kind: "noSession" } })));
});

test("what was to be sent, or was sent, on a connection that is lost has nothing to do with the next one", () => {
  const { batches, clock, replies, told } = setUp();
  batches.send(0, 1, acquire("a"));
  batches.send(0, 2, acquire("b"));
  batches.send(1, 3, acquire("a"));
  batches.disconnected(0);
  clock.runUntil(0);
  expect(told()).toEqual(["1 3 acquire a"]);
  batches.send(0, 4, acquire("a"));
  batches.send(0, 5, acquire("b"));
  clock.runUntil(1);
  batches.disconnected(0);
  batches.reply(0, 4, { kind: "noSession" });
  expect(replies.map(({ id }) => id)).toEqual([4]);
});

test("batches that a server never answers are forgotten, oldest first, and those of other servers are not", () => {
  const { batches, clock, replies } = setUp();
  batches.send(1, 1, release("a"));
  batches.send(1, 2, release("b"));
  let id = 2;
  const perBatch = 64;
  for (let batch = 1; batch <= (2 * MAX_IN_FLIGHT) / perBatch; batch += 1) {
    for (let part = 1; part <= perBatch; part += 1) {
      id += 1;
      batches.send(0, id, release(`n${id}`));
    }
    clock.runUntil(batch);
    expect(batches.unanswered).toBeLessThanOrEqual(MAX_IN_FLIGHT + 2);
  }
  expect(batches.unanswered).toBeGreaterThan(MAX_IN_FLIGHT - perBatch);
  const told = (server: number, sentWith: number) => {
    replies.length = 0;
    batches.reply(server, sentWith, { kind: "noSession" });
    return replies.map((each) => each.id);
  };
  expect(told(1, 1)).toEqual([1, 2]);
  expect(told(0, id - perBatch + 1)).toHaveLength(perBatch);
  // Of a batch that is forgotten only the one whose id it was sent with could hear.
  expect(told(0, 3)).toEqual([3]);
  batches.disconnected(0);
  expect(batches.unanswered).toBe(0);
});
