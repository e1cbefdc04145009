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
  {
    name: "the end of a process is told without its reason",
    edits: [
      {
        file: "src/monitor/watch-keeper.ts",
        find: "reason: this.#local.reasonOf(serial)",
        replace: 'reason: { kind: "noSuchProcess" as const }',
      },
    ],
    by: ["a reason is true"],
    seeds: 70,
  },
  {
    name: "the watches of a node that is down are kept",
    edits: [{ file: "src/monitor/monitors.ts", find: "    this.#keeper.drop(node);\n", replace: "" }],
    by: ["nothing is watched for nobody"],
    seeds: 1380,
  },
  {
    name: "a monitor of a process that has ended waits for ever",
    edits: [
      {
        file: "src/monitor/monitors.ts",
        find: "      if (!this.#local.isAlive(serial)) {\n        this.#fire(monitor, { pid, node, reason: this.#local.reasonOf(serial) });\n        return;\n      }",
        replace: "      void this.#local;",
      },
    ],
    by: ["every monitor fires", "nothing is watched for nobody"],
    seeds: 590,
  },
  {
    name: "who watches one that has ended is not told",
    edits: [
      {
        file: "src/monitor/watch-keeper.ts",
        find: "        else watchers.add(watcher);\n      }\n    }\n    this.#tell(watcher, record, dead);",
        replace: "        else watchers.add(watcher);\n      }\n    }",
      },
    ],
    by: ["nothing is mended that was not broken", "every monitor fires"],
    seeds: 3_940,
  },
  {
    name: "what a watcher does not name any more is kept",
    edits: [
      {
        file: "src/monitor/watch-keeper.ts",
        find: "if (!all.has(serial)) this.release(watcher, serial);",
        replace: "if (all.size < 0) this.release(watcher, serial);",
      },
    ],
    by: ["what is watched is settled in the end"],
    seeds: 16_570,
  },
  {
    name: "a node goes on being watched when that is cancelled",
    edits: [
      {
        file: "src/monitor/monitors.ts",
        find: "    this.#targets.delete(monitor);\n    const watched",
        replace: "    if (target.pid !== undefined) this.#targets.delete(monitor);\n    const watched",
      },
      { file: "src/monitor/monitors.ts", find: "watched.nodeMonitors.delete(monitor);", replace: "" },
    ],
    by: ["nothing is watched for nobody", "one down for each monitor"],
    seeds: 50,
  },
];
