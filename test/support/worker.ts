/**
 * An OS process that runs one node and does with it what the test that started it says, over Node's IPC channel. It ends when
 * that channel closes, so it does not outlive the test; unless it was told to `finish`: then it must end by itself.
 */
import { NodeCommands } from "./worker/node-commands.ts";
import { type Ask, type Report, type Sighting, tell } from "./worker/protocol.ts";
import { StrictCommands } from "./worker/strict-commands.ts";

const report = (message: Report): void => {
  if (process.connected) process.send?.(message);
};
const see = (sighting: Sighting): void =>
  report({ kind: "sighting", sighting: { atMs: Date.now(), ...sighting } });

const endWithTest = (): never => process.exit(0);
process.once("disconnect", endWithTest);

const node = new NodeCommands(see);

process.on("message", (message) => {
  const ask = message as Ask;
  if (ask.method === "finish") {
    process.off("disconnect", endWithTest);
    process.disconnect();
    return;
  }
  void answer(ask);
});
report({ kind: "booted" });

async function answer({ id, scope, method, args }: Ask): Promise<void> {
  try {
    report({ kind: "answer", id, value: await run(scope, method, args) });
  } catch (error) {
    report({ kind: "refusal", id, error: tell(error) });
  }
}

/** A method of the node if it has one of that name, else of the scope. */
function run(scope: string | undefined, method: string, args: readonly unknown[]): unknown {
  const isStrict = method in StrictCommands.prototype;
  const ofScope = (): object => (isStrict ? node.strictCommands : node.scopeCommands(scope));
  const target: object = scope === undefined && method in node ? node : ofScope();
  const found: unknown = Reflect.get(target, method);
  if (typeof found !== "function") throw new Error(`a worker has no command ${method}`);
  return Reflect.apply(found, target, args);
}
