import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { vi } from "vitest";

const PAGE = new URL("../../examples/phoenix-like-pubsub/page/", import.meta.url);
/** Where the page's files are copied to, beside a view that shows nothing. */
const PLACE = fileURLToPath(new URL("../../.tmp/", import.meta.url));
const SHOWING = ["begin", "fly", "isNaming", "showHint", "showNodes", "showPeople", "showSelf", "showStatus"];

/** Of virtual time: longer than the page waits for anything, and how soon the test looks again. */
const WITHIN_MS = 10_000;
const STEP_MS = 10;

/** `[join reference, reference, topic, event, payload]`. */
type Frame = readonly [string | null, string, string, string, Readonly<Record<string, unknown>>];

interface Visitor {
  readonly name: string;
  readonly rating: number | null;
}

/** What the page takes from its visitor. */
interface Doings {
  rate(rating: number): void;
  rename(name: string): void;
  cheer(emoji: string): void;
}

/**
 * `talk.js` with the official client and without a browser. The server's side is done by the test: what the page says in the talk
 * stands in `said`, and waits for `answer`.
 */
export class TalkPage implements Disposable {
  /** All that it has said in the talk since the test last looked. */
  readonly said: Frame[] = [];
  readonly hints: string[] = [];
  shown: Visitor | undefined;
  #doings: Doings | undefined;
  #connection: FakeWebSocket | undefined;
  readonly #folder: string;
  readonly #kept = new Map<string, string>();

  /** The test has fake timers. */
  static async open(): Promise<TalkPage> {
    const page = new TalkPage();
    await import(pathToFileURL(join(page.#folder, "talk.js")).href);
    return page;
  }

  private constructor() {
    mkdirSync(PLACE, { recursive: true });
    this.#folder = mkdtempSync(join(PLACE, "talk-page-"));
    for (const file of ["talk.js", "latest.js", "visitor.js"])
      copyFileSync(new URL(file, PAGE), join(this.#folder, file));
    const client = readFileSync(fileURLToPath(import.meta.resolve("phoenix")), "utf8");
    // Its source map stays behind, and would be missed.
    writeFileSync(join(this.#folder, "phoenix.mjs"), client.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
    writeFileSync(join(this.#folder, "package.json"), '{ "type": "module" }');
    const lines = SHOWING.map((name) => `export const ${name} = (...all) => talkPageView.${name}?.(...all);`);
    writeFileSync(join(this.#folder, "view.js"), lines.join("\n"));
    this.#takePlaceOfBrowser();
  }

  get doings(): Doings {
    if (this.#doings === undefined) throw new Error("the page has not begun");
    return this.#doings;
  }

  /** What it would know of its visitor after a reload. */
  get remembered(): Visitor {
    return JSON.parse(this.#kept.get("visitor") ?? "null") as Visitor;
  }

  /** Takes what it has said next, which is to be this. */
  async says(event: string): Promise<Frame> {
    for (let passedMs = 0; this.said.length === 0 && passedMs < WITHIN_MS; passedMs += STEP_MS)
      await vi.advanceTimersByTimeAsync(STEP_MS);
    const [next] = this.said.splice(0, 1);
    if (next?.[3] !== event) throw new Error(`${event} was to be said, not ${JSON.stringify(next)}`);
    return next;
  }

  answer([joinRef, ref, topic]: Frame, status: "ok" | "error", response: object = {}): void {
    this.#connection?.tell([joinRef, ref, topic, "phx_reply", { status, response }]);
  }

  /** The channel has crashed: the client joins it again. */
  fail([joinRef, , topic]: Frame): void {
    this.#connection?.tell([joinRef, joinRef, topic, "phx_error", {}]);
  }

  /** The connection breaks: the page goes on at the next node. */
  breakOff(): void {
    this.#connection?.end();
  }

  [Symbol.dispose](): void {
    vi.unstubAllGlobals();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #takePlaceOfBrowser(): void {
    const kept = this.#kept;
    const begun = (connection: FakeWebSocket): void => {
      this.#connection = connection;
    };
    const hear = (frame: Frame): void => {
      if (frame[2] === "talk:main") this.said.push(frame);
      else this.answer(frame, "ok");
    };
    vi.stubGlobal(
      "WebSocket",
      class extends FakeWebSocket {
        constructor() {
          super(hear);
          begun(this);
        }
      },
    );
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
    const origin = "http://127.0.0.1:4300";
    vi.stubGlobal("location", { protocol: "http:", hostname: "127.0.0.1", origin, port: "4300" });
    const site = { node: "talk-1", ports: [4300, 4301, 4302], origins: [origin] };
    vi.stubGlobal("fetch", async () => ({ json: async () => site }));
    vi.stubGlobal("talkPageView", {
      begin: (doings: Doings) => {
        this.#doings = doings;
      },
      isNaming: () => false,
      showHint: (hint: string) => this.hints.push(hint),
      showSelf: ({ name, rating }: Visitor) => {
        this.shown = { name, rating };
      },
    });
  }
}

/** As much of a WebSocket as the client needs. */
class FakeWebSocket {
  readyState = 0;
  onopen: (() => void) | undefined;
  onclose: ((event: object) => void) | undefined;
  onmessage: ((event: { readonly data: string }) => void) | undefined;
  onerror: (() => void) | undefined;
  readonly #hear: (frame: Frame) => void;

  constructor(hear: (frame: Frame) => void) {
    this.#hear = hear;
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.();
    }, 1);
  }

  send(text: string): void {
    const frame = JSON.parse(text) as Frame;
    // The client does not expect an answer while it still speaks.
    setTimeout(() => this.#hear(frame), 1);
  }

  tell(frame: readonly unknown[]): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  end(): void {
    this.readyState = 3;
    this.onclose?.({ code: 1006 });
  }

  close(): void {
    this.readyState = 3;
  }
}
