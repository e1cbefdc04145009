import { createColors } from "picocolors";
import { realClock } from "../../node/real-clock.ts";
import {
  type AddCommand,
  type CommonFlags,
  examples,
  flagsOf,
  parseWhole,
  type Visit,
  visit,
  withCommonFlags,
} from "../command.ts";
import { wordsOfGroup, wordsOfName, wordsOfNode } from "../event-words.ts";
import { EXIT } from "../exit-codes.ts";
import { type Line, pictureOf, type Rates, type Snapshot } from "../top/picture.ts";

interface Flags extends CommonFlags {
  readonly once?: boolean;
  readonly intervalMs: number;
}

const INTERVAL_MS = 1_000;
const LONGEST_MS = 3_600_000;
/** More than fit on any screen are not kept. */
const MOST_EVENTS = 50;
/** Where there is no terminal that tells. */
const SIZE = { columns: 160, rows: 60 };

/** Cursor to the upper left, and everything from the cursor on away. */
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_REST = "\u001b[J";
/** Another page of the terminal, so that what stood there is back afterwards; and no cursor on it. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";

export const addTop: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("top"))
    .description("show nodes, names, groups and what happens, again and again, until Ctrl-C")
    .option("--once", "one picture, and the end")
    .option(
      "--interval-ms <ms>",
      "between two pictures",
      parseWhole("--interval-ms", 100, LONGEST_MS),
      INTERVAL_MS,
    )
    .option("--json", "each picture as a JSON document on a line of its own")
    .action(async () => {
      const flags = flagsOf<Flags>(command);
      const work = visit(flags, { mayBeAlone: flags.once !== true }, async (visited) => {
        const camera = new Camera(visited);
        if (flags.once === true) show(visited, camera.snapshot());
        else await film(visited, camera, flags.intervalMs);
        return EXIT.ok;
      });
      done(await work);
    });
  examples(command, ["top", "top --once", "top --interval-ms 5000 --json >> top.jsonl"]);
};

async function film(visited: Visit, camera: Camera, intervalMs: number): Promise<void> {
  const { json, output, signal } = visited;
  const isLive = process.stdout.isTTY && !json;
  const leave = (): void => output.write(LEAVE);
  if (isLive) {
    output.write(ENTER);
    // Also when it ends as it stands, by a second Ctrl-C.
    process.once("exit", leave);
  }
  try {
    while (!signal.aborted) {
      const snapshot = camera.snapshot();
      if (isLive) redraw(visited, snapshot);
      else show(visited, snapshot);
      await passed(intervalMs, signal);
    }
  } finally {
    if (isLive) {
      process.off("exit", leave);
      leave();
    }
  }
}

function show({ json, output }: Visit, snapshot: Snapshot): void {
  if (json) output.jsonLine(snapshot);
  else output.line(`${pictureOf(snapshot, SIZE).map(colored).join("\n")}\n`);
}

function redraw({ output }: Visit, snapshot: Snapshot): void {
  // Some terminals say that they have none.
  const columns = process.stdout.columns || SIZE.columns;
  const rows = process.stdout.rows || SIZE.rows;
  const lines = pictureOf(snapshot, { columns, rows: rows - 1 }).map((line) => colored(line) + CLEAR_LINE);
  output.write(`${HOME}${lines.join("\n")}\n${CLEAR_REST}`);
}

const colors = createColors();

function colored({ style, text }: Line): string {
  switch (style) {
    case "plain":
      return text;
    case "heading":
      return colors.bold(text);
    case "warning":
      return colors.yellow(text);
  }
}

/** Keeps what the node does not: when things happened, and how many since the last look. */
class Camera {
  readonly #visit: Visit;
  #events: { readonly atMs: number; readonly text: string }[] = [];
  #changes = 0;
  #before: { atMs: number; changes: number; received: number; sent: number } | undefined;

  constructor(visited: Visit) {
    this.#visit = visited;
    const { node, scope, signal } = visited;
    this.#follow(node.watchNodes({ signal }), wordsOfNode);
    this.#follow(scope.names.watch(undefined, { signal }), wordsOfName);
    this.#follow(scope.groups.watch(undefined, { signal }), wordsOfGroup);
  }

  snapshot(): Snapshot {
    const { node, scope } = this.#visit;
    const groups = scope.groups.list();
    return {
      cluster: node.cluster,
      atMs: realClock.now().wallMs,
      nodes: node.nodes().map(({ id, name, state }) => ({
        id,
        name,
        state,
        names: scope.names.count({ node: id }),
        isSelf: id === node.id,
      })),
      names: scope.names.count(),
      groups: groups.length,
      members: groups.reduce((sum, group) => sum + scope.groups.count(group), 0),
      perSecond: this.#rates(),
      events: this.#events,
    };
  }

  #rates(): Rates | undefined {
    const { received, sent } = this.#visit.node.stats().frames;
    const before = this.#before;
    const atMs = realClock.now().monotonicMs;
    this.#before = { atMs, changes: this.#changes, received, sent };
    if (before === undefined) return undefined;
    const seconds = (atMs - before.atMs) / 1_000;
    return {
      changes: (this.#changes - before.changes) / seconds,
      framesIn: (received - before.received) / seconds,
      framesOut: (sent - before.sent) / seconds,
    };
  }

  #follow<E extends { readonly kind: string }>(
    events: AsyncIterable<E>,
    wordsOf: (event: E) => readonly string[],
  ): void {
    void (async () => {
      for await (const event of events) {
        // What is there is in the picture already.
        if (event.kind === "state" || event.kind === "resync") continue;
        this.#changes += 1;
        const atMs = realClock.now().wallMs;
        this.#events.push(...wordsOf(event).map((text) => ({ atMs, text })));
        this.#events = this.#events.slice(-MOST_EVENTS);
      }
      // The node has closed, of which the visit hears.
    })().catch(() => undefined);
  }
}

function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      cancel();
      signal.removeEventListener("abort", go);
      resolve();
    };
    const cancel = realClock.after(ms, go);
    signal.addEventListener("abort", go, { once: true });
  });
}
