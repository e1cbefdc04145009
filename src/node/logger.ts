/** Where a node writes what an operator may want to know. A pino logger is one. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export type LogLevel = keyof Logger;

/** What a node without a logger does: one line of JSON on standard error for each warning and error, nothing for the rest. */
export const warningsToStderr: Logger = {
  debug() {},
  info() {},
  warn: (details, message) => writeLine("warn", details, message),
  error: (details, message) => writeLine("error", details, message),
};

function writeLine(level: LogLevel, details: object, message: string): void {
  process.stderr.write(`${lineOf({ level, library: "rollcall", message, ...details })}\n`);
}

function lineOf(record: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(record, readable);
  } catch {
    // Details that go in circles, which an error of a user's may.
    return JSON.stringify({ level: record["level"], library: record["library"], message: record["message"] });
  }
}

function readable(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  if (typeof value === "bigint") return value.toString();
  return value instanceof Map ? [...value] : value;
}

/** A logger that cannot throw: a user's is called from places where nobody could catch it. */
export function safeLogger(logger: Logger): Logger {
  const guard =
    (level: LogLevel) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // There is nowhere left to report it.
      }
    };
  return { debug: guard("debug"), info: guard("info"), warn: guard("warn"), error: guard("error") };
}
