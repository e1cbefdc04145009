import fc from "fast-check";
import { expect, test } from "vitest";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { nameToken, Subjects } from "../../../src/node/subjects.ts";

const incarnation = makeIncarnation(1_700_000_000_000, [1, 2]);
const id = (name: string): NodeId => makeNodeId(name, incarnation);

test("a node name is one token, which a NATS permission can name", () => {
  expect(nameToken("web-1")).toBe("web-1");
  expect(nameToken("web.eu_1")).toBe("web=2Eeu_1");
});

test("subjects are parsed to what they were made from", () => {
  const a = new Subjects("shop", id("web.1"));
  const b = new Subjects("shop", id("b"));
  expect(b.parse(a.all)).toEqual({ kind: "all", senderToken: "web=2E1" });
  expect(b.parse(a.scope("jobs"))).toEqual({
    kind: "scope",
    scopeHash: b.scopeHash("jobs"),
    senderToken: "web=2E1",
  });
  expect(b.parse(a.node(id("b")))).toEqual({ kind: "node", node: id("b"), senderToken: "web=2E1" });
  expect(b.parse(b.node(id("x.y.z")))).toEqual({ kind: "node", node: id("x.y.z"), senderToken: "b" });
  expect(b.parse(b.name("x.y"))).toEqual({ kind: "name", name: "x.y", senderToken: "b" });
  expect(Subjects.fromAnyone(a.all)).toBe(Subjects.fromAnyone(b.all));
  expect(new Subjects("other", id("b")).parse(a.all)).toBeUndefined();
});

test("what users name never stands in a subject", () => {
  const anyText = fc.string({ unit: "binary", minLength: 1 });
  fc.assert(
    fc.property(anyText, anyText, (cluster, scope) => {
      const subjects = new Subjects(cluster, id("n"));
      for (const subject of [
        subjects.all,
        subjects.scope(scope),
        subjects.node(id("m")),
        subjects.name("m.k"),
      ]) {
        expect(subject).toMatch(/^rc(\.[A-Za-z0-9=_-]+)+$/);
        expect(subject.length).toBeLessThan(400);
      }
    }),
  );
});

test("anything else is no subject of the cluster", () => {
  const subjects = new Subjects("shop", id("n"));
  const prefix = subjects.all.slice(0, -"all.n".length);
  const odd = [
    "",
    "all",
    "all.",
    "all.a.b",
    "all.=2e",
    "all.=41",
    "scope.x",
    "scope..n",
    "scope.a.b.n",
    "node.x.y.n",
  ];
  for (const rest of [...odd, "node.b", "name.n", "name..n", "name.a.b.n", "name.=2E.n.n", "x.y.n"]) {
    expect(subjects.parse(prefix + rest), rest).toBeUndefined();
  }
  fc.assert(fc.property(fc.string(), (rest) => void subjects.parse(prefix + rest)));
});
