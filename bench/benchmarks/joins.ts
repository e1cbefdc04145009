import type { ClusterNode, Process } from "../../src/index.ts";
import { Arrivals, until } from "../arrivals.ts";
import { type Benchmark, type Contestant, type Part, PLACES, type Place, type Round } from "../contest.ts";
import { keyOf, numberOf, PlainItems } from "../plain-item.ts";
import { sendInWindows } from "../sending.ts";

const GROUPS = 1_000;

/** Items between two flushes, on both sides. */
const WINDOW = 4_096;

const SUBJECT = "bench.joins";

const groups = Array.from({ length: GROUPS }, (_, index) => `group-${index}`);
const longestGroup = Math.max(...groups.map((group) => group.length));

function groupOf(index: number): string {
  return groups[index % GROUPS] ?? "";
}

const ours: Contestant = {
  name: "rollcall",
  does: `groups.join() of as many processes, spawned before, to ${GROUPS} groups in turn; flushed() every ${WINDOW} joins, two at most under way; until groups.count() is complete on every node`,
  async open({ node }: Place): Promise<Part> {
    let members: readonly Process[] = [];
    await until(() => node.nodes().length === PLACES);
    return {
      async prepare({ items }) {
        members = Array.from({ length: items }, () => node.spawn());
      },
      async send({ items }) {
        const send = (index: number): void => {
          const member = members[index];
          if (member !== undefined) node.groups.join(groupOf(index), member);
        };
        await sendInWindows(items, WINDOW, send, () => node.flushed());
      },
      async arrived({ items }) {
        // Looking at every group each time would slow down what is measured. The last one is also last to be complete.
        const last = groupOf(items - 1);
        const share = Math.ceil((items - ((items - 1) % GROUPS)) / GROUPS);
        await until(() => node.groups.count(last) === share);
        await until(() => countMembers(node) === items);
      },
      async clear() {
        for (const member of members) member.exit();
        members = [];
        await until(() => node.groups.list().length === 0, 20);
      },
    };
  },
};

function countMembers(node: ClusterNode): number {
  return groups.reduce((sum, group) => sum + node.groups.count(group), 0);
}

const publish: Contestant = {
  name: "plain publish",
  does: `one message for each join, as many bytes as we send for it; put into a Map of Sets by the sender and by both receivers; a flush() every ${WINDOW} messages, two at most under way`,
  async open({ index, connection }: Place): Promise<Part> {
    const table = new Map<string, Set<number>>();
    const arrivals = new Arrivals();
    const join = (group: string, member: number): void => {
      const members = table.get(group);
      if (members === undefined) table.set(group, new Set([member]));
      else members.add(member);
      arrivals.add();
    };
    if (index !== 0) {
      connection.subscribe(SUBJECT, { callback: (_error, { data }) => join(keyOf(data), numberOf(data)) });
    }
    await connection.flush();
    return {
      async prepare({ items }) {
        arrivals.expect(items);
      },
      async send(round: Round) {
        const items = new PlainItems(round.itemBytes.toAll, longestGroup);
        const send = (member: number): void => {
          const group = groupOf(member);
          join(group, member);
          connection.publish(SUBJECT, items.write(group, member));
        };
        await sendInWindows(round.items, WINDOW, send, () => connection.flush());
      },
      arrived: () => arrivals.completion,
      async clear({ items }) {
        const present = [...table.values()].reduce((sum, members) => sum + members.size, 0);
        if (present !== items) throw new Error(`${present} members of ${items}`);
        table.clear();
      },
    };
  },
};

export const joins: Benchmark = {
  name: "joins",
  unit: "joins",
  what: "processes of one node joined to groups, until all three nodes show them",
  items: { full: 100_000, quick: 3_000 },
  unitsPerItem: 1,
  mark: 0.3,
  ours,
  others: [publish],
};
