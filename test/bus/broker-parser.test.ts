import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CommandParser, type CommandSink } from "../../src/bus/embedded/command-parser.ts";
import { BROKER_LIMITS } from "../../src/bus/embedded/limits.ts";

type Command = readonly unknown[];

function recorder(): { sink: CommandSink; commands: Command[] } {
  const commands: Command[] = [];
  return {
    commands,
    sink: {
      onConnect: (json) => void commands.push(["connect", json.toString().trim()]),
      onPing: () => void commands.push(["ping"]),
      onSubscribe: (...fields) => void commands.push(["sub", ...fields]),
      onUnsubscribe: (...fields) => void commands.push(["unsub", ...fields]),
      onPublish: (subject, reply, headerBytes, body) => {
        commands.push(["pub", subject, reply, headerBytes, body.toString("latin1")]);
      },
    },
  };
}

const word = fc.stringMatching(/^[a-zA-Z0-9_$*>.-]{1,12}$/);
const blank = fc.constantFrom(" ", "\t", "  ");
const lineEnd = fc.constantFrom("\r\n", "\n");
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const either = (name: string): fc.Arbitrary<string> => fc.constantFrom(name, name.toLowerCase());

/** A command as it is on the wire, and what must be read of it. */
const command: fc.Arbitrary<{ wire: string; read: Command | undefined }> = fc.oneof(
  fc.tuple(either("PING"), lineEnd).map(([name, end]) => ({ wire: `${name}${end}`, read: ["ping"] })),
  fc.tuple(either("PONG"), lineEnd).map(([name, end]) => ({ wire: `${name}${end}`, read: undefined })),
  fc
    .tuple(either("SUB"), blank, word, fc.option(word, { nil: undefined }), word, lineEnd)
    .map(([name, gap, subject, queue, sid, end]) => ({
      wire: `${name}${gap}${subject}${gap}${queue === undefined ? "" : `${queue}${gap}`}${sid}${end}`,
      read: ["sub", subject, queue, sid],
    })),
  fc
    .tuple(either("UNSUB"), blank, word, fc.option(fc.nat(1_000), { nil: undefined }), lineEnd)
    .map(([name, gap, sid, max, end]) => ({
      wire: `${name}${gap}${sid}${max === undefined ? "" : `${gap}${max}`}${end}`,
      read: ["unsub", sid, max],
    })),
  fc
    .tuple(either("PUB"), blank, word, fc.option(word, { nil: undefined }), payload, lineEnd)
    .map(([name, gap, subject, reply, body, end]) => ({
      wire: `${name}${gap}${subject}${gap}${reply === undefined ? "" : `${reply}${gap}`}${body.length}${end}${body}\r\n`,
      read: ["pub", subject, reply, 0, body],
    })),
  fc.tuple(either("HPUB"), word, payload, payload).map(([name, subject, headers, body]) => ({
    wire: `${name} ${subject} ${headers.length} ${headers.length + body.length}\r\n${headers}${body}\r\n`,
    read: ["pub", subject, undefined, headers.length, headers + body],
  })),
  fc.constant({
    wire: 'CONNECT {"name":"x","echo":false}\r\n',
    read: ["connect", '{"name":"x","echo":false}'],
  }),
);

/** Cuts bytes at the given places, in any order and repeated. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort(
    (left, right) => left - right,
  );
  return [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length));
}

describe("the broker's parser", () => {
  test("reads the same commands wherever the stream is split", () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 12 }),
        fc.array(fc.nat(5_000), { maxLength: 40 }),
        (commands, cuts) => {
          const { sink, commands: read } = recorder();
          const parser = new CommandParser(sink, BROKER_LIMITS);
          const wire = Buffer.from(commands.map((one) => one.wire).join(""), "latin1");
          for (const chunk of split(wire, cuts)) expect(parser.push(chunk)).toBeUndefined();
          expect(read).toEqual(commands.flatMap((one) => (one.read === undefined ? [] : [one.read])));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("reads the same commands byte by byte", () => {
    const { sink, commands } = recorder();
    const parser = new CommandParser(sink, BROKER_LIMITS);
    for (const byte of Buffer.from("PING\r\nPUB a.b r 5\r\n\r\nPI\n\r\nSUB x 1\r\n"))
      parser.push(Buffer.from([byte]));
    expect(commands).toEqual([["ping"], ["pub", "a.b", "r", 0, "\r\nPI\n"], ["sub", "x", undefined, "1"]]);
  });

  test("takes nothing after garbage, never throws, and holds no more than one command", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
        const { sink, commands } = recorder();
        const parser = new CommandParser(sink, BROKER_LIMITS);
        let violated = false;
        for (const chunk of chunks) {
          const before = commands.length;
          const violation = parser.push(Buffer.from(chunk));
          if (violated) expect([violation === undefined, commands.length]).toEqual([false, before]);
          violated ||= violation !== undefined;
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["GET / HTTP/1.1\r\n", "Unknown Protocol Operation"],
    ["\r\n", "Unknown Protocol Operation"],
    ["\0\0\0\0\n", "Unknown Protocol Operation"],
    ["PUBX a 1\r\n", "Unknown Protocol Operation"],
    ["PUB a\r\n", "Parser Error"],
    ["PUB a b c 1\r\nx\r\n", "Parser Error"],
    ["PUB a -1\r\n", "Parser Error"],
    ["PUB a 1e3\r\n", "Parser Error"],
    ["PUB a 99999999999999999999\r\n", "Parser Error"],
    ["PUB a 2\r\nabc\r\n", "Parser Error"],
    ["HPUB a 5 4\r\nabcd\r\n", "Parser Error"],
    ["HPUB a 4\r\n", "Parser Error"],
    ["SUB\r\n", "Parser Error"],
    ["SUB a b c d e f g\r\n", "Parser Error"],
    ["UNSUB\r\n", "Parser Error"],
    ["UNSUB 1 x\r\n", "Parser Error"],
    ["PUB a 1048577\r\n", "Maximum Payload Violation"],
    [`SUB ${"x".repeat(4_100)} 1\r\n`, "Maximum Control Line Exceeded"],
    ["x".repeat(5_000), "Maximum Control Line Exceeded"],
  ])("refuses %j: %s", (wire, violation) => {
    const { sink, commands } = recorder();
    expect(new CommandParser(sink, BROKER_LIMITS).push(Buffer.from(wire, "latin1"))).toBe(violation);
    expect(commands).toEqual([]);
  });

  test("a line that never ends is refused as soon as it is too long, in pieces too", () => {
    const { sink } = recorder();
    const parser = new CommandParser(sink, BROKER_LIMITS);
    let pushed = 0;
    while (parser.push(Buffer.alloc(100, "x")) === undefined) pushed += 100;
    expect(pushed).toBeLessThanOrEqual(BROKER_LIMITS.controlLineBytes);
  });
});
