import { spawnSync } from "node:child_process";
import { cpus, loadavg, release, type } from "node:os";

/** What a figure must not be read without. */
export interface MachineFacts {
  readonly cores: number;
  readonly processor: string;
  readonly system: string;
  readonly node: string;
  readonly natsServer: string;
  /** Of the last 1, 5 and 15 minutes: far above the cores, when others are at work too. */
  readonly loadAverage: readonly number[];
}

export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model ?? "unknown",
    system: `${type()} ${release()}`,
    node: process.version,
    natsServer: natsServerVersion(),
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
  };
}

function natsServerVersion(): string {
  const { stdout, error } = spawnSync("nats-server", ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error("nats-server is not on the PATH", { cause: error });
  return stdout.trim().replace(/^nats-server: /, "");
}
