import { createHook } from "node:async_hooks";

/** `process.getActiveResourcesInfo()` does not tell of timers that do not keep the process alive. */
const TRACKED: ReadonlySet<string> = new Set(["Timeout", "Immediate", "TCPWRAP"]);

/** The timers and sockets that were made since it began and are not gone yet, those that keep nothing alive included. */
export class ResourceTracker {
  readonly #live = new Map<number, string>();

  begin(): void {
    createHook({
      init: (id, type) => {
        if (TRACKED.has(type)) this.#live.set(id, type);
      },
      destroy: (id) => {
        this.#live.delete(id);
      },
    }).enable();
  }

  get live(): readonly string[] {
    return [...this.#live.values()];
  }
}
