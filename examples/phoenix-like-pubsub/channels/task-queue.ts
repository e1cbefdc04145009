/** One thing after the other: what a channel does, in the order in which it was asked. Tasks do not throw. */
export class TaskQueue {
  #waiting: (() => unknown)[] = [];
  #isRunning = false;

  /** At once, if nothing is under way: then whoever gave it sees its effects when this returns. */
  add(task: () => unknown): void {
    this.#waiting.push(task);
    if (!this.#isRunning) this.#run();
  }

  /** What has not begun never will. */
  clear(): void {
    this.#waiting = [];
  }

  #run(): void {
    this.#isRunning = true;
    for (;;) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
      const done = task();
      if (done instanceof Promise) {
        // Tasks do not reject either: a rejection would be a bug, and is to be seen as one.
        void done.then(() => this.#run());
        return;
      }
    }
    this.#isRunning = false;
  }
}
