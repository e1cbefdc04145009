/** What the story's teller and its nodes, each an OS process of its own, say to each other over Node's IPC channel. */

/** The first message to a node's process. Not an argument, which every user of the machine could read: it may hold a password. */
export interface NodeSetup {
  readonly name: string;
  readonly cluster: string;
  /** NATS servers, or the port of the embedded bus. */
  readonly bus: { readonly servers: readonly string[] } | { readonly port: number };
}

/** What the teller has a node do, and what the node answers. */
export interface Commands {
  /** Starts a service, a process that answers calls and counts them, and registers it. Answers with its pid. */
  serve: { readonly asks: { readonly name: string }; readonly answers: string };
  /** Starts a service when the name is free, as often as that happens. */
  standBy: { readonly asks: { readonly name: string }; readonly answers: true };
  /** Starts a process that is a member of the group, and reports what it receives. Answers with its pid. */
  join: { readonly asks: { readonly group: string }; readonly answers: string };
  call: { readonly asks: { readonly name: string; readonly timeoutMs?: number }; readonly answers: Reply };
  publish: { readonly asks: { readonly group: string; readonly message: string }; readonly answers: number };
  /** Watches the holder of a name. */
  monitor: { readonly asks: { readonly name: string }; readonly answers: true };
  /** From now on nothing comes in from these nodes; from none: healed. */
  cutOff: { readonly asks: { readonly nodes: readonly string[] }; readonly answers: true };
  look: { readonly asks: object; readonly answers: View };
  stop: { readonly asks: object; readonly answers: true };
}

export type CommandKind = keyof Commands;
export type Asks<K extends CommandKind> = Commands[K]["asks"];
export type Answers<K extends CommandKind> = Commands[K]["answers"];

export type Request = {
  [K in CommandKind]: { readonly id: number; readonly kind: K } & Asks<K>;
}[CommandKind];

/** How a service answers. */
export interface Reply {
  readonly by: string;
  readonly orders: number;
}

/** What a node sees of the cluster, in names that a reader knows: nodes without their incarnation. */
export interface View {
  /** Node → its state. */
  readonly nodes: Readonly<Record<string, string>>;
  readonly names: Readonly<Record<string, { readonly node: string; readonly orders: number }>>;
  /** Group → the nodes of its members, sorted; one for each member. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** Something that a node saw happen. */
export type Sighting =
  | { readonly kind: "nodeUp" | "nodeSuspect"; readonly node: string }
  | { readonly kind: "nodeDown"; readonly node: string; readonly why: string }
  | { readonly kind: "registered"; readonly name: string; readonly node: string }
  | { readonly kind: "unregistered"; readonly name: string; readonly node: string; readonly why: string }
  | { readonly kind: "joined"; readonly group: string; readonly node: string }
  | { readonly kind: "left"; readonly group: string; readonly node: string; readonly why: string }
  | { readonly kind: "monitorFired"; readonly name: string; readonly why: string }
  | { readonly kind: "received"; readonly pid: string; readonly message: string }
  /** Its resolver ran. */
  | {
      readonly kind: "resolving";
      readonly name: string;
      readonly contenders: readonly Reply[];
      readonly kept: string;
    }
  /** It heard of a verdict. */
  | { readonly kind: "clash"; readonly name: string; readonly kept: string | undefined }
  | {
      readonly kind: "serviceEnded";
      readonly name: string;
      readonly why: string;
      readonly winner: string | undefined;
    }
  | { readonly kind: "log"; readonly level: string; readonly text: string };

/** What a node's process tells. `atMs` is wall time: one machine, so it can be compared. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly text: string }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly code: string; readonly text: string }
  | { readonly kind: "sighting"; readonly atMs: number; readonly sighting: Sighting };
