import { trySeed } from "./trial.ts";

// Bundled with a mutated core and run by itself: `node <bundle> <first seed> <count> [workload]`. Prints a line for each seed that fails,
// and one for every so many that were tried.
const [first = "0", count = "0", workload] = process.argv.slice(2);
const end = Number(first) + Number(count);
for (let seed = Number(first); seed < end; seed += 1) {
  const failure = trySeed(seed, workload);
  if (failure !== undefined) process.stdout.write(`${JSON.stringify(failure)}\n`);
}
process.stdout.write(`${JSON.stringify({ tried: Number(count) })}\n`);
