import type { Mutant } from "./mutant.ts";

/** Of monitors, and of who is taken for dead. */
export const DETECTION: readonly Mutant[] = [
  {
    name: "a down is told twice",
    edits: [
      {
        file: "src/monitor/monitors.ts",
        find: "this.#fire(monitor, pid === undefined ? { node, reason } : { pid, node, reason });",
        replace:
          "for (let time = 0; time < 2; time += 1) this.#fire(monitor, pid === undefined ? { node, reason } : { pid, node, reason });",
      },
    ],
    by: ["one down for each monitor"],
    seeds: 30,
  },
  {
    name: "a node that is down fires no monitor of its processes",
    edits: [
      {
        file: "src/monitor/monitors.ts",
        find: "for (const monitor of watched.processMonitors()) this.#fireTarget(monitor, reason);",
        replace: "",
      },
    ],
    by: ["every monitor fires"],
    seeds: 170,
  },
  {
    name: "watchers are not told of an end",
    edits: [{ file: "src/monitor/monitors.ts", find: "this.#keeper.exited(serial);", replace: "" }],
    by: ["every monitor fires", "nothing is mended that was not broken"],
    seeds: 100,
  },
  {
    name: "a down for the next incarnation too",
    edits: [
      {
        file: "src/monitor/monitors.ts",
        find: "this.#peerDown(input.node, input.cause);",
        replace:
          'for (const node of [...this.#up]) {\n          const name = input.node.slice(0, input.node.indexOf("@") + 1);\n          if (node.startsWith(name)) this.#peerDown(node, input.cause);\n        }',
      },
    ],
    by: ["a node is down only to whom it is not up", "no down before a cause"],
    seeds: 960,
  },
  {
    name: "a suspicion fires monitors",
    edits: [
      {
        file: "src/node/machine.ts",
        find: "this.#scopes.suspicionChanged(this.#now);",
        replace:
          'this.#scopes.suspicionChanged(this.#now);\n    if (kind === "suspect") this.#monitor({ kind: "peerDown", node, cause: "silent" });',
      },
    ],
    by: ["a node is down only to whom it is not up", "no down before a cause"],
    seeds: 190,
  },
  {
    name: "a watch fires though its process lives",
    edits: [
      {
        file: "src/monitor/watch-keeper.ts",
        find: "if (!this.#local.isAlive(serial)) {\n        dead.push(serial);\n      } else if",
        replace:
          "if (!this.#local.isAlive(serial) || this.#watchersOf.has(serial)) {\n        dead.push(serial);\n      } else if",
      },
    ],
    by: ["no down before a cause"],
    seeds: 70,
  },
  {
    name: "a suspect stays one",
    edits: [
      {
        file: "src/monitor/detector.ts",
        find: "peer.suspect = false;\n    this.#counts.refutations",
        replace: "this.#counts.refutations",
      },
    ],
    by: ["all nodes find each other"],
    seeds: 150,
  },
  {
    name: "a silent node is given up as soon as it is suspect",
    edits: [
      {
        file: "src/monitor/detector.ts",
        find: "if (nowMs >= deadAtMs || (nowMs >= suspectAtMs && peer.doubted)) {",
        replace: "if (nowMs >= deadAtMs || nowMs >= suspectAtMs) {",
      },
    ],
    by: ["a node is given up only after its time", "nobody who is well is given up"],
    seeds: 70,
  },
  {
    name: "a connection that is gone has no grace",
    edits: [
      {
        file: "src/monitor/accusations.ts",
        find: "return evidence.sinceMs + (evidence.busFault",
        replace: "return 0 * evidence.sinceMs * (evidence.busFault",
      },
    ],
    by: ["a node is given up only after its time", "nobody who is well is given up"],
    seeds: 40,
  },
];
